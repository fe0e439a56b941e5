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

Key = tuple[int, int, int, int]
"""(bytes, index, shard number, copy): sorted, the smallest first."""

Pair = tuple[float, int, Key, Key]
"""(price, receiver, the giver's copy, the receiver's copy)."""


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
        self.ranked: dict[int, list[Key]] = {}
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
        for size, _, _, copy in self._near(giver, -self.room[giver], most):
            for receiver in receivers:
                if size <= room(receiver) and self._take((copy, giver, receiver)):
                    return True
        return False

    def _exchange(self, giver: int, room: Callable[[int], int]) -> bool:
        receivers = self._receivers(giver)
        for some in (receivers[:FIRST], receivers[FIRST:]):
            found = sorted(pair for node in some for pair in self._pairs(giver, node, room(node)))
            plausible = (pair for pair in found if self._plausible(giver, pair[1], pair[2][1], pair[3][1]))
            for _, receiver, large, small in islice(plausible, PAIRS):
                there, again = (large[3], giver, receiver), (small[3], receiver, giver)
                if self._take(there, again) or self._take(again, there):
                    return True
        return False

    def _pairs(self, giver: int, receiver: int, room: int) -> list[Pair]:
        """What might be exchanged, with its price: the bytes sent, and what is still to be shed, at a little more."""
        amount, costliest = -self.room[giver], self.desk.policy.costliest_exchange
        return [
            (sent + LATER * max(0, amount - net), receiver, large, small)
            for large, small in chain(
                self._of_one_index(giver, receiver), self._for_the_smallest(giver, receiver, room)
            )
            if 0 < (net := large[0] - small[0]) <= room and (sent := large[0] + small[0]) <= costliest * net
        ]

    def _of_one_index(self, giver: int, receiver: int) -> list[tuple[Key, Key]]:
        """Copies of the same index, the receiver's smallest: no count changes, so that the engine doesn't mind."""
        theirs = {key[1]: key for key in reversed(self._copies(receiver))}
        return [(key, theirs[key[1]]) for key in self._copies(giver) if key[1] in theirs]

    def _for_the_smallest(self, giver: int, receiver: int, room: int) -> list[tuple[Key, Key]]:
        """Copies that shed about what is too much, each for one of the receiver's smallest."""
        copies, amount = self._copies(giver), -self.room[giver]
        found: list[tuple[Key, Key]] = []
        for small in self._copies(receiver)[:SMALLEST]:
            end = bisect_left(copies, (small[0] + room + 1,))
            at = min(end, bisect_left(copies, (small[0] + amount,)))
            found += [(large, small) for large in copies[max(0, at - NEAR) : min(end, at + NEAR)]]
        return found

    def _plausible(self, giver: int, receiver: int, index: int, other: int) -> bool:
        """Whether an exchange leaves these two nodes as the engine likes them: asked before what costs more."""
        if index == other:
            return True
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

    def _copies(self, node: int) -> list[Key]:
        if node not in self.ranked:
            self.ranked[node] = self.board.ranked(node)
        return self.ranked[node]

    def _near(self, giver: int, amount: int, most: int) -> Iterator[Key]:
        """Copies of a giver by how well they, or pairs of them, shed `amount`; none larger than `most`."""
        copies = self._copies(giver)
        tolerance = EXACT * self.desk.share[giver]
        at = bisect_left(copies, (amount,))
        end = bisect_left(copies, (most + 1,))
        if at < end and copies[at][0] <= amount + tolerance:
            yield copies[at]
        elif (pair := best_pair(copies[: min(at, end)], amount, tolerance)) is not None:
            yield pair
        below = min(at, end)
        yield from reversed(copies[max(0, below - NEAR) : below])
        yield from copies[at : min(end, at + NEAR)]

    def _take(self, *legs: Leg) -> bool:
        if not self.desk.attempt("bytes", *legs):
            return False
        for copy, source, target in legs:
            key = self.board.key(copy)
            if source in self.ranked:
                del self.ranked[source][bisect_left(self.ranked[source], key)]
            if target in self.ranked:
                insort(self.ranked[target], key)
        for node in {node for _, source, target in legs for node in (source, target)}:
            del self.rooms[bisect_left(self.rooms, (-self.room[node], node))]
            self.room[node] = self._room(node)
            insort(self.rooms, (-self.room[node], node))
        return True


def best_pair(copies: list[Key], amount: int, tolerance: float) -> Key | None:
    """The larger of the two copies whose sum is the least that is `amount` or more, if within tolerance."""
    left, right = 0, len(copies) - 1
    best, found = amount + tolerance, None
    while left < right:
        total = copies[left][0] + copies[right][0]
        if total < amount:
            left += 1
            continue
        if total <= best:
            best, found = total, copies[right]
        right -= 1
    return found


def best_first(copies: list[tuple[int, ...]], size: int, many: int) -> list[tuple[int, ...]]:
    """The `many` copies nearest to a size, nearest first; `copies` are keys that start with the size, sorted."""
    at = bisect_left(copies, (size,))
    around = copies[max(0, at - many) : at + many]
    return sorted(around, key=lambda key: (abs(key[0] - size), key))[:many]
