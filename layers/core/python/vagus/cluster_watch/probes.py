"""What the watch looks for: a small table of pure probes, each with the `detail-type` of its events.

A probe says what holds now. It is given what was told of its keys last, for a line that is crossed upwards is another
than the one that is crossed downwards: what trembles about a line is no news each minute.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from vagus import allocation
from vagus.cluster import Cluster, Copy, Node, Unseen
from vagus.cluster_watch.certificates import certificates
from vagus.cluster_watch.model import Change, Item, Sight, Standing, Standings

WHOLE = "cluster"
"""The key of what is about the cluster as a whole."""
CALMER = 0.75
"""A skew is over when it is below so much of the line at which it is told."""
BACK = 0.02
"""So much of a disk has to be free beyond a watermark before the node counts as below it again."""
SHOWN = 5
"""Shards that an event names; the rest is counted."""

Find = Callable[[Sight, Standings], Iterable[Item]]
Sentence = Callable[[Change], str]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look for. `kind` is the events' detail-type, `ended` that of their end where it has its own.

    `calm`: what events call the empty level. `blind`: whether it says something of a cluster that could not be seen;
    all else stays as it was then. `first`: whether what a first look finds is news. `over`: looks in a row before an
    end is told. `end`: the sentence of one.
    """

    name: str
    kind: str
    find: Find
    end: Sentence
    ended: str = ""
    calm: str = ""
    blind: bool = False
    first: bool = True
    over: int = 2

    def kind_of(self, change: Change) -> str:
        """The detail-type of the event that tells this change."""
        return self.kind if change.after else self.ended or self.kind


# -- reach and health --------------------------------------------------------------------------------------------------


def reach(sight: Sight, _told: Standings) -> Iterator[Item]:
    """A cluster that does not answer. One look may be lost, and a denied one is a certificate or a role."""
    if isinstance(sight.cluster, Unseen):
        message = f"the cluster can't be seen ({sight.cluster.reason}): {sight.cluster.message}"
        yield Item(key=WHOLE, level=sight.cluster.reason, message=message, looks=sight.policy.looks)


def health(sight: Sight, _told: Standings) -> Iterator[Item]:
    """Red is told at once; yellow, which each new index is for a moment, when it stays."""
    cluster = _seen(sight)
    if cluster.status != "green":
        copies = [copy for copy in cluster.copies if not copy.active]
        message = f"the cluster is {cluster.status}: {_counted(copies)} not active"
        looks = 1 if cluster.status == "red" else sight.policy.looks
        yield Item(key=WHOLE, level=cluster.status, message=message, facts={"notActive": len(copies)}, looks=looks)


# -- nodes -------------------------------------------------------------------------------------------------------------


def nodes(sight: Sight, told: Standings) -> Iterator[Item]:
    """Every node by its process: another process under the same name has been started anew."""
    for node in _seen(sight).nodes:
        about = {"zone": node.zone, "roles": list(node.roles), "version": node.version, "address": node.address}
        again = node.name in told and bool(told[node.name].told)
        message = f"node {node.name} ({node.zone}) {'has started again' if again else 'has joined'}"
        yield Item(key=node.name, level=node.ephemeral_id, message=message, about=about, facts={"restarted": again})


def _left(change: Change) -> str:
    return f"node {change.key} ({change.about.get('zone', '')}) has left"


# -- shards ------------------------------------------------------------------------------------------------------------


def unassigned(sight: Sight, _told: Standings) -> Iterator[Item]:
    """Copies that stand nowhere. A replica is given a minute by the engine itself after its node has left."""
    copies = [copy for copy in _seen(sight).copies if copy.state == "UNASSIGNED"]
    if not copies:
        return
    primaries = any(copy.primary for copy in copies)
    shown = sorted(copies, key=lambda copy: (not copy.primary, copy.index, copy.shard))[:SHOWN]
    shards = [{"index": copy.index, "shard": copy.shard, "primary": copy.primary} for copy in shown]
    yield Item(
        key=WHOLE,
        level="primaries" if primaries else "replicas",
        message=f"{_counted(copies)} unassigned: {', '.join(f'{copy.index}[{copy.shard}]' for copy in shown)}",
        facts={"unassigned": len(copies), "shards": shards},
        looks=1 if primaries else sight.policy.looks,
    )


def _counted(copies: Iterable[Copy]) -> str:
    many = Counter(copy.primary for copy in copies)
    words = ((many[True], "primary", "primaries"), (many[False], "replica", "replicas"))
    return " and ".join(f"{count} {one if count == 1 else more}" for count, one, more in words if count) or "no shard"


# -- bytes -------------------------------------------------------------------------------------------------------------


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A node's bytes of shards, those on their way to it included, against its fair share of its zone and tier."""

    node: str
    bytes: int
    share: float

    @property
    def skew(self) -> float:
        """How far it is above its share, as a part of it."""
        return self.bytes / self.share - 1 if self.share else 0.0


def fullest(cluster: Cluster, closed: frozenset[str]) -> dict[str, Fill | None]:
    """Per zone and tier: the node that is furthest above its share, by capacity; `None` where a disk is unknown."""
    held: Counter[str] = Counter()
    for copy in cluster.copies:
        held[copy.target or copy.node or ""] += copy.bytes
    groups: defaultdict[str, list[Node]] = defaultdict(list)
    for node in cluster.nodes:
        if node.holds_data and node.name not in closed:
            groups[f"{node.zone} {_tier(node)}"].append(node)
    return {key: _fullest(group, held) for key, group in sorted(groups.items())}


def _fullest(group: list[Node], held: Counter[str]) -> Fill | None:
    if not all(node.disk_total for node in group):
        return None
    capacity, total = sum(node.disk_total for node in group), sum(held[node.name] for node in group)
    fills = [
        Fill(node=node.name, bytes=held[node.name], share=total * node.disk_total / capacity)
        for node in sorted(group, key=lambda node: node.name)
    ]
    return max(fills, key=lambda fill: fill.skew)


def _tier(node: Node) -> str:
    return "data" if "data" in node.roles else "+".join(sorted(role for role in node.roles if role.startswith("data_")))


def skew(sight: Sight, told: Standings) -> Iterator[Item]:
    """A node well above its fair share of the bytes of its zone and tier."""
    policy = sight.policy
    for key, fill in fullest(_seen(sight), sight.closed).items():
        if fill is None:
            yield Item(key=key, level=None)
            continue
        line = policy.skew * (CALMER if told.get(key, Standing()).told else 1.0)
        if fill.skew <= line or fill.bytes - fill.share < policy.skew_bytes:
            continue
        message = f"{fill.node} holds {fill.skew:.0%} more than its share of the bytes in {key}"
        facts = {"node": fill.node, "bytes": fill.bytes, "share": round(fill.share), "skew": round(fill.skew, 4)}
        yield Item(key=key, level="uneven", message=message, facts=facts, looks=policy.looks)


LEVELS = ("near", "low", "high", "flood")
SAYS = {
    "near": "is near the low watermark",
    "low": "is over the low watermark: it takes no more shards",
    "high": "is over the high watermark: the engine moves its shards away",
    "flood": "is over the flood stage: its indices take no more writes",
}


def watermark(sight: Sight, told: Standings) -> Iterator[Item]:
    """Disks that come near the engine's watermarks, or over them."""
    cluster = _seen(sight)
    if cluster.setting(allocation.THRESHOLD, "true") == "false":
        return
    for node in cluster.nodes:
        if not node.holds_data:
            continue
        if not node.disk_total:  # it did not tell its disk in time
            yield Item(key=node.name, level=None)
            continue
        before = told.get(node.name, Standing()).told
        level = next((one for one in reversed(LEVELS) if _over(one, before, node, sight, cluster)), "")
        if level:
            used = 1 - node.disk_free / node.disk_total
            facts = {"used": round(used, 4), "free": node.disk_free, "total": node.disk_total}
            message = f"the disk of {node.name} ({used:.0%} used) {SAYS[level]}"
            looks = 1 if level in ("high", "flood") else sight.policy.looks
            yield Item(key=node.name, level=level, message=message, about={"zone": node.zone}, facts=facts, looks=looks)


def _over(level: str, before: str, node: Node, sight: Sight, cluster: Cluster) -> bool:
    held = before in LEVELS and LEVELS.index(before) >= LEVELS.index(level)
    wanted = _line(level, node.disk_total, sight, cluster) + (BACK * node.disk_total if held else 0)
    return node.disk_free < wanted


def _line(level: str, total: int, sight: Sight, cluster: Cluster) -> float:
    """Bytes that have to be free for the disk to be below a level."""
    low = allocation.reserve(cluster.setting(allocation.LOW, "85%"), total)
    match level:
        case "near":
            return low + sight.policy.watermark_margin * total
        case "low":
            return low
        case "high":
            return allocation.reserve(cluster.setting(allocation.HIGH, "90%"), total)
        case _:
            return allocation.reserve(cluster.setting(allocation.FLOOD, "95%"), total)


def _seen(sight: Sight) -> Cluster:
    if isinstance(sight.cluster, Unseen):
        raise TypeError("a probe that needs a cluster was asked of one that was not seen")
    return sight.cluster


PROBES: tuple[Probe, ...] = (
    Probe(
        name="reach",
        kind="Cluster Reachability Changed",
        find=reach,
        calm="REACHABLE",
        blind=True,
        over=1,
        end=lambda _: "the cluster can be seen again",
    ),
    Probe(
        name="health",
        kind="Cluster Health Changed",
        find=health,
        calm="green",
        end=lambda _: "the cluster is green again",
    ),
    Probe(name="nodes", kind="Node Joined", ended="Node Left", find=nodes, first=False, over=1, end=_left),
    Probe(
        name="unassigned",
        kind="Shards Unassigned",
        ended="Shards Assigned",
        find=unassigned,
        over=1,
        end=lambda _: "every shard is assigned again",
    ),
    Probe(
        name="skew",
        kind="Bytes Uneven",
        ended="Bytes Even",
        find=skew,
        end=lambda change: f"the bytes in {change.key} are even again",
    ),
    Probe(
        name="watermark",
        kind="Watermark Near",
        ended="Watermark Far",
        find=watermark,
        end=lambda change: f"the disk of {change.key} is well below its watermarks again",
    ),
    Probe(
        name="certificates",
        kind="Certificate Faulty",
        ended="Certificate Well",
        find=certificates,
        blind=True,
        over=1,
        end=lambda change: f"{change.key} is well again, or the node is gone",
    ),
)
"""In the order in which their events are told."""
