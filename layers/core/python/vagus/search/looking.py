"""One `Cluster` of several answers. Pure: `client` fetches them.

Nodes and routing are of one cluster state, so that a node can't be seen as present by one answer and as holding
nothing by a later one. Whether everything is seen: the cluster state and the health are cluster-wide actions, which no
role narrows; the settings of all indices are an index-level one, which a role's index patterns narrow as they narrow
the stores of unassigned shards (403, or with `do_not_fail_on_forbidden` silence). `visible_indices` is what the
narrower view shows, `counted_indices` what the wider counts, the security plugin's own index in both.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from vagus.cluster import Cluster, Copy, Node, Placement
from vagus.errors import Malformed, Unreachable
from vagus.search.answers import (
    Fetches,
    FlatSettings,
    Health,
    IndexSettings,
    NodeInfo,
    Placed,
    Routed,
    Searches,
    Settings,
    ShardStores,
    State,
    Stats,
    Voting,
)

Status = Literal["green", "yellow", "red"]


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one look. `info`: by ephemeral id; `visible`: settings of the indices that are told."""

    state: State
    settings: Settings
    stats: Stats
    health: Health
    voting: Voting
    visible: Mapping[str, IndexSettings]
    info: Mapping[str, NodeInfo]
    stores: ShardStores = ShardStores()


def cluster(pieces: Pieces) -> Cluster:
    """What was seen. Raises `Unreachable` where a needed answer is missing: an error is never "empty"."""
    state, coordination = pieces.state, pieces.voting.metadata.cluster_coordination
    names = {key: node.name for key, node in state.nodes.items()}
    routed = state.routing_table.indices
    return Cluster(
        uuid=state.cluster_uuid,
        status=_status(pieces.health),
        nodes=tuple(sorted((_node(pieces, key) for key in state.nodes), key=lambda node: node.name)),
        copies=_copies(pieces, names),
        manager=names.get(state.cluster_manager_node or state.master_node or "", ""),
        persistent=_texts(pieces.settings.persistent),
        transient=_texts(pieces.settings.transient),
        defaults=_texts(pieces.settings.defaults),
        visible_indices=min(len(pieces.visible), len(routed)),
        counted_indices=max(len(pieces.health.indices), len(routed)),
        stores=_stores(pieces, names),
        pending_tasks=pieces.health.number_of_pending_tasks,
        voters=tuple(sorted(names.get(key, key) for key in coordination.last_committed_config)),
        voting_exclusions=tuple(sorted(one.node_name or one.node_id for one in coordination.voting_config_exclusions)),
        auto_expanding=frozenset(index for index, told in pieces.visible.items() if told.auto_expands),
        created={index: int(told.settings.created) for index, told in pieces.visible.items()},
    )


def placement(
    state: Placed, settings: Settings, indices: Mapping[str, FlatSettings], fetches: Fetches, searches: Searches
) -> Placement:
    """What decides where shards may stand, of its answers."""
    under_way = (shard for snapshot in state.snapshots.snapshots for shard in snapshot.shards if not shard.over)
    searched = [node.indices.search for node in searches.nodes.values()]
    return Placement(
        ids={node.name: key for key, node in state.nodes.items()},
        attributes={node.name: node.attributes for node in state.nodes.values()},
        settings=_texts(settings.defaults) | _texts(settings.persistent) | _texts(settings.transient),
        indices={name: _texts(told.settings) for name, told in indices.items()},
        snapshots=frozenset((shard.index.index_name, shard.shard) for shard in under_way),
        fetches=fetches.number_of_in_flight_fetch,
        queries=sum(one.query_total for one in searched),
        query_ms=sum(one.query_time_in_millis for one in searched),
    )


def dead_shards(state: State) -> frozenset[tuple[str, str]]:
    """Shards without an active copy: only for these does a store on a disk matter.

    A shard with a started copy can lie about on other disks as well (the engine clears such stores only when all
    copies are started): nothing is lost with them, and a cluster that stays yellow must not hold an instance for ever.
    """
    return frozenset(
        (index, shard)
        for index, routed in state.routing_table.indices.items()
        for shard, copies in routed.shards.items()
        if not any(copy.state in ("STARTED", "RELOCATING") for copy in copies)
    )


def unknown_nodes(state: State, info: Mapping[str, NodeInfo]) -> bool:
    """Whether a node is there whose roles were never asked for."""
    return any(node.ephemeral_id not in info for node in state.nodes.values())


def _status(health: Health) -> Status:
    match health.status:
        case "green" | "yellow" | "red" as known:
            return known
        case other:
            raise Malformed(f"health: status {other!r} is none of green, yellow, red")


def _node(pieces: Pieces, key: str) -> Node:
    """A node that doesn't tell its disk in time counts as full: nothing is planned to go there."""
    node = pieces.state.nodes[key]
    told = pieces.info.get(node.ephemeral_id)
    if told is None:
        raise Unreachable(f"node {node.name} is in the cluster, but does not tell its roles")
    stats = pieces.stats.nodes.get(key)
    disk = stats.fs.total if stats else None
    return Node(
        name=node.name,
        zone=node.attributes.get("zone", ""),
        address=node.address,
        roles=told.roles,
        version=told.version,
        ephemeral_id=node.ephemeral_id,
        started=told.jvm.start_time_in_millis,
        disk_total=disk.total_in_bytes if disk else 0,
        disk_free=disk.available_in_bytes if disk else 0,
        forced=_forced(told),
        heap=stats.jvm.mem.heap_used_percent if stats else None,
    )


def _forced(told: NodeInfo) -> tuple[str, ...]:
    """The zones of its configuration file, as text or as a list."""
    said = told.settings.forced
    return tuple(zone.strip() for zone in said.split(",")) if isinstance(said, str) else said


def _copies(pieces: Pieces, names: Mapping[str, str]) -> tuple[Copy, ...]:
    sizes = _sizes(pieces.stats)
    largest: dict[tuple[str, str], int] = {}
    for (_, index, shard), size in sizes.items():
        largest[index, shard] = max(size, largest.get((index, shard), 0))
    return tuple(
        Copy(
            index=index,
            shard=int(shard),
            primary=routed.primary,
            state=routed.state,
            node=None if routed.node is None else names.get(routed.node, routed.node),
            target=_target(routed, names),
            # not measured, or not yet (it reads 0 for some seconds): as large as its largest twin
            bytes=sizes.get((routed.node or "", index, shard), 0) or largest.get((index, shard), 0),
            nowhere=(routed.unassigned_info.reason, routed.unassigned_info.allocation_status),
        )
        for index, shard, routed in _routed(pieces.state)
    )


def _routed(state: State) -> Iterator[tuple[str, str, Routed]]:
    """Every copy once. A relocating one is told by its source's row; should its target have a row, that is the same."""
    for index, routed in sorted(state.routing_table.indices.items()):
        for shard, copies in sorted(routed.shards.items(), key=lambda item: int(item[0])):
            for copy in copies:
                if not (copy.state == "INITIALIZING" and copy.relocating_node):
                    yield index, shard, copy


def _target(routed: Routed, names: Mapping[str, str]) -> str | None:
    target = routed.relocating_node
    return None if target is None else names.get(target, target)


def _sizes(stats: Stats) -> dict[tuple[str, str, str], int]:
    """Bytes by node id, index and shard."""
    return {
        (key, index, shard): told.store.size_in_bytes
        for key, node in stats.nodes.items()
        for index, shards in node.indices.shards.items()
        for one in shards
        for shard, told in one.items()
    }


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in settings.items()}


def _text(value: Any) -> str:
    """Settings as text, lists with commas, as people write them."""
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _stores(pieces: Pieces, names: Mapping[str, str]) -> tuple[str, ...]:
    """The nodes that hold a store of a shard without an active copy.

    Raises `Unreachable` if some node could not be asked, or some such shard was left out of the answer.
    """
    wanted = dead_shards(pieces.state)
    if wanted and pieces.stores.failures:
        raise Unreachable(f"the stores of unassigned shards were not all told: {pieces.stores.failures[0]}")
    found: set[str] = set()
    for index, shard in wanted:
        told = pieces.stores.indices.get(index)
        if told is None or shard not in told.shards:
            raise Unreachable(f"the stores of {index}[{shard}], which has no active copy, were not told")
        found |= {key for store in told.shards[shard].stores for key in store if key in names}
    return tuple(sorted(names[key] for key in found))
