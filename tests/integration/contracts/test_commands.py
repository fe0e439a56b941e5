"""Node commands: once per step, on the process that was decided on, and what became of them; in SSM and in the fake."""

import pytest
from tests.integration.contracts.commands_world import CommandedInstance

from vagus.errors import Refused

STEP = "restart-i-0123456789abcdef0-1"
LATER = "9999999999"


def restart(commanded: CommandedInstance, step: str, started: int) -> None:
    parameters = {"StartedAt": str(started), "NotAfter": LATER}
    commanded.port.send("restart-search", commanded.instance, step, parameters)


def outcomes(commanded: CommandedInstance) -> list[tuple[str, str]]:
    return [(one.step, one.outcome) for one in commanded.ended()]


def test_whoever_died_after_sending_sends_it_again_and_there_is_one_restart(commanded: CommandedInstance) -> None:
    decided_on = commanded.started()
    restart(commanded, STEP, decided_on)
    restart(commanded, STEP, decided_on)
    assert sorted(outcome for _, outcome in outcomes(commanded)) == ["already", "done"]
    assert commanded.starts() == 1
    restart(commanded, STEP, decided_on)
    assert outcomes(commanded)[-1] == (STEP, "already")
    assert commanded.starts() == 1


def test_nothing_is_stopped_when_nobody_expects_it_any_more(commanded: CommandedInstance) -> None:
    parameters = {"StartedAt": str(commanded.started()), "NotAfter": "1600000000"}
    commanded.port.send("restart-search", commanded.instance, STEP, parameters)
    assert outcomes(commanded) == [(STEP, "failed")]
    assert commanded.starts() == 0
    assert commanded.active()


def test_a_process_that_nobody_decided_on_is_left_alone(commanded: CommandedInstance) -> None:
    decided_on = commanded.started()
    restart(commanded, STEP, decided_on)
    assert outcomes(commanded) == [(STEP, "done")]
    assert commanded.started() > decided_on
    restart(commanded, f"{STEP}-again", decided_on)
    assert outcomes(commanded)[-1] == (f"{STEP}-again", "superseded")
    assert commanded.starts() == 1


def test_what_vagus_stopped_it_starts_and_what_a_person_stopped_stays(commanded: CommandedInstance) -> None:
    port, instance = commanded.port, commanded.instance
    port.send("stop-search", instance, "stop-0001", {"StartedAt": str(commanded.started())})
    assert outcomes(commanded)[-1] == ("stop-0001", "done")
    assert not commanded.active()
    port.send("start-search", instance, "start-0001", {})
    assert outcomes(commanded)[-1] == ("start-0001", "done")
    assert commanded.active()
    commanded.stop_by_hand()
    port.send("start-search", instance, "start-0002", {})
    assert outcomes(commanded)[-1] == ("start-0002", "not-ours")
    assert not commanded.active()


def test_a_start_that_fails_a_check_is_a_failure_and_the_same_step_may_be_tried_again(
    commanded: CommandedInstance,
) -> None:
    commanded.break_it()
    decided_on = commanded.started()
    restart(commanded, STEP, decided_on)
    restart(commanded, STEP, decided_on)
    assert outcomes(commanded) == [(STEP, "failed"), (STEP, "failed")]
    assert commanded.starts() == 0


def test_a_version_is_staged_once_and_nothing_is_stopped(commanded: CommandedInstance) -> None:
    for _ in range(2):
        commanded.port.send("stage-search", commanded.instance, "stage-0001", {"Version": "3.4.0"})
    assert sorted(outcome for _, outcome in outcomes(commanded)) == ["already", "done"]
    assert (commanded.active(), commanded.starts()) == (True, 0)


def test_what_can_not_be_staged_is_a_failure_with_its_words(commanded: CommandedInstance) -> None:
    commanded.break_it()
    commanded.port.send("stage-search", commanded.instance, "stage-0001", {"Version": "3.4.0"})
    assert outcomes(commanded) == [("stage-0001", "failed")]
    assert (commanded.active(), commanded.starts()) == (True, 0)


def test_who_called_an_instance_is_what_the_last_of_its_documents_told(commanded: CommandedInstance) -> None:
    commanded.is_called_from("10.0.0.7", "10.0.0.9")
    assert commanded.port.callers(0) == {}, "nobody asked it"
    for number in (1, 2):
        commanded.port.send("list-callers", commanded.instance, f"callers-000{number}", {})
    commanded.ended()
    told = commanded.port.callers(1)  # since another moment: what was heard a moment ago is not asked for anew
    assert {node: one.addresses for node, one in told.items()} == {commanded.instance: ("10.0.0.7", "10.0.0.9")}
    assert all(one.week and not one.unnamed for one in told.values())
    assert commanded.port.callers(told[commanded.instance].at + 3600) == {}


@pytest.mark.parametrize(
    ("document", "step", "parameters"),
    [
        ("reboot-everything", STEP, {}),
        ("restart-search", STEP, {}),
        ("restart-search", STEP, {"StartedAt": "1700000000000"}),
        ("stage-search", STEP, {"Version": "3.4.0; true"}),
        ("restart-search", STEP, {"StartedAt": "now", "NotAfter": LATER}),
        ("restart-search", STEP, {"StartedAt": "1700000000000", "NotAfter": "1; true"}),
        ("restart-search", STEP, {"StartedAt": "1700000000000", "NotAfter": LATER, "Command": "rm"}),
        ("restart-search", "a'; rm -rf / #", {"StartedAt": "1700000000000", "NotAfter": LATER}),
        ("restart-search", "a" * 101, {"StartedAt": "1700000000000", "NotAfter": LATER}),
    ],
)
def test_what_a_document_does_not_take_is_refused(
    commanded: CommandedInstance, document: str, step: str, parameters: dict[str, str]
) -> None:
    with pytest.raises(Refused):
        commanded.port.send(document, commanded.instance, step, parameters)


def test_an_instance_that_is_not_there_takes_no_commands(commanded: CommandedInstance) -> None:
    with pytest.raises(Refused):
        commanded.port.send("start-search", "i-00000000000000000", STEP, {})
    assert commanded.port.sent("i-00000000000000000", 0) == ()
