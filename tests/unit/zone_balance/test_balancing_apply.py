"""A wave is checked afresh before it is sent, and refused whole; what was sent is noted before and after."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.unit.simulation.balancing import bytes_are_uneven
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import FIRST
from tests.unit.simulation.world import World
from tests.unit.zone_balance.moments import writes

from vagus.cluster import ShardMove
from vagus.intent import BalanceThreshold, balance
from vagus.owned_values import VALUES
from vagus.policy import Shards
from vagus.steps import MoveShards, RaiseBalanceThreshold, Step
from vagus.zone_balance import balancing
from vagus.zone_balance.balancing_apply import HANDLERS
from vagus.zone_balance.looking import looked
from vagus.zone_balance.observe import moved, observe

TOKEN = 5
THRESHOLD = VALUES[1]


def wave(world: World) -> MoveShards:
    """The wave that is planned now."""
    reads = world._reads("decide")
    observed = observe(reads, world.spec, world.seen(), None, world.clock.now)
    look = looked(observed, world.engine.look(), world.spec, world.clock.now)
    plan = balancing.even(look)
    assert plan is not None
    (step,) = plan.steps  # type: ignore[union-attr]  # a plan without steps is an error here
    assert isinstance(step, MoveShards)
    return step


def check(world: World, step: Step, token: int = TOKEN) -> str | None:
    return HANDLERS[type(step)].check(writes(world), world.seen(), step, token)


def _off(world: World) -> None:
    world.spec = spec()


def _leaves(world: World) -> None:
    world.groups.scale_in(FIRST)


def _moves(world: World) -> None:
    copy = world.engine.look().copies[0]
    targets = (node.name for node in world.engine.look().nodes)
    for target in targets:
        leg = ShardMove(index=copy.index, shard=0, primary=True, source=copy.node or "", target=target, bytes=1)
        if not world.engine.reroute([leg], dry_run=True):
            world.engine.reroute([leg], dry_run=False)
            return


def _younger(world: World) -> None:
    world.engine.persistent["cluster.metadata.vagus.lease"] = "6"


def _full(world: World) -> None:
    target = wave(world).legs[0].target
    world.engine.machines[target].disk = 1  # full by now


REFUSED: dict[str, tuple[Callable[[World], Any], str]] = {
    "the fleet file moves no shard any more": (_off, "moves no shard"),
    "an instance leaves": (_leaves, "leaves"),
    "something is on its way": (_moves, "is on its way"),
    "a younger writer was here": (_younger, "younger"),
    "the engine's deciders refuse a leg": (_full, "the engine refuses"),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wave_that_no_longer_fits_is_refused(change: Callable[[World], Any], why: str) -> None:
    world = bytes_are_uneven()
    step = wave(world)
    assert check(world, step) is None
    change(world)
    assert why in (check(world, step) or "")
    assert len(world.engine.reroutes) <= (change is _moves)


def test_a_copy_that_is_elsewhere_by_now_refuses_the_whole_wave() -> None:
    world = bytes_are_uneven()
    step = wave(world)
    other = msgspec.structs.replace(step.legs[0], source=step.legs[0].target)
    assert "no longer stands" in (check(world, msgspec.structs.replace(step, legs=(other, *step.legs[1:]))) or "")


def test_a_wave_is_one_request_and_charged_to_the_hour() -> None:
    world = bytes_are_uneven()
    step = wave(world)
    HANDLERS[MoveShards].do(writes(world), world.seen(), step, TOKEN)
    assert world.engine.reroutes == [step.legs]
    noted = moved(world.seen())
    assert (noted.moves, noted.bytes, noted.wave, noted.sent) == (
        len(step.legs),
        sum(leg.bytes for leg in step.legs),
        step.legs,
        True,
    )


def test_a_threshold_that_the_fleet_file_does_not_allow_is_refused() -> None:
    world = bytes_are_uneven()
    intent = balance("2026-01-01T00:00:00Z", BalanceThreshold(2.0))
    update = balancing.raised(world.engine.look(), (), intent)
    step = RaiseBalanceThreshold(intent=intent, value=2.0, update=update)
    assert "allows no balance threshold" in (check(world, step) or "")
    world.spec = spec(shards=Shards(mode="on", highest_threshold=2.0))
    assert check(world, step) is None
    HANDLERS[RaiseBalanceThreshold].do(writes(world), world.seen(), step, TOKEN)
    assert world.engine.persistent[THRESHOLD.setting] == "2.0"
    assert world.engine.persistent["cluster.metadata.vagus.lease"] == str(TOKEN)
    assert [one.id for one in world.seen().intents] == ["balance"]
