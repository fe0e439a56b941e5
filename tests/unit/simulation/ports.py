"""Ports that can be cut off: an actor's process dies before, or after, any of its calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from vagus.errors import Denied

When = Literal["before", "after"]

READS = ("read", "describe", "hooks", "groups_of", "look", "placement", "status", "explain", "waiting_since", "weights")
"""Calls without an effect."""


class Crash(BaseException):
    """The process is gone: no handler of its own runs. Not an `Exception`, so that nothing catches it by mistake."""


@dataclass
class Meter:
    """Numbers each call of every actor, and ends the process at those in `crashes`. `denied`: calls, by name, for which
    a permission is missing."""

    crashes: Mapping[int, When] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    refused: list[str] = field(default_factory=list)

    def around[T](self, name: str, call: Callable[[], T]) -> T:
        """Make one call, or die at it."""
        when = self.crashes.get(len(self.calls))
        self.calls.append(name)
        if name in self.denied:
            self.refused.append(name)
            raise Denied(name, "not authorized")
        if when == "before":
            raise Crash(name)
        result = call()
        if when == "after":
            raise Crash(name)
        return result

    def points(self, *, every_read: bool, until: int) -> list[tuple[int, When]]:
        """Every point at which a process could die, of the first `until` calls.

        Dying after a read is dying before the next call. Without `every_read`, reads that one process makes in a row
        count once: dying at the second of them leaves the same world behind as dying at the first.
        """
        found: list[tuple[int, When]] = []
        for number, name in enumerate(self.calls[:until]):
            if not reads(name):
                found += [(number, "before"), (number, "after")]
            elif every_read or number == 0 or not self._same_process_read(number):
                found.append((number, "before"))
        return found

    def _same_process_read(self, number: int) -> bool:
        before, this = self.calls[number - 1], self.calls[number]
        return reads(before) and before.partition(".")[0] == this.partition(".")[0]


def reads(call: str) -> bool:
    """Whether a call has no effect."""
    return call.rpartition(".")[2] in READS


class _Wire:
    def __init__(self, port: object, actor: str, meter: Meter) -> None:
        self._port = port
        self._actor = actor
        self._meter = meter

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._meter.around(f"{self._actor}.{name}", lambda: method(*args, **kwargs))

        return call


def wired[T](port: T, actor: str, meter: Meter) -> T:
    """The same port, as this actor has it."""
    return cast("T", _Wire(port, actor, meter))
