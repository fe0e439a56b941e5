"""Every scenario, interrupted at every call: it ends as if nobody had been interrupted, and no instance that was still
needed was let go (the oracle of the world asserts that at each letting go)."""

import pytest
from tests.unit.simulation.coming import COMING
from tests.unit.simulation.happenings import Scenario
from tests.unit.simulation.ports import Meter, When, reads
from tests.unit.simulation.scenarios import LONG, SCENARIOS
from tests.unit.simulation.world import World
from tests.unit.simulation.zone_scenarios import ZONE_SCENARIOS

EVERY = {**SCENARIOS, **COMING, **ZONE_SCENARIOS}
CALLS_OF_A_CALM_MINUTE = 10
IN_FULL = {
    *SCENARIOS,
    "a_group_grows",
    "one_leaves_while_another_comes",
    "launches_fail_until_a_person_resumes",
    "a_zone_can_not_go",
}
"""The others mostly wait: what a look that dies loses is shown by these; there, what an act does."""


def _points(whole: World, *, acts_only: bool) -> list[tuple[int, When, str]]:
    """Where a process can die. A whole execution has no more to lose than its function, except around effects."""
    found: list[tuple[int, When, str]] = []
    until = whole.calls_at_stir + CALLS_OF_A_CALM_MINUTE
    for at, when in whole.meter.points(every_read=False, until=until):
        call = whole.meter.calls[at]
        if acts_only and not call.startswith(("apply", "intake", "keeper")):
            continue
        found.append((at, when, "function"))
        if call.startswith(("decide", "apply")) and not reads(call):
            found.append((at, when, "execution"))
    return whole.meter.different(found)


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(make: Scenario) -> None:
    whole = make().run()
    expected = whole.summary()
    points = _points(whole, acts_only=make.__name__ not in IN_FULL)
    assert len(points) > 15, "a scenario in which nearly nothing is called proves nothing"
    for at, when, crash_as in points:
        where = f"{crash_as} died {when} call {at}, {whole.meter.calls[at]}"
        world = make(meter=Meter(crashes={at: when}), crash_as=crash_as)
        try:
            world.run()
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        assert world.summary() == expected, where


@pytest.mark.parametrize("make", [*EVERY.values(), *LONG.values()], ids=[*EVERY, *LONG])
def test_undisturbed_it_ends_with_nothing_of_ours_left(make: Scenario) -> None:
    world = make().run()
    end = world.summary()
    assert end["open"] == end["waiting"] == end["retained"] == end["coming"] == end["suspended"] == []
    assert not world.seen().launches.marks
    assert world.seen().lease("topology").holder == ""
    assert end["status"] == "green"
    assert end["head"][0] == "idle"
    assert not [name for name in end["persistent"] if name.startswith("cluster.metadata.vagus")]
