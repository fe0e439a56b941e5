"""Replays a plan and says what is wrong with it. Shares no code with the planner: only the frozen data it is given.

Everything is asked the slow and obvious way, straight from the engine's documented rules: each move against each
decider, each wave against the recovery limits, and after each wave every pair of nodes for every index against the
balancer's formula.
"""

import math
from collections.abc import Iterator
from ctypes import c_float
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import permutations

from vagus.zone_balance.planner.model import Index, Layout, Move, Node, Plan, Policy

OWED = {"leave", "count"}


@dataclass
class Standing:
    """A copy and where it stands; `from_` is the node that it is on its way off."""

    index: str
    shard: int
    primary: bool
    bytes: int
    node: str
    started: bool
    from_: str | None = None


@dataclass
class Replay:
    """The cluster while a plan is carried out."""

    layout: Layout
    copies: list[Standing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes = {node.name: node for node in self.layout.nodes}
        self.spent = {node.name: node.disk_total - node.disk_free for node in self.layout.nodes}
        for copy in self.layout.copies:
            assert copy.node is not None
            started = copy.state == "STARTED"
            at = copy.target or copy.node
            self.copies.append(Standing(copy.index, copy.shard, copy.primary, copy.bytes, at, started))

    # -- carrying out --------------------------------------------------------------------------------------------

    def start(self, move: Move) -> None:
        """One relocation begins: the target has it, the source still pays for it."""
        copy = self.copy(move)
        copy.from_, copy.node = move.source, move.target
        self.spent[move.target] += copy.bytes

    def land(self) -> None:
        """All relocations end."""
        for copy in self.copies:
            if copy.from_:
                self.spent[copy.from_] -= copy.bytes
                copy.from_ = None

    def copy(self, move: Move) -> Standing:
        """The copy that a move means."""
        return next(
            copy
            for copy in self.copies
            if (copy.index, copy.shard, copy.node) == (move.index, move.shard, move.source) and not copy.from_
        )

    # -- deciders ------------------------------------------------------------------------------------------------

    def twins(self, copy: Standing) -> list[Standing]:
        """The other copies of its shard."""
        return [
            other
            for other in self.copies
            if other is not copy and (other.index, other.shard) == (copy.index, copy.shard)
        ]

    def rule(self, copy: Standing) -> Index:
        """What its index says."""
        return self.layout.indices.get(copy.index, Index())

    def refusals(self, copy: Standing, target: str) -> list[str]:
        """The deciders that say NO to a copy on a node."""
        node, found = self.nodes[target], []
        here = [other for other in [copy, *self.twins(copy)] if target in (other.node, other.from_)]
        if here:
            found.append("same_shard")
        if not self.admits(copy, node):
            found.append("filter")
        if self.layout.settings.disk_threshold and not self.has_room(node, copy.bytes):
            found.append("disk")
        if self.crowds(copy, node):
            found.append("awareness")
        if self.at_limit(copy, node, 1):
            found.append("limit")
        if self.too_old(copy, node):
            found.append("version")
        return found

    def admits(self, copy: Standing, node: Node) -> bool:
        """Roles, and the filters of cluster and index."""
        settings, rule = self.layout.settings, self.rule(copy)
        return "data" in node.roles and all(
            _passes(node, one.include, one.exclude, one.require) for one in (settings, rule)
        )

    def has_room(self, node: Node, more: int) -> bool:
        """Under the low watermark before, under the high one after."""
        settings, spent = self.layout.settings, self.spent[node.name]
        low, high = (float(mark.rstrip("%")) / 100 for mark in (settings.watermark_low, settings.watermark_high))
        free = node.disk_total - spent
        return free >= math.ceil(round(node.disk_total * (1 - low), 6)) and free - more >= math.ceil(
            round(node.disk_total * (1 - high), 6)
        )

    def crowds(self, copy: Standing, node: Node) -> bool:
        """More copies in the node's zone than its share, with this one there."""
        if not self.layout.settings.awareness:
            return False
        others = self.twins(copy)
        live = {one.zone for one in self.nodes.values() if "data" in one.roles}
        zones = live | set(self.layout.settings.forced.get("zone", ()))
        inside = 1 + sum(self.nodes[other.node].zone == node.zone for other in others)
        return inside > math.ceil((len(others) + 1) / len(zones))

    def at_limit(self, copy: Standing, node: Node, more: int) -> bool:
        """Shards per node, of the cluster and of the index, all and primaries."""
        settings, rule = self.layout.settings, self.rule(copy)
        there = [other for other in self.copies if other.node == node.name]
        same = [other for other in there if other.index == copy.index]
        limits = [(len(there), settings.shards_per_node), (len(same), rule.shards_per_node)]
        if copy.primary:
            limits.append((sum(other.primary for other in there), settings.primaries_per_node))
            limits.append((sum(other.primary for other in same), rule.primaries_per_node))
        return any(limit >= 0 and held + more > limit for held, limit in limits)

    def too_old(self, copy: Standing, node: Node) -> bool:
        """A primary goes to no older node; a replica to none older than its primary's."""
        primary = copy if copy.primary else next(other for other in self.twins(copy) if other.primary)
        return _version(node) < _version(self.nodes[primary.node])

    def must_leave(self, copy: Standing) -> bool:
        """Whether a decider will not let it stay where it is."""
        node, settings = self.nodes[copy.node], self.layout.settings
        free = node.disk_total - self.spent[node.name]
        high = math.ceil(round(node.disk_total * (1 - float(settings.watermark_high.rstrip("%")) / 100), 6))
        full = settings.disk_threshold and free < high
        return full or not self.admits(copy, node) or self.crowds(copy, node) or self.at_limit(copy, node, 0)

    def at_rest_itself(self, copy: Standing) -> bool:
        """Whether the copy and its twins are started and none of them moves."""
        return all(one.started and not one.from_ for one in [copy, *self.twins(copy)])

    # -- the balancer --------------------------------------------------------------------------------------------

    def stirs(self, threshold: float, spare: int | None = None) -> str:
        """What the engine would move; empty where nothing.

        With `spare`, no difference of counts is taken for less than that, and no decider is asked: the robust
        condition, of which only the part that depends on `spare` is judged.
        """
        settings = self.layout.settings
        total = settings.balance_shard + settings.balance_index
        t0, t1 = settings.balance_shard / total, settings.balance_index / total
        limit = max(threshold + 0.001, 1.0) + 1e-6  # what 32-bit floats can't tell apart
        for index in sorted({copy.index for copy in self.copies}):
            held = {name: sum(c.node == name and c.index == index for c in self.copies) for name in self.nodes}
            count = {name: sum(c.node == name for c in self.copies) for name in self.nodes}
            for heavy, light in permutations(self.compared(index, held), 2):
                if not held[heavy]:
                    continue
                shards = t1 * (held[heavy] - held[light])
                if spare is not None and shards + t0 * spare > limit and self.free_to_compare(index, heavy, light):
                    return f"{index} leans: {heavy} against {light}"
                difference = t0 * (count[heavy] - count[light]) + shards
                if settings.prefer_primary or settings.rebalance_primary:
                    difference = self.weighed(index, heavy, t0, t1) - self.weighed(index, light, t0, t1)
                if spare is None and difference > limit:
                    for copy in self.copies:
                        if self.would_go(copy, index, heavy, light):
                            return f"{index}[{copy.shard}] from {heavy} to {light}"
        return ""

    def would_go(self, copy: Standing, index: str, heavy: str, light: str) -> bool:
        """Whether the balancer may take this very copy."""
        mine = copy.index == index and copy.node == heavy and self.at_rest_itself(copy)
        return mine and self.guard(copy, heavy, light) and not self.refusals(copy, light)

    def primaries(self, name: str, index: str | None = None) -> int:
        """Primaries on a node, of one index or of all."""
        return sum(c.primary and c.node == name and index in (None, c.index) for c in self.copies)

    def guard(self, copy: Standing, heavy: str, light: str) -> bool:
        """Where primaries are weighed, a primary goes only where two fewer are."""
        settings = self.layout.settings
        if not copy.primary or not (settings.prefer_primary or settings.rebalance_primary):
            return True
        of = None if settings.rebalance_primary else copy.index
        return self.primaries(heavy, of) - self.primaries(light, of) >= 2

    def weighed(self, index: str, name: str, t0: float, t1: float) -> float:
        """The weight of a node with what its primaries weigh, in the engine's 32-bit floats and integer means."""
        settings = self.layout.settings
        nodes = [node.name for node in self.nodes.values() if "data" in node.roles]
        mine = [copy for copy in self.copies if copy.index == index]
        n, n_i = sum(c.node == name for c in self.copies), sum(c.node == name for c in mine)
        weight = c_float(
            c_float(t0 * (n - len(self.copies) // len(nodes))).value
            + c_float(t1 * (n_i - len(mine) // len(nodes))).value
        ).value
        extra = 0.0
        if settings.prefer_primary:
            fair = math.ceil(sum(copy.primary for copy in mine) / len(nodes))
            extra += 1_000_000 if self.primaries(name, index) >= fair else 0
        if settings.rebalance_primary:
            every = sum(copy.primary for copy in self.copies) / len(nodes)
            extra += settings.primary_weight if self.primaries(name) >= math.ceil(every * (1 + 0.10)) else 0
        return c_float(weight + extra).value

    def compared(self, index: str, held: dict[str, int]) -> list[str]:
        """The nodes that hold the index or that its filters admit."""
        one = next(copy for copy in self.copies if copy.index == index)
        return [n for n, node in self.nodes.items() if "data" in node.roles and (held[n] or self.admits(one, node))]

    def free_to_compare(self, index: str, heavy: str, light: str) -> bool:
        """Zones whose every shard has its full share of copies in each are never balanced against each other."""
        if self.nodes[heavy].zone == self.nodes[light].zone or not self.layout.settings.awareness:
            return True
        copies = [copy for copy in self.copies if copy.index == index and copy.node == heavy]
        return any(not self.crowds(copy, self.nodes[light]) for copy in copies)

    def leavers(self) -> Iterator[str]:
        """Copies that must leave and could."""
        for copy in self.copies:
            if self.must_leave(copy) and self.at_rest_itself(copy):
                for name in self.nodes:
                    if not self.refusals(copy, name):
                        yield f"{copy.index}[{copy.shard}] off {copy.node} to {name}"


def faults(layout: Layout, policy: Policy, plan: Plan) -> list[str]:
    """Everything that is wrong with a plan, in the order in which it would happen."""
    replay = Replay(layout)
    threshold = plan.threshold or layout.settings.threshold
    owed = max((n for n, wave in enumerate(plan.waves, 1) for move in wave.moves if move.purpose in OWED), default=0)
    found: list[str] = []
    for number, wave in enumerate(plan.waves, 1):
        found += [f"wave {number}: {fault}" for fault in _wave(replay, list(wave.moves), policy)]
        replay.land()
        if number >= owed and (stirs := replay.stirs(threshold)):
            found.append(f"after wave {number} the engine would move {stirs}")
        if number >= owed:
            found += [f"after wave {number} the engine would take {leaver}" for leaver in replay.leavers()]
    if plan.at_rest != (not replay.stirs(threshold) and not list(replay.leavers())):
        found.append(f"at_rest is {plan.at_rest}: {replay.stirs(threshold)} {list(replay.leavers())}")
    highest = max(layout.settings.threshold, policy.highest_threshold or 0)
    if plan.robust and (leans := replay.stirs(highest, policy.spare)):
        found.append(f"robust is {plan.robust}: {leans}")
    return found


def _wave(replay: Replay, moves: list[Move], policy: Policy) -> Iterator[str]:
    settings = replay.layout.settings
    incoming: dict[str, int] = {}
    outgoing: dict[str, int] = {}
    if not moves:
        yield "is empty"
    most = [n for n in (settings.cluster_recoveries, policy.moves_at_once or -1) if n >= 0]
    if most and len(moves) > min(most):
        yield f"{len(moves)} moves at once"
    for move in moves:
        copy = replay.copy(move)
        primary = copy if copy.primary else next(other for other in replay.twins(copy) if other.primary)
        from_ = primary.from_ or primary.node
        incoming[move.target] = incoming.get(move.target, 0) + 1
        outgoing[from_] = outgoing.get(from_, 0) + 1
        if not replay.at_rest_itself(copy):
            yield f"{move.sentence}: not at rest itself"
        if copy.primary and (copy.index, copy.shard) in replay.layout.snapshots:
            yield f"{move.sentence}: is being snapshotted"
        if refused := replay.refusals(copy, move.target):
            yield f"{move.sentence}: {refused}"
        replay.start(move)
    if max(incoming.values(), default=0) > settings.incoming_recoveries:
        yield f"incoming recoveries {incoming}"
    if max(outgoing.values(), default=0) > settings.outgoing_recoveries:
        yield f"outgoing recoveries {outgoing}"


def _passes(node: Node, include: object, exclude: object, require: object) -> bool:
    assert isinstance(include, dict)
    assert isinstance(exclude, dict)
    assert isinstance(require, dict)

    def hits(wanted: dict[str, str]) -> list[bool]:
        known = {"_name": node.name, "zone": node.zone, **node.attributes}
        return [fnmatch(known.get(key, ""), value) for key, values in wanted.items() for value in values.split(",")]

    return (not include or any(hits(include))) and not any(hits(exclude)) and all(hits(require))


def _version(node: Node) -> list[int]:
    return [int(part) for part in node.version.split(".")] if node.version else []
