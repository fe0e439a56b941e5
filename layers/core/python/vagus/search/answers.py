"""The engine's answers as they are decoded: only the fields that are asked for. Anything missing is an error."""

from collections.abc import Mapping
from typing import Any

import msgspec

from vagus.cluster import CopyState
from vagus.errors import Malformed


class StateNode(msgspec.Struct, frozen=True):
    """A node in the cluster's state, which knows neither its roles nor its version."""

    name: str
    ephemeral_id: str
    transport_address: str
    attributes: Mapping[str, str] = {}

    @property
    def address(self) -> str:
        """Without the port; an IPv6 address without its brackets."""
        return self.transport_address.rsplit(":", 1)[0].strip("[]")


class UnassignedInfo(msgspec.Struct, frozen=True):
    """Why a copy is nowhere, and what came of the last try to place it."""

    reason: str = ""
    allocation_status: str = ""


class Routed(msgspec.Struct, frozen=True):
    """One copy in the routing table; nodes by their ids."""

    state: CopyState
    primary: bool
    node: str | None = None
    relocating_node: str | None = None
    unassigned_info: UnassignedInfo = UnassignedInfo()


class _RoutedIndex(msgspec.Struct, frozen=True):
    shards: Mapping[str, tuple[Routed, ...]]


class _RoutingTable(msgspec.Struct, frozen=True):
    indices: Mapping[str, _RoutedIndex] = {}


class State(msgspec.Struct, frozen=True):
    """One cluster state: nodes and routing of the same instant."""

    cluster_uuid: str
    nodes: Mapping[str, StateNode]
    routing_table: _RoutingTable = _RoutingTable()
    cluster_manager_node: str | None = None
    master_node: str | None = None


class _VoteTaken(msgspec.Struct, frozen=True):
    node_name: str = ""
    node_id: str = ""


class _Coordination(msgspec.Struct, frozen=True):
    """A node that is excluded before it was ever seen has no name but the one it was excluded by."""

    last_committed_config: tuple[str, ...]
    voting_config_exclusions: tuple[_VoteTaken, ...] = ()


class _Metadata(msgspec.Struct, frozen=True):
    cluster_coordination: _Coordination


class Voting(msgspec.Struct, frozen=True):
    """Whose votes count: node ids."""

    metadata: _Metadata


class Settings(msgspec.Struct, frozen=True):
    """Flat settings; a list stays a list."""

    persistent: Mapping[str, Any] = {}
    transient: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}


class Health(msgspec.Struct, frozen=True):
    """The manager's own view, with an entry for each index."""

    status: str
    number_of_pending_tasks: int
    indices: Mapping[str, Any] = {}


class _Total(msgspec.Struct, frozen=True):
    total_in_bytes: int = 0
    available_in_bytes: int = 0


class _Disk(msgspec.Struct, frozen=True):
    total: _Total = _Total()


class _Store(msgspec.Struct, frozen=True):
    size_in_bytes: int = 0


class _ShardStats(msgspec.Struct, frozen=True):
    store: _Store = _Store()


class _Indices(msgspec.Struct, frozen=True):
    shards: Mapping[str, tuple[Mapping[str, _ShardStats], ...]] = {}


class _Memory(msgspec.Struct, frozen=True):
    heap_used_percent: int | None = None


class _Machine(msgspec.Struct, frozen=True):
    mem: _Memory = _Memory()


class NodeStats(msgspec.Struct, frozen=True):
    """A node's disk, its heap and the sizes of the shards on it."""

    fs: _Disk = _Disk()
    jvm: _Machine = _Machine()
    indices: _Indices = _Indices()


class Stats(msgspec.Struct, frozen=True):
    """By node id, of the nodes that answered in time."""

    nodes: Mapping[str, NodeStats] = {}


class _OwnSettings(
    msgspec.Struct, frozen=True, rename={"forced": "cluster.routing.allocation.awareness.force.zone.values"}
):
    """Flat settings of a node's configuration file; a list stays a list."""

    forced: str | tuple[str, ...] = ()


class _Jvm(msgspec.Struct, frozen=True):
    start_time_in_millis: int = 0


class NodeInfo(msgspec.Struct, frozen=True):
    """What doesn't change while a node's process lives."""

    version: str
    roles: tuple[str, ...]
    settings: _OwnSettings = _OwnSettings()
    jvm: _Jvm = _Jvm()


class Info(msgspec.Struct, frozen=True):
    """By node id, of the nodes that answered in time."""

    nodes: Mapping[str, NodeInfo] = {}


class _Stores(msgspec.Struct, frozen=True):
    stores: tuple[Mapping[str, Any], ...] = ()


class _StoredIndex(msgspec.Struct, frozen=True):
    shards: Mapping[str, _Stores] = {}


class _IndexSettings(
    msgspec.Struct,
    frozen=True,
    rename={"auto_expand": "index.auto_expand_replicas", "created": "index.version.created"},
):
    auto_expand: str = "false"
    created: str = "0"


class IndexSettings(msgspec.Struct, frozen=True):
    """The flat settings of one index that we ask for."""

    settings: _IndexSettings = _IndexSettings()

    @property
    def auto_expands(self) -> bool:
        """Whether the engine adds and takes away its replicas with the nodes."""
        return self.settings.auto_expand != "false"


class _Running(msgspec.Struct, frozen=True):
    snapshot: str
    state: str = ""


class _RunningSnapshots(msgspec.Struct, frozen=True):
    snapshots: tuple[_Running, ...] = ()


class Customs(msgspec.Struct, frozen=True):
    """What the cluster state says of work under way."""

    snapshots: _RunningSnapshots = _RunningSnapshots()


class _Taken(msgspec.Struct, frozen=True):
    state: str
    end_time_in_millis: int = 0


class TakenSnapshots(msgspec.Struct, frozen=True):
    """The snapshots of one repository."""

    snapshots: tuple[_Taken, ...] = ()


class ShardStores(msgspec.Struct, frozen=True):
    """Which node's disk holds a store of which shard; `failures`: nodes that could not be asked."""

    indices: Mapping[str, _StoredIndex] = {}
    failures: tuple[Mapping[str, Any], ...] = ()


class _Decider(msgspec.Struct, frozen=True):
    decision: str
    explanation: str = ""


class NodeDecision(msgspec.Struct, frozen=True):
    """What the deciders say of one node."""

    node_name: str
    deciders: tuple[_Decider, ...] = ()


class Explanation(msgspec.Struct, frozen=True):
    """Why a copy is where it is."""

    node_allocation_decisions: tuple[NodeDecision, ...] = ()
    allocate_explanation: str = ""
    move_explanation: str = ""
    rebalance_explanation: str = ""


class PlacedNode(msgspec.Struct, frozen=True):
    """A node with its attributes."""

    name: str
    attributes: Mapping[str, str] = {}


class _IndexName(msgspec.Struct, frozen=True):
    index_name: str


class SnapshotShard(msgspec.Struct, frozen=True):
    """A shard in a snapshot that is under way."""

    index: _IndexName
    shard: int
    state: str

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to be done."""
        return self.state in ("SUCCESS", "FAILED", "MISSING", "ABORTED")


class _Snapshot(msgspec.Struct, frozen=True):
    shards: tuple[SnapshotShard, ...] = ()


class _Snapshots(msgspec.Struct, frozen=True):
    snapshots: tuple[_Snapshot, ...] = ()


class Placed(msgspec.Struct, frozen=True):
    """Nodes by id, and the snapshots under way."""

    nodes: Mapping[str, PlacedNode]
    snapshots: _Snapshots = _Snapshots()


class FlatSettings(msgspec.Struct, frozen=True):
    """Any flat settings of one index."""

    settings: Mapping[str, Any] = {}


class Fetches(msgspec.Struct, frozen=True):
    """How many shards' stores are still asked for."""

    number_of_in_flight_fetch: int


class ZoneWeights(msgspec.Struct, frozen=True):
    """Weights by zone, as texts; no version where there never were any."""

    weights: Mapping[str, str] = {}
    version: int = msgspec.field(name="_version", default=-1)


class _Search(msgspec.Struct, frozen=True):
    query_total: int = 0
    query_time_in_millis: int = 0


class _Searching(msgspec.Struct, frozen=True):
    search: _Search = _Search()


class _NodeSearch(msgspec.Struct, frozen=True):
    indices: _Searching = _Searching()


class Searches(msgspec.Struct, frozen=True):
    """By node id, of the nodes that answered in time."""

    nodes: Mapping[str, _NodeSearch] = {}


class _Command(msgspec.Struct, frozen=True):
    parameters: Mapping[str, Any] = {}
    decisions: tuple[_Decider, ...] = ()


class Rerouted(msgspec.Struct, frozen=True):
    """What the deciders said of each command; nothing where it was not asked for."""

    explanations: tuple[_Command, ...] = ()


class Acknowledged(msgspec.Struct, frozen=True):
    """Whether every node confirmed an update in time."""

    acknowledged: bool


class _Shards(msgspec.Struct, frozen=True):
    total: int
    successful: int
    failed: int


class Flushed(msgspec.Struct, frozen=True, rename={"shards": "_shards"}):
    """How many copies were flushed."""

    shards: _Shards


def decoded[T](answer: bytes, kind: type[T], what: str) -> T:
    """An answer as its type. Raises `Malformed`: a proxy, or an engine that speaks otherwise."""
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise Malformed(f"{what}: the engine's answer can't be read: {error}") from error
