"""The whole plan, from one look: what must leave, what the engine wants, what the bytes want, what primaries want."""

from vagus.zone_balance.planner.desk import Desk, Unit
from vagus.zone_balance.planner.explain import explain, refusals
from vagus.zone_balance.planner.leave import leave
from vagus.zone_balance.planner.level import level
from vagus.zone_balance.planner.model import Exchange, Finding, Layout, Load, Move, Plan, Policy, Wave
from vagus.zone_balance.planner.primaries import even_primaries
from vagus.zone_balance.planner.settle import mend, settle
from vagus.zone_balance.planner.waves import Waves, waves

ROUNDS = 8
"""Two are usual: one that does it, one that finds nothing more."""


def plan(layout: Layout, policy: Policy) -> Plan:
    """Ordered waves of moves; the same for the same look, and none for a look at its own result."""
    desk = Desk(layout, policy)
    before = loads(desk)
    if refused := refusals(desk):
        return _nothing(desk, before, refused)
    packed = _waves(desk)
    return Plan(
        waves=tuple(Wave(units=tuple(_unit(desk, unit) for unit in wave)) for wave in packed),
        threshold=_threshold(desk),
        findings=explain(desk),
        before=before,
        after=loads(desk),
        at_rest=desk.engine.stirs() is None and not desk.freed(),
        robust=not desk.engine.leaning(),
    )


def _waves(desk: Desk) -> Waves:
    """What is owed, then what is wished; wished anew where the waves could not take all of it in their order."""
    packed: Waves = []
    _owe(desk)
    for _ in range(ROUNDS):
        _even(desk)
        more, whole = waves(desk)
        packed += more
        if whole:
            break
        desk.units.clear()
        desk.survey()
    return packed


def _owe(desk: Desk) -> None:
    """What the engine would do itself; even counts may make room for what could not leave before."""
    for _ in range(ROUNDS):
        before = len(desk.units)
        leave(desk)
        settle(desk)
        if len(desk.units) == before:
            return


def _even(desk: Desk) -> None:
    """Everything that keeps the engine at rest, until a fresh look at the result finds no more of it."""
    for _ in range(ROUNDS):
        before = len(desk.units)
        mend(desk)
        level(desk)
        if desk.policy.even_primaries:
            even_primaries(desk)
        if len(desk.units) == before:
            return
        desk.survey()


def _nothing(desk: Desk, before: tuple[Load, ...], findings: tuple[Finding, ...]) -> Plan:
    return Plan(
        waves=(),
        threshold=None,
        findings=findings,
        before=before,
        after=before,
        at_rest=desk.engine.stirs() is None,
        robust=not desk.engine.leaning(),
    )


def _threshold(desk: Desk) -> float | None:
    """The lowest threshold, in tenths, that this plan needs, where the one in force is too low."""
    in_force = desk.layout.settings.threshold
    if desk.threshold <= in_force:
        return None
    needed = -(-desk.needed * 10 // 1) / 10
    return min(desk.threshold, needed) if needed > in_force else None


def loads(desk: Desk) -> tuple[Load, ...]:
    """How the nodes that hold data are loaded now."""
    board = desk.board
    return tuple(
        Load(
            node=node.name,
            zone=node.zone,
            tier=node.tier,
            bytes=board.load[number],
            share=desk.share[number],
            copies=board.count[number],
            primaries=board.primaries[number],
        )
        for number, node in enumerate(board.nodes)
        if board.data[number]
    )


def _unit(desk: Desk, unit: Unit) -> Move | Exchange:
    purpose, legs = unit
    board = desk.board
    moves = [
        Move(
            index=board.copies[copy].index,
            shard=board.copies[copy].shard,
            primary=board.primary[copy],
            source=board.nodes[source].name,
            target=board.nodes[target].name,
            bytes=board.size[copy],
            purpose=purpose,
        )
        for copy, source, target in legs
    ]
    return moves[0] if len(moves) == 1 else Exchange(moves=(moves[0], moves[1]))
