"""Executions: by name, once; the same in Step Functions and in the fake."""

import pytest
from tests.integration.contracts.aws_world import state_machine
from tests.integration.emulator.support import Aws, until

from vagus.aws.clients import Clients
from vagus.aws.executions import Machine
from vagus.errors import Refused
from vagus.ports import Executions


def test_a_name_that_was_never_started_is_missing(executions: Executions) -> None:
    assert executions.status("one-zone_balance-1") == "MISSING"


def test_a_started_one_runs(executions: Executions) -> None:
    executions.start("one-zone_balance-1", {"cluster": "one", "paged": []})
    assert executions.status("one-zone_balance-1") == "RUNNING"


def test_a_name_that_is_taken_is_as_good_as_started(executions: Executions) -> None:
    assert executions.start("one-zone_balance-1", {"rounds": 0})
    executions.start("one-zone_balance-1", {"rounds": 0})  # taken to the emulator, started to AWS
    assert not executions.start("one-zone_balance-1", {"rounds": 7})
    assert executions.status("one-zone_balance-1") == "RUNNING"


def test_names_do_not_mix(executions: Executions) -> None:
    executions.start("one-zone_balance-1", {})
    assert executions.status("one-zone_balance-11") == "MISSING"


def test_what_was_never_started_has_no_history(executions: Executions) -> None:
    with pytest.raises(Refused):
        executions.history("one-zone_balance-1")


# -- Step Functions alone ------------------------------------------------------------------------------------------


def test_a_persons_stop_shows_as_aborted_and_its_name_stays_taken(aws: Aws, clients: Clients) -> None:
    machine = Machine(clients, state_machine(aws))
    machine.start("one", {"cluster": "one"})
    running = aws.stepfunctions.list_executions(stateMachineArn=state_arn(aws))["executions"]
    assert len(running) == 1
    assert aws.stepfunctions.describe_execution(executionArn=running[0]["executionArn"])["input"] == '{"cluster":"one"}'
    aws.stepfunctions.stop_execution(executionArn=running[0]["executionArn"])
    until(lambda: machine.status("one") == "ABORTED")
    assert not machine.start("one", {"cluster": "two"})
    assert not machine.start("one", {"cluster": "one"})
    assert machine.status("one") == "ABORTED"


def state_arn(aws: Aws) -> str:
    return str(aws.stepfunctions.list_state_machines()["stateMachines"][0]["stateMachineArn"])


def test_a_history_tells_the_state_that_it_is_in(aws: Aws, clients: Clients) -> None:
    machine = Machine(clients, state_machine(aws))
    machine.start("one", {"cluster": "one"})
    until(lambda: bool(machine.history("one")))
    (stay,) = machine.history("one")
    assert (stay.state, stay.type, stay.left) == ("Wait", "Wait", None)
    assert stay.given == {"cluster": "one"}
