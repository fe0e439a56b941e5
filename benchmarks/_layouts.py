"""Clusters to plan for: the engine's even counts, sizes log-normal, so that bytes are as uneven as in real ones."""

import itertools
import random

import msgspec

from vagus.cluster import Copy
from vagus.zone_balance.planner import Layout, Node, Settings

ZONES = ("a", "b", "c")
DISK = 32 << 40


def layout(nodes: int, indices: int, primaries: int, sigma: float, seed: int = 7) -> Layout:
    """Three zones, forced awareness, one replica. Counts differ by one at most, and those of an index too."""
    draw = random.Random(seed)  # noqa: S311 - sizes of a benchmark, no secret
    names = [f"node-{number:04d}" for number in range(nodes)]
    places = _Places(nodes, draw)
    copies: list[Copy] = []
    for index in range(indices):
        for shard in range(primaries):
            size = int(draw.lognormvariate(0, sigma) * (10 << 30))
            one, other = places.pair()
            copies.append(_copy(index, shard, True, names[one], size))
            copies.append(_copy(index, shard, False, names[other], size))
    draw.shuffle(copies)
    zones = dict(zip(names, (ZONES[number % 3] for number in range(nodes)), strict=True))
    return Layout(
        nodes=tuple(_node(name, zones[name], copies_bytes) for name, copies_bytes in _used(names, copies).items()),
        copies=tuple(copies),
        settings=Settings(awareness=("zone",), forced={"zone": ZONES}),
    )


def joined(cluster: Layout) -> Layout:
    """The same with an empty node more in each zone."""
    new = tuple(_node(f"node-new-{zone}", zone, 0) for zone in ZONES)
    return msgspec.structs.replace(cluster, nodes=cluster.nodes + new)


class _Places:
    """Deals nodes of two zones in turn, in an order drawn once: so every node comes round before any comes again."""

    def __init__(self, nodes: int, draw: random.Random) -> None:
        rounds = [list(range(zone, nodes, len(ZONES))) for zone in range(len(ZONES))]
        for one in rounds:
            draw.shuffle(one)
        self._rounds = [itertools.cycle(one) for one in rounds]
        self._dealt = 0

    def pair(self) -> tuple[int, int]:
        """Two nodes of different zones."""
        first = self._dealt % len(ZONES)
        self._dealt += 1
        return next(self._rounds[first]), next(self._rounds[(first + 1) % len(ZONES)])


def _copy(index: int, shard: int, primary: bool, node: str, size: int) -> Copy:
    return Copy(index=f"index-{index:04d}", shard=shard, primary=primary, state="STARTED", node=node, bytes=size)


def _used(names: list[str], copies: list[Copy]) -> dict[str, int]:
    used = dict.fromkeys(names, 0)
    for copy in copies:
        used[copy.node or ""] += copy.bytes
    return used


def _node(name: str, zone: str, used: int) -> Node:
    return Node(name=name, zone=zone, disk_total=DISK, disk_free=DISK - used, version="3.4.0")
