"""A random permission is missing for a while, in any scenario of any room, from a random moment on: where a run needs
it a person is told which, nothing leaks, and once it is there all ends as if it had never been missing.

`test_permissions` (here and of `rolling_upgrade`) takes each call of a few scenarios in turn; this asks of all of them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.unit.rolling_upgrade.scenarios import SCENARIOS as RESTARTS
from tests.unit.simulation.coming import COMING
from tests.unit.simulation.scenarios import SCENARIOS, Scenario
from tests.unit.simulation.test_permissions import TOLD_BY_A_PAGE
from tests.unit.simulation.world import World
from tests.unit.simulation.zone_scenarios import ZONE_SCENARIOS

EVERY: Mapping[str, Scenario] = {**SCENARIOS, **COMING, **ZONE_SCENARIOS, **RESTARTS}
MINUTE = 60.0


@cache
def _undisturbed(name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What is called, in order, and what is left in the end."""
    world = EVERY[name]().run()
    return tuple(world.meter.calls), world.summary()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EVERY)), st.floats(0, 1, exclude_max=True), st.sampled_from([5, 30, 70]))
def test_whatever_is_missing_is_told_and_leaks_nothing(name: str, moment: float, minutes: int) -> None:
    calls, expected = _undisturbed(name)
    at = int(moment * len(calls))
    world = EVERY[name]()
    while len(world.meter.calls) < at and not world.at_rest():
        world.step()
    lacks(world, calls[at], minutes * MINUTE)
    assert world.run(hours=48).summary() == expected


def lacks(world: World, call: str, seconds: float) -> None:
    """Without this permission for so long; then it is there, and a person resumes what paused meanwhile."""
    world.meter.denied = frozenset({call})
    end = world.clock.now + seconds
    while world.clock.now < end:
        world.step()
    if call in world.meter.refused:
        event(f"missed by {call.partition('.')[0]}")
        told = any(f"{call}: not authorized" in text for text in world.texts)
        assert told or not call.startswith(TOLD_BY_A_PAGE), world.story()
    world.meter.denied = frozenset()
    world.stir()
    for room in world.rooms:
        if world.seen().head(room).paused:
            world.resume(room)
