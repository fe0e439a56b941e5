"""What the simulated cluster is made of: machines, copies and shards. See `fake_shards`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from vagus.cluster import CopyState


@dataclass
class Machine:
    """A node's process, its heap (percent used) and disk."""

    name: str
    zone: str
    roles: tuple[str, ...]
    disk: int
    version: str
    up: bool = False
    starts: int = 0
    started: int = 0
    heap: int = 50
    forced: tuple[str, ...] = ()

    @property
    def data(self) -> bool:
        """Whether it holds shards."""
        return "data" in self.roles

    @property
    def manager(self) -> bool:
        """Whether it may be a manager."""
        return "cluster_manager" in self.roles or "master" in self.roles


@dataclass(frozen=True)
class Rules:
    """What allocation obeys now. `zones` is empty where awareness is off; `low` and `high` are used fractions."""

    nodes: Mapping[str, Machine]
    zones: frozenset[str]
    excluded: frozenset[str]
    enabled: str
    threshold: bool
    low: float
    high: float


@dataclass
class HeldCopy:
    primary: bool
    state: CopyState = "UNASSIGNED"
    node: str | None = None
    target: str | None = None
    ready_at: float = 0.0
    unassigned_since: float = -math.inf
    reason: str = "INDEX_CREATED"

    @property
    def active(self) -> bool:
        return self.state in ("STARTED", "RELOCATING")

    @property
    def places(self) -> list[str]:
        return [name for name in (self.node, self.target) if name is not None]

    def recover(self, node: str, ready_at: float) -> None:
        """It begins to be built there."""
        self.state, self.node, self.target, self.ready_at = "INITIALIZING", node, None, ready_at

    def lose(self, reason: str) -> None:
        """It stands nowhere any more."""
        self.state, self.node, self.target, self.reason = "UNASSIGNED", None, None, reason


@dataclass
class HeldShard:
    """`in_sync`: nodes whose disk holds a copy with every acknowledged write. `stores`: those with any copy at all."""

    index: str
    number: int
    size: int
    copies: list[HeldCopy]
    in_sync: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    exhausted: set[str] = field(default_factory=set)
    fresh: bool = True
    expands: bool = False

    @property
    def primary(self) -> HeldCopy:
        return next(copy for copy in self.copies if copy.primary)

    @property
    def key(self) -> tuple[str, int]:
        return (self.index, self.number)

    def places(self) -> list[str]:
        return [name for copy in self.copies for name in copy.places]

    def nowhere(self, copy: HeldCopy) -> tuple[str, str]:
        """Of an unassigned copy the reason, and what came of the last try to place it: told of primaries only, as the
        engine does."""
        if copy.state != "UNASSIGNED":
            return ("", "")
        if not copy.primary:
            return (copy.reason, "no_attempt")
        lost = not self.fresh and (self.in_sync - self.exhausted or not self.in_sync)
        return (copy.reason, "no_valid_shard_copy" if lost else "deciders_no")


def version(text: str) -> tuple[int, ...]:
    """To compare by."""
    return tuple(int(part) for part in text.split("."))
