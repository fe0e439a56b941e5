"""What may befall instances that come: scenarios like those of `scenarios.py`."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.simulation.happenings import (
    DRAIN,
    FIRST,
    FOURTH,
    SECOND,
    Scenario,
    always,
    later,
    leave,
    named,
    paged,
    restart,
)
from tests.unit.simulation.leaving import six, three
from tests.unit.simulation.world import World

from vagus.owned import SettingsUpdate

GROUP = "claims-data-eu-west-1a"
SEVENTH, EIGHTH = (f"i-{number:017x}" for number in (7, 8))
"""The first and the second that are launched after the six."""


def grow(size: int = 3) -> Callable[[World], None]:
    return lambda world: world.groups.set_desired(GROUP, size)


def serves(node: str) -> Callable[[World], bool]:
    return lambda world: node in world.instances()


def comes(node: str) -> Callable[[World], bool]:
    return lambda world: node in world.instances("Pending:Wait")


def goes(node: str) -> Callable[[World], bool]:
    return lambda world: node in world.oracle.let_go


def both(one: Callable[[World], bool], other: Callable[[World], bool]) -> Callable[[World], bool]:
    return lambda world: one(world) and other(world)


def nothing(_: World) -> None:
    """Only to see that it came so far."""


def a_group_grows(**options: Any) -> World:
    return six(**options).when("grow", always, grow()).when("serves", serves(SEVENTH), nothing)


def it_comes_while_the_cluster_is_not_whole(**options: Any) -> World:
    """A node is away for ten minutes: the oracle sees that nobody is let into service before."""
    world = six(**options).when("crash", always, lambda world: world.engine.crash(FOURTH))
    world.when("grow", always, grow())
    world.when("restart", later(600, comes(SEVENTH)), restart(FOURTH))
    return world.when("serves", serves(SEVENTH), nothing)


def one_leaves_while_another_comes(**options: Any) -> World:
    return six(**options).when("grow", always, grow()).when("scale in", comes(SEVENTH), leave(FOURTH))


def an_instance_refresh(**options: Any) -> World:
    """One comes, and when it serves an old one goes; then the next."""
    world = six(**options)
    for old, new in ((FIRST, SEVENTH), (SECOND, EIGHTH)):
        world.when("launch", always, grow())
        world.when("end", serves(new), leave(old))
    return world


def a_refresh_of_a_zone_where_an_index_has_a_copy_on_every_node(**options: Any) -> World:
    """As the security plugin's own index has: with four nodes of eight in one zone, awareness leaves one of its copies
    nowhere to go until an old one leaves, and that waits for the new ones to serve."""
    world = six(**options)
    world.engine.create_index("security", replicas=0, size=DRAIN // 10, expands=True)
    world.when("launch", always, grow(4))
    return world.when("end", both(serves(SEVENTH), serves(EIGHTH)), leave(FIRST, SECOND))


def one_comes_beside_an_index_with_more_replicas_than_nodes(**options: Any) -> World:
    """It stays yellow whoever comes."""
    world = six(**options)
    world.engine.create_index("wide", replicas=11, size=DRAIN // 10)
    world.when("grow", always, grow())
    return world.when("deleted", serves(SEVENTH), lambda world: world.engine.delete_index("wide"))


def its_process_starts_again_while_it_waits_for_the_cluster(**options: Any) -> World:
    """It has joined; long after that its process is gone for a while. Its launch is not taken for one that never
    joined."""
    world = six(**options).when(
        "no replicas", always, lambda world: world.engine.update_settings(_enabled("primaries"))
    )
    world.when("crash", always, lambda world: world.engine.crash(FOURTH))
    world.when("grow", always, grow())
    world.when("its process ends", later(1200, comes(SEVENTH)), lambda world: world.engine.crash(SEVENTH))
    world.when("and starts again", later(600), restart(SEVENTH))
    world.when("restart", later(60), restart(FOURTH))
    world.when("replicas", always, lambda world: world.engine.update_settings(_enabled(None)))
    return world.when("serves", serves(SEVENTH), nothing)


def _enabled(copies: str | None) -> SettingsUpdate:
    return SettingsUpdate(transient={"cluster.routing.allocation.enable": copies})


def one_comes_back_from_standby_while_its_process_is_away(**options: Any) -> World:
    """Its launch ended long ago, and no other is told: it is never taken for one that never joined."""
    world = six(**options).when("standby", later(1200), lambda world: world.groups.stand_by(FIRST))
    world.when("its process ends", always, lambda world: world.engine.crash(FIRST))
    world.when("back", later(60), lambda world: world.groups.stand_by(FIRST, back=True, held=True))
    world.when("its process starts", later(1500, comes(FIRST)), restart(FIRST))
    return world.when("serves", serves(FIRST), nothing)


def one_is_attached_again_and_meets_the_launch_hook(**options: Any) -> World:
    world = six(**options).when("detached", always, lambda world: world.groups.detach(FIRST))
    world.when("attached", later(1200), lambda world: world.groups.attach(FIRST, held=True))
    return world.when("serves", serves(FIRST), nothing)


def a_node_never_joins(**options: Any) -> World:
    """Its launch is abandoned after a quarter of an hour, and the next one succeeds."""
    world = six(**options, barren={SEVENTH})
    return world.when("grow", always, grow()).when("serves", serves(EIGHTH), nothing)


def a_node_joins_after_its_launch_was_given_up(**options: Any) -> World:
    """It is excluded already, and not abandoned yet: then it is let into service, and the exclusion goes."""
    world = six(**options, barren={SEVENTH})
    world.when("grow", always, grow())
    world.when("joins", lambda world: SEVENTH in world.excluded(), lambda world: world.barren.clear())
    return world.when("ends", lambda world: serves(SEVENTH)(world) or serves(EIGHTH)(world), nothing)


def launches_fail_until_a_person_resumes(**options: Any) -> World:
    world = _failing(**options)
    world.when("resume", later(60, paged("LAUNCHES_FAIL")), World.resume)
    return world.when("serves", serves(SEVENTH), nothing)


def launches_fail_and_are_tried_again_an_hour_later(**options: Any) -> World:
    return _failing(**options).when("serves", serves(SEVENTH), nothing)


def launches_fail_until_somebody_resumes_them_by_hand(**options: Any) -> World:
    world = _failing(**options)
    world.when("by hand", later(600, paged("LAUNCHES_FAIL")), lambda world: world.groups.resume_launching(GROUP))
    return world.when("serves", serves(SEVENTH), nothing)


def _failing(**options: Any) -> World:
    """Mended as soon as a person is told."""
    world = six(**options).when("no capacity", always, lambda world: world.groups.refuse_launches(GROUP, "no capacity"))
    world.when("grow", always, grow())
    return world.when("mended", paged("LAUNCHES_FAIL"), lambda world: world.groups.refuse_launches(GROUP, ""))


def one_zone_is_let_go_and_another_begins_to_leave(**options: Any) -> World:
    """The other sorts first, and must not go before the one that was let go has left the cluster."""
    world = three("one_zone_at_a_time", replaces="when_gone", **options)
    world.when("refresh", always, leave(SECOND, decrement=False))
    return world.when("refresh of another", goes(SECOND), leave(FIRST, decrement=False))


COMING: Mapping[str, Scenario] = named(
    a_group_grows,
    it_comes_while_the_cluster_is_not_whole,
    one_leaves_while_another_comes,
    an_instance_refresh,
    a_refresh_of_a_zone_where_an_index_has_a_copy_on_every_node,
    one_comes_beside_an_index_with_more_replicas_than_nodes,
    its_process_starts_again_while_it_waits_for_the_cluster,
    one_comes_back_from_standby_while_its_process_is_away,
    one_is_attached_again_and_meets_the_launch_hook,
    a_node_never_joins,
    a_node_joins_after_its_launch_was_given_up,
    launches_fail_until_a_person_resumes,
    launches_fail_and_are_tried_again_an_hour_later,
    launches_fail_until_somebody_resumes_them_by_hand,
    one_zone_is_let_go_and_another_begins_to_leave,
)
