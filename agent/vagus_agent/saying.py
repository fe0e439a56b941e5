"""Log lines in JSON on standard output. Names of pods and sentences: never a key, a token or a document."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

MOST = 500
Say = Callable[..., None]
"""What happened, in a word or two, and fields in plain JSON."""


def say(what: str, **fields: object) -> None:
    """One line."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"at": at, "what": what, **fields}) + "\n")
    sys.stdout.flush()


class Once:
    """Says a thing again only when it changed: what stays wrong for a day is a line, not ten thousand."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last: dict[str, str] = {}

    def wrong(self, where: str, why: str) -> None:
        """Something goes wrong there."""
        if self._last.get(where) != why:
            if len(self._last) >= MOST:  # requests come and go, and their names with them
                self._last.clear()
            self._last[where] = why
            self._say("wrong", where=where, why=why)

    def well(self, where: str) -> None:
        """It goes well (again)."""
        if self._last.pop(where, None) is not None:
            self._say("well again", where=where)
