"""Several hundred events on a deployed cell: doubled, shuffled, unknown, malformed. Nothing lost, nothing twice."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.integration.deploy.conftest import Client

from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.procedure import rows
from vagus_local.emulator_process import Emulator
from vagus_local.stack import LocalSession
from vagus_local.waiting import until

INSTANCES = 120
SEED = 20261124
GROUP = "demo-data-us-east-1b"


def leaves(number: int) -> dict[str, Any]:
    """Auto Scaling says that an instance waits to leave."""
    detail = {
        "LifecycleActionToken": f"token-{number}",
        "AutoScalingGroupName": GROUP,
        "LifecycleHookName": "vagus-terminate",
        "EC2InstanceId": f"i-{number:017x}",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "Origin": "AutoScalingGroup",
        "Destination": "EC2",
    }
    return entry("EC2 Instance-terminate Lifecycle Action", detail)


def entry(detail_type: str, detail: object) -> dict[str, Any]:
    return {"Source": "aws.autoscaling", "DetailType": detail_type, "Detail": json.dumps(detail)}


@pytest.fixture
def impatient(deployed: Path, client: Client) -> None:
    """A message that failed comes again in seconds, where a queue of ours waits minutes."""
    assert deployed.exists()
    url = client("sqs").get_queue_url(QueueName="vagus-local-events")["QueueUrl"]
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "10"})


@pytest.mark.usefixtures("impatient")
def test_each_leaving_instance_is_one_intent_and_what_is_malformed_is_dead_lettered(
    emulator: Emulator, client: Client
) -> None:
    foreign = {"AutoScalingGroupName": "somebody-elses", "EC2InstanceId": "i-1"}
    malformed = [entry("EC2 Instance-terminate Lifecycle Action", {"AutoScalingGroupName": GROUP}) for _ in range(5)]
    unknown = [entry("EC2 Instance Terminate Successful", foreign) for _ in range(40)]
    known = [leaves(number) for number in range(INSTANCES)]
    events = [*known, *known, *known, *unknown, *malformed]
    random.Random(SEED).shuffle(events)  # noqa: S311  # an order, no secret
    for at in range(0, len(events), 10):
        emulator.admin("events", events[at : at + 10])

    table = DynamoTable(Clients(LocalSession(emulator.endpoint)), "vagus-local-state")

    def seen() -> int:
        found = rows.read(table, "demo")
        return len(found.intents) + len(found.closed)

    until(lambda: seen() >= INSTANCES, 300, f"{INSTANCES} intents")
    queue = client("sqs").get_queue_url(QueueName="vagus-local-events-dead")["QueueUrl"]
    until(lambda: dead(client, queue) >= len(malformed), 300, "the malformed are dead-lettered")
    assert (seen(), dead(client, queue)) == (INSTANCES, len(malformed))


def dead(client: Client, url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])
