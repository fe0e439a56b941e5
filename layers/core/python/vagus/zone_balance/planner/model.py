"""What the planner is given and what it answers. Frozen data; sizes in bytes.

A copy is `vagus.cluster.Copy`: what `vagus.search` reads is planned as it is.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from vagus.cluster import Copy

BREACHED = 1_000_000.0
"""What a node weighs more, in the engine's balancer, where a constraint is breached."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node. `tier` names those among which bytes are evened; `attributes` are its `node.attr.*`."""

    name: str
    zone: str
    disk_total: int
    disk_free: int
    tier: str = "data"
    roles: tuple[str, ...] = ("data",)
    version: str = ""
    address: str = ""
    id: str = ""
    attributes: Mapping[str, str] = {}

    @property
    def holds_data(self) -> bool:
        """Whether ordinary shards may be placed on it."""
        return any(role == "data" or role.startswith("data_") for role in self.roles)

    def attribute(self, name: str) -> str | None:
        """The value that filters and awareness compare; `zone` is always there."""
        return self.attributes.get(name) or (self.zone if name == "zone" else None)


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What an index says of its own placement: filters by attribute, limits (-1: none), tiers in order of preference.

    `segment_replication`: its primaries may not stand on a newer version than its replicas.
    """

    include: Mapping[str, str] = {}
    exclude: Mapping[str, str] = {}
    require: Mapping[str, str] = {}
    shards_per_node: int = -1
    primaries_per_node: int = -1
    tier_preference: tuple[str, ...] = ()
    segment_replication: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's settings that decide where shards stand, with the engine's defaults.

    Watermarks as the engine writes them (`85%`, `0.85`, `50gb`). Limits of -1 mean none. `unmodelled`: what is
    switched on and would make the planner's model of the engine wrong.
    """

    awareness: tuple[str, ...] = ()
    forced: Mapping[str, tuple[str, ...]] = {}
    disk_threshold: bool = True
    watermark_low: str = "85%"
    watermark_high: str = "90%"
    include: Mapping[str, str] = {}
    exclude: Mapping[str, str] = {}
    require: Mapping[str, str] = {}
    incoming_recoveries: int = 2
    outgoing_recoveries: int = 2
    cluster_recoveries: int = -1
    shards_per_node: int = -1
    primaries_per_node: int = -1
    same_host: bool = False
    balance_shard: float = 0.45
    balance_index: float = 0.55
    threshold: float = 1.0
    prefer_primary: bool = False
    rebalance_primary: bool = False
    primary_buffer: float = 0.10
    primary_weight: float = 10.0
    unmodelled: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the owners of the cluster wish.

    `skew`: how far above its fair share of bytes a node may be, as a part of it. `spare`: by how many copies any
    node's count may change (an index created or deleted) without the engine stirring. `highest_threshold`: how far
    `cluster.routing.allocation.balance.threshold` may be raised so that bytes may lead (`None`: it stays as it is).
    `moves_at_once`: the most moves of one wave, beyond what the recovery limits say. `costliest_exchange`: the most
    bytes sent for one byte of difference made. `even_primaries`: whether bytes may be moved for the primaries' sake.
    """

    skew: Annotated[float, msgspec.Meta(ge=0.001, le=1.0)] = 0.02
    spare: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    highest_threshold: Annotated[float, msgspec.Meta(ge=1.0, le=50.0)] | None = None
    moves_at_once: Annotated[int, msgspec.Meta(ge=2)] | None = None
    costliest_exchange: Annotated[float, msgspec.Meta(ge=1.0, le=20.0)] = 4.0
    even_primaries: bool = True


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster. `snapshots`: the shards (index, number) whose snapshot is being taken."""

    nodes: tuple[Node, ...]
    copies: tuple[Copy, ...]
    settings: Settings = Settings()
    indices: Mapping[str, Index] = {}
    snapshots: frozenset[tuple[str, int]] = frozenset()


Purpose = Literal["leave", "count", "robust", "bytes", "primaries"]

WORDS: Mapping[str, str] = {
    "leave": "it may not stay where it is",
    "count": "the engine wants the counts even",
    "robust": "one index more or less should not wake the engine",
    "bytes": "the bytes are uneven",
    "primaries": "one zone has more primaries than another",
}


class Move(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One copy goes from node to node."""

    index: str
    shard: int
    primary: bool
    source: str
    target: str
    bytes: int
    purpose: Purpose

    @property
    def moves(self) -> tuple["Move", ...]:
        """The legs, in the order in which they must stand in the request."""
        return (self,)

    @property
    def sentence(self) -> str:
        """What is moved and what for, for a person."""
        return f"move {_words(self)}: {WORDS[self.purpose]}"


class Exchange(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Two copies change places. Both legs stand in one request: the engine reacts between two."""

    moves: tuple[Move, Move]

    @property
    def sentence(self) -> str:
        """What is exchanged and what for, for a person."""
        one, two = self.moves
        return f"exchange {_words(one)} for {_words(two)}: {WORDS[one.purpose]}"


def _words(move: Move) -> str:
    return f"{move.index}[{move.shard}] ({move.bytes} bytes) from {move.source} to {move.target}"


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """What may be under way at the same time: one request. The next wave starts when this one has arrived."""

    units: tuple[Move | Exchange, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every leg, in the order in which they must stand in the request."""
        return tuple(move for unit in self.units for move in unit.moves)


Why = Literal[
    "NotGreen",
    "UnknownModel",
    "StuckCopy",
    "MoreCopiesThanZones",
    "ShardLargerThanShare",
    "NodeStaysFull",
    "ThresholdTooLow",
    "EngineWouldMove",
    "LeansOnACount",
    "PrimariesUneven",
]
"""NotGreen: copies are missing, nothing is moved. UnknownModel: a setting is on whose effect is not modelled, nothing
is moved. StuckCopy: a copy may not stay and has nowhere to go. MoreCopiesThanZones: copies of one shard must share a
zone. ShardLargerThanShare: one shard is more than a node's fair share. NodeStaysFull: a node stays above its share.
ThresholdTooLow: a higher balance threshold would allow what is missing. EngineWouldMove: the engine's balancer is not
at rest at the end. LeansOnACount: one index created or deleted may wake it. PrimariesUneven: zones differ in primaries
and no legal move changes that."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the planner can't do, and why."""

    reason: Why
    message: str


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A node's place in the picture: bytes of shards, the fair share of its zone and tier, copies, primaries."""

    node: str
    zone: str
    tier: str
    bytes: int
    share: float
    copies: int
    primaries: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, what for, and how things stand before and after.

    `threshold` is the value that `balance.threshold` has to have before the first wave (`None`: as it is).
    `at_rest`: the engine's balancer moves nothing after the last wave. `robust`: nor after any node's count has
    changed by the policy's `spare`.
    """

    waves: tuple[Wave, ...]
    threshold: float | None
    findings: tuple[Finding, ...]
    before: tuple[Load, ...]
    after: tuple[Load, ...]
    at_rest: bool
    robust: bool

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every move, in order."""
        return tuple(move for wave in self.waves for move in wave.moves)

    @property
    def bytes(self) -> int:
        """Bytes that are sent."""
        return sum(move.bytes for move in self.moves)


def skew(loads: tuple[Load, ...]) -> dict[tuple[str, str], float]:
    """Per (zone, tier): how far its fullest node is above its fair share, as a part of it."""
    worst: dict[tuple[str, str], float] = {}
    for load in loads:
        if load.share > 0:
            group = (load.zone, load.tier)
            worst[group] = max(worst.get(group, -1.0), load.bytes / load.share - 1)
    return worst
