"""The engine's balancer as a predicate: would it move anything?

For copies of index i on node a, and any node b that may hold i, it compares
    D = t0 * (n_a - n_b) + t1 * (n_ia - n_ib) + C_i(a) - C_i(b)
(n: copies on a node; n_i: those of the index; C: what primaries weigh, 0 by default) with max(T + 0.001, 1), and moves
a copy where D is more and every decider agrees. It is at rest where no such pair has a copy that may go.

A pair that is within the limit only because a is short of copies is *leaning*: one index created may tip it. The
robust condition is that D keeps within it with n_a - n_b never counted below `spare`, that is
    n_ia - n_ib <= (limit - t0 * spare) / t1
and a layout that keeps it is never made one that doesn't.

A *region* is a set of nodes that are compared for some indices: all that their filters admit, or only those of a zone
where awareness denies every move between zones whatever is done within them. Most moves are judged by the region's
*band* alone, without looking at any index: if t0 * (widest difference of n) + t1 * (widest of n_i) is within the limit,
nothing in it can be tipped.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import chain

from vagus.zone_balance.planner.board import Board, Leg
from vagus.zone_balance.planner.deciders import Deciders
from vagus.zone_balance.planner.floats import EPSILON, limit_of, single
from vagus.zone_balance.planner.model import BREACHED
from vagus.zone_balance.planner.region import Region

RESERVED = 3
"""A band is not widened by counts so far that no index could be spread so wide: else nothing could be exchanged."""

Pair = tuple[int, int, int]
"""(index, heavier node, lighter node)."""


class Engine:
    """Follows the board: `follow` has to be told of every change. `threshold` is `balance.threshold` to plan with.
    Nodes of one `kind` lie in the same regions.

    `loose`: the indices that are at rest only by what the deciders say. While `watches` is off it isn't kept: for the
    phases before the engine is at rest at all.
    """

    def __init__(self, board: Board, deciders: Deciders, threshold: float, spare: int) -> None:
        settings = board.layout.settings
        total = settings.balance_shard + settings.balance_index
        self.board, self.deciders, self.settings = board, deciders, settings
        self.t0, self.t1 = settings.balance_shard / total, settings.balance_index / total
        self.limit = limit_of(threshold)
        self.widest = math.floor((self.limit - self.t0 * spare) / self.t1) if self.t1 else 1 << 30
        self.weighs_primaries = settings.prefer_primary or settings.rebalance_primary
        self.watches = True
        self._means()
        self._regions()
        self._survey()

    # -- regions -------------------------------------------------------------------------------------------------

    def _means(self) -> None:
        board = self.board
        many = max(1, sum(board.data))
        self.mean = sum(board.count) // many
        self.means = [single(sum(held.values()) / many) for held in board.holders]
        primaries = [sum(held.values()) for held in board.primary_holders]
        self.fair_primaries = [-(-found // many) for found in primaries]
        buffered = sum(primaries) / many * (1 + self.settings.primary_buffer)
        self.most_primaries = -int(-buffered // 1)

    def _regions(self) -> None:
        board = self.board
        self.cells, self.cell = _cells(self.deciders)
        confined = self._confined()
        made: dict[tuple[frozenset[int], int], Region] = {}
        self.of_node: list[list[Region]] = [[] for _ in board.nodes]
        self.table: list[list[Region]] = []
        for index, eligible in enumerate(self.deciders.eligible):
            compared = eligible
            if not eligible.issuperset(board.holders[index]):
                compared = eligible | {node for node in board.holders[index] if board.data[node]}
            self.table.append(
                [self._region(made, compared, cell if confined[index] else -1) for cell in range(self.cells)]
            )
        self.every = list(made.values())
        kinds: dict[tuple[int, ...], int] = {}
        self.kind = [kinds.setdefault(tuple(map(id, regions)), node) for node, regions in enumerate(self.of_node)]

    def _region(self, made: dict[tuple[frozenset[int], int], Region], compared: frozenset[int], cell: int) -> Region:
        if (compared, cell) not in made:
            inside = compared if cell < 0 else {node for node in compared if self.cell[node] == cell}
            region = made[compared, cell] = Region(inside, self.board.count)
            for node in region.nodes:
                self.of_node[node].append(region)
        return made[compared, cell]

    def _confined(self) -> list[bool]:
        """Per index: whether awareness denies every move between zones, because each zone holds its full share."""
        board = self.board
        if len(self.deciders.awareness) != 1:
            return [False] * len(board.names)
        zones = self.deciders.awareness[0][1]
        live = len({self.cell[node] for node, data in enumerate(board.data) if data})
        confined = [True] * len(board.names)
        at, cell = board.at, self.cell
        for shard in (copy for copy, shard in enumerate(board.shard) if copy == shard and confined[board.index[copy]]):
            index = board.index[shard]
            copies = board.copies_of(shard)
            share = -(-len(copies) // zones)
            if share * live != len(copies):
                confined[index] = False
            elif share == 1:
                confined[index] = len({cell[at[copy]] for copy in copies if at[copy] >= 0}) == len(copies)
            else:
                found = [cell[at[copy]] for copy in copies if at[copy] >= 0]
                confined[index] = all(found.count(one) == share for one in set(found)) and len(found) == len(copies)
        return confined

    # -- what changes --------------------------------------------------------------------------------------------

    def _survey(self) -> None:
        self.seen = list(self.board.count)
        self.bounds: list[dict[int, tuple[int, int]]] = [{} for _ in self.board.names]
        for index in range(len(self.board.names)):
            self._respread(index)
        self.watch()

    def watch(self) -> None:
        """Look for loose indices anew."""
        self.loose: set[int] = set()
        if not all(self.banded(region) for region in self.every):
            self.loose = {index for index in range(len(self.board.names)) if self.span(index) > self.limit}

    def _respread(self, index: int) -> None:
        """Widen the regions' spread by what one index has now; note the least and most n_i of each."""
        held = self.board.holders[index]
        for cell, region in enumerate(self.groups(index)):
            counts = [many for node, many in held.items() if node in region.members]
            if not counts:
                continue
            least, most = min(counts) if len(counts) == len(region.nodes) else 0, max(counts)
            self.bounds[index][cell] = (least, most)
            region.spread = max(region.spread, most - least)

    def _widen(self, index: int, node: int) -> None:
        """Let the bounds and the spread take in what a node has now; only a new survey narrows them."""
        cell = self._cell(index, node)
        least, most = self.bounds[index].get(cell, (0, 0))
        many = self.board.holders[index].get(node, 0)
        if not least <= many <= most:
            least, most = self.bounds[index][cell] = (min(least, many), max(most, many))
            region = self.table[index][self.cell[node]]
            region.spread = max(region.spread, most - least)

    def follow(self, legs: Iterable[Leg]) -> None:
        """The board was changed by these legs."""
        legs = tuple(legs)
        counted = False
        for node in {node for _, source, target in legs for node in (source, target)}:
            old, new = self.seen[node], self.board.count[node]
            if old != new:
                counted = True
                self.seen[node] = new
                for region in self.of_node[node]:
                    region.recount(old, new)
        changed = {self.board.index[copy] for copy, _, _ in legs}
        for copy, source, target in legs:
            self._widen(self.board.index[copy], source)
            self._widen(self.board.index[copy], target)
        if not self.watches:
            return
        if self.weighs_primaries or self.loose or not all(self.banded(region) for region in self._touched(legs)):
            self._loosen(range(len(self.board.names)) if counted or self.weighs_primaries else changed)

    def _loosen(self, indices: Iterable[int]) -> None:
        for index in indices:
            if self.span(index) > self.limit:
                self.loose.add(index)
            else:
                self.loose.discard(index)

    def _touched(self, legs: Iterable[Leg]) -> list[Region]:
        nodes = {node for _, source, target in legs for node in (source, target)}
        return list({id(region): region for node in nodes for region in self.of_node[node]}.values())

    # -- the band ------------------------------------------------------------------------------------------------

    def banded(self, region: Region) -> bool:
        """Whether nothing in the region can be tipped, whatever the deciders say."""
        if self.weighs_primaries:
            return False
        return self.t0 * (region.high - region.low) + self.t1 * region.spread <= self.limit

    def all_banded(self) -> bool:
        """Whether the bands alone say that the engine is at rest."""
        return not self.loose and all(self.banded(region) for region in self.every)

    def touches_banded(self, legs: Iterable[Leg]) -> bool:
        """Whether all regions that the legs touch are banded."""
        return all(self.banded(region) for region in self._touched(legs))

    def keeps_band(self, copy: int, source: int, target: int, counted: bool) -> bool:
        """Whether a move is harmless by the bands alone. `counted`: it changes the nodes' counts (no exchange)."""
        if self.weighs_primaries or self.loose:
            return False
        index = self.board.index[copy]
        held, bounds = self.board.holders[index], self.bounds[index]
        fewer, more = held[source] - 1, held.get(target, 0) + 1
        here, there = self._cell(index, source), self._cell(index, target)
        least, most = bounds.get(here, (0, 0))
        wider = max(most, fewer) - min(least, fewer)
        if source in self.table[index][self.cell[target]].members:
            wider = max(wider, max(most, more) - min(least, fewer))
        if there != here:
            least, most = bounds.get(there, (0, 0))
        wider = max(wider, max(most, more) - min(least, more))
        if wider > self.widest:
            return False
        if counted:
            return self._keeps_counts(source, target, wider)
        homes = (self.table[index][self.cell[node]] for node in (source, target))
        return all(self.t0 * (home.high - home.low) + self.t1 * max(home.spread, wider) <= self.limit for home in homes)

    def stands(self, source: int, target: int) -> bool:
        """Whether one copy more on the target and one less on the source may be harmless at all."""
        count = self.board.count
        if self.t0 * (count[target] - count[source] + 2) + self.t1 > self.limit:
            return False  # any index that the target has and the source hasn't would tip
        if self.weighs_primaries or self.loose or not all(self.banded(region) for region in self.of_node[target]):
            return True
        return self._keeps_counts(source, target, 1)

    def _keeps_counts(self, source: int, target: int, spread: int) -> bool:
        fewer, more = self.seen[source] - 1, self.seen[target] + 1
        ours, theirs = self.of_node[source], self.of_node[target]
        for region in ours if ours == theirs else chain(ours, theirs):
            low = min(region.low, fewer) if source in region.members else region.low
            high = max(region.high, more) if target in region.members else region.high
            wider = max(region.spread, spread)
            if (low, high) != (region.low, region.high):
                wider = max(wider, min(RESERVED, self.widest))
            if self.t0 * (high - low) + self.t1 * wider > self.limit:
                return False
        return True

    def _cell(self, index: int, node: int) -> int:
        """Under which cell the least n_i is kept: one for all where the index is compared across zones."""
        by_cell = self.table[index]
        return self.cell[node] if by_cell[0] is not by_cell[-1] else 0

    # -- weights -------------------------------------------------------------------------------------------------

    def weight(self, index: int, node: int) -> float:
        """The engine's weight of a node for an index, less the means (they cancel where C is 0).

        Near a million the engine's floats have steps of 1/16: where they fall depends on the means, of which that of
        all copies is a whole number and that of an index is not.
        """
        board = self.board
        if not self.weighs_primaries:
            return self.t0 * board.count[node] + self.t1 * board.holders[index].get(node, 0)
        of_all, of_index = board.count[node] - self.mean, board.holders[index].get(node, 0) - self.means[index]
        plain = single(single(single(self.t0) * of_all) + single(single(self.t1) * single(of_index)))
        return single(plain + self._constraint(index, node))

    def weights(self, index: int, nodes: list[int]) -> list[float]:
        """The weight of each of these nodes."""
        if self.weighs_primaries:
            return [self.weight(index, node) for node in nodes]
        count, held, of_all, of_index = self.board.count, self.board.holders[index], self.t0, self.t1
        return [of_all * count[node] + of_index * held.get(node, 0) for node in nodes]

    def _constraint(self, index: int, node: int) -> float:
        board, settings = self.board, self.settings
        weight = 0.0
        if settings.prefer_primary and board.primary_holders[index].get(node, 0) >= self.fair_primaries[index]:
            weight += BREACHED
        if settings.rebalance_primary and board.primaries[node] >= self.most_primaries:
            weight += settings.primary_weight
        return weight

    def groups(self, index: int) -> list[Region]:
        """The regions in which an index is compared."""
        by_cell = self.table[index]
        return by_cell if by_cell[0] is not by_cell[-1] else by_cell[:1]

    def span(self, index: int) -> float:
        """The widest difference of weight between a node that holds the index and one that may."""
        widest = 0.0
        held = self.board.holders[index]
        for region in self.groups(index):
            inside = self.weights(index, [node for node in held if node in region.members])
            if inside:
                widest = max(widest, max(inside) - min(min(inside), self._lightest(index, region)))
        return widest

    def _lightest(self, index: int, region: Region) -> float:
        """The least weight of a node that holds nothing of the index."""
        held = self.board.holders[index]
        if self.weighs_primaries:
            return min((self.weight(index, node) for node in region.nodes if node not in held), default=float("inf"))
        if region.ordered is None:
            region.ordered = sorted(region.nodes, key=self.board.count.__getitem__)
        lightest = next((node for node in region.ordered if node not in held), -1)
        return self.t0 * self.board.count[lightest] if lightest >= 0 else float("inf")

    def tipped(self, index: int, nodes: frozenset[int] | None = None) -> Iterator[Pair]:
        """Pairs beyond the limit, widest first; only those with a node of `nodes`, if given."""
        held = self.board.holders[index]
        for region in self.groups(index):
            ranked = sorted(zip(self.weights(index, region.nodes), region.nodes, strict=True))
            for weight, heavy in reversed(ranked):
                if heavy not in held:
                    continue
                for other, light in ranked:
                    if weight - other <= self.limit:
                        break
                    if nodes is None or heavy in nodes or light in nodes:
                        yield (index, heavy, light)

    def movable(self, pair: Pair) -> list[int]:
        """The copies that the engine would move from the heavier to the lighter node: no decider says NO."""
        index, heavy, light = pair
        board, deciders = self.board, self.deciders
        return [
            copy
            for copy in board.on[heavy]
            if board.index[copy] == index
            and copy not in board.frozen
            and self._guard(copy, heavy, light)
            and deciders.allows(copy, light)
        ]

    def _guard(self, copy: int, heavy: int, light: int) -> bool:
        """The engine moves a primary for the primaries' sake only where it evens them."""
        board, settings = self.board, self.settings
        if not board.primary[copy] or not self.weighs_primaries:
            return True
        if settings.rebalance_primary:
            return board.primaries[heavy] - board.primaries[light] >= 2
        held = board.primary_holders[board.index[copy]]
        return held.get(heavy, 0) - held.get(light, 0) >= 2

    # -- verdicts ------------------------------------------------------------------------------------------------

    def stirs(self) -> Pair | None:
        """The first pair that the engine would move a copy between; `None`: it is at rest."""
        if not self.weighs_primaries and all(self.banded(region) for region in self.every):
            return None
        for index in range(len(self.board.names)):
            if self.span(index) > self.limit:
                for pair in self.tipped(index):
                    if self.movable(pair):
                        return pair
        return None

    def needs(self) -> float:
        """A threshold at which the bands alone say that the engine is at rest; an upper bound of what it needs."""
        widest = (self.t0 * (region.high - region.low) + self.t1 * region.spread for region in self.every)
        return max(widest, default=0.0) - EPSILON

    def disturbed(self, legs: tuple[Leg, ...], spreads: dict[int, int]) -> bool:
        """Whether legs that were applied and followed would make the engine move. `spreads`: what they were before."""
        board = self.board
        touched = {board.index[copy] for copy, _, _ in legs}
        if any(self.spread(index) > max(self.widest, spreads[index]) for index in touched):
            return True
        if not self.loose and not self.weighs_primaries and all(self.banded(r) for r in self._touched(legs)):
            return False
        nodes = frozenset(node for _, source, target in legs for node in (source, target))
        crossing = len({self.cell[node] for node in nodes}) > 1
        for index in sorted(self.loose):
            everywhere = crossing and index in touched
            if any(self.movable(pair) for pair in self.tipped(index, None if everywhere else nodes)):
                return True
        return False

    def spread(self, index: int) -> int:
        """The widest n_ia - n_ib of an index among nodes that are compared."""
        held = self.board.holders[index]
        widest = 0
        for region in self.groups(index):
            counts = [held.get(node, 0) for node in region.nodes]
            if counts:
                widest = max(widest, max(counts) - min(counts))
        return widest

    def leaning(self) -> list[int]:
        """The indices that lean on a node being short of copies."""
        if all(region.spread <= self.widest for region in self.every):
            return []
        return [index for index in range(len(self.board.names)) if self.spread(index) > self.widest]


def _cells(deciders: Deciders) -> tuple[int, list[int]]:
    """The zones as awareness sees them, numbered: how many, and each node's."""
    nodes = deciders.board.nodes
    values = deciders.awareness[0][0] if deciders.awareness else [node.zone for node in nodes]
    number = {value: at for at, value in enumerate(sorted({value or "" for value in values}))}
    return max(1, len(number)), [number[value or ""] for value in values]
