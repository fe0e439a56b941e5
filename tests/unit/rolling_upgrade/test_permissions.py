"""Each call of a restart and of an upgrade in turn lacks its permission, from the start or from the second node on, for
an hour: a person is told which action is missing, no node is stopped that is needed (the world asserts that at each
stop), and once the permission is there all ends as if it had never been missing, each node restarted once."""

from collections.abc import Callable

import pytest
from tests.unit.rolling_upgrade.replacing import one_that_is_named
from tests.unit.rolling_upgrade.scenarios import Scenario, all_are_upgraded, all_restart, restarted
from tests.unit.rolling_upgrade.world import ROOM, RollingWorld
from tests.unit.simulation.ports import Meter
from tests.unit.simulation.world import World

HOUR = 3600.0
CALM = 200.0
NEEDLESS = ("decide.search.weights", "apply.search.weigh")
"""Without one of them, from the start on, a restart goes on, and its plan says that searches are not led away."""
UNMISSED = "decide.search.awaited"
"""What can't be awaited is looked for; the look needs the same right, and more."""
TOLD_BY_A_PAGE = ("decide.", "apply.")
"""Functions of a run: what they lack is Blocked. What the others lack fails their function, which alarms count."""


def _at_once(make: Scenario, call: str) -> RollingWorld:
    return make(meter=Meter(denied=frozenset({call})), calm=CALM)


def _midway(make: Scenario, call: str) -> RollingWorld:
    def deny(world: World) -> None:
        world.meter.denied = frozenset({call})

    world = make(calm=CALM)
    world.when("denied", restarted(2), deny)
    return world


CASES: list[tuple[Callable[..., RollingWorld], Callable[[Scenario, str], RollingWorld]]] = [
    *((make, begin) for make in (all_restart, all_are_upgraded) for begin in (_at_once, _midway)),
    (one_that_is_named, _at_once),
]


@pytest.mark.parametrize(("make", "begin"), CASES, ids=[f"{one.__name__}{begin.__name__}" for one, begin in CASES])
def test_a_missing_permission_is_told_by_name_and_leaves_nothing_behind(
    make: Scenario, begin: Callable[[Scenario, str], RollingWorld]
) -> None:
    whole = make(calm=CALM).done()
    expected = whole.summary()
    for call in sorted(set(whole.meter.calls)):
        try:
            _lacks(begin(make, call), call, expected)
        except AssertionError as error:
            raise AssertionError(f"without {call}: {error}") from error


def _lacks(world: RollingWorld, call: str, expected: dict[str, object]) -> None:
    end = world.clock.now + HOUR
    while world.clock.now < end:
        world.step()
    held_up = call != UNMISSED and (call not in NEEDLESS or any(world.spared))
    if held_up and call in world.meter.refused and call.startswith(TOLD_BY_A_PAGE):
        assert any(f"DENIED\n\n{call}: not authorized" in text for text in world.texts), world.story()
    world.meter.denied = frozenset()
    world.stir()
    for room in world.rooms:
        if world.seen().head(room).paused:
            world.resume(room)
    assert world.run(hours=24).summary() == expected
    assert world.seen().head(ROOM).state == "idle"
