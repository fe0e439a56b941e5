"""Ports that can be cut off: an actor's process dies before, or after, any of its calls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, cast

from vagus.errors import Denied

When = Literal["before", "after"]

READS = (
    "read",
    "get",
    "describe",
    "hooks",
    "groups_of",
    "launches",
    "look",
    "awaited",
    "placement",
    "snapshots",
    "status",
    "sent",
    "explain",
    "waiting_since",
    "weights",
)
"""Calls without an effect."""


class Crash(BaseException):
    """The process is gone: no handler of its own runs. Not an `Exception`, so that nothing catches it by mistake."""


@dataclass
class Meter:
    """Numbers each call of every actor, and ends the process at those in `crashes`. `denied`: calls, by name, for which
    a permission is missing. `processes`: of each call, which process made it."""

    crashes: Mapping[int, When] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    denied: frozenset[str] = frozenset()
    refused: list[str] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)
    born: int = 0
    dead: int = -1

    def next_process(self) -> None:
        """Another process begins: one call of a function, which knows nothing of those before it."""
        self.born += 1

    def around[T](self, name: str, call: Callable[[], T]) -> T:
        """Make one call, or die at it. The dead call nothing: no `finally` of theirs has an effect."""
        if self.born == self.dead:
            raise Crash(name)
        when = self.crashes.get(len(self.calls))
        self.calls.append(name)
        self.processes.append(self.born)
        if name in self.denied:
            self.refused.append(name)
            raise Denied(name, "not authorized")
        if when == "before":
            raise self._died(name)
        result = call()
        if when == "after":
            raise self._died(name)
        return result

    def _died(self, name: str) -> Crash:
        self.dead = self.born or self.dead
        return Crash(name)

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

    def different[P: tuple[Any, ...]](self, points: Iterable[P]) -> list[P]:
        """Of points (call, when, and what else tells them apart) those that leave different worlds behind.

        What is left behind is what was written, and what one process wrote by then is the same before each of its
        calls from one effect to the next: dying after a write is dying before the read that follows it, or before the
        next write. `test_deaths.py` holds this against every call of whole scenarios.
        """
        effects = [0, *accumulate(not reads(name) for name in self.calls)]
        found: dict[tuple[Any, ...], P] = {}
        for point in points:
            at, when, *rest = point
            found.setdefault((self.processes[at], effects[at + (when == "after")], *rest), point)
        return list(found.values())

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
