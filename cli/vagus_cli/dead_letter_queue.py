"""Dead letters as SQS has them, and their fake. Beside `opening`, this is where the command line knows AWS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from vagus.aws.errors import translated
from vagus.errors import Refused
from vagus_cli.dead_letters import Dead

if TYPE_CHECKING:
    import boto3

HELD_SECONDS = 60
"""For how long a message that was read is hidden from others, should nobody put it back."""
MOST = 1000
"""Messages that are read at once."""


class DeadLetterQueue:
    """A queue of SQS, by name. Raises `Refused` where there is none."""

    def __init__(self, session: boto3.Session, name: str) -> None:
        self._sqs: Any = session.client("sqs")
        with translated("sqs"):
            self._url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def read(self) -> tuple[Dead, ...]:
        """All of them, oldest first."""
        found: dict[str, Dead] = {}
        while len(found) < MOST and (some := self._some()):
            fresh = {one.id: one for one in some}
            if fresh.keys() <= found.keys():
                break  # reading took longer than they are held
            found |= fresh
        return tuple(sorted(found.values(), key=lambda one: (one.sent, one.id)))

    def _some(self) -> Sequence[Dead]:
        with translated("sqs"):
            reply = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HELD_SECONDS,
                WaitTimeSeconds=1,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        return [_dead(one) for one in reply.get("Messages", [])]

    def put_back(self, messages: Iterable[Dead]) -> None:
        """Let others read these again. One that was removed meanwhile is as good as put back."""
        for one in messages:
            try:
                with translated("sqs"):
                    self._sqs.change_message_visibility(
                        QueueUrl=self._url, ReceiptHandle=one.handle, VisibilityTimeout=0
                    )
            except Refused:
                continue

    def remove(self, message: Dead) -> None:
        """It is gone for good."""
        with translated("sqs"):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)


def _dead(said: dict[str, Any]) -> Dead:
    """EventBridge puts attributes on what it can't deliver: `RULE_ARN`, `ERROR_CODE`, `ERROR_MESSAGE`."""
    told = {name: one.get("StringValue", "") for name, one in said.get("MessageAttributes", {}).items()}
    return Dead(
        id=said["MessageId"],
        body=said["Body"],
        sent=int(said.get("Attributes", {}).get("SentTimestamp", 0)) / 1000,
        rule=told.get("RULE_ARN", "").rpartition("/")[2],
        error=": ".join(told[name] for name in ("ERROR_CODE", "ERROR_MESSAGE") if told.get(name)),
        handle=said["ReceiptHandle"],
    )


class FakeDeadLetters:
    """The same, in memory. `held`: ids that were read and not put back."""

    def __init__(self, *messages: Dead) -> None:
        self._messages = {one.id: one for one in messages}
        self.held: set[str] = set()

    def read(self) -> tuple[Dead, ...]:
        """Those that nobody holds, oldest first."""
        found = [one for one in self._messages.values() if one.id not in self.held]
        self.held |= {one.id for one in found}
        return tuple(sorted(found, key=lambda one: (one.sent, one.id)))

    def put_back(self, messages: Iterable[Dead]) -> None:
        """Let others read these again."""
        self.held -= {one.id for one in messages}

    def remove(self, message: Dead) -> None:
        """It is gone for good."""
        self._messages.pop(message.id, None)
        self.held.discard(message.id)
