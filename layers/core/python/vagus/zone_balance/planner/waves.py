"""Which units may be under way at the same time.

A move command ignores the engine's throttles, so that the waves keep them: recoveries in and out per node, and in
all, and never two copies of one shard at once. Within a wave the sources keep their bytes, so that every disk must
hold what it has and what comes. After every wave the engine has to be at rest, from the first that owes it nothing.
"""

from vagus.zone_balance.planner.board import Leg
from vagus.zone_balance.planner.desk import CALM, Desk, Traffic, Unit

Waves = list[list[Unit]]


def waves(desk: Desk) -> tuple[Waves, bool]:
    """The desk's units as waves, carried out on the board, and whether that is all of them.

    What the engine is owed goes in the order of planning. The rest goes large with large, so that no wave waits for
    one copy; what then can't go any more is dropped, and has to be planned anew from where the waves lead.
    """
    units = list(desk.units)
    desk.engine.watches = False
    for _, legs in reversed(units):
        desk.untake(legs)
    owed = max((at for at, (purpose, _) in enumerate(units, 1) if purpose not in CALM), default=0)
    packed, _ = _pack(desk, units[:owed], passing=False)
    desk.engine.watches = True
    desk.engine.watch()
    desk.needed = max(desk.needed, desk.engine.needs())
    calm = units[owed:]
    passing = desk.engine.all_banded() and not desk.stuck
    if passing:
        calm.sort(key=lambda unit: -_size(desk, unit))
    more, dropped = _pack(desk, calm, passing=passing)
    return packed + more, not dropped


def _size(desk: Desk, unit: Unit) -> int:
    return max(desk.board.size[copy] for copy, _, _ in unit[1])


def _pack(desk: Desk, units: list[Unit], *, passing: bool) -> tuple[Waves, list[Unit]]:
    """Waves, and what goes into none. `passing`: what doesn't fit is passed by others that keep the bands."""
    packed: Waves = []
    pending = units
    while pending:
        wave, pending = _fill(desk, pending, passing=passing)
        if not wave:
            break
        packed.append(wave)
    return packed, pending


def _fill(desk: Desk, pending: list[Unit], *, passing: bool) -> tuple[list[Unit], list[Unit]]:
    board = desk.board
    traffic = Traffic(desk)
    moving: set[int] = set()
    wave: list[Unit] = []
    later: list[Unit] = []
    for at, unit in enumerate(pending):
        _, legs = unit
        if not traffic.full(legs) and _goes(desk, legs, moving, passing=passing) and traffic.takes(legs):
            for copy, _, target in legs:
                board.move(copy, target)
                moving.add(board.shard[copy])
            desk.engine.follow(legs)
            wave.append(unit)
        elif passing:
            later.append(unit)
        else:
            later = pending[at:]
            break
    board.landed()
    if wave and wave[-1][0] in CALM:
        desk.needed = max(desk.needed, desk.engine.needs())
    return wave, later


def _goes(desk: Desk, legs: tuple[Leg, ...], moving: set[int], *, passing: bool) -> bool:
    """Whether the copies stand where the unit takes them from, no twin of theirs is under way, and all agree."""
    at, shard = desk.board.at, desk.board.shard
    here = all(at[copy] == source and shard[copy] not in moving for copy, source, _ in legs)
    return here and (not passing or desk.harmless(legs)) and desk.legal(legs)
