"""Then the counts: the engine moves copies until no pair of nodes differs too much, so we choose which ones it gets.

Each move of a pair beyond the limit makes t0 * sum(n_a^2) + t1 * sum(n_ia^2) smaller, so that this comes to an end.
"""

from itertools import chain, islice

from vagus.zone_balance.planner.desk import Desk
from vagus.zone_balance.planner.engine import Pair
from vagus.zone_balance.planner.floats import limit_of

ENOUGH = 2
"""Moves for each copy of the cluster after which the counts are left as they are."""

PAIRS = 256
AT_ONCE = 16
"""How many pairs of nodes are ranked for one move, the widest first; and of how many at a time copies are compared."""

TRIES = 12
"""Exchange partners that are tried for one copy before it is left where it is."""


def settle(desk: Desk) -> None:
    """Move copies until the engine is at rest; of those it might move, the one that evens the bytes best.

    Where the policy raises the threshold, counts that are beyond it are evened to half of it: the other half is for
    the bytes.
    """
    if not desk.engine.stirs():
        return
    before, limit = len(desk.units), desk.engine.limit
    desk.engine.watches = False
    desk.engine.limit = min(limit, max(limit_of(desk.layout.settings.threshold), limit / 2))
    while _round(desk, ENOUGH * len(desk.board.copies) - len(desk.units) + before):
        pass
    desk.engine.limit = limit
    desk.engine.watches = True
    if len(desk.units) > before:
        desk.survey()


def _round(desk: Desk, most: int) -> int:
    """One copy of each index that is tipped, so that no index crowds a node that has just joined: how many.

    Where primaries are weighed it might go round for ever: there is an end.
    """
    moved = 0
    for index in range(len(desk.board.names)):
        moved += moved < most and _one_move(desk, index)
    return moved


def _one_move(desk: Desk, index: int) -> bool:
    if desk.engine.span(index) <= desk.engine.limit:
        return False
    tipped = desk.engine.tipped(index)
    likely = sorted(islice(tipped, PAIRS), key=lambda pair: _richest_first(desk, pair))
    pairs = chain(likely, tipped)
    while some := list(islice(pairs, AT_ONCE)):
        found = ((_price(desk, copy, pair), copy, pair) for pair in some for copy in desk.engine.movable(pair))
        for _, copy, (_, heavy, light) in sorted(found):
            if desk.attempt("count", (copy, heavy, light)):
                return True
    return False


def _richest_first(desk: Desk, pair: Pair) -> tuple[bool, float]:
    """Who gives, best: one that has copies enough for its counts, and of these the one with most bytes to shed."""
    _, heavy, light = pair
    enough = desk.mean[heavy] - desk.engine.limit / (2 * desk.engine.t0)
    return (desk.board.count[heavy] <= enough, desk.fill(light) - desk.fill(heavy))


def _price(desk: Desk, copy: int, pair: Pair) -> tuple[float, float, tuple[int, ...]]:
    """As few bytes as may be that the giver need not shed, or that the receiver would have to; then a copy of the size
    of which the receiver may take as many as it lacks."""
    board, (_, heavy, light) = desk.board, pair
    size, room = board.size[copy], max(0.0, desk.cap(light) - board.load[light])
    shed = min(size, max(0.0, board.load[heavy] - desk.cap(heavy)))
    wanted = room / max(1.0, desk.mean[light] - board.count[light])
    return (size - shed + max(0.0, size - room), abs(size - wanted), board.key_anywhere(copy))


def mend(desk: Desk) -> None:
    """Make robust what leans on a count: exchange a copy of the crowded index for one of another, near in size."""
    mended = True
    while mended:
        mended = False
        for index in desk.engine.leaning():
            while desk.engine.spread(index) > desk.engine.widest and _exchange(desk, index):
                mended = True


def _exchange(desk: Desk, index: int) -> bool:
    board, held = desk.board, desk.board.holders[index]
    for region in desk.engine.groups(index):
        ranked = sorted(region.nodes, key=lambda node: (held.get(node, 0), node))
        for heavy in reversed(ranked):
            for light in ranked:
                if held.get(heavy, 0) - held.get(light, 0) <= max(desk.engine.widest, 1):
                    break  # one copy more on a node than on another can't be helped
                ours = sorted((copy for copy in board.on[heavy] if board.index[copy] == index), key=board.key)
                if any(_for_another(desk, copy, heavy, light) for copy in ours):
                    return True
    return False


def _for_another(desk: Desk, copy: int, heavy: int, light: int) -> bool:
    """One way or the other round: a node at its limit of shards takes none before it has given one."""
    board = desk.board
    size = board.size[copy]

    def evens(twin: int) -> bool:
        held = board.holders[board.index[twin]]
        return held.get(light, 0) > held.get(heavy, 0)

    partners = sorted(filter(evens, board.on[light]), key=lambda twin: (abs(board.size[twin] - size), board.key(twin)))
    for twin in partners[:TRIES]:
        there, back = (copy, heavy, light), (twin, light, heavy)
        if desk.keeps_bytes(there, back) and (
            desk.attempt("robust", there, back) or desk.attempt("robust", back, there)
        ):
            return True
    return False
