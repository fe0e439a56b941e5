"""`vagus doctor CELL` on a deployed cell: what it sends arrives, what it reads is there. No node runs here."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.deploy.conftest import FLEET, Client

from vagus.aws.clients import Clients
from vagus.aws.group_facts import GroupFactsReader
from vagus.group_safety import violations
from vagus_cli import cell_checks, fleet_files
from vagus_cli.cell_checks import Patient
from vagus_cli.cell_judged import NEEDED, Check
from vagus_local.emulator_process import Emulator
from vagus_local.stack import LocalSession


@pytest.fixture(scope="module")
def patient(deployed: Path, emulator: Emulator) -> Patient:
    assert deployed.exists()
    return Patient("local", fleet_files.load(FLEET), LocalSession(emulator.endpoint), time.time, time.sleep)


def states(checks: Iterator[Check]) -> dict[str, str]:
    return {one.name: one.state for one in checks}


def test_the_test_event_is_taken_by_the_function(patient: Patient) -> None:
    (check,) = cell_checks.event(patient)
    assert check.state == "well", check


def test_a_test_page_reaches_who_is_subscribed(patient: Patient, client: Client) -> None:
    assert states(cell_checks.page(patient)) == {"page: subscriptions": "ill", "page": "well"}
    queue = client("sqs").create_queue(QueueName="on-call")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = f"arn:aws:sns:us-east-1:{arn.split(':')[4]}:vagus-local-people"
    subscribed = client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    assert states(cell_checks.page(patient)) == {"page: subscriptions": "well", "page": "well"}
    (message,) = client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert "vagus doctor local" in message["Body"]
    client("sns").unsubscribe(SubscriptionArn=subscribed["SubscriptionArn"])


def test_keys_encrypt_and_their_policies_are_whole(patient: Patient) -> None:
    for key in cell_checks.KEYS:
        assert states(cell_checks.encrypts(patient, key)) == {f"key: {key}": "well"}
    found = list(cell_checks.policies(patient))
    assert len(found) == len(NEEDED)
    assert {one.state for one in found} == {"well"}, found


def test_every_check_is_made_and_what_the_emulator_lacks_is_said(patient: Patient) -> None:
    found = {one.name: one for one in cell_checks.every(patient)}
    assert {"SSM ping: demo", "event", "page"} <= set(found)
    assert not [one for one in found.values() if one.state in ("ill", "untried") and not one.remedy]
    assert found["quota: functions"].state == "well", found["quota: functions"]


def test_what_was_deployed_breaks_no_rule_of_group_safety(patient: Patient) -> None:
    found = GroupFactsReader(patient.clients).of_cluster("demo")
    assert isinstance(patient.clients, Clients)
    assert len(found) == 6
    assert violations(found) == ()
