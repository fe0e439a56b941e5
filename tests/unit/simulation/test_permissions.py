"""Each call of every function in turn lacks its permission, from the start or from mid-drain, for longer than a hook
lasts: a person is told which action is missing, nothing leaks, no instance goes that is still needed (the oracle of the
world asserts that); and once the permission is there, all ends as if it had never been missing."""

from collections.abc import Callable

import pytest
from tests.unit.simulation.happenings import FIRST, Scenario, excluded_is, gone
from tests.unit.simulation.leaving import (
    a_cluster_that_nobody_noted_yet,
    it_hands_over_every_third_round,
    managers_of_their_own_leave,
    nowhere_to_go_is_held,
    one_leaves,
    one_zone_at_a_time,
)
from tests.unit.simulation.ports import Meter
from tests.unit.simulation.world import World

from vagus import owned

HOOK = 3600.0
AT_ONCE: tuple[Scenario, ...] = (
    one_leaves,
    nowhere_to_go_is_held,
    it_hands_over_every_third_round,
    managers_of_their_own_leave,
    a_cluster_that_nobody_noted_yet,
)
MIDWAY: tuple[Scenario, ...] = (one_leaves, one_zone_at_a_time)
TOLD_BY_A_PAGE = ("decide.", "apply.")
"""Functions of a run: what they lack is Blocked. What the others lack fails their function, which alarms count."""


def _used(make: Scenario) -> set[str]:
    return set(make().run().meter.calls)


def _denied_at_once(make: Scenario, call: str) -> World:
    return make(meter=Meter(denied=frozenset({call})))


def _denied_midway(make: Scenario, call: str) -> World:
    def deny(world: World) -> None:
        world.meter.denied = frozenset({call})

    return make().when("denied", lambda world: excluded_is(FIRST)(world) or gone(FIRST)(world), deny)


CASES = [*((one, _denied_at_once) for one in AT_ONCE), *((one, _denied_midway) for one in MIDWAY)]


@pytest.mark.parametrize(("make", "begin"), CASES, ids=[f"{one.__name__}{begin.__name__}" for one, begin in CASES])
def test_a_missing_permission_is_told_by_name_and_leaks_nothing(
    make: Scenario, begin: Callable[[Scenario, str], World]
) -> None:
    expected = make().run().summary()
    for call in sorted(_used(make)):
        try:
            _lacks(begin(make, call), call, expected)
        except AssertionError as error:
            raise AssertionError(f"without {call}: {error}") from error


def _lacks(world: World, call: str, expected: dict[str, object]) -> None:
    end = world.clock.now + 1.2 * HOOK
    while world.clock.now < end:
        world.step()
    refused = call in world.meter.refused
    assert refused or world.oracle.let_go, "from the start, each is missed"
    leaving = {*world.instances("Terminating:Wait"), *world.instances("Terminating:Retained")}
    assert owned.names(world.engine.persistent.get(owned.MARK)) <= leaving | set(world.oracle.let_go)
    if refused and call.startswith(TOLD_BY_A_PAGE):
        assert any(f"DENIED\n\n{call}: not authorized" in text for text in world.texts), world.story()
    world.meter.denied = frozenset()
    world.stir()
    if world.head().paused:
        world.resume()
    assert world.run(hours=24).summary() == expected
