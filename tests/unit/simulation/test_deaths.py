"""Where a process can die: deaths between the same two effects leave the same world behind.

Everything that is replayed elsewhere tries one of them (`Meter.different`). Here whole scenarios die before and after
each call, reads too: what follows is the same, call for call, wherever between two effects it was.
"""

import pytest
from tests.unit.simulation.happenings import Scenario
from tests.unit.simulation.leaving import nowhere_to_go_is_held, one_leaves
from tests.unit.simulation.ports import Meter

HELD_AGAINST_EVERY_CALL = (one_leaves, nowhere_to_go_is_held)


@pytest.mark.parametrize("make", HELD_AGAINST_EVERY_CALL, ids=[make.__name__ for make in HELD_AGAINST_EVERY_CALL])
def test_deaths_between_the_same_two_effects_leave_the_same_world_behind(make: Scenario) -> None:
    whole = make().run()
    expected, until = whole.summary(), whole.calls_at_stir + 10
    points = whole.meter.points(every_read=True, until=until)
    tried = set(whole.meter.different(points))
    assert len(tried) < 0.7 * len(points)
    follows: list[str] = []
    for at, when in points:
        world = make(meter=Meter(crashes={at: when}))
        assert world.run().summary() == expected, f"died {when} call {at}, {whole.meter.calls[at]}"
        after = world.meter.calls[at + 1 :]
        follows = after if (at, when) in tried else follows
        assert after == follows, f"died {when} call {at}, {whole.meter.calls[at]}"
