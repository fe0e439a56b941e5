"""Where a function can die with an effect, and that it then ends alike."""

from collections.abc import Callable
from typing import Any

from tests.unit.simulation.ports import Meter, When, reads
from tests.unit.simulation.world import World

CALM_CALLS = 10
OFTEN = 1
CALM = 200.0
"""A sweep finds within a minute what was left undone while an intent is open."""


def points(whole: World) -> list[tuple[int, When]]:
    """Where a function can die with an effect: at each kind of call the first times and the last. What is done for the
    second node is what was done for the first."""
    at: dict[tuple[str, When], list[int]] = {}
    for number, when in whole.meter.points(every_read=False, until=whole.calls_at_stir + CALM_CALLS):
        call = whole.meter.calls[number]
        if call.startswith(("apply", "decide")) and not reads(call):
            at.setdefault((call, when), []).append(number)
    found = sorted((number, when) for (_, when), found in at.items() for number in {*found[:OFTEN], found[-1]})
    return whole.meter.different(found)


def ends_alike(make: Callable[..., Any], calm: float = CALM) -> list[str]:
    """Interrupted at each point, a world ends as if it had not been. The calls before and after which it was, as
    `after apply.groups.replace`."""
    whole = make(calm=calm)
    whole.run()
    expected, found = whole.summary(), points(whole)
    for at, when in found:
        where = f"died {when} call {at}, {whole.meter.calls[at]}"
        world = make(meter=Meter(crashes={at: when}), calm=calm)
        try:
            world.run()
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        assert world.summary() == expected, where
    return [f"{when} {whole.meter.calls[at]}" for at, when in found]
