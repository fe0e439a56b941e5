"""Await a condition instead of sleeping."""

import time
from collections.abc import Callable


class TimedOut(Exception):
    """What was awaited did not come; names it, and how long it was given."""


def until[T](look: Callable[[], T], seconds: float, what: str | Callable[[], str], pause: float = 0.1) -> T:
    """The first truthy answer of `look`, asked every `pause` seconds. Raises TimedOut. `what`: for its message, asked
    for only then where it tells how things stand."""
    end = time.monotonic() + seconds
    while True:
        if answer := look():
            return answer
        if time.monotonic() > end:
            raise TimedOut(f"{what if isinstance(what, str) else what()}: not within {seconds:.0f} s")
        time.sleep(pause)
