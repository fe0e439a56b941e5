"""A random permission is missing for a while, in any scenario of any room, from a random moment on: where a run needs
it a person is told which, nothing leaks, and once it is there all ends as if it had never been missing.

`test_permissions` (here and of `rolling_upgrade`) takes each call of a few scenarios in turn; this asks of all of them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import HealthCheck, assume, event, example, given, settings
from hypothesis import strategies as st
from tests.unit.rolling_upgrade.scenarios import SCENARIOS as RESTARTS
from tests.unit.simulation.coming import COMING
from tests.unit.simulation.happenings import Scenario
from tests.unit.simulation.scenarios import SCENARIOS
from tests.unit.simulation.test_permissions import TOLD_BY_A_PAGE
from tests.unit.simulation.world import World
from tests.unit.simulation.zone_scenarios import ZONE_SCENARIOS

from vagus.rolling_upgrade.observed import remaining, rolling

EVERY: Mapping[str, Scenario] = {**SCENARIOS, **COMING, **ZONE_SCENARIOS, **RESTARTS}
MINUTE = 60.0
SNAPSHOTS = "decide.search.snapshots"
"""They are asked before a node is taken: what they lack stands against that, and against nothing else."""
AIDS = ("decide.search.awaited", "decide.search.weights", "apply.search.weigh")
"""No restart waits for them; when a person is told of them is held in `rolling_upgrade/test_permissions`."""


@cache
def _undisturbed(name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What is called, in order, and what is left in the end."""
    world = EVERY[name]().run()
    return tuple(world.meter.calls), world.summary()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EVERY)), st.floats(0, 1, exclude_max=True), st.sampled_from([5, 30, 70]))
@example("all_restart", 0.83984375, 5)
@example("all_restart", 0.8403979238754326, 5)  # the snapshots, with the last node in hand
def test_whatever_is_missing_is_told_and_leaks_nothing(name: str, moment: float, minutes: int) -> None:
    calls, expected = _undisturbed(name)
    at = int(moment * len(calls))
    # a warning that nobody hears: EC2 takes the only copies, and no permission brings them back
    assume(not (calls[at].startswith("intake.") and name.startswith("a_spot_")))
    world = EVERY[name]()
    while len(world.meter.calls) < at and not world.at_rest():
        world.step()
    lacks(world, calls[at], minutes * MINUTE)
    assert world.run(hours=48).summary() == expected


def lacks(world: World, call: str, seconds: float) -> None:
    """Without this permission for so long; then it is there, and a person resumes what paused meanwhile."""
    needed = call not in AIDS and (call != SNAPSHOTS or nodes_to_take(world))
    world.meter.denied = frozenset({call})
    end = world.clock.now + seconds
    while world.clock.now < end:
        world.step()
    if call in world.meter.refused:
        event(f"missed by {call.partition('.')[0]}")
        told = any(f"{call}: not authorized" in text for text in world.texts)
        assert told or not needed or not call.startswith(TOLD_BY_A_PAGE), world.story()
    world.meter.denied = frozenset()
    world.stir()
    for room in world.rooms:
        if world.seen().head(room).paused:
            world.resume(room)


def nodes_to_take(world: World) -> bool:
    """Whether a restart that is asked for has still to take a node in hand."""
    asked = [rolling(intent) for intent in world.seen().intents_of("rolling_upgrade")]
    cluster = world.engine.look()
    return any(node.name not in one.taken for one in asked for node in remaining(one, cluster))
