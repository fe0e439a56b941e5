"""What a cell's dead-letter queues hold, and what may be done with it. `dead_letter_queue` makes it of SQS."""

from collections.abc import Iterable
from typing import Protocol

import msgspec


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `sent`: epoch seconds, when it was first put into a queue. `rule` and `error`: what EventBridge says
    of one that it could not deliver. `handle` removes it, or puts it back."""

    id: str
    body: str
    sent: float
    rule: str = ""
    error: str = ""
    handle: str = ""


class DeadLetters(Protocol):
    """A dead-letter queue. SQS can't show without taking: what is read is held for a minute, unless it is put back."""

    def read(self) -> tuple[Dead, ...]:
        """All of them, oldest first; 1000 at most."""
        ...

    def put_back(self, messages: Iterable[Dead]) -> None:
        """Let others read these again."""
        ...

    def remove(self, message: Dead) -> None:
        """It is gone for good."""
        ...
