"""Searches are led away from a zone whose nodes are about to stop: weighted shard routing of OpenSearch. Pure.

A search asks a node twice, for what matches and then for the documents; a node that stops between the two fails it, and
the engine does not try another copy. A zone of weight 0 is asked for nothing new while another copy serves.

Safety: weights that people set stay. Ours name one zone more, `vagus`, in which no node is: what is ours says so in the
same cluster state, so that no crash can come between the two. Each change names the version that it was decided on, and
the engine refuses it if a person was quicker. Convergence: weights of ours that no node in hand needs are taken away.
"""

from collections.abc import Collection, Mapping

import msgspec

from vagus.allocation import AWARENESS, FORCED
from vagus.cluster import Cluster, Unseen
from vagus.intent import AnyPreference
from vagus.owned import SettingsUpdate
from vagus.owned_values import VALUES, zones

PATH = "/_cluster/routing/awareness/zone/weights"
MARK = "vagus"
OLDEST = (2, 19)
"""The oldest release of OpenSearch on which this was tried; weights have versions since 2.5."""
IGNORED = "cluster.routing.ignore_weighted_routing"
FAIL_OPEN = "cluster.routing.weighted.fail_open"
STRICT = next(value for value in VALUES if value.demand is AnyPreference)
"""While zones have weights: whether searches that ask for certain nodes are refused, and those with a string of their
own follow the weights."""
_STRICT = (STRICT.mark, STRICT.setting)


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How searches are shared among zones: by zone its share (0: none); no zones where nothing is set. `version`: what
    a change has to name (-1: there never were any)."""

    zones: Mapping[str, float] = {}
    version: int = -1


class Weighing(msgspec.Struct, frozen=True, kw_only=True):
    """One change. No zones: the weights are taken away. `version`: of the weights that it was decided on."""

    zones: Mapping[str, str] = {}
    version: int


def ours(weights: Weights | Unseen | None) -> bool:
    """Whether weights stand that we set."""
    return isinstance(weights, Weights) and MARK in weights.zones


def taken_away(weights: Weights | Unseen | None) -> Weighing | None:
    """The change after which none of ours stands; `None`: none does."""
    return Weighing(version=weights.version) if isinstance(weights, Weights) and ours(weights) else None


def led_away(cluster: Cluster, weights: Weights | Unseen | None, names: Collection[str]) -> Weighing | None:
    """The change after which no search is sent to these nodes' zones anew; `None`: it stands already, or can't be."""
    if not isinstance(weights, Weights) or why_not(cluster, weights, names):
        return None
    away = _searched(cluster, names)
    wanted = {zone: "0" if zone in away else "1" for zone in sorted(_known(cluster))} | {MARK: "1"}
    stands = {zone: float(weight) for zone, weight in wanted.items()} == dict(weights.zones)
    return None if stands else Weighing(zones=wanted, version=weights.version)


def why_not(cluster: Cluster, weights: Weights | Unseen | None, names: Collection[str]) -> str:
    """Why searches are not led away from these nodes, for a person; empty where they can be."""
    if isinstance(weights, Unseen):
        return weights.message
    if weights is None or any(node.release < OLDEST for node in cluster.nodes):
        return "this engine can't"
    if weights.zones and not ours(weights):
        return "weights of searches were set by hand, and stay as they are"
    if "zone" not in zones(cluster.setting(AWARENESS)):
        return f"{AWARENESS} does not name zone"
    if cluster.setting(IGNORED, "false") == "true" or cluster.setting(FAIL_OPEN, "true") == "false":
        return f"{IGNORED} or {FAIL_OPEN} was set by hand"
    away = _searched(cluster, names)
    if not away:
        return "they hold no shards"
    if not _searched(cluster, cluster.names()) - away:
        return "no other zone has nodes that hold shards"
    return f"all copies of {alone} are in their zone" if (alone := _nowhere_else(cluster, away)) else ""


def strict_by_hand(cluster: Cluster) -> bool:
    """Whether a person said so."""
    return STRICT.mark not in cluster.persistent and STRICT.in_force(cluster) == "true"


def but_strict(update: SettingsUpdate) -> SettingsUpdate:
    """Without what has searches for certain nodes refused again: while weights stand they must be answered."""
    rest = {name: value for name, value in update.persistent.items() if name not in _STRICT}
    return msgspec.structs.replace(update, persistent=rest)


def _of(cluster: Cluster, names: Collection[str]) -> frozenset[str]:
    return frozenset(node.zone for node in cluster.nodes if node.name in names and node.zone)


def _searched(cluster: Cluster, names: Collection[str]) -> frozenset[str]:
    return _of(cluster, [node.name for node in cluster.nodes if node.name in names and node.holds_data])


def _nowhere_else(cluster: Cluster, away: Collection[str]) -> str:
    """An index of which a shard has several active copies, all in these zones: the engine finds none of them for a
    document that is asked for by its id. A lone copy it asks, whatever its weight."""
    zone = {node.name: node.zone for node in cluster.nodes}
    found: dict[tuple[str, int], list[bool]] = {}
    for copy in cluster.copies:
        if copy.active and copy.node:
            found.setdefault(copy.id, []).append(zone.get(copy.node) in away)
    return next((index for (index, _), there in sorted(found.items()) if len(there) > 1 and all(there)), "")


def _known(cluster: Cluster) -> frozenset[str]:
    """Every zone of which the engine wants a weight: nodes are in it, or copies are forced over it."""
    forced = {zone for node in cluster.nodes for zone in node.forced}
    return _of(cluster, cluster.names()) | forced | set(zones(cluster.setting(FORCED)))
