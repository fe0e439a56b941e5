"""What people do meanwhile: they approve, stop and resume, and exclude votes."""

from collections.abc import Mapping
from typing import Any

from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import (
    DRAIN,
    FIRST,
    FOURTH,
    Scenario,
    always,
    excluded_is,
    later,
    leave,
    named,
    noticed,
    paged,
    stopped,
)
from tests.unit.simulation.leaving import one_leaves
from tests.unit.simulation.world import World


def two_managers_leave_and_a_person_excludes_a_vote(**options: Any) -> World:
    """Nobody goes until that exclusion is cleared: clearing ours would clear it."""
    world = World(spec=spec(per_zone=1, managers=1), **options).known()
    managers = [name for name, machine in world.engine.machines.items() if machine.manager]
    world.engine.take_vote(managers[2])
    world.when("refresh", always, leave(*managers[:2], decrement=False))
    return world.when(
        "cleared", later(300, paged("VOTES_EXCLUDED")), lambda world: world.engine.clear_votes_taken(gone=False)
    )


def to_be_approved(**options: Any) -> World:
    world = World(spec=spec(mode="approve"), **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    return world.when("scale in", always, leave(FIRST))


def a_person_approves(**options: Any) -> World:
    return to_be_approved(**options).when("approved", noticed(), lambda world: world.approve(4 * 3600))


def an_approval_expires_before_the_instance_is_let_go(**options: Any) -> World:
    world = a_short_approval(**options)
    return world.when("approved again", noticed(), lambda world: world.approve(4 * 3600))


def a_short_approval(**options: Any) -> World:
    """Long enough to begin, too short to end."""
    return to_be_approved(**options).when("approved", noticed(), lambda world: world.approve(18))


def another_leaves_than_was_approved(**options: Any) -> World:
    world = a_person_approves(**options)
    world.when("scale in", excluded_is(FIRST), leave(FOURTH))
    return world.when("approved too", noticed(), lambda world: world.approve(4 * 3600))


def a_held_instance_is_approved(**options: Any) -> World:
    """Holding it asks nobody; to drain and end it does."""
    world = World(spec=spec(per_zone=1, mode="approve"), replaces="when_gone", **options).known()
    world.engine.create_index("notes", shards=2, replicas=2, size=DRAIN)
    world.when("refresh", always, leave(FIRST, decrement=False))
    return world.when("approved", noticed(), lambda world: world.approve(4 * 3600))


def a_person_stops_and_resumes_halfway(**options: Any) -> World:
    world = one_leaves(**options).when("stop", excluded_is(FIRST), World.halt)
    return world.when("resume", later(400, stopped), World.resume)


def _runs(world: World) -> list[str]:
    return [name for name, one in world.executions.items() if not one.ended]


def _abort(world: World) -> None:
    for name in _runs(world):
        world.stop(name)


def a_stop_in_the_console_and_a_resume(**options: Any) -> World:
    world = one_leaves(**options)
    world.when("abort", lambda world: excluded_is(FIRST)(world) and bool(_runs(world)), _abort)
    return world.when("resume", later(400, stopped), World.resume)


PEOPLE: Mapping[str, Scenario] = named(
    two_managers_leave_and_a_person_excludes_a_vote,
    a_person_approves,
    an_approval_expires_before_the_instance_is_let_go,
    another_leaves_than_was_approved,
    a_held_instance_is_approved,
    a_person_stops_and_resumes_halfway,
    a_stop_in_the_console_and_a_resume,
)
