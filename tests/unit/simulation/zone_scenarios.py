"""A zone comes, or goes, by the fleet file: what the deploys are, and what befalls them."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from tests.unit.simulation.declared import ZONES, spec
from tests.unit.simulation.happenings import Scenario, always, named, paged
from tests.unit.simulation.world import World

from vagus.allocation import FORCED

FOUR = (*ZONES, "eu-west-1d")
LAST = FOUR[-1]
SIZE = 5_000
"""Bytes of a shard: five seconds at the world's speed."""


def _world(zones: tuple[str, ...], replicas: int = 1, follows: bool = False, **options: Any) -> World:
    """One node in each zone. `follows`: replicas come and go with zones."""
    declared = spec(per_zone=1, zones=zones, replicas="with_zones" if follows else "kept")
    world = World(spec=declared, **options).known()
    world.engine.create_index("notes", shards=2, replicas=replicas, size=SIZE)
    return world


def deploy(**changes: Any) -> Callable[[World], None]:
    """The fleet file says something else."""
    return lambda world: world.deploy(msgspec.structs.replace(world.spec, **changes))


def forced(zones: tuple[str, ...]) -> Callable[[World], bool]:
    """Copies are forced over these zones by a setting, and nothing is under way."""
    return lambda world: world.engine.persistent.get(FORCED) == ",".join(zones) and whole(world)


def whole(world: World) -> bool:
    """Green, with nothing on its way, and no run under way."""
    seen = world.engine.look() if world.engine.has_manager() else None
    still = seen is not None and seen.status == "green" and all(copy.state == "STARTED" for copy in seen.copies)
    return still and world.head().state == "idle"


def _restarted(number: int) -> Callable[[World], None]:
    """A node starts anew, on its disk, with what the fleet file says by now."""

    def do(world: World) -> None:
        name = sorted(world.engine.machines)[number]
        machine = world.engine.machines[name]
        world.engine.crash(name)
        world.engine.start_node(name, machine.zone, roles=machine.roles, forced=world.spec.zones)

    return do


def _all_restarted(world: World, many: int) -> World:
    for number in range(many):
        world.when(f"restart {number}", whole, _restarted(number))
    return world


def a_zone_comes(**options: Any) -> World:
    """Its node joins, the zone is forced; when every node was started anew, the setting is given back."""
    world = _world(ZONES, **options).when("deploy", always, deploy(zones=FOUR))
    return _all_restarted(world.when("forced", forced(FOUR), lambda _: None), 4)


def a_zone_goes(**options: Any) -> World:
    """In two deploys: it leaves, and when nothing of it is left it is taken out."""
    world = _world(FOUR, **options).when("it leaves", always, deploy(zones_leaving=(LAST,)))
    world.when("it is out", forced(ZONES), deploy(zones=ZONES, zones_leaving=()))
    return _all_restarted(world, 3)


def a_zone_is_taken_out_at_once(**options: Any) -> World:
    """Nothing is deleted, a person is told, and puts it back to be drained."""
    world = _world(FOUR, **options).when("it is out", always, deploy(zones=ZONES))
    world.when("it is back", paged("ZONE_UNDECLARED"), deploy(zones=FOUR, zones_leaving=(LAST,)))
    world.when("it is out in order", forced(ZONES), deploy(zones=ZONES, zones_leaving=()))
    return _all_restarted(world, 3)


def a_zone_can_not_go(**options: Any) -> World:
    """As many copies as zones: nothing is begun, and a person thinks better of it."""
    world = _world(FOUR, replicas=3, **options).when("it leaves", always, deploy(zones_leaving=(LAST,)))
    return world.when("it stays", paged("ZONE_CANT_LEAVE"), deploy(zones_leaving=()))


def a_zone_comes_and_replicas_follow(**options: Any) -> World:
    """What has a copy in each zone gets one in the new one; fewer stay; once raised, a person's word holds."""
    world = _world(ZONES, replicas=2, follows=True, **options)
    world.engine.create_index("plain", shards=1, replicas=1, size=SIZE)
    world.engine.create_index("lowered", shards=1, replicas=2, size=SIZE)
    world.when("deploy", always, deploy(zones=FOUR))
    world.when("raised", _has(4, "notes", "lowered"), lambda world: world.engine.set_replicas(["lowered"], 2))
    return _all_restarted(world.when("forced", forced(FOUR), lambda _: None), 4)


def a_zone_goes_and_replicas_follow(**options: Any) -> World:
    """As many copies as zones: one fewer of what could go nowhere, then the zone is drained."""
    world = _world(FOUR, replicas=3, follows=True, **options)
    world.engine.create_index("plain", shards=1, replicas=1, size=SIZE)
    world.when("it leaves", always, deploy(zones_leaving=(LAST,)))
    world.when("it is out", forced(ZONES), deploy(zones=ZONES, zones_leaving=()))
    return _all_restarted(world, 3)


def _has(copies: int, *indices: str) -> Callable[[World], bool]:
    """Each shard of these has so many copies, and all is well."""

    def do(world: World) -> bool:
        held = [(copy.index, copy.shard) for copy in world.engine.shards.copies()]
        return whole(world) and all(held.count(shard) == copies for shard in held if shard[0] in indices)

    return do


ZONE_SCENARIOS: Mapping[str, Scenario] = named(
    a_zone_comes,
    a_zone_goes,
    a_zone_is_taken_out_at_once,
    a_zone_can_not_go,
    a_zone_comes_and_replicas_follow,
    a_zone_goes_and_replicas_follow,
)
