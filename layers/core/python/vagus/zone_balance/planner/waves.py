"""Which units may be under way at the same time.

A move command ignores the engine's throttles, so that the waves keep them: recoveries in and out per node, and in
all, and never two copies of one shard at once. Within a wave the sources keep their bytes, so that every disk must
hold what it has and what comes. After every wave the engine has to be at rest, from the first that owes it nothing.
"""

from vagus.zone_balance.planner.board import Leg
from vagus.zone_balance.planner.desk import CALM, Desk, Traffic, Unit

Waves = list[list[Unit]]


def waves(desk: Desk) -> Waves:
    """The desk's units as waves: the large together, if that can be done, else strictly in the order of planning."""
    units = list(desk.units)
    desk.engine.watches = False
    for _, legs in reversed(units):
        desk.untake(legs)
    owed = max((at for at, (purpose, _) in enumerate(units, 1) if purpose not in CALM), default=0)
    calm = sorted(units[owed:], key=lambda unit: -_size(desk, unit))
    packed = _pack(desk, units[:owed], passing=False) or []
    desk.engine.watches = True
    desk.engine.watch()
    desk.needed = desk.engine.needs()
    free = _pack(desk, calm, passing=True)
    if free is not None:
        return packed + free
    strict = _pack(desk, units[owed:], passing=False)
    if strict is None:
        raise AssertionError("units that were legal one by one do not fit one by one")
    return packed + strict


def _size(desk: Desk, unit: Unit) -> int:
    return max(desk.board.size[copy] for copy, _, _ in unit[1])


def _pack(desk: Desk, units: list[Unit], *, passing: bool) -> Waves | None:
    """Waves of all units, or `None` (and the board as it was) where these can't be packed so.

    `passing`: a unit that doesn't fit is passed by others; the engine is then asked anew after each wave.
    """
    packed: Waves = []
    pending = units
    while pending:
        wave, pending = _fill(desk, pending, passing=passing)
        packed.append(wave)
        if not wave or (passing and not _at_rest(desk)):
            for _, legs in reversed([unit for one in packed for unit in one]):
                desk.untake(legs)
            return None
    return packed


def _fill(desk: Desk, pending: list[Unit], *, passing: bool) -> tuple[list[Unit], list[Unit]]:
    board = desk.board
    traffic = Traffic(desk)
    moving: set[int] = set()
    wave: list[Unit] = []
    later: list[Unit] = []
    for at, unit in enumerate(pending):
        _, legs = unit
        here = all(board.at[copy] == source and board.shard[copy] not in moving for copy, source, _ in legs)
        if here and (not passing or _calm(desk, legs)) and desk.legal(legs) and traffic.takes(legs):
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


def _at_rest(desk: Desk) -> bool:
    return desk.engine.stirs() is None and not desk.freed()


def _calm(desk: Desk, legs: tuple[Leg, ...]) -> bool:
    """Whether a unit is harmless in another order too; where no band can say so, the wave is judged at its end."""
    return desk.harmless(legs) or not desk.banded(legs)
