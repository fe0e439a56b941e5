"""Replacements, whole and interrupted at every call: they end as if nobody had been interrupted, each instance is asked
for once, and none while another is on its way (the oracle asserts that at each)."""

from typing import Any

import pytest
from tests.unit.rolling_upgrade.replacing import (
    NEW,
    SCENARIOS,
    Scenario,
    a_deploy_comes_in_between,
    a_person_aborts,
    another_is_asked_for_elsewhere_meanwhile,
    aws_shows_it_late,
    one_cause_after_another_is_put_right,
    one_that_is_named,
    replaced,
    replaced_alike,
    six_and_managers_apart,
    the_new_template_launches_nowhere_until_a_person_mends_it,
    three_are_replaced,
    three_of_which_each_has_nowhere_to_go,
    told,
)
from tests.unit.rolling_upgrade.world import ROOM
from tests.unit.simulation.world import World

from vagus.reasons import Reason

CALM = 200.0
OTHERWISE = {
    one_that_is_named: 1,
    one_cause_after_another_is_put_right: 1,
    another_is_asked_for_elsewhere_meanwhile: 5,
    a_deploy_comes_in_between: 4,
}
"""How many are asked for, where it is not each once."""
REPLAYED = (
    one_that_is_named,
    three_of_which_each_has_nowhere_to_go,
    aws_shows_it_late,
)
"""All are, in `tests/long`; what a drain and a launch add is replayed in `tests/unit/simulation`."""


@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_undisturbed_every_instance_is_of_its_groups_template_and_nothing_of_ours_is_left(make: Scenario) -> None:
    world = make(calm=CALM)
    world.run()
    end = world.summary()
    assert end["open"] == [], world.story()
    assert end["templates"] == [world.groups.describe()[0].template]
    assert len(end["replaced"]) == len(set(end["replaced"])), "each was asked for once"
    assert len(end["replaced"]) == OTHERWISE.get(make, len(world.instances()))
    assert sum(size for _, size in end["sizes"].values()) == sum(world.spec.sizes().values())
    assert end["status"] == "green"
    assert (world.seen().head(ROOM).state, world.seen().head(ROOM).reason) == ("idle", Reason.UP_TO_DATE)
    assert not [name for name in end["persistent"] if name.startswith("cluster.metadata.vagus")]


@pytest.mark.parametrize("make", REPLAYED, ids=[make.__name__ for make in REPLAYED])
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(make: Scenario) -> None:
    """A request whose answer is lost, too: an instance that was asked for is asked for again, and no other with it."""
    replaced_alike(make)


def test_what_a_person_aborts_goes_on_leaving_and_no_other_is_asked_for() -> None:
    world = a_person_aborts()
    world.run()
    end = world.summary()
    assert (end["open"], len(end["replaced"]), end["status"]) == ([], 1, "green")
    assert end["templates"] == ["lt-1:1", NEW]
    assert world.seen().head(ROOM).reason == Reason.REPLACE_AVAILABLE


def test_managers_go_last_and_the_elected_one_at_the_end() -> None:
    world = six_and_managers_apart()
    elected = world.engine.look().manager
    managers = {node.name for node in world.engine.look().nodes if node.may_be_manager}
    world.run()
    asked = world.oracle.replaced
    assert set(asked[-3:]) == managers
    assert asked[-1] == elected


def test_a_group_that_does_not_hold_its_instances_is_left_alone() -> None:
    """Its hook was deleted after the approval: the function that writes asks for the hook once more."""
    world = three_are_replaced()
    world.when("the hook is deleted", replaced(1), lambda one: [one.groups.drop_hook(name) for name in groups(one)])
    while not told(Reason.NOT_REPLACEABLE)(world):
        world.step()
    assert len(world.oracle.replaced) == 1


def test_an_image_with_another_engine_costs_one_instance() -> None:
    """An adopted group's instances bring what their own image holds: the first that comes tells, and is the last."""
    world = three_are_replaced(per_zone=2)
    old, start = set(world.instances()), world.engine.start_node

    def from_the_image(name: str, *arguments: Any, **options: Any) -> None:
        start(name, *arguments, **(options | ({} if name in old else {"version": "4.1.0"})))

    world.engine.start_node = from_the_image  # type: ignore[method-assign]
    while not told(Reason.VERSION_PATH)(world):
        world.step()
    end = world.clock.now + 3600
    while world.clock.now < end:
        world.step()
    assert len(world.oracle.replaced) == 1
    assert sorted(node.version for node in world.engine.look().nodes) == [*["3.4.0"] * 5, "4.1.0"]


def groups(world: World) -> list[str]:
    return [group.name for group in world.groups.describe()]


def test_a_template_that_never_launches_costs_one_instance() -> None:
    """Nobody comes: hours later no further one has been asked for, and the rest serves."""
    world = the_new_template_launches_nowhere_until_a_person_mends_it(per_zone=2)
    while not told(Reason.LAUNCHES_FAIL)(world):
        world.step()
    world.happenings.clear()
    end = world.clock.now + 3 * 3600
    while world.clock.now < end:
        world.step()
    assert len(world.oracle.replaced) == 1
    assert len(world.engine.up()) == 5
