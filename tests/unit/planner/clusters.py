"""Random clusters: zones, tiers, exclusions by hand, disks of different size, shards over three orders of magnitude."""

from dataclasses import dataclass

from hypothesis import strategies as st

from vagus.cluster import Copy
from vagus.zone_balance.planner.model import Index, Layout, Node, Policy, Settings

ZONES = ("a", "b", "c")


@dataclass(frozen=True)
class Shape:
    """What one index looks like."""

    primaries: int
    replicas: int
    tier: str


@st.composite
def nodes(draw: st.DrawFn, tiers: tuple[str, ...]) -> list[Node]:
    """Nodes of one to three zones; every tier has some."""
    zones = ZONES[: draw(st.integers(1, 3))]
    found = []
    for tier in tiers:
        for number in range(draw(st.integers(2, 6))):
            found.append(
                Node(
                    name=f"{tier}{number}",
                    zone=zones[number % len(zones)],
                    tier=tier,
                    version=draw(st.sampled_from(["3.4.0", "3.4.0", "3.4.0", "3.5.0"])),
                    attributes={"temp": tier},
                    disk_total=draw(st.sampled_from([20_000, 40_000, 100_000])),
                    disk_free=0,
                )
            )
    return found


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """A green cluster in which copies stand anywhere but twice on one node."""
    tiers = draw(st.sampled_from([("hot",), ("hot", "warm")]))
    members = draw(nodes(tiers))
    copies: list[Copy] = []
    indices: dict[str, Index] = {}
    for number in range(draw(st.integers(1, 6))):
        shape = Shape(draw(st.integers(1, 5)), draw(st.integers(0, 2)), draw(st.sampled_from(tiers)))
        home = [node.name for node in members if node.tier == shape.tier]
        copies += draw(_copies(f"i{number}", shape, home))
        indices[f"i{number}"] = draw(_rule(shape.tier, home))
    settings = draw(_settings([node.name for node in members]))
    return Layout(nodes=_filled(members, copies), copies=tuple(copies), settings=settings, indices=indices)


@st.composite
def _copies(draw: st.DrawFn, index: str, shape: Shape, home: list[str]) -> list[Copy]:
    found = []
    for shard in range(shape.primaries):
        size = int(10 ** draw(st.floats(0, 3)))
        places = draw(st.permutations(home))[: 1 + shape.replicas]
        for number, place in enumerate(places):
            copy = Copy(index=index, shard=shard, primary=number == 0, state="STARTED", node=place, bytes=size)
            found.append(copy)
    return found


@st.composite
def _rule(draw: st.DrawFn, tier: str, home: list[str]) -> Index:
    kept_off = draw(st.one_of(st.none(), st.sampled_from(home)))
    return Index(
        require={"temp": tier},
        exclude={"_name": kept_off} if kept_off and draw(st.booleans()) else {},
        shards_per_node=draw(st.sampled_from([-1, -1, -1, 3])),
        primaries_per_node=draw(st.sampled_from([-1, -1, -1, 2])),
    )


@st.composite
def _settings(draw: st.DrawFn, names: list[str]) -> Settings:
    aware = draw(st.booleans())
    return Settings(
        awareness=("zone",) if aware else (),
        forced={"zone": ZONES} if aware and draw(st.booleans()) else {},
        exclude={"_name": draw(st.sampled_from(names))} if draw(st.integers(0, 3)) == 0 else {},
        watermark_low=draw(st.sampled_from(["85%", "60%"])),
        disk_threshold=draw(st.booleans()),
        incoming_recoveries=draw(st.integers(1, 3)),
        outgoing_recoveries=draw(st.integers(1, 3)),
        cluster_recoveries=draw(st.sampled_from([-1, -1, 1, 5])),
        shards_per_node=draw(st.sampled_from([-1, -1, -1, 12])),
        balance_shard=draw(st.sampled_from([0.45, 0.45, 0.7])),
        threshold=draw(st.sampled_from([1.0, 1.0, 1.5, 0.5])),
        prefer_primary=draw(st.sampled_from([False, False, False, True])),
        rebalance_primary=draw(st.sampled_from([False, False, False, True])),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Wishes of every kind."""
    return Policy(
        skew=draw(st.sampled_from([0.02, 0.02, 0.1])),
        spare=draw(st.integers(0, 2)),
        highest_threshold=draw(st.sampled_from([None, None, 2.0, 6.0])),
        moves_at_once=draw(st.sampled_from([None, 2, 5])),
        even_primaries=draw(st.booleans()),
    )


def _filled(members: list[Node], copies: list[Copy]) -> tuple[Node, ...]:
    used = {node.name: 0 for node in members}
    for copy in copies:
        used[copy.node or ""] += copy.bytes
    return tuple(
        Node(
            name=node.name,
            zone=node.zone,
            tier=node.tier,
            version=node.version,
            attributes=node.attributes,
            disk_total=node.disk_total,
            disk_free=node.disk_total - used[node.name],
        )
        for node in members
    )
