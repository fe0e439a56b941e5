"""What was seen of a cluster, as the planner's layout; and the byte skew per zone and tier. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from vagus.cluster import Cluster, Copy, Placement
from vagus.cluster import Node as SeenNode
from vagus.zone_balance.planner import Layout, Node, reading
from vagus.zone_balance.planner.model import Index, Settings


def layout_of(cluster: Cluster, placement: Placement) -> Layout:
    """Nodes, copies and settings as the planner takes them."""
    settings = reading.settings(placement.settings, _oldest(cluster))
    indices = {name: reading.index(flat) for name, flat in placement.indices.items()}
    telling = _telling(settings, indices.values())
    return Layout(
        nodes=tuple(_node(node, placement, telling) for node in cluster.nodes),
        copies=_measured(cluster.copies),
        settings=settings,
        indices=indices,
        snapshots=placement.snapshots,
    )


def _oldest(cluster: Cluster) -> str:
    """The version whose rules hold: the elected manager's, which may be the oldest for as long as there are several."""
    versions = [node.version for node in cluster.nodes]
    return min(versions, key=lambda version: [int(part) for part in version.split("-")[0].split(".")], default="3.0.0")


def _measured(copies: tuple[Copy, ...]) -> tuple[Copy, ...]:
    """Each copy as large as the largest of its shard: one that has just arrived may not show all of its bytes yet."""
    largest: dict[tuple[str, int], int] = {}
    for copy in copies:
        largest[copy.id] = max(copy.bytes, largest.get(copy.id, 0))
    return tuple(
        copy if copy.bytes == largest[copy.id] else msgspec.structs.replace(copy, bytes=largest[copy.id])
        for copy in copies
    )


def _telling(settings: Settings, indices: Iterable[Index]) -> tuple[str, ...]:
    """The attributes by which some filter tells nodes apart; the engine's own (`_name` and its like) name single
    nodes."""
    filters: list[Mapping[str, str]] = [settings.include, settings.exclude, settings.require]
    for index in indices:
        filters += [index.include, index.exclude, index.require]
    return tuple(sorted({name for one in filters for name in one if not name.startswith("_") and name != "zone"}))


def _node(node: SeenNode, placement: Placement, telling: tuple[str, ...]) -> Node:
    attributes = placement.attributes.get(node.name, {})
    told = [f"{name}={attributes[name]}" for name in telling if name in attributes]
    return Node(
        name=node.name,
        zone=node.zone,
        disk_total=node.disk_total,
        disk_free=node.disk_free,
        tier=" ".join([tier(node), *told]),
        roles=node.roles,
        version=node.version,
        address=node.address,
        id=placement.ids.get(node.name, ""),
        attributes=attributes,
    )


def tier(node: SeenNode) -> str:
    """The data roles of a node: nodes of one tier take the same shards."""
    return "+".join(sorted(role for role in node.roles if role == "data" or role.startswith("data_")))


def skews(cluster: Cluster) -> dict[tuple[str, str], float]:
    """Byte skew per (zone, tier), of what any look shows: how far the fullest node is above its share by capacity.

    Where no bytes are, there is no skew. Tiers go by roles alone here: what filters tell
    apart only a `Placement` shows.
    """
    bytes_: dict[str, int] = {}
    for copy in cluster.copies:
        place = copy.target or copy.node or ""
        bytes_[place] = bytes_.get(place, 0) + copy.bytes
    groups: dict[tuple[str, str], list[SeenNode]] = {}
    for node in cluster.nodes:
        if node.holds_data and node.disk_total:
            groups.setdefault((node.zone, tier(node)), []).append(node)
    some = {group: nodes for group, nodes in sorted(groups.items()) if any(bytes_.get(one.name) for one in nodes)}
    return {group: _skew(nodes, bytes_) for group, nodes in some.items()}


def _skew(nodes: list[SeenNode], bytes_: Mapping[str, int]) -> float:
    held = sum(bytes_.get(node.name, 0) for node in nodes)
    capacity = sum(node.disk_total for node in nodes)
    return max(bytes_.get(node.name, 0) * capacity / (held * node.disk_total) for node in nodes) - 1
