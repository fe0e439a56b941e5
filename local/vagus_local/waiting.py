"""Await a condition instead of sleeping."""

import time
from collections.abc import Callable


class TimedOut(Exception):
    """What was awaited did not come; names it, and how long it was given."""


def until[T](look: Callable[[], T], seconds: float, what: str, pause: float = 0.1) -> T:
    """The first truthy answer of `look`, asked every `pause` seconds. Raises TimedOut."""
    end = time.monotonic() + seconds
    while True:
        if answer := look():
            return answer
        if time.monotonic() > end:
            raise TimedOut(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
