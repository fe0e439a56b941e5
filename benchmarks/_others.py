"""What others would do with the same cluster: the engine's own balancer, by our model of it, and a greedy."""

import msgspec

from vagus.zone_balance.planner import Layout, Policy
from vagus.zone_balance.planner.desk import Desk
from vagus.zone_balance.planner.model import Load, skew
from vagus.zone_balance.planner.plan import loads

ENOUGH = 2
"""Moves for each copy after which the engine is taken to go round for ever."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes moved, and the worst skew left in a zone (a part of the fair share)."""

    moved: float
    left: float


def engine_alone(cluster: Layout, policy: Policy) -> Done:
    """The engine moves what its counts want until it is at rest: of a tipped pair the copy with the highest number.

    The order of the indices is ours (the engine's is by their spread): where it ends is the same kind of place.
    """
    desk = Desk(cluster, policy)
    desk.engine.watches = False
    moved, most = 0, ENOUGH * len(desk.board.copies)
    while most > 0 and (sizes := [_one_move(desk, index) for index in range(len(desk.board.names))]) and any(sizes):
        moved += sum(sizes)
        most -= sum(size > 0 for size in sizes)
    return Done(moved=float(moved), left=worst(loads(desk)))


def _one_move(desk: Desk, index: int) -> int:
    """Bytes of the copy that was moved; 0 where the index is at rest."""
    if desk.engine.span(index) <= desk.engine.limit:
        return 0
    for pair in desk.engine.tipped(index):
        _, heavy, light = pair
        copies = sorted(desk.engine.movable(pair), key=lambda copy: -desk.board.number[copy])
        if copies:
            desk.take([(copies[0], heavy, light)])
            return max(1, desk.board.size[copies[0]])
    return 0


def greedy(cluster: Layout, before: tuple[Load, ...]) -> Done:
    """Largest to emptiest, zone by zone, until nothing is above 102 % of its share; no decider is asked."""
    zone = {node.name: node.zone for node in cluster.nodes}
    load = {one.node: float(one.bytes) for one in before}
    share = {one.node: one.share for one in before}
    on: dict[str, list[int]] = {name: [] for name in zone}
    for copy in cluster.copies:
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
    return Done(moved=moved, left=max(load[name] / share[name] - 1 for name in zone))


def worst(load: tuple[Load, ...]) -> float:
    """The worst skew of a zone and tier."""
    return max(skew(load).values())
