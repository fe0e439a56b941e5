"""The state machine itself, on the emulated Step Functions, with two functions that say what a test wrote down.

`decide` answers the look of that number from the call's own `script`; `apply` does as its step says.
"""

import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.deploy.conftest import Client

from vagus.aws.executions import stays
from vagus.steps import EndRun, ExcludeNodes, HandOver
from vagus_cdk.definition import definition
from vagus_cli.told_runs import told
from vagus_local.waiting import until

SCRIPTED = """
import pathlib, tempfile

class Denied(Exception): pass

def decide(call, context):
    said = call["script"][call["rounds"]]
    failed = pathlib.Path(tempfile.gettempdir(), call["cluster"])
    if said.get("raises") and not failed.exists():
        failed.touch()
        raise RuntimeError("the look failed once")
    seen = {key: call.get(key) for key in ("failures", "error")}
    answer = {"page": False, "seconds": 1, "subject": "demo", "step": None, "ends": ""}
    plan = {"reason": "WHY", "message": "because", "seen": seen}
    return {**answer, "plan": plan, **said, "call": {**call, "rounds": call["rounds"] + 1, "error": None}}

def apply(event, context):
    step, call = event["step"], event["call"]
    if step.get("raises"):
        raise Denied("autoscaling:SetDesiredCapacity: not allowed")
    return {"result": step.get("result", "done"), "message": "", "call": {**call, "failures": 0}}"""
ROLE = "arn:aws:iam::000000000000:role/scripted"
KINDS = (ExcludeNodes, EndRun, HandOver)
STEP, END = ExcludeNodes.title, EndRun.title
DO = {"next": "ExcludeNodes", "step": {"kind": "ExcludeNodes"}}
DONE = {"next": "EndRun", "step": {"kind": "EndRun"}, "ends": "Done"}
BLOCKED = DONE | {"ends": "Blocked"}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def topic(client: Client) -> str:
    return str(client("sns").create_topic(Name="scripted")["TopicArn"])


@pytest.fixture(scope="module")
def machine(client: Client, topic: str) -> Iterator[str]:
    """The definition with the scripted functions and a real topic in place of ours."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("scripted.py", SCRIPTED)
    arns = {
        name: client("lambda").create_function(
            FunctionName=f"scripted-{name}",
            Runtime="python3.13",
            Role=ROLE,
            Handler=f"scripted.{name}",
            Code={"ZipFile": packed.getvalue()},
        )["FunctionArn"]
        for name in ("decide", "apply")
    }
    made = definition("scripted", KINDS, decide=arns["decide"], apply=arns["apply"], topic=topic)
    yield client("stepfunctions").create_state_machine(name="scripted", definition=json.dumps(made), roleArn=ROLE)[
        "stateMachineArn"
    ]
    for name in arns:
        client("lambda").delete_function(FunctionName=f"scripted-{name}")


def run(
    client: Client, machine: str, *script: dict[str, Any]
) -> tuple[dict[str, Any], list[str], list[dict[str, Any]]]:
    """How an execution of this script ended, the states it went through, and the plans that its looks gave."""
    call = {"cluster": f"c{next(_numbers)}", "rounds": 0, "failures": 0, "paged": [], "script": list(script)}
    states = client("stepfunctions")
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(call))["executionArn"]

    def ended() -> bool:
        return bool(states.describe_execution(executionArn=arn)["status"] != "RUNNING")

    until(ended, 120, f"the execution of {script} ends")
    events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    entered = [one["stateEnteredEventDetails"]["name"] for one in events if "stateEnteredEventDetails" in one]
    left = [one["stateExitedEventDetails"] for one in events if "stateExitedEventDetails" in one]
    plans = [json.loads(one["output"]) for one in left if one["name"] == "Look and decide"]
    return states.describe_execution(executionArn=arn), entered, plans


LOOP = ["Look and decide", "What next?"]
BEGIN = ["Read the call", *LOOP]
SUCCESS = ["How did it end?", "Done"]
WAYS: list[tuple[str, list[dict[str, Any]], list[str], str]] = [
    ("a step, another look, done", [DO, DONE], [*BEGIN, STEP, "Still ours?", *LOOP, END, *SUCCESS], "SUCCEEDED"),
    ("a wait, another look, done", [{"next": "Wait"}, DONE], [*BEGIN, "Wait", *LOOP, END, *SUCCESS], "SUCCEEDED"),
    ("blocked is a failure that says why", [BLOCKED], [*BEGIN, END, "How did it end?", "Blocked"], "FAILED"),
    (
        "a person is told, then it goes on",
        [{"next": "Wait", "page": True}, DONE],
        [*BEGIN, "Tell a person", "What next?", "Wait", *LOOP, END, *SUCCESS],
        "SUCCEEDED",
    ),
    (
        "a step of a run that is not current ends it quietly",
        [{"next": "ExcludeNodes", "step": {"kind": "ExcludeNodes", "result": "refused"}}],
        [*BEGIN, STEP, "Still ours?", "Another run goes on"],
        "SUCCEEDED",
    ),
    (
        "an end that a new intent overtook is looked at again",
        [DONE | {"step": {"kind": "EndRun", "result": "superseded"}}, DONE],
        [*BEGIN, END, "How did it end?", *LOOP, END, *SUCCESS],
        "SUCCEEDED",
    ),
    (
        "an end of a run that is not current ends quietly",
        [DONE | {"step": {"kind": "EndRun", "result": "refused"}}],
        [*BEGIN, END, "How did it end?", "Another run goes on"],
        "SUCCEEDED",
    ),
    (
        "a kind that this definition does not know is handed over",
        [{"next": "MoveShards", "step": {"kind": "MoveShards"}}],
        [*BEGIN, HandOver.title, "Another run goes on"],
        "SUCCEEDED",
    ),
    (
        "a look that fails is tried again: it only reads",
        [{"raises": True, **DONE}],
        [*BEGIN, END, *SUCCESS],
        "SUCCEEDED",
    ),
]


@pytest.mark.parametrize(("sentence", "script", "states", "status"), WAYS, ids=[one[0] for one in WAYS])
def test_ways_through(
    client: Client, machine: str, sentence: str, script: list[dict[str, Any]], states: list[str], status: str
) -> None:
    ended, entered, _ = run(client, machine, *script)
    assert entered == states, sentence
    assert ended["status"] == status


def test_a_step_that_fails_is_counted_by_its_class_and_never_retried(client: Client, machine: str) -> None:
    failing = {"next": "ExcludeNodes", "step": {"kind": "ExcludeNodes", "raises": True}}
    _, entered, plans = run(client, machine, failing, failing, DO, DONE)
    assert entered == [*BEGIN, STEP, *LOOP, STEP, *LOOP, STEP, "Still ours?", *LOOP, END, *SUCCESS]
    seen = [plan["seen"] for plan in plans]
    assert [one["failures"] for one in seen] == [0, 1, 2, 0]
    assert [one["error"] and one["error"]["Error"] for one in seen] == [None, "Denied", "Denied", None]
    assert "autoscaling:SetDesiredCapacity" in seen[1]["error"]["Cause"]


def test_blocked_says_reason_and_message(client: Client, machine: str) -> None:
    ended, _, _ = run(client, machine, BLOCKED)
    assert (ended["error"], ended["cause"]) == ("WHY", "because")


def test_its_history_is_told_line_by_line(client: Client, machine: str) -> None:
    failing = {"next": "ExcludeNodes", "step": {"kind": "ExcludeNodes", "raises": True}}
    ended, _, _ = run(client, machine, failing, {"next": "Wait"}, DO, BLOCKED)
    lines = told(stays(client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]))
    assert [(one.state, one.result) for one in lines] == [
        (STEP, "failed"),
        ("Wait", "waited"),
        (STEP, "done"),
        ("Blocked", "Blocked"),
    ]
    assert {one.reason for one in lines} == {"WHY"}
    assert lines[0].check == "Denied: autoscaling:SetDesiredCapacity: not allowed"


def test_a_page_is_the_looks_own_text_and_the_plan_where_an_older_function_says_none(
    client: Client, machine: str, topic: str
) -> None:
    queue = client("sqs").create_queue(QueueName="pages")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    told = {"next": "Wait", "page": True}
    run(client, machine, told | {"text": "look here"}, told, DONE)
    said: list[str] = []

    def both() -> bool:
        for one in client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            said.append(json.loads(one["Body"])["Message"])
        return len(said) == 2

    until(both, 120, "both pages came")
    assert "look here" in said
    assert [json.loads(one)["message"] for one in said if one != "look here"] == ["because"]
