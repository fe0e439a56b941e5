"""Which node comes when, and which may go together. Pure."""

from collections.abc import Iterable, Sequence

from vagus.cluster import Cluster, Node
from vagus.rolling_upgrade import rules

TIERS = ("data_frozen", "data_cold", "data_warm", "data", "data_content", "data_hot")


def in_order(cluster: Cluster, nodes: Iterable[Node]) -> list[Node]:
    """Data nodes by tier, cold first; then those with neither data nor a vote; then managers, the elected one last.

    Within each, zone after zone, so that one zone alone is touched at a time.
    """
    return sorted(nodes, key=lambda node: (*_class(cluster, node), node.zone, node.name))


def _class(cluster: Cluster, node: Node) -> tuple[int, int]:
    if node.name == cluster.manager:
        return (3, 0)
    if node.may_be_manager:
        return (2, _tier(node))
    return (0, _tier(node)) if node.holds_data else (1, 0)


def _tier(node: Node) -> int:
    """The hottest tier that it belongs to; a plain data node counts as content."""
    return max((TIERS.index(role) for role in node.roles if role in TIERS), default=0)


def batches(cluster: Cluster, nodes: Iterable[Node], most: int, accepted: Sequence[str] = ()) -> list[list[Node]]:
    """Nodes that go together, in order: of one zone and class, at most `most`, never all nodes of a zone, and no two
    that hold copies of one shard.

    What a batch may be is asked of the cluster as it is now: it is asked again before each.
    """
    found: list[list[Node]] = []
    for node in in_order(cluster, nodes):
        last = found[-1] if found else []
        if last and len(last) < most and _beside(cluster, last, node, accepted):
            last.append(node)
        else:
            found.append([node])
    return found


def _beside(cluster: Cluster, batch: list[Node], node: Node, accepted: Sequence[str]) -> bool:
    first = batch[0]
    if node.zone != first.zone or not node.zone or _class(cluster, node) != _class(cluster, first):
        return False
    together = [*batch, node]
    zone = [one for one in cluster.nodes if one.zone == node.zone]
    names = frozenset(one.name for one in together)
    return (
        len(together) < len(zone)
        and not rules.shard_twice(cluster, names)
        and not rules.only_copy(cluster, names, accepted)
        and not rules.quorum(cluster, names)
    )
