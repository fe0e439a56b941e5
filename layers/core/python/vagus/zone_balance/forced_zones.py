"""Which zones copies are to be forced over, and whether the nodes agree on it. Pure.

Every node's own configuration names the zones that its fleet file had when the node started; the elected manager's
holds. So while a zone comes or goes nodes differ, and which of them is elected would decide. Until all of them agree
with what is wanted, the setting (which wins over any configuration) is demanded by an intent of its own; then it is
given back.
"""

from collections.abc import Iterable

from vagus.allocation import AWARENESS, FORCED
from vagus.cluster import Cluster, Node
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.intent import Intent
from vagus.owned_values import zones


def wanted(cluster: Cluster, spec: ClusterSpec, groups: Iterable[Group]) -> tuple[str, ...]:
    """The zones to force now, sorted. One with nodes or instances is forced on, even if the file no longer has it."""
    live = {node.zone for node in cluster.nodes if node.holds_data}
    held = {group.zone for group in groups if group.instances}
    known = set(set_now(cluster)) | configured_by_all(cluster)
    stay = {zone for zone in spec.zones if zone not in spec.zones_leaving and zone in live | known}
    going = set(spec.zones_leaving) | (known - set(spec.zones))
    go = {zone for zone in going if zone in live | held}
    return tuple(sorted(stay | go))


def needed(cluster: Cluster, spec: ClusterSpec, groups: Iterable[Group]) -> bool:
    """Whether some manager-eligible node would force other zones, were it elected."""
    mine = wanted(cluster, spec, groups)
    return _forces(cluster) and any(node.forced and zones(",".join(node.forced)) != mine for node in _eligible(cluster))


def over(cluster: Cluster, spec: ClusterSpec, groups: Iterable[Group], intent: Intent) -> bool:
    """Whether the zones' intent has done its work: the nodes agree among themselves."""
    return intent.kind == "zones" and not needed(cluster, spec, groups)


def _forces(cluster: Cluster) -> bool:
    """Whether copies are forced over zones at all: else it is not for us to begin with it."""
    return "zone" in zones(cluster.setting(AWARENESS))


def set_now(cluster: Cluster) -> tuple[str, ...]:
    """What is set, in either layer; nothing where only the nodes' configuration says so."""
    return zones(cluster.transient.get(FORCED) or cluster.persistent.get(FORCED) or "")


def _eligible(cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes if node.may_be_manager]


def configured_by_all(cluster: Cluster) -> set[str]:
    """The zones that every manager-eligible node would force."""
    each = [set(node.forced) for node in _eligible(cluster) if node.forced]
    return set.intersection(*each) if each else set()
