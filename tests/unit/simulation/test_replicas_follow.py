"""Where replicas follow the zones: what each index has in the end."""

from collections import Counter

from tests.unit.simulation.world import World
from tests.unit.simulation.zone_scenarios import a_zone_comes_and_replicas_follow, a_zone_goes_and_replicas_follow


def copies(world: World) -> dict[str, int]:
    """Of the first shard of each index."""
    return dict(Counter(copy.index for copy in world.engine.shards.copies() if copy.shard == 0))


def recorded(world: World) -> list[tuple[str, str]]:
    """Phase and subject of each record of this step, in order."""
    found = [row.data for day in world.records.partitions() for row in world.records.read(day).values()]
    ours = [one for one in found if one["step"] == "SetReplicas"]
    return [
        (one["phase"], one["subject"]) for one in sorted(ours, key=lambda one: (one["at"], one["phase"] != "intended"))
    ]


def test_a_zone_that_came_has_its_copies_and_what_a_person_lowered_stays() -> None:
    world = a_zone_comes_and_replicas_follow().run()
    assert copies(world) == {"notes": 4, "lowered": 3, "plain": 2}
    assert recorded(world) == [("intended", "lowered,notes"), ("outcome", "lowered,notes")]


def test_a_zone_that_went_has_none_left_and_nothing_else_was_touched() -> None:
    world = a_zone_goes_and_replicas_follow().run()
    assert copies(world) == {"notes": 3, "plain": 2}
    assert recorded(world) == [("intended", "notes"), ("outcome", "notes")]
