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
from benchmarks._others import engine_alone, greedy, worst
from benchmarks.figure import Figure, against
from vagus.cluster import Copy
from vagus.zone_balance.planner import Layout, Plan, Policy, plan

RAISED = Policy(highest_threshold=12.0)
PLAIN = Policy()
SIGMA = 1.0
MB, TB = 1 << 20, 1 << 40
SORTS = 4
"""In a row: so that both are measured for about as long, and equally disturbed."""
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
        *(
            figure
            for nodes, indices in SIZES
            for figure in _quality(nodes, joined(layout(nodes, indices, 50, SIGMA)), ", 3 have just joined")
        ),
    ]


def _seconds(*acts: Callable[[], object], times: int = 5) -> list[float]:
    """The least CPU time of each over several rounds, in turns: others share this machine, and its caches."""
    return [min(spent) for spent in zip(*([_once(act) for act in acts] for _ in range(times)), strict=True)]


def _once(act: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    act()
    return time.process_time() - start


def _by_cat(row: Copy) -> tuple[str, int, bool, str]:
    return (row.index, row.shard, not row.primary, row.node or "")


def _time(name: str, large: Layout, policy: Policy, most: float | None) -> Figure:
    rows = list(large.copies)
    ours, sorting = _seconds(lambda: plan(large, policy), lambda: [sorted(rows, key=_by_cat) for _ in range(SORTS)])
    return _figure(name, ours, sorting / SORTS, "s against a sort of the rows", most)


def _figure(name: str, ours: float, baseline: float, unit: str, most: float | None) -> Figure:
    """With a bar, or for the record only."""
    figure = against(f"planner: {name}", ours, baseline, unit, most or 0.0)
    return figure if most else msgspec.structs.replace(figure, bar="none", holds=True)


def _growth(large: Layout) -> Figure:
    small = layout(*SIZES[1], 50, SIGMA)
    ours, tenth = _seconds(lambda: plan(large, RAISED), lambda: plan(small, RAISED))
    return _figure("100,000 shards against 10 times 10,000", ours, 10 * tenth, "s", 2.5)


def _memory(large: Layout) -> Figure:
    tracemalloc.start()
    plan(large, RAISED)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return _figure("memory beyond its input, against 300 MB", peak / MB, 300.0, "MB", 1.0)


def _quality(nodes: int, cluster: Layout, what: str = "") -> list[Figure]:
    """Bytes and skew of four: the engine's own balancer by our model, a greedy, the bound, and ours with the threshold
    raised and not. Where all counts are even the engine alone moves nothing, whatever the bytes."""
    raised, plain = plan(cluster, RAISED), plan(cluster, PLAIN)
    bound = sum(max(0.0, load.bytes - (1 + PLAIN.skew) * load.share) for load in raised.before) / TB
    alone, greedily = engine_alone(cluster, PLAIN), greedy(cluster, raised.before)
    name = f"{nodes} nodes{what}"
    barred = nodes > SIZES[0][0]  # ten nodes have too few copies for two per cent

    def sent(who: str, bytes_: float, most: float | None = None) -> Figure:
        return _figure(f"{name}: bytes against the bound, {who}", bytes_ / TB, bound, "TB", most)

    def left(who: str, skewed: float) -> Figure:
        return _figure(f"{name}: skew left by {who}, against 2 %", skewed * 100, 2.0, "%", None)

    return [
        sent("threshold raised", raised.bytes, 1.1 if barred else None),
        sent("engine's threshold", plain.bytes),
        sent("greedy, no decider asked", greedily.moved),
        sent("the engine alone", alone.moved),
        _skew(f"{name}: skew left, threshold raised", raised, barred),
        _skew(f"{name}: skew left, engine's threshold", plain, barred),
        left("the greedy", greedily.left),
        left("the engine alone", alone.left),
    ]


def _skew(name: str, made: Plan, barred: bool) -> Figure:
    """Holds only where the engine moves nothing afterwards."""
    figure = _figure(f"{name}, against 2 %", worst(made.after) * 100, 2.0, "%", 1.0 if barred else None)
    return msgspec.structs.replace(figure, holds=figure.holds and made.at_rest)
