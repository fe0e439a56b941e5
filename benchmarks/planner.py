"""The shard planner against sorting the same rows, the bound of bytes, a greedy and the engine's own balancer.

The baseline of time is `sorted` of the same 100,000 shuffled rows into the order of `_cat/shards?s=index,shard,prirep,
node`. The bound of bytes is what lies above (1 + skew) of each node's share: nobody can move less.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable

import msgspec

from benchmarks._layouts import joined, layout
from benchmarks.figure import Figure, against
from vagus.cluster import Copy
from vagus.zone_balance.planner import Layout, Plan, Policy, plan
from vagus.zone_balance.planner.model import Load, skew

RAISED = Policy(highest_threshold=12.0)
PLAIN = Policy()
SIGMA = 1.0
MB, TB = 1 << 20, 1 << 40
SIZES = ((9, 10), (99, 100), (999, 1000))
"""(nodes, indices of 50 primaries and a replica each)."""


def figures() -> list[Figure]:
    """Time, memory and growth at 1,000 nodes; bytes and skew at 10, 100 and 1,000, beside what others do."""
    large = layout(*SIZES[-1], 50, SIGMA)
    return [
        _time("1,000 nodes, 100,000 shards, threshold raised", large, RAISED, 4.0),
        _time("the same at the engine's own threshold", large, PLAIN, None),
        _time("the same with 3 nodes that have just joined, threshold raised", joined(large), RAISED, None),
        _growth(large),
        _memory(large),
        *(figure for nodes, indices in SIZES for figure in _quality(nodes, layout(nodes, indices, 50, SIGMA))),
    ]


def _seconds(act: Callable[[], object], times: int = 3) -> float:
    """The least CPU time of several runs: others share this machine."""
    spent = []
    for _ in range(times):
        gc.collect()
        start = time.process_time()
        act()
        spent.append(time.process_time() - start)
    return min(spent)


def _sorting(rows: list[Copy]) -> float:
    def key(row: Copy) -> tuple[str, int, bool, str]:
        return (row.index, row.shard, not row.primary, row.node or "")

    return _seconds(lambda: sorted(rows, key=key))


def _time(name: str, large: Layout, policy: Policy, most: float | None) -> Figure:
    ours, sorting = _seconds(lambda: plan(large, policy)), _sorting(list(large.copies))
    return _figure(name, ours, sorting, "s against a sort of the rows", most)


def _figure(name: str, ours: float, baseline: float, unit: str, most: float | None) -> Figure:
    """With a bar, or for the record only."""
    figure = against(f"planner: {name}", ours, baseline, unit, most or 0.0)
    return figure if most else msgspec.structs.replace(figure, bar="none", holds=True)


def _growth(large: Layout) -> Figure:
    small = layout(*SIZES[1], 50, SIGMA)
    ours, tenth = _seconds(lambda: plan(large, RAISED)), _seconds(lambda: plan(small, RAISED), 10)
    return _figure("100,000 shards against 10 times 10,000", ours, 10 * tenth, "s", 2.5)


def _memory(large: Layout) -> Figure:
    tracemalloc.start()
    plan(large, RAISED)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return _figure("memory beyond its input, against 300 MB", peak / MB, 300.0, "MB", 1.0)


def _quality(nodes: int, cluster: Layout) -> list[Figure]:
    """Ours with the threshold raised and not, and a greedy; the engine alone moves nothing, for its counts are even."""
    raised, plain = plan(cluster, RAISED), plan(cluster, PLAIN)
    bound = sum(max(0.0, load.bytes - (1 + PLAIN.skew) * load.share) for load in raised.before) / TB
    moved, left = greedy(cluster, raised)
    barred = nodes > SIZES[0][0]  # ten nodes have too few copies for two per cent
    return [
        _figure(
            f"{nodes} nodes: bytes against the bound, threshold raised",
            raised.bytes / TB,
            bound,
            "TB",
            1.1 if barred else None,
        ),
        _figure(f"{nodes} nodes: bytes against the bound, engine's threshold", plain.bytes / TB, bound, "TB", None),
        _figure(f"{nodes} nodes: bytes against the bound, greedy, no decider asked", moved / TB, bound, "TB", None),
        _skew(f"{nodes} nodes: skew left, threshold raised", raised, barred),
        _skew(f"{nodes} nodes: skew left, engine's threshold", plain, barred),
        _figure(f"{nodes} nodes: skew left by the greedy against 2 %", left * 100, 2.0, "%", None),
        _figure(
            f"{nodes} nodes: skew left by the engine alone against 2 %", _worst(plain.before) * 100, 2.0, "%", None
        ),
    ]


def _skew(name: str, made: Plan, barred: bool) -> Figure:
    """Holds only where the engine moves nothing afterwards."""
    figure = _figure(f"{name}, against 2 %", _worst(made.after) * 100, 2.0, "%", 1.0 if barred else None)
    return msgspec.structs.replace(figure, holds=figure.holds and made.at_rest)


def _worst(loads: tuple[Load, ...]) -> float:
    return max(skew(loads).values())


def greedy(large: Layout, made: Plan) -> tuple[float, float]:
    """Bytes moved and skew left."""
    zone = {node.name: node.zone for node in large.nodes}
    load = {one.node: float(one.bytes) for one in made.before}
    share = {one.node: one.share for one in made.before}
    on: dict[str, list[int]] = {name: [] for name in zone}
    for copy in large.copies:
        on[copy.node or ""].append(copy.bytes)
    moved = 0.0
    for one in sorted(set(zone.values())):
        nodes = [name for name in zone if zone[name] == one]
        while True:
            full = max(nodes, key=lambda name: load[name] / share[name])
            empty = min(nodes, key=lambda name: load[name] / share[name])
            fitting = [size for size in on[full] if load[empty] + size < load[full]]
            if load[full] <= 1.02 * share[full] or not fitting:
                break
            excess = load[full] - share[full]
            size = max((size for size in fitting if size <= excess), default=min(fitting))
            on[full].remove(size)
            on[empty].append(size)
            load[full] -= size
            load[empty] += size
            moved += size
    return moved, max(load[name] / share[name] - 1 for name in zone)
