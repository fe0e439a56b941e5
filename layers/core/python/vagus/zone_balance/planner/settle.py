"""Then the counts: the engine moves copies until no pair of nodes differs too much, so we choose which ones it gets.

Each move of a pair beyond the limit makes t0 * sum(n_a^2) + t1 * sum(n_ia^2) smaller, so that this comes to an end.
"""

from vagus.zone_balance.planner.desk import Desk
from vagus.zone_balance.planner.engine import Pair, limit_of

ENOUGH = 2
"""Moves for each copy of the cluster after which the counts are left as they are."""

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
    for pair in desk.engine.tipped(index):
        _, heavy, light = pair
        for copy in sorted(desk.engine.movable(pair), key=lambda copy: _unevenness(desk, copy, pair)):
            if desk.attempt("count", (copy, heavy, light)):
                return True
    return False


def _unevenness(desk: Desk, copy: int, pair: Pair) -> tuple[float, tuple[int, int, int, int]]:
    """How far from their shares the two nodes would be, by capacity; then the smaller copy."""
    board = desk.board
    _, heavy, light = pair
    size = board.size[copy]
    from_, to = desk.share[heavy], desk.share[light]
    return (abs(board.load[heavy] - size - from_) + abs(board.load[light] + size - to), board.key(copy))


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
