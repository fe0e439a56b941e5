"""Dead letters: the same in SQS and in the fake."""

import time
from collections.abc import Callable

import pytest
from tests.integration.emulator.support import Aws, until

from vagus_cli.dead_letter_queue import DeadLetterQueue, FakeDeadLetters
from vagus_cli.dead_letters import Dead, DeadLetters

ATTRIBUTES = {
    "RULE_ARN": "arn:aws:events:us-east-1:000000000000:rule/vagus-local-sweep-each-minute",
    "ERROR_CODE": "NO_PERMISSIONS",
    "ERROR_MESSAGE": "key",
}


@pytest.fixture(params=["fake", "sqs"])
def letters(request: pytest.FixtureRequest) -> DeadLetters:
    """A queue with an event that was not taken, and a call that was not delivered."""
    if request.param == "fake":
        one = Dead(id="1", body="taken", sent=time.time())
        return FakeDeadLetters(
            one,
            Dead(
                id="2",
                body="call",
                sent=one.sent + 1,
                rule="vagus-local-sweep-each-minute",
                error="NO_PERMISSIONS: key",
            ),
        )
    aws: Aws = request.getfixturevalue("aws")
    queue = aws.sqs.create_queue(QueueName=f"dead-{time.time_ns()}")["QueueUrl"]
    told = {name: {"DataType": "String", "StringValue": value} for name, value in ATTRIBUTES.items()}
    aws.sqs.send_message(QueueUrl=queue, MessageBody="taken")
    aws.sqs.send_message(QueueUrl=queue, MessageBody="call", MessageAttributes=told)
    return DeadLetterQueue(request.getfixturevalue("session"), queue.rpartition("/")[2])


def test_all_are_read_and_what_is_not_put_back_is_held(letters: DeadLetters) -> None:
    found = letters.read()
    assert {one.body: (one.rule, one.error) for one in found} == {
        "taken": ("", ""),
        "call": ("vagus-local-sweep-each-minute", "NO_PERMISSIONS: key"),
    }
    assert all(abs(one.sent - time.time()) < 600 for one in found)
    assert letters.read() == ()
    letters.put_back(found)
    assert _soon(lambda: {one.body for one in letters.read()} == {"taken", "call"})


def test_what_is_removed_is_gone_and_putting_it_back_is_harmless(letters: DeadLetters) -> None:
    found = letters.read()
    letters.remove(found[0])
    letters.put_back(found)
    assert _soon(lambda: [one.body for one in letters.read()] == [found[1].body])


def _soon(holds: Callable[[], bool]) -> bool:
    return until(holds)
