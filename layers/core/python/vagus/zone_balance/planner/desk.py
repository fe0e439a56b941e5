"""Where moves are tried: the board, the deciders and the engine together, and the units taken so far."""

from collections.abc import Iterable

from vagus.zone_balance.planner.board import Board, Leg
from vagus.zone_balance.planner.deciders import Deciders
from vagus.zone_balance.planner.engine import Engine
from vagus.zone_balance.planner.model import Layout, Policy, Purpose

Unit = tuple[Purpose, tuple[Leg, ...]]
"""What it is for, and one leg, or the two of an exchange."""

CALM: frozenset[Purpose] = frozenset({"robust", "bytes", "primaries"})
"""Purposes whose units may never make the engine stir. The others do what it would do itself."""


PATIENCE = 20_000_000
LEAST_PATIENCE = 50
"""How many units may be judged by the exact rule, times nodes times indices: a second or two, however odd the layout.

Where the bands hold (an engine at rest, a thousand nodes or not) none has to be. A plan that ends for lack of
patience is legal and at rest like any other; the next look goes on from there.
"""


class Desk:
    """`share`: each node's fair part of its group's bytes, by capacity; `cap`: the most that the policy lets it hold.
    `mean`: how many copies the nodes of its group have on average.

    `stuck`: copies that must leave and can't. `needed`: the balance threshold that the waves need, so far.
    """

    def __init__(self, layout: Layout, policy: Policy) -> None:
        self.layout, self.policy = layout, policy
        self.board = Board(layout)
        self.deciders = Deciders(self.board)
        self.threshold = max(layout.settings.threshold, policy.highest_threshold or 0.0)
        self.engine = Engine(self.board, self.deciders, self.threshold, policy.spare)
        self.units: list[Unit] = []
        self.stuck: list[int] = []
        self.needed = 0.0
        self.patience = max(LEAST_PATIENCE, PATIENCE // max(1, len(self.board.nodes) * len(self.board.names)))
        self._shares()

    def _shares(self) -> None:
        board = self.board
        self.groups: dict[tuple[str, str], list[int]] = {}
        for number, node in enumerate(board.nodes):
            if self.deciders.open[number]:
                self.groups.setdefault((node.zone, node.tier), []).append(number)
        self.share = [0.0] * len(board.nodes)
        self.mean: list[float] = [0.0] * len(board.nodes)
        for nodes in self.groups.values():
            mean = sum(board.count[one] for one in nodes) / len(nodes)
            for one in nodes:
                self.mean[one] = mean
            self.share_out(nodes, sum(board.load[node] for node in nodes))

    def share_out(self, nodes: list[int], bytes_: int) -> None:
        """Divide the bytes of a group among its nodes, by capacity."""
        capacity = sum(self.board.nodes[node].disk_total for node in nodes)
        for node in nodes:
            self.share[node] = bytes_ * self.board.nodes[node].disk_total / capacity if capacity else 0.0

    def cap(self, node: int) -> float:
        """The most bytes that the policy wants on a node."""
        return self.share[node] * (1 + self.policy.skew)

    def fill(self, node: int, more: int = 0) -> float:
        """A node's bytes as a part of its share; a node without one (closed to copies) counts as full."""
        share = self.share[node]
        return (self.board.load[node] + more) / share if share > 0 else float(self.board.load[node] + more > 0)

    def keeps_bytes(self, there: Leg, back: Leg) -> bool:
        """Whether an exchange leaves both nodes no fuller than the fuller of them is, or than the policy wants.

        Between two groups it changes every node's share in both: then neither group may become more skewed than it is,
        or than the policy wants. What it eases in the one is no reason to tip the other.
        """
        copy, heavy, light = there
        net = self.board.size[copy] - self.board.size[back[0]]
        ours, theirs = self.group_of(heavy), self.group_of(light)
        if ours is not theirs:
            return self._no_more_skewed(ours, heavy, -net) and self._no_more_skewed(theirs, light, net)
        worst = max(self.fill(heavy), self.fill(light), 1 + self.policy.skew)
        return self.fill(heavy, -net) <= worst and self.fill(light, net) <= worst

    def group_of(self, node: int) -> list[int]:
        """The nodes among which this node's bytes are evened; none where it is closed to copies."""
        return self.groups.get((self.board.nodes[node].zone, self.board.nodes[node].tier), [])

    def _no_more_skewed(self, group: list[int], node: int, more: int) -> bool:
        """Of the bytes themselves: shares may be those from before the last moves between groups."""
        board = self.board
        capacity, held = sum(board.nodes[one].disk_total for one in group), sum(board.load[one] for one in group)
        if not capacity or held + more <= 0:
            return True
        fills = {one: board.load[one] / max(1, board.nodes[one].disk_total) for one in group}
        before = max(fills.values()) * capacity / max(1, held)
        fills[node] = (board.load[node] + more) / max(1, board.nodes[node].disk_total)
        return max(fills.values()) * capacity / (held + more) <= max(before, 1 + self.policy.skew)

    def survey(self) -> None:
        """Look at the regions and the shares anew, after moves between zones."""
        self.engine = Engine(self.board, self.deciders, self.threshold, self.policy.spare)
        self._shares()

    # -- trying --------------------------------------------------------------------------------------------------

    def attempt(self, purpose: Purpose, *legs: Leg) -> bool:
        """Take a unit if every decider allows it and, for a calm purpose, the engine stays at rest."""
        calm = purpose in CALM
        harmless = not calm or self.harmless(legs)
        if not harmless and (self.banded(legs) or not self.patience):
            return False  # where bands hold they are kept, and nothing dearer is asked
        if not self.legal(legs) or not Traffic(self).takes(legs):
            return False
        self.patience -= not harmless
        spreads = {} if harmless else {index: self.engine.spread(index) for index in self._indices(legs)}
        self.take(legs)
        if calm and ((spreads and self.engine.disturbed(legs, spreads)) or self.freed(legs)):
            self.untake(legs)
            return False
        self.units.append((purpose, legs))
        return True

    def _indices(self, legs: tuple[Leg, ...]) -> set[int]:
        return {self.board.index[copy] for copy, _, _ in legs}

    def legal(self, legs: tuple[Leg, ...]) -> bool:
        """Whether the engine would accept the legs one after the other in one request."""
        copy, _, target = legs[0]
        if not self.deciders.may_move(copy) or not self.deciders.allows(copy, target):
            return False
        if len(legs) == 1:
            return True
        self.board.move(copy, target)
        legal = self.legal(legs[1:])
        self.board.retract(copy)
        return legal

    def harmless(self, legs: tuple[Leg, ...]) -> bool:
        """Whether the bands alone say that the engine stays at rest: cheap, and often enough."""
        if self.engine.loose or self.engine.weighs_primaries:
            return False
        if len(legs) == 2 and self.board.index[legs[0][0]] == self.board.index[legs[1][0]]:
            return True  # no count changes
        return all(self.engine.keeps_band(*leg, len(legs) == 1) for leg in legs)

    def banded(self, legs: tuple[Leg, ...]) -> bool:
        """Whether bands alone can say that the engine is at rest where the legs are."""
        return not self.engine.loose and self.engine.touches_banded(legs)

    def take(self, legs: Iterable[Leg]) -> None:
        """Move, and tell the engine's model."""
        legs = tuple(legs)
        self.board.apply(legs)
        self.engine.follow(legs)

    def untake(self, legs: tuple[Leg, ...]) -> None:
        """Undo `take`."""
        self.board.unapply(legs)
        self.engine.follow(legs)

    def freed(self, legs: tuple[Leg, ...] = ()) -> bool:
        """Whether a copy that is stuck has somewhere to go, so that the engine would move it: after these legs, or now.

        Legs change what the deciders say of their own nodes only, or of all for the twins of what they move.
        """
        touched = {node for _, source, target in legs for node in (source, target)}
        shards = {self.board.shard[copy] for copy, _, _ in legs}
        for copy in self.stuck:
            near = legs and self.board.shard[copy] not in shards
            if self.way_out(copy, touched if near else None):
                return True
        return False

    def way_out(self, copy: int, nodes: set[int] | None = None) -> list[int]:
        """The nodes, of those given or of all, to which a copy that must leave may go."""
        if not self.deciders.may_move(copy) or not self.deciders.must_leave(copy):
            return []
        eligible = self.deciders.eligible[self.board.index[copy]]
        return [node for node in sorted(eligible & nodes if nodes else eligible) if self.deciders.allows(copy, node)]


class Traffic:
    """The recoveries of one wave against the engine's limits, which a move command would ignore.

    The engine counts an incoming recovery at the target and an outgoing one at the node of the shard's *primary*.
    A limit of 0 would allow nothing at all, so that the least is 1.
    """

    def __init__(self, desk: Desk) -> None:
        settings, policy = desk.layout.settings, desk.policy
        self.board = desk.board
        self.incoming: dict[int, int] = {}
        self.outgoing: dict[int, int] = {}
        self.all = 0
        self.most_incoming = max(1, settings.incoming_recoveries)
        self.most_outgoing = max(1, settings.outgoing_recoveries)
        limits = [limit for limit in (settings.cluster_recoveries, policy.moves_at_once or -1) if limit >= 0]
        self.most = max(1, min(limits, default=1 << 30))

    def full(self, legs: tuple[Leg, ...]) -> bool:
        """Whether the wave, or a node that a leg goes to, takes nothing more: asked before what costs more."""
        if self.all >= self.most:
            return True
        return any(self.incoming.get(target, 0) >= self.most_incoming for _, _, target in legs)

    def takes(self, legs: tuple[Leg, ...]) -> bool:
        """Whether the legs fit beside what is under way; they are counted if they do."""
        taken: list[tuple[int, int]] = []
        for copy, source, target in legs:
            sender = source if self.board.primary[copy] else self.board.primary_at(self.board.shard[copy])
            incoming, outgoing = self.incoming.get(target, 0), self.outgoing.get(sender, 0)
            if incoming >= self.most_incoming or outgoing >= self.most_outgoing or self.all >= self.most:
                self._give_back(taken)
                return False
            self.incoming[target], self.outgoing[sender] = incoming + 1, outgoing + 1
            self.all += 1
            taken.append((sender, target))
        return True

    def _give_back(self, taken: list[tuple[int, int]]) -> None:
        for sender, target in taken:
            self.outgoing[sender] -= 1
            self.incoming[target] -= 1
            self.all -= 1
