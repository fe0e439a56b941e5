"""Restarts and upgrades, interrupted at every call: they end as if nobody had been interrupted, each node is restarted
once, and no node is stopped that was needed (the world asserts that at each stop)."""

from collections.abc import Mapping

import pytest
from tests.unit.rolling_upgrade.interruptions import CALM, ends_alike
from tests.unit.rolling_upgrade.scenarios import (
    SCENARIOS,
    SECOND,
    THIRD,
    Scenario,
    a_node_does_not_start_until_a_person_ends_its_instance,
    a_person_aborts,
    aborts,
    all_are_upgraded,
    always,
    an_agent_is_dead_until_a_person_ends_its_instance,
    restarted,
    ssm_refuses_one_of_two_until_a_person_mends_its_agent,
    wants_restart,
)
from tests.unit.rolling_upgrade.world import ROOM, VERSION
from tests.unit.simulation.happenings import later, spot_warning
from tests.unit.simulation.world import World

from vagus.errors import Refused
from vagus.intent import restart


@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_undisturbed_every_node_is_restarted_once_and_nothing_of_ours_is_left(make: Scenario) -> None:
    world = make().run()
    end = world.summary()
    assert end["open"] == [], world.story()
    assert set(end["restarted"].values()) == {1}
    assert end["versions"] == [world.spec.engine.version]
    assert end["status"] == "green"
    assert end["head"] == ("idle", "UP_TO_DATE")
    assert not [name for name in end["persistent"] if name.startswith("cluster.metadata.vagus")]
    assert "cluster.routing.allocation.enable" not in end["persistent"]
    assert "cluster.routing.weighted.strict" not in end["persistent"]
    assert end["weights"] == {}
    assert world.spared
    assert all(world.spared), "searches were led away before each stop"
    assert world.seen().lease("topology").holder == ""


@pytest.mark.parametrize("make", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(make: Scenario) -> None:
    assert len(ends_alike(make)) > 15


@pytest.mark.parametrize(
    "make", [a_node_does_not_start_until_a_person_ends_its_instance, an_agent_is_dead_until_a_person_ends_its_instance]
)
def test_an_instance_that_a_person_ends_as_the_page_says_is_replaced_and_the_restart_ends(make: Scenario) -> None:
    """With the restart still open. The one in its place began after that was asked for, and is not restarted."""
    world = make(calm=CALM).done()
    end = world.summary()
    assert (end["open"], end["status"], end["head"]) == ([], "green", ("idle", "UP_TO_DATE")), world.story()
    assert SECOND not in world.engine.machines
    assert sorted(end["restarted"].values()) == [0, 1, 1, 1, 1, 1]


def test_what_a_person_aborts_takes_no_further_node_and_leaves_nothing() -> None:
    world = a_person_aborts().done()
    end = world.summary()
    assert end["open"] == []
    assert len(world.restarts) in (2, 3)
    ours = ("cluster.metadata.vagus", "cluster.routing.allocation.enable")
    assert not [name for name in end["persistent"] if name.startswith(ours)]


@pytest.mark.parametrize("agents", ["alive", "dead"])
def test_an_upgrade_that_no_node_could_stage_is_told_and_once_aborted_has_changed_nothing(agents: str) -> None:
    world = all_are_upgraded()
    if agents == "dead":
        silence(world)
    else:
        world.spoilt.add("3.4.0")
    world.when("vagus abort", lambda one: any("NOT_STAGED" in page for page in one.pages), aborts)
    world.run()
    assert world.restarts == [], world.story()
    assert (world.parameters.values[VERSION], world.seen().node_version) == ("2.19.4", "2.19.4")
    assert world.reason() == "UPGRADE_AVAILABLE"


def test_a_node_that_ssm_does_not_reach_is_told_to_people_and_told_again_half_an_hour_later() -> None:
    """AWS refuses a command for an instance whose agent is not registered: that is no failure of the run."""
    world = all_are_upgraded()
    send, dead = world.commands.send, [True]

    def refused(document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        if dead:
            raise Refused("ssm: InvalidInstanceId: Instances not in a valid state")
        send(document, instance, step, parameters)

    world.commands.send = refused  # type: ignore[method-assign]
    world.when("the agent is restarted", lambda one: "claims: NOT_STAGED" in one.pages, lambda _: dead.clear())
    world.run()
    assert world.pages == ["claims: APPROVAL_NEEDED", "claims: NOT_STAGED"]
    assert "could not be told to bring and check 3.4.0: ssm: InvalidInstanceId" in world.texts[1]
    assert "systemctl restart amazon-ssm-agent" in world.texts[1]
    assert (world.reason(), world.seen().node_version) == ("UP_TO_DATE", "3.4.0")


def test_a_node_that_could_not_be_told_to_restart_is_let_be_told_to_people_and_told_again_half_an_hour_later() -> None:
    """Once, and with what SSM said: tries that fail are nobody's news. Wherever a function dies, it ends alike."""
    make = ssm_refuses_one_of_two_until_a_person_mends_its_agent
    world = make().done()
    assert world.pages == ["claims: NOT_RESTARTED"]
    assert f"{THIRD} could not be told to restart, and runs as before: InvalidInstanceId" in world.texts[0]
    assert "systemctl restart amazon-ssm-agent" in world.texts[0]
    assert (world.restarts, world.reason()) == ([SECOND, THIRD], "UP_TO_DATE")
    assert len(ends_alike(make)) > 15


def silence(world: World) -> None:
    """The agents of all nodes die."""
    world.commands.deaf.update(world.engine.machines)


def test_an_upgrade_that_is_aborted_before_its_first_node_brings_nodes_that_boot_the_old_version_again() -> None:
    """As where agents died once one node had brought the version: until then a node that boots brings the new."""
    rolling = all_are_upgraded()
    brought: list[str] = []

    def gives_up(one: World) -> None:
        brought.append(one.parameters.values[VERSION])
        aborts(one)

    rolling.when("agents die", lambda _: bool(rolling.stages), silence)
    rolling.when("vagus abort", lambda one: any("NOT_RESTARTED" in page for page in one.pages), gives_up)
    rolling.run()
    assert (brought, rolling.restarts) == (["3.4.0"], []), rolling.story()
    assert (rolling.parameters.values[VERSION], rolling.seen().node_version) == ("2.19.4", "2.19.4")
    assert rolling.reason() == "UPGRADE_AVAILABLE"


def test_after_an_upgrade_that_was_aborted_half_way_a_restart_changes_no_version() -> None:
    """Nodes that it would bring the new one are refused; those that have it are restarted (the world asserts both)."""
    rolling = all_are_upgraded()
    rolling.when("vagus abort", restarted(2), aborts)
    rolling.run()
    assert rolling.summary()["versions"] == ["2.19.4", "3.4.0"]
    done = list(rolling.restarts)
    rolling.when("a person asks for all", always, wants_restart)
    rolling.when("aborted", lambda one: one.seen().head(ROOM).reason == "VERSION_PATH", aborts)
    rolling.run()
    processes = {name: process for name, process in rolling.processes().items() if name in done}
    rolling.ask(restart(processes, rolling.iso(), "ada"))
    rolling.run()
    assert sorted(rolling.restarts[2:]) == sorted(done) or sorted(rolling.restarts[4:]) == sorted(done), rolling.story()
    assert rolling.summary()["versions"] == ["2.19.4", "3.4.0"]


def test_an_upgrade_takes_no_further_node_once_ec2_has_warned_of_one() -> None:
    """Also where a copy on that node could go to newer nodes alone: EC2 waits for none of them."""
    rolling = all_are_upgraded()
    taken: list[int] = []

    def warn(one: World) -> None:
        spot_warning(rolling.restarts[0])(one)
        taken.append(len(rolling.restarts))

    def reclaim(one: World) -> None:
        taken.append(len(rolling.restarts))
        one.groups.lose(rolling.restarts[0])

    rolling.when("warned", restarted(2), warn)
    rolling.when("reclaimed", later(120), reclaim)
    rolling.run()
    assert taken == [2, 2], rolling.story()
    assert rolling.summary()["versions"] == ["3.4.0"]
