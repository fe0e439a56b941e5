"""In-memory stand-ins for the AWS adapters: same ports, same contract tests, driven by a clock that the test holds.

They are strict where AWS is (conditions, names that stay taken, hooks that time out) and know no network: an error
happens only where the real service would answer with one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from vagus.aws.fake_commands import FakeCommands, FakeServices
from vagus.aws.fake_groups import FakeGroups
from vagus.cluster_watch.model import Told
from vagus.errors import Conflict, Refused, Unreachable
from vagus.history import Status, Stay
from vagus.ports import Put, Row

__all__ = ["FakeBus", "FakeCommands", "FakeExecutions", "FakeGroups", "FakeParameters", "FakeServices", "FakeTable"]

TRANSACTION_ITEMS = 100
"""As many items as DynamoDB takes in one transaction."""


class FakeTable:
    """Rows in partitions, compare-and-set, all or nothing. `expiries` holds what was given as TTL (epoch seconds)."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        self.expiries: dict[tuple[str, str], int] = {}

    def read(self, partition: str, prefix: str = "") -> dict[str, Row]:
        """All rows of a partition whose key starts with `prefix`."""
        return {key: row for key, row in sorted(self._rows[partition].items()) if key.startswith(prefix)}

    def write(self, partition: str, *puts: Put) -> None:
        """All of them or none; raises `Conflict` if a version has moved on, `Refused` for a transaction AWS rejects."""
        rows = self._rows[partition]
        if len({put.key for put in puts}) != len(puts) or not 0 < len(puts) <= TRANSACTION_ITEMS:
            raise Refused(f"a transaction takes 1 to {TRANSACTION_ITEMS} different items")
        for put in puts:
            found = rows[put.key].version if put.key in rows else 0
            if found != put.expected:
                raise Conflict(f"{partition} {put.key}: version {found}, not {put.expected}")
        rows |= {put.key: Row(key=put.key, version=put.expected + 1, data=_plain(put.data)) for put in puts}
        self.expiries |= {(partition, put.key): put.expires for put in puts if put.expires is not None}

    def partitions(self) -> tuple[str, ...]:
        """Every partition that holds a row."""
        return tuple(sorted(name for name, rows in self._rows.items() if rows))


def _plain(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy through JSON: what isn't plain JSON fails here as it would at DynamoDB."""
    plain: Mapping[str, Any] = msgspec.json.decode(msgspec.json.encode(data))
    return plain


class FakeExecutions:
    """Executions by name. `started` holds the input of each in the order of their start; `end` sets how one ended;
    `stays`: the states that each went through, as a test says."""

    def __init__(self) -> None:
        self.started: dict[str, Mapping[str, Any]] = {}
        self._ends: dict[str, Status] = {}
        self.stays: defaultdict[str, list[Stay]] = defaultdict(list)

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        """Start it. `False` if the name is taken by one with another input, or by one that has ended."""
        given = _plain(payload)
        return self.started.setdefault(name, given) == given and name not in self._ends

    def status(self, name: str) -> Status:
        """`RUNNING` from its start until `end` was called for it."""
        if name not in self.started:
            return "MISSING"
        return self._ends.get(name, "RUNNING")

    def console(self, name: str) -> str:
        """A page that nobody serves."""
        return f"https://console.invalid/executions/{name}"

    def history(self, name: str) -> tuple[Stay, ...]:
        """What a test says in `stays`."""
        if name not in self.started:
            raise Refused(f"ExecutionDoesNotExist: {name}")
        return tuple(self.stays[name])

    def end(self, name: str, status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]) -> None:
        """The execution ended that way; an end is final."""
        self._ends.setdefault(name, status)


class FakeBus:
    """EventBridge's default bus: what was put, in `taken`; while it is `closed` nothing is taken."""

    def __init__(self) -> None:
        self.taken: list[Told] = []
        self.closed = False

    def put(self, told: Sequence[Told]) -> None:
        """Take all of them."""
        if self.closed:
            raise Unreachable("events: not taken")
        for one in told:
            _plain(msgspec.to_builtins(one.event))
        self.taken += told


class FakeParameters:
    """SSM parameters, in `values`."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def put(self, name: str, value: str) -> None:
        """Put or overwrite one; SSM refuses an empty value."""
        if not value:
            raise Refused(f"{name}: a parameter's value can't be empty")
        self.values[name] = value
