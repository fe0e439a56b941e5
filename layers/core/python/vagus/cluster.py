"""A search cluster as it was seen: frozen data, made by `vagus.search`, read by every decision."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

CopyState = Literal["STARTED", "INITIALIZING", "RELOCATING", "UNASSIGNED"]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is in the cluster. On EC2 its name is its instance id. Its process is known by `ephemeral_id`, and
    started at `started` (epoch milliseconds). Sizes in bytes. `heap`: percent used; `None` where the node did not tell
    in time. `forced`: the zones that its own configuration forces copies over."""

    name: str
    zone: str
    address: str
    roles: tuple[str, ...]
    version: str
    ephemeral_id: str
    started: int = 0
    disk_total: int
    disk_free: int
    heap: int | None = None
    forced: tuple[str, ...] = ()

    @property
    def holds_data(self) -> bool:
        """Whether the engine may place shards on it."""
        return any(role == "data" or role.startswith("data_") for role in self.roles)

    @property
    def release(self) -> tuple[int, ...]:
        """Its version as numbers: a copy never goes to a node of an older one."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])

    @property
    def may_be_manager(self) -> bool:
        """Whether it is manager-eligible (master-eligible on Elasticsearch)."""
        return bool({"cluster_manager", "master"} & set(self.roles))


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a shard, primary or replica. `target` is where a RELOCATING copy goes; `bytes` its size on disk.
    `nowhere`: of an unassigned one the engine's reason (`NODE_LEFT`), and what came of the last try to place it
    (`no_valid_shard_copy`); empty words where it doesn't say."""

    index: str
    shard: int
    primary: bool
    state: CopyState
    node: str | None = None
    target: str | None = None
    bytes: int = 0
    nowhere: tuple[str, str] = ("", "")

    @property
    def id(self) -> tuple[str, int]:
        """The shard that this is a copy of."""
        return (self.index, self.shard)

    @property
    def active(self) -> bool:
        """Whether it can serve: a relocating copy still does."""
        return self.state in ("STARTED", "RELOCATING")


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a cluster.

    `persistent` and `transient` are flat settings as a person or we set them; `defaults` the effective value of the
    few that rules read. `visible_indices` is how many indices we may see, `counted_indices` how many the engine
    counts: fewer visible than counted means that we are blind to some. `stores` names the nodes whose disk holds a
    store of a shard that is unassigned. `auto_expanding` are the indices whose replicas the engine adds and takes away
    with the nodes (`index.auto_expand_replicas`). `pending_tasks` counts the manager's queue. `voters` are the nodes
    whose votes count, `voting_exclusions` those whose vote was taken. `created`: the version that made each index, as
    the engine numbers it.
    """

    uuid: str
    status: Literal["green", "yellow", "red"]
    nodes: tuple[Node, ...]
    copies: tuple[Copy, ...]
    manager: str
    persistent: Mapping[str, str]
    transient: Mapping[str, str]
    defaults: Mapping[str, str] = {}
    visible_indices: int
    counted_indices: int
    stores: tuple[str, ...] = ()
    pending_tasks: int = 0
    voters: tuple[str, ...] = ()
    voting_exclusions: tuple[str, ...] = ()
    auto_expanding: frozenset[str] = frozenset()
    created: Mapping[str, int] = {}

    def setting(self, name: str, default: str = "") -> str:
        """The value in force: transient wins over persistent, that over the engine's default."""
        for layer in (self.transient, self.persistent, self.defaults):
            if name in layer:
                return layer[name]
        return default

    def node(self, name: str) -> Node | None:
        """The node of that name, if it is in the cluster."""
        return next((node for node in self.nodes if node.name == name), None)

    def names(self) -> frozenset[str]:
        """The names of all its nodes."""
        return frozenset(node.name for node in self.nodes)

    def on(self, name: str) -> tuple[Copy, ...]:
        """Every copy that routing lists on a node, those on their way to it included."""
        return tuple(copy for copy in self.copies if name in (copy.node, copy.target))

    def without(self, names: frozenset[str]) -> "Cluster":
        """The cluster as it will be once these nodes are gone: they hold nothing, take nothing and vote for nothing."""
        if not names:
            return self
        return msgspec.structs.replace(
            self,
            nodes=tuple(node for node in self.nodes if node.name not in names),
            copies=tuple(_without(copy, names) for copy in self.copies),
        )

    def joined_by(self, nodes: tuple[Node, ...]) -> "Cluster":
        """The cluster as it would be with these nodes in it as well, empty."""
        return msgspec.structs.replace(self, nodes=(*self.nodes, *nodes))


class ShardMove(msgspec.Struct, frozen=True, kw_only=True):
    """One copy of a shard goes from node to node. `why`: what for, for a person."""

    index: str
    shard: int
    primary: bool
    source: str
    target: str
    bytes: int
    why: str = ""

    @property
    def sentence(self) -> str:
        """What goes where, for a person."""
        copy = "primary" if self.primary else "replica"
        return f"{self.index}[{self.shard}] {copy} ({self.bytes} bytes) from {self.source} to {self.target}"


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """What decides where shards may stand, beyond a `Cluster`: asked for before shards are moved, not at each look.

    `ids` and `attributes` (`node.attr.*`) by node name; `settings`: the cluster's flat settings in force, defaults
    included; `indices`: flat settings of placement of those indices that have any. `snapshots`: the shards (index,
    number) whose snapshot is being taken. `fetches`: shards whose stores are still asked for. `queries` and `query_ms`:
    searches of shards since the nodes started, and milliseconds spent on them.
    """

    ids: Mapping[str, str] = {}
    attributes: Mapping[str, Mapping[str, str]] = {}
    settings: Mapping[str, str] = {}
    indices: Mapping[str, Mapping[str, str]] = {}
    snapshots: frozenset[tuple[str, int]] = frozenset()
    fetches: int = 0
    queries: int = 0
    query_ms: int = 0


def _without(copy: Copy, names: frozenset[str]) -> Copy:
    if copy.node in names:
        return msgspec.structs.replace(copy, state="UNASSIGNED", node=None, target=None)
    if copy.target in names:
        return msgspec.structs.replace(copy, state="STARTED", target=None)
    return copy


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine can be asked to wait for, and answers as soon as it is so: that many nodes; if `green`,
    that every copy is active."""

    nodes: int = 0
    green: bool = False


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster could not be looked at. An error is never "empty"."""

    reason: Literal["UNREACHABLE", "DENIED", "THROTTLED", "REFUSED"]
    message: str
