"""Where a function can die with an effect."""

from tests.unit.simulation.ports import When, reads
from tests.unit.simulation.world import World

CALM_CALLS = 10
OFTEN = 1


def points(whole: World) -> list[tuple[int, When]]:
    """Where a function can die with an effect: at each kind of call the first times and the last. What is done for the
    second node is what was done for the first."""
    at: dict[tuple[str, When], list[int]] = {}
    for number, when in whole.meter.points(every_read=False, until=whole.calls_at_stir + CALM_CALLS):
        call = whole.meter.calls[number]
        if call.startswith(("apply", "decide")) and not reads(call):
            at.setdefault((call, when), []).append(number)
    return sorted((number, when) for (_, when), found in at.items() for number in {*found[:OFTEN], found[-1]})
