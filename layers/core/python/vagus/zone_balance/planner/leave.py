"""First of all: what may not stay where it is goes where it may, the largest first. The engine would do the same."""

from collections.abc import Iterable

from vagus.zone_balance.planner.desk import Desk


def leave(desk: Desk) -> None:
    """Move every copy that a decider will not let stay; note those that have nowhere to go."""
    board = desk.board
    before = len(desk.units)
    leaving = suspects(desk)
    desk.engine.watches = False
    for copy in sorted(leaving, key=board.key_anywhere, reverse=True):
        if targets := desk.way_out(copy):
            target = min(targets, key=lambda node: (_fullness(desk, copy, node), node))
            desk.attempt("leave", (copy, board.at[copy], target))
    desk.engine.watches = True
    if len(desk.units) > before:
        desk.survey()
        leaving = suspects(desk)
    desk.stuck = sorted(leaving, key=board.key_anywhere)


def _fullness(desk: Desk, copy: int, node: int) -> float:
    return (desk.board.load[node] + desk.board.size[copy]) / max(1, desk.board.nodes[node].disk_total)


def suspects(desk: Desk) -> set[int]:
    """Every copy that might have to leave, found without asking each copy each decider."""
    board, deciders = desk.board, desk.deciders
    found: set[int] = set()
    for index, held in enumerate(board.holders):
        if not deciders.eligible[index].issuperset(held):
            strangers = held.keys() - deciders.eligible[index]
            found.update(copy for node in strangers for copy in board.on[node] if board.index[copy] == index)
    if deciders.settings.disk_threshold:
        full = (node for node, free in enumerate(board.free) if free < deciders.high[node])
        found.update(copy for node in full for copy in board.on[node])
    if deciders.limited:
        found.update(copy for on in board.on for copy in on)
    found.update(_crowded(desk))
    return {copy for copy in found if board.at[copy] >= 0 and deciders.must_leave(copy)}


def _crowded(desk: Desk) -> Iterable[int]:
    """The copies of shards that may have too many in one zone."""
    board = desk.board
    at, twin = board.at, board.twin
    for values, many in desk.deciders.awareness:
        zones = [*values, ""]  # the last is where -1 leads: a copy that stands nowhere
        found: set[int] = set()
        for copy, shard in board.followers():
            if twin[shard] != copy or twin[copy] != shard:
                found.add(shard)  # of three and more
            elif many < 2 or zones[at[copy]] == zones[at[shard]]:
                yield from (copy, shard)
        for shard in found:
            copies = board.copies_of(shard)
            if len({zones[at[one]] for one in copies}) < len(copies):
                yield from copies
        if None in values:
            yield from (copy for node, value in enumerate(values) if value is None for copy in board.on[node])
