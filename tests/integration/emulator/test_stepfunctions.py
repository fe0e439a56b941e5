"""Step Functions. Its seconds are scaled by 0.01 here."""

import json
import time
from typing import Any

from tests.integration.emulator.support import Aws, until
from tests.integration.emulator.test_functions import function

RAISING = """
class ClusterBusy(Exception):
    pass

def handler(event, context):
    raise ClusterBusy("busy")
"""


def execution(aws: Aws, states: dict[str, Any], data: Any = None, name: str = "machine", **machine: Any) -> str:
    definition = {"StartAt": next(iter(states)), "States": states} | machine
    made = aws.stepfunctions.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=f"arn:aws:iam::{aws.account}:role/machine"
    )
    started = aws.stepfunctions.start_execution(stateMachineArn=made["stateMachineArn"], input=json.dumps(data or {}))
    return str(started["executionArn"])


def ended(aws: Aws, arn: str) -> dict[str, Any]:
    def end() -> dict[str, Any] | None:
        shown: dict[str, Any] = aws.stepfunctions.describe_execution(executionArn=arn)
        return shown if shown["status"] != "RUNNING" else None

    return until(end)


def test_timeout_seconds_ends_an_execution_as_timed_out(aws: Aws) -> None:
    arn = execution(aws, {"Long": {"Type": "Wait", "Seconds": 6000, "End": True}}, TimeoutSeconds=50)
    assert ended(aws, arn)["status"] == "TIMED_OUT"
    last = aws.stepfunctions.get_execution_history(executionArn=arn, reverseOrder=True)["events"][0]
    assert last["type"] == "ExecutionTimedOut"


def ask(queue: str, **more: Any) -> dict[str, Any]:
    """A task that hands its token to a queue and waits."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
    } | more


def token(aws: Aws, queue: str) -> str:
    messages = until(lambda: aws.sqs.receive_message(QueueUrl=queue).get("Messages"))
    return str(json.loads(messages[0]["Body"])["token"])


def test_heartbeat_seconds_fails_a_silent_task_and_heartbeats_keep_it(aws: Aws) -> None:
    queue = aws.sqs.create_queue(QueueName="work")["QueueUrl"]
    arn = execution(aws, {"Ask": ask(queue, HeartbeatSeconds=200)})
    held, started = token(aws, queue), time.monotonic()

    def longer_than_the_limit() -> bool:
        aws.stepfunctions.send_task_heartbeat(taskToken=held)
        return time.monotonic() - started > 3

    until(longer_than_the_limit)
    assert aws.stepfunctions.describe_execution(executionArn=arn)["status"] == "RUNNING"
    failed = ended(aws, arn)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.HeartbeatTimeout")


def test_stop_ends_an_execution_for_good_even_when_its_task_fails_later(aws: Aws) -> None:
    queue = aws.sqs.create_queue(QueueName="work")["QueueUrl"]
    arn = execution(aws, {"Ask": ask(queue)})
    held = token(aws, queue)
    aws.stepfunctions.stop_execution(executionArn=arn, error="Person", cause="stopped in the console")
    aws.stepfunctions.send_task_failure(taskToken=held, error="Late")
    shown = ended(aws, arn)
    assert (shown["status"], shown["error"]) == ("ABORTED", "Person")
    types = [e["type"] for e in aws.stepfunctions.get_execution_history(executionArn=arn)["events"]]
    assert "ExecutionFailed" not in types


def test_a_function_that_fails_in_a_callback_task_fails_the_task(aws: Aws) -> None:
    """AWS does not wait for a token that nobody holds."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": function(aws, RAISING), "Payload": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    assert ended(aws, execution(aws, {"Ask": task}))["error"] == "ClusterBusy"


def test_catch_matches_the_class_of_the_error(aws: Aws) -> None:
    task = {
        "Type": "Task",
        "Resource": function(aws, RAISING),
        "Catch": [{"ErrorEquals": ["ClusterBusy"], "Next": "Busy"}],
        "End": True,
    }
    states = {"Try": task, "Busy": {"Type": "Pass", "Result": "was busy", "End": True}}
    assert json.loads(ended(aws, execution(aws, states))["output"]) == "was busy"


def test_retry_waits_no_longer_than_max_delay_seconds(aws: Aws) -> None:
    """Started second, it ends first: it waits 3 x 1 second, the other 50 + 60 + 60."""
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 50, "MaxAttempts": 3}
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
        "Parameters": {"QueueName": "no-such"},
        "End": True,
    }
    patient = execution(aws, {"Try": task | {"Retry": [retry]}}, name="patient")
    bounded = execution(aws, {"Try": task | {"Retry": [retry | {"MaxDelaySeconds": 1}]}}, name="bounded")
    ends = [ended(aws, arn) for arn in (bounded, patient)]
    assert [e["status"] for e in ends] == ["FAILED", "FAILED"]
    assert ends[0]["stopDate"] < ends[1]["stopDate"]
    events = aws.stepfunctions.get_execution_history(executionArn=bounded)["events"]
    assert len([e for e in events if e["type"] == "TaskFailed"]) == 4


def test_jsonata_states_assign_and_choose(aws: Aws) -> None:
    states = {
        "Count": {
            "Type": "Pass",
            "Assign": {"n": "{% $count($states.input.nodes) %}"},
            "Output": "{% $states.input %}",
            "Next": "Many",
        },
        "Many": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $n > 1 %}", "Next": "Yes"}],
            "Default": "No",
        },
        "Yes": {"Type": "Pass", "Output": {"nodes": "{% $n %}"}, "End": True},
        "No": {"Type": "Fail", "Error": "Few"},
    }
    arn = execution(aws, states, {"nodes": ["n1", "n2"]}, QueryLanguage="JSONata")
    assert json.loads(ended(aws, arn)["output"]) == {"nodes": 2}


def test_no_nap_before_the_first_state(aws: Aws) -> None:
    """Plain ministack sleeps 150 ms first: the best of ten starts must be under that."""
    pass_through = {"Go": {"Type": "Pass", "End": True}}
    arn = execution(aws, pass_through)
    machine = ended(aws, arn)["stateMachineArn"]
    took = []
    for _ in range(10):
        shown = ended(aws, aws.stepfunctions.start_execution(stateMachineArn=machine)["executionArn"])
        took.append((shown["stopDate"] - shown["startDate"]).total_seconds())
    assert min(took) < 0.15


def test_a_state_may_call_auto_scaling_itself(aws: Aws) -> None:
    """An aws-sdk integration; its errors are named AutoScaling.<Code>Exception."""
    aws.group(DesiredCapacity=0)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:autoscaling:setDesiredCapacity",
        "Parameters": {"AutoScalingGroupName": "nodes", "DesiredCapacity": 2},
        "ResultPath": None,
        "End": True,
    }
    assert ended(aws, execution(aws, {"Grow": task}))["status"] == "SUCCEEDED"
    assert len(aws.in_service()) == 2
