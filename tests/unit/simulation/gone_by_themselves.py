"""Instances that go by themselves: what EC2 takes back, retires or ends, and what people end without us."""

from collections.abc import Mapping
from typing import Any

from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import (
    DRAIN,
    FIRST,
    THIRD,
    Scenario,
    always,
    excluded_is,
    later,
    leave,
    named,
    noticed,
    paged,
    rebalance,
    reclaimed,
    retires,
    spot_warning,
)
from tests.unit.simulation.leaving import one_leaves, six
from tests.unit.simulation.world import World


def a_spot_instance_is_reclaimed(**options: Any) -> World:
    """Each shard has another copy: nothing has to be saved, and nothing is lost."""
    world = six(**options).when("warned", always, spot_warning(FIRST))
    return world.when("reclaimed", later(120), reclaimed(FIRST))


def a_spot_instance_holds_last_copies(**options: Any) -> World:
    """They are moved first, and arrive in time: EC2 is late enough for a run that dies and is started again."""
    world = World(**options).known()
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.when("warned", always, spot_warning(FIRST))
    return world.when("reclaimed", later(400), reclaimed(FIRST))


def a_spot_instance_is_reclaimed_before_its_last_copy_has_moved(**options: Any) -> World:
    """What is lost is noted and told; a person gives the index up."""
    world = World(**options).known()
    world.engine.create_index("huge", shards=6, replicas=0, size=10 * DRAIN)
    world.when("warned", always, spot_warning(FIRST))
    world.when("reclaimed", later(120), reclaimed(FIRST))
    return world.when("given up", later(300, paged("LOST_WITH_DATA")), lambda world: world.engine.delete_index("huge"))


def a_spot_warning_comes_true_while_its_hook_waits(**options: Any) -> World:
    world = one_leaves(**options).when("warned", excluded_is(FIRST), spot_warning(FIRST))
    return world.when("reclaimed", later(20), reclaimed(FIRST))


def a_spot_instance_is_spared(**options: Any) -> World:
    """EC2 does not come: it is kept free for half an hour, and then serves again."""
    return six(**options).when("warned", always, spot_warning(FIRST))


def a_rebalance_recommendation_is_acted_on(**options: Any) -> World:
    """Its group launches a replacement, and ends the instance by its hook."""
    world = six(**options, replaces_early=True).when("recommended", always, rebalance(FIRST))
    return world.when("ended by its group", later(60, excluded_is(FIRST)), leave(FIRST, decrement=False))


def a_rebalance_recommendation_expires(**options: Any) -> World:
    return six(**options, replaces_early=True).when("recommended", always, rebalance(FIRST))


def a_rebalance_recommendation_means_nothing_to_its_group(**options: Any) -> World:
    return six(**options).when("recommended", always, rebalance(FIRST))


def ended_without_us(**options: Any) -> World:
    """By force, with its group's hooks passed over: every shard has another copy."""
    return six(**options).when("ended", always, reclaimed(FIRST))


def ended_without_us_with_the_only_copy(**options: Any) -> World:
    world = six(**options)
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.when("ended", always, reclaimed(FIRST))
    return world.when("given up", later(300, paged("LOST_WITH_DATA")), lambda world: world.engine.delete_index("alone"))


def ended_without_us_with_the_only_copy_and_no_event_comes(**options: Any) -> World:
    """The sweep finds what is missing, and that nobody is."""
    return ended_without_us_with_the_only_copy(**options, events="never")


def detached_and_attached_again(**options: Any) -> World:
    world = six(**options).when("detached", always, lambda world: world.groups.detach(FIRST))
    return world.when("attached", later(300, paged("DETACHED")), lambda world: world.groups.attach(FIRST))


def set_aside_while_a_recommendation_stands(**options: Any) -> World:
    """What was kept off it for that is given back."""
    world = a_rebalance_recommendation_expires(**options)
    world.when("standby", excluded_is(FIRST), lambda world: world.groups.stand_by(FIRST))
    return world.when("back", later(600), lambda world: world.groups.stand_by(FIRST, back=True))


def two_instances_retire(**options: Any) -> World:
    """Replaced one after the other, each drained by its hook."""

    def both(world: World) -> None:
        retires(FIRST)(world)
        retires(THIRD, days=7)(world)

    return six(**options).when("scheduled", always, both)


def an_instance_retires_and_a_person_approves(**options: Any) -> World:
    world = World(spec=spec(mode="approve"), **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.when("scheduled", always, retires(FIRST))
    world.when("approved", noticed(), lambda world: world.approve(4 * 3600))
    return world.when("its drain too", noticed(), lambda world: world.approve(4 * 3600))


GONE: Mapping[str, Scenario] = named(
    a_spot_instance_is_reclaimed,
    a_spot_instance_holds_last_copies,
    a_spot_instance_is_reclaimed_before_its_last_copy_has_moved,
    a_spot_warning_comes_true_while_its_hook_waits,
    a_rebalance_recommendation_is_acted_on,
    a_rebalance_recommendation_means_nothing_to_its_group,
    ended_without_us,
    ended_without_us_with_the_only_copy,
    ended_without_us_with_the_only_copy_and_no_event_comes,
    detached_and_attached_again,
    two_instances_retire,
    an_instance_retires_and_a_person_approves,
)
