"""EventBridge: service events, retry and dead letters, schedules."""

import json
from pathlib import Path
from typing import Any

import urllib3
from tests.integration.emulator.support import REGION, Aws, Emulator, until
from tests.integration.emulator.test_functions import function


def entry(**detail: Any) -> dict[str, Any]:
    return {
        "Source": "aws.autoscaling",
        "DetailType": "EC2 Instance-terminate Lifecycle Action",
        "Detail": json.dumps(detail),
    }


class Wired:
    """A rule with a queue as target and a dead-letter queue."""

    def __init__(self, aws: Aws, name: str, retries: int) -> None:
        self.sqs = aws.sqs
        self.queue = aws.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.dead = aws.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        self.arn = f"arn:aws:sqs:{REGION}:{aws.account}:{name}"
        pattern = {"source": ["aws.autoscaling"], "detail": {"test": [name]}}
        aws.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        target = {
            "Id": "queue",
            "Arn": self.arn,
            "RetryPolicy": {"MaximumRetryAttempts": retries},
            "DeadLetterConfig": {"Arn": f"{self.arn}-dead"},
        }
        aws.events.put_targets(Rule=name, Targets=[target])

    def received(self, queue: str) -> list[dict[str, Any]]:
        asked = {"QueueUrl": queue, "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
        found: list[dict[str, Any]] = self.sqs.receive_message(**asked).get("Messages", [])
        return found


def test_a_throttled_target_is_tried_again(aws: Aws, emulator: Emulator) -> None:
    wired = Wired(aws, "twice", retries=5)
    emulator.post("/_local/faults", {wired.arn: 2})
    emulator.post(f"/_local/events?account={aws.account}", [entry(test="twice")])
    (message,) = until(lambda: wired.received(wired.queue))
    assert json.loads(message["Body"])["detail"] == {"test": "twice"}
    assert not wired.received(wired.dead)


def test_a_target_that_stays_throttled_sends_the_event_to_the_dead_letter_queue(aws: Aws, emulator: Emulator) -> None:
    wired = Wired(aws, "never", retries=2)
    emulator.post("/_local/faults", {wired.arn: 99})
    emulator.post(f"/_local/events?account={aws.account}", [entry(test="never")])
    (message,) = until(lambda: wired.received(wired.dead))
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("THROTTLING", "2")
    assert attributes["TARGET_ARN"] == wired.arn
    assert json.loads(message["Body"])["detail"] == {"test": "never"}
    emulator.post("/_local/faults", {wired.arn: 0})


def test_a_target_that_is_gone_is_a_dead_letter_at_once(aws: Aws, emulator: Emulator) -> None:
    wired = Wired(aws, "gone", retries=5)
    aws.sqs.delete_queue(QueueUrl=wired.queue)
    emulator.post(f"/_local/events?account={aws.account}", [entry(test="gone")])
    (message,) = until(lambda: wired.received(wired.dead))
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "RESOURCE_NOT_FOUND"


def test_only_aws_may_send_events_of_aws(aws: Aws) -> None:
    answer = aws.events.put_events(Entries=[entry(test="forged")])
    assert (answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"]) == (1, "NotAuthorizedForSourceException")


def test_an_unknown_admin_path_or_a_wrong_body_is_an_error(emulator: Emulator) -> None:
    assert urllib3.request("POST", emulator.url + "/_local/nothing", json={}).status == 404
    assert urllib3.request("POST", emulator.url + "/_local/ttl", json={}).status == 400
    assert urllib3.request("GET", emulator.url + "/_local/faults").status == 405


FAILING = """
import os, pathlib

def handler(event, context):
    # an exception ends the worker, so the count is kept outside of it
    counter = pathlib.Path(os.environ["COUNTER"])
    counter.write_text(str(int(counter.read_text()) + 1 if counter.exists() else 1))
    raise RuntimeError(event["detail"]["test"])
"""


def test_a_function_that_fails_is_called_again_and_then_the_event_is_its_dead_letter(
    aws: Aws, emulator: Emulator, tmp_path: Path
) -> None:
    dead = aws.sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = function(
        aws,
        FAILING,
        Environment={"Variables": {"COUNTER": str(tmp_path / "n")}},
        DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{aws.account}:dead"},
    )
    aws.__getattr__("lambda").put_function_event_invoke_config(FunctionName="probe", MaximumRetryAttempts=1)
    aws.events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.autoscaling"]}))
    aws.events.put_targets(Rule="all", Targets=[{"Id": "function", "Arn": arn}])
    emulator.post(f"/_local/events?account={aws.account}", [entry(test="twice")])
    (message,) = until(lambda: aws.sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages"))
    assert json.loads(message["Body"])["detail"] == {"test": "twice"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "twice"
    assert (tmp_path / "n").read_text() == "2"
