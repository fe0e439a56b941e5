"""A deploy while an execution runs, on the emulated Step Functions: it keeps the definition that it began with
and calls the new code. One deploy adds a kind of step, the next takes it away.

The functions are scripted, the definitions are ours. That our own loop hands over, and that its definitions say their
kinds, is in `tests/unit/frame/test_look.py`; that rows and calls of older code are taken up, in
`tests/unit/simulation/test_rows_of_before.py`.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.integration.deploy.conftest import Client

from vagus.steps import EndRun, ExcludeNodes, HandOver, NoteIdentity, Step
from vagus_cdk.definition import ANOTHER, definition
from vagus_local.waiting import until

CODE = """
import boto3

VERSION = {version}

class Malformed(Exception): pass

def answer(call, step, **more):
    said = {{"page": False, "seconds": 1, "subject": "x", "step": {{"kind": step}}, "ends": "", "next": step}}
    carried = {{**call, "rounds": call["rounds"] + 1, "error": None}}
    return {{**said, "plan": {{"reason": "WHY", "message": "v%d" % VERSION}}, "call": carried, **more}}

def decide(call, context):
    if VERSION == 1 or (VERSION == 2 and call.get("waits")):
        return answer(call, "Wait")
    if call.get("done") or call["failures"]:
        return answer(call, "EndRun", ends="Done")
    return answer(call, "NoteIdentity")

def apply(event, context):
    call, step = event["call"], event["step"]["kind"]
    if step == "HandOver":
        name = "{machine}-%d" % (call["generation"] + 1)
        fresh = {{"generation": call["generation"] + 1, "rounds": 0, "failures": 0}}
        import json
        boto3.client("stepfunctions").start_execution(stateMachineArn="{arn}", name=name, input=json.dumps(fresh))
    if step == "NoteIdentity" and VERSION == 3:
        raise Malformed("no handler for step NoteIdentity; deploy the version that decided it")
    return {{"result": "done", "message": "", "call": {{**call, "failures": 0, "done": step == "NoteIdentity"}}}}
"""
ROLE = "arn:aws:iam::000000000000:role/deployed"
MACHINE = "deployed"
ARN = f"arn:aws:states:us-east-1:000000000000:stateMachine:{MACHINE}"
FEWER: tuple[type[Step], ...] = (ExcludeNodes, EndRun, HandOver)
MORE: tuple[type[Step], ...] = (NoteIdentity, *FEWER)


def _zip(version: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deployed.py", CODE.format(version=version, machine=MACHINE, arn=ARN))
    return packed.getvalue()


class Deployment:
    """Two functions and a state machine, deployed in versions: code first, as CloudFormation does."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.functions = {
            name: client("lambda").create_function(
                FunctionName=f"deployed-{name}",
                Runtime="python3.13",
                Role=ROLE,
                Handler=f"deployed.{name}",
                Code={"ZipFile": _zip(1)},
            )["FunctionArn"]
            for name in ("decide", "apply")
        }
        client("stepfunctions").create_state_machine(name=MACHINE, definition=self._definition(FEWER), roleArn=ROLE)

    def _definition(self, kinds: Sequence[type[Step]]) -> str:
        topic = "arn:aws:sns:us-east-1:000000000000:nobody"
        return json.dumps(
            definition(MACHINE, kinds, decide=self.functions["decide"], apply=self.functions["apply"], topic=topic)
        )

    def update(self, version: int, kinds: Sequence[type[Step]]) -> None:
        """A deploy."""
        self._client("stepfunctions").update_state_machine(stateMachineArn=ARN, definition=self._definition(kinds))
        for name in self.functions:
            self._client("lambda").update_function_code(FunctionName=f"deployed-{name}", ZipFile=_zip(version))

    def start(self, generation: int, **more: Any) -> str:
        call = {"generation": generation, "rounds": 0, "failures": 0, **more}
        started = self._client("stepfunctions").start_execution(
            stateMachineArn=ARN, name=f"{MACHINE}-{generation}", input=json.dumps(call)
        )
        return str(started["executionArn"])

    def states(self, arn: str) -> list[str]:
        """The states that an execution has entered."""
        events = self._client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)["events"]
        return [one["stateEnteredEventDetails"]["name"] for one in events if "stateEnteredEventDetails" in one]

    def ended(self, arn: str) -> str:
        """How an execution ended."""

        def end() -> str:
            status = str(self._client("stepfunctions").describe_execution(executionArn=arn)["status"])
            return "" if status == "RUNNING" else status

        return until(end, 300, f"{arn} ends")  # a call that a deploy cut off is given up after 90 s, and tried again

    def waits(self, arn: str) -> None:
        """Until it has looked and waits."""
        until(lambda: "Wait" in self.states(arn), 120, f"{arn} waits")


@pytest.fixture(scope="module")
def deployment(client: Client) -> Iterator[Deployment]:
    made = Deployment(client)
    yield made
    for name in made.functions:
        client("lambda").delete_function(FunctionName=f"deployed-{name}")


def test_a_kind_that_a_deploy_adds_is_handed_over_to_an_execution_that_has_a_state_for_it(
    deployment: Deployment,
) -> None:
    first = deployment.start(1)
    deployment.waits(first)
    deployment.update(2, MORE)
    assert deployment.ended(first) == "SUCCEEDED"
    assert deployment.states(first)[-2:] == [HandOver.title, ANOTHER], "the old definition knows no such step"
    second = first.removesuffix("-1") + "-2"
    assert deployment.ended(second) == "SUCCEEDED"
    assert NoteIdentity.title in deployment.states(second)


def test_a_step_that_a_deploy_took_away_fails_is_counted_and_looked_at_afresh(deployment: Deployment) -> None:
    deployment.update(2, MORE)
    running = deployment.start(10, waits=True)
    deployment.waits(running)
    deployment.update(3, FEWER)
    assert deployment.ended(running) == "SUCCEEDED"
    states = deployment.states(running)
    assert states[states.index(NoteIdentity.title) :][:2] == [NoteIdentity.title, "Look and decide"]
    assert states[-1] == "Done"
