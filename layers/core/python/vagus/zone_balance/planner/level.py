"""Then the bytes: every node above its cap sheds what is too much, in as few bytes as its copies allow.

A node sheds by plain moves where the counts allow it, and else by exchanging a large copy for one of the receiver's
smallest. It looks for one copy, or two, that come to what is too much; then for the largest that is not more.
A receiver never rises above its own cap; only where that gets nowhere, it may rise to less than the giver was at.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from itertools import chain, islice

from vagus.zone_balance.planner.board import Leg
from vagus.zone_balance.planner.desk import Desk

RECEIVERS = 8
SMALLEST = 5
NEAR = 4
"""How many receivers, of their smallest copies, and of the giver's nearest in size are tried: more finds little."""

EXACT = 0.001
"""A copy that sheds what is too much to within this part of the share is not looked past."""

LATER = 1.1
"""What a byte is reckoned to cost that is left to be shed later."""

FIRST = 2
PAIRS = 16
"""How many receivers are looked at before the others, and how many exchanges with them are tried."""

Ranks = tuple[int, int]
"""Where two copies stand among those of the giver and the receiver, by size: the same in whatever order rows come."""

Pair = tuple[float, int, Ranks]
"""(price, receiver, which two copies)."""


def level(desk: Desk) -> None:
    """Even the bytes within every zone and tier."""
    for _, nodes in sorted(desk.groups.items()):
        if len(nodes) > 1:
            Levelling(desk, nodes).run()


class Levelling:
    """One group of nodes. `rooms` is sorted by room under the cap, most first; `ranked` copies by size, per node."""

    def __init__(self, desk: Desk, nodes: list[int]) -> None:
        self.desk, self.nodes = desk, nodes
        self.board = desk.board
        self.ranked: dict[int, list[int]] = {}
        self.size_of = desk.board.size.__getitem__
        self.room = {node: self._room(node) for node in nodes}
        self.rooms = sorted((-room, node) for node, room in self.room.items())

    def run(self) -> None:
        """Until a whole round has changed nothing."""
        changed = True
        while changed:
            givers = sorted((self.room[node], node) for node in self.nodes if self.room[node] < 0)
            changed = sum(self._relieve(node) for _, node in givers) > 0

    def _relieve(self, giver: int) -> bool:
        changed = False
        while self.room[giver] < 0 and self._shed(giver):
            changed = True
        return changed

    def _room(self, node: int) -> int:
        return int(self.desk.cap(node)) - self.board.load[node]

    def _shed(self, giver: int) -> bool:
        """One unit that brings the giver nearer to its cap: by the receivers' caps, else by what the giver was at."""
        for room in (self.room.__getitem__, self._below(giver)):
            if self._plain(giver, room) or self._exchange(giver, room):
                return True
        return False

    def _below(self, giver: int) -> Callable[[int], int]:
        """The room of a receiver that may rise to less than what the giver is at: by half the policy's skew."""
        fill = self.desk.fill(giver) - self.desk.policy.skew / 2
        return lambda node: int(fill * self.desk.share[node]) - self.board.load[node]

    # -- the two ways ----------------------------------------------------------------------------------------------

    def _plain(self, giver: int, room: Callable[[int], int]) -> bool:
        receivers = self._standing(giver)
        if not receivers:
            return False
        most = max(room(node) for node in receivers)
        for copy in self._near(giver, -self.room[giver], most):
            for receiver in receivers:
                if self.size_of(copy) <= room(receiver) and self._take((copy, giver, receiver)):
                    return True
        return False

    def _exchange(self, giver: int, room: Callable[[int], int]) -> bool:
        receivers = self._receivers(giver)
        for some in (receivers[:FIRST], receivers[FIRST:]):
            found = sorted(pair for node in some for pair in self._pairs(giver, node, room(node)))
            if any(self._take(*legs) for legs in islice(self._plausible(giver, found), 2 * PAIRS)):
                return True
        return False

    def _pairs(self, giver: int, receiver: int, room: int) -> list[Pair]:
        """What might be exchanged, with its price: the bytes sent, and what is still to be shed, at a little more."""
        amount, costliest = -self.room[giver], self.desk.policy.costliest_exchange
        ours, theirs, size = self._copies(giver), self._copies(receiver), self.board.size
        return [
            (sent + LATER * max(0, amount - net), receiver, ranks)
            for ranks in chain(self._of_one_index(ours, theirs), self._for_the_smallest(ours, theirs, amount, room))
            if 0 < (net := (large := size[ours[ranks[0]]]) - (small := size[theirs[ranks[1]]])) <= room
            and (sent := large + small) <= costliest * net
        ]

    def _of_one_index(self, ours: list[int], theirs: list[int]) -> list[Ranks]:
        """Copies of the same index, the receiver's smallest: no count changes, so that the engine doesn't mind."""
        index = self.board.index
        smallest = {index[copy]: rank for rank, copy in reversed(list(enumerate(theirs)))}
        return [(rank, smallest[index[copy]]) for rank, copy in enumerate(ours) if index[copy] in smallest]

    def _for_the_smallest(self, ours: list[int], theirs: list[int], amount: int, room: int) -> list[Ranks]:
        """Copies that shed about what is too much, each for one of the receiver's smallest."""
        found: list[Ranks] = []
        for rank, small in enumerate(theirs[:SMALLEST]):
            size = self.size_of(small)
            end = bisect_left(ours, size + room + 1, key=self.size_of)
            at = bisect_left(ours, size + amount, hi=end, key=self.size_of)
            found += [(large, rank) for large in range(max(0, at - NEAR), min(end, at + NEAR))]
        return found

    def _plausible(self, giver: int, pairs: list[Pair]) -> Iterator[tuple[Leg, Leg]]:
        """The exchanges that leave the two nodes as the engine likes them, one way and the other round: asked of the
        counts alone, before what costs more."""
        index = self.board.index
        for _, receiver, (large, small) in pairs:
            ours, theirs = self._copies(giver)[large], self._copies(receiver)[small]
            if index[ours] == index[theirs] or self._stands(giver, receiver, index[ours], index[theirs]):
                yield (ours, giver, receiver), (theirs, receiver, giver)
                yield (theirs, receiver, giver), (ours, giver, receiver)

    def _stands(self, giver: int, receiver: int, index: int, other: int) -> bool:
        """Whether neither index would be tipped between the two, if a copy of each changed places."""
        engine, board = self.desk.engine, self.board
        lean = engine.t0 * (board.count[receiver] - board.count[giver])
        held, back = board.holders[index], board.holders[other]
        return (
            lean + engine.t1 * (held.get(receiver, 0) - held[giver] + 2) <= engine.limit
            and engine.t1 * (back.get(giver, 0) - back[receiver] + 2) - lean <= engine.limit
        )

    def _receivers(self, giver: int) -> list[int]:
        return [node for _, node in self.rooms[: RECEIVERS + 1] if node != giver][:RECEIVERS]

    def _standing(self, giver: int) -> list[int]:
        """The receivers whose new counts the engine could stand: asked before any copy is, and once of those alike."""
        engine, count = self.desk.engine, self.board.count
        known: dict[tuple[int, int], bool] = {}
        found = []
        for node in self._receivers(giver):
            alike = (engine.kind[node], count[node])
            if alike not in known:
                known[alike] = engine.stands(giver, node)
            if known[alike]:
                found.append(node)
        return found

    # -- which copy ------------------------------------------------------------------------------------------------

    def _copies(self, node: int) -> list[int]:
        if node not in self.ranked:
            self.ranked[node] = self.board.ranked(node)
        return self.ranked[node]

    def _near(self, giver: int, amount: int, most: int) -> Iterator[int]:
        """Copies of a giver by how well they, or pairs of them, shed `amount`; none larger than `most`."""
        copies = self._copies(giver)
        tolerance = EXACT * self.desk.share[giver]
        at = bisect_left(copies, amount, key=self.size_of)
        end = bisect_left(copies, most + 1, key=self.size_of)
        below = min(at, end)
        if at < end and self.size_of(copies[at]) <= amount + tolerance:
            yield copies[at]
        elif (larger := best_pair(list(map(self.size_of, copies[:below])), amount, tolerance)) is not None:
            yield copies[larger]
        yield from reversed(copies[max(0, below - NEAR) : below])
        yield from copies[at : min(end, at + NEAR)]

    def _take(self, *legs: Leg) -> bool:
        if not self.desk.attempt("bytes", *legs):
            return False
        key = self.board.key
        for copy, source, target in legs:
            if source in self.ranked:
                del self.ranked[source][bisect_left(self.ranked[source], key(copy), key=key)]
            if target in self.ranked:
                insort(self.ranked[target], copy, key=key)
        for node in {node for _, source, target in legs for node in (source, target)}:
            del self.rooms[bisect_left(self.rooms, (-self.room[node], node))]
            self.room[node] = self._room(node)
            insort(self.rooms, (-self.room[node], node))
        return True


def best_pair(sizes: list[int], amount: int, tolerance: float) -> int | None:
    """Of sizes that grow: which is the larger of the two whose sum is the least that is `amount` or more, if within
    tolerance."""
    left, right = 0, len(sizes) - 1
    best, found = amount + tolerance, None
    while left < right:
        total = sizes[left] + sizes[right]
        if total < amount:
            left += 1
            continue
        if total <= best:
            best, found = total, right
        right -= 1
    return found


def best_first(copies: list[tuple[int, ...]], size: int, many: int) -> list[tuple[int, ...]]:
    """The `many` copies nearest to a size, nearest first; `copies` are keys that start with the size, sorted."""
    at = bisect_left(copies, (size,))
    around = copies[max(0, at - many) : at + many]
    return sorted(around, key=lambda key: (abs(key[0] - size), key))[:many]
