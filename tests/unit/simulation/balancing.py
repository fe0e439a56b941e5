"""Zones whose bytes are uneven, and are evened."""

from collections.abc import Mapping
from typing import Any

from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import FIRST, Scenario, leave, moved, named
from tests.unit.simulation.world import World

from vagus.policy import Shards
from vagus.zone_balance.layout import skews

EVEN = Shards(mode="on", every_minutes=5, least_bytes=0)
UNEVEN = (16_000, 9_000, 6_000, 4_000, 2_500, 1_600, 1_000, 600, 400, 250, 150, 100)


def _uneven(**options: Any) -> World:
    """Counts are even, bytes are not; zones are evened one wave at a time."""
    world = World(spec=spec(shards=EVEN), **options).known()
    for number, size in enumerate(UNEVEN):
        world.engine.create_index(f"notes-{number:02}", shards=1, replicas=1, size=size)
    assert max(skews(world.engine.look()).values()) > EVEN.skew + EVEN.margin
    return world


def bytes_are_uneven(**options: Any) -> World:
    return _uneven(**options).when("a wave is sent", moved, lambda _: None)


def one_leaves_while_bytes_are_evened(**options: Any) -> World:
    return _uneven(**options).when("scale in", moved, leave(FIRST))


BALANCING: Mapping[str, Scenario] = named(
    bytes_are_uneven,
    one_leaves_while_bytes_are_evened,
)
