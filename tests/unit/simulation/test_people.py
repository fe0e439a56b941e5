"""What people hold back, for longer than a hook's time-out: the instance lives, and a person was told."""

from itertools import pairwise

from tests.unit.simulation.coming import GROUP, grow
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import DRAIN, FIRST, FOURTH, always, excluded_is, gone, later, leave
from tests.unit.simulation.leaving import one_leaves, six
from tests.unit.simulation.people import (
    a_held_instance_is_approved,
    a_person_approves,
    a_person_stops_and_resumes_halfway,
    a_short_approval,
    a_stop_in_the_console_and_a_resume,
    another_leaves_than_was_approved,
    to_be_approved,
)
from tests.unit.simulation.world import World

from vagus.policy import Mode
from vagus.steps import kind
from vagus.zone_balance.room import ZONE_BALANCE

HOOK = 3600.0
"""Seconds after which a terminate hook runs out, if nobody sends a heartbeat."""


def _for(world: World, seconds: float) -> World:
    end = world.clock.now + seconds
    while world.clock.now < end:
        world.step()
    return world


def _kept(world: World) -> None:
    assert world.instances("Terminating:Wait") == [FIRST]
    assert world.oracle.let_go == []
    assert FIRST in world.engine.machines


def test_what_nobody_approves_is_not_done_and_the_instance_is_kept() -> None:
    world = _for(to_be_approved(), 2.5 * HOOK)
    _kept(world)
    assert world.excluded() == frozenset()
    assert world.pages == ["claims: APPROVAL_NEEDED"]
    assert world.head().state == "running", "it waits where a person can see it"


def test_an_approval_that_ran_out_lets_nobody_go() -> None:
    world = _for(a_short_approval(), 2.5 * HOOK)
    _kept(world)
    assert world.excluded() == {FIRST}, "what is set stays"
    assert world.pages == ["claims: APPROVAL_NEEDED"] * 2, "once for each step that was asked for"


def test_one_approval_is_enough_for_a_whole_drain() -> None:
    world = a_person_approves().run()
    assert world.pages == ["claims: APPROVAL_NEEDED"]
    assert world.oracle.let_go == [FIRST]


def test_a_held_instance_is_asked_for_once_and_ended() -> None:
    world = a_held_instance_is_approved().run()
    assert world.pages.count("claims: APPROVAL_NEEDED") == 1
    assert world.oracle.let_go == [FIRST]


def test_an_approval_of_one_instance_is_none_of_another() -> None:
    world = another_leaves_than_was_approved()
    until_it_goes = excluded_is(FIRST)
    while not until_it_goes(world):
        world.step()
    _for(world, 80)
    assert FOURTH not in world.excluded()
    assert world.run().oracle.let_go == [FIRST, FOURTH]
    assert world.pages == ["claims: APPROVAL_NEEDED"] * 2


def test_a_stop_holds_for_longer_than_a_hook_and_tells() -> None:
    world = a_person_stops_and_resumes_halfway()
    world.happenings.pop()
    _for(world, 2.5 * HOOK)
    _kept(world)
    assert world.excluded() == {FIRST}
    assert world.engine.shards.status() == "green"
    assert set(world.pages) == {"claims: PAUSED"}
    assert len(world.pages) == 2, "while shards move, and when only the stop keeps the instance"
    assert world.head().state == "paused", "no run is under way"


def test_a_stop_in_the_console_holds_as_long() -> None:
    world = a_stop_in_the_console_and_a_resume()
    world.happenings.pop()
    _for(world, 2.5 * HOOK)
    _kept(world)
    assert "console" in world.head().paused_by
    assert set(world.pages) == {"claims: PAUSED"}


def test_what_is_ours_is_given_back_although_a_person_stopped_it() -> None:
    world = one_leaves().when("stop", excluded_is(FIRST), World.halt)
    world.when("ended by a person", later(100, excluded_is(FIRST)), _end)
    world.run()
    assert world.excluded() == frozenset()
    assert (world.head().state, world.seen().intents) == ("paused", ())


def _end(world: World) -> None:
    world.groups.lose(FIRST)


def test_a_size_that_aws_refuses_is_told_and_keeps_no_leaver() -> None:
    world = one_leaves()
    world.spec = spec(per_zone=11)  # its groups may have ten at most
    end = world.clock.now + 3600
    while not gone(FIRST)(world) and world.clock.now < end:
        world.step()
    assert world.oracle.let_go == [FIRST]
    assert "claims: SIZE_OUT_OF_BOUNDS" in world.pages


def test_a_deploy_of_observe_in_mid_drain_tells_once_what_stays_and_keeps_the_instance() -> None:
    world = one_leaves().when("deployed", excluded_is(FIRST), lambda world: _mode(world, "observe"))
    _for(world, 2.5 * HOOK)
    _kept(world)
    assert world.excluded() == {FIRST}, "what is set stays"
    assert world.pages == ["claims: OBSERVING"], "once"
    assert f"what Vagus had set for leave-{FIRST} stays set" in world.texts[0]
    assert world.head().state == "idle"
    _mode(world, "act")
    world.stir()
    world.run()
    assert world.oracle.let_go == [FIRST]
    assert world.excluded() == frozenset()


def test_observed_from_mid_drain_on_what_is_ours_is_given_back_when_the_instance_has_gone() -> None:
    world = one_leaves().when("deployed", excluded_is(FIRST), lambda world: _mode(world, "observe"))
    world.when("ended by a person", later(300, excluded_is(FIRST)), _end)
    world.run()
    assert world.excluded() == frozenset()
    assert world.seen().intents == ()


def _mode(world: World, mode: Mode) -> None:
    world.spec = spec(mode=mode)


OLD = ("ExcludeNodes", "PutSettingsRight", "NoteIdentity", "HandOver", "EndRun")


def test_a_deploy_that_adds_a_kind_of_step_in_mid_drain_hands_over_to_an_execution_that_has_it() -> None:
    world = World(kinds=OLD).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.when("scale in", always, leave(FIRST))
    world.when("the definition is deployed after the code", later(90, excluded_is(FIRST)), _knows_all)
    world.run()
    assert world.oracle.let_go == [FIRST]
    assert 2 <= world.head().generation <= 6, "it hands over, but not without a pause"
    first, last = world.executions["claims-zone_balance-1"], world.executions[f"claims-zone_balance-{_last(world)}"]
    assert "HandOver" in first.states
    assert "LetEmptyInstanceGo" not in first.states
    assert "LetEmptyInstanceGo" in last.states


def _knows_all(world: World) -> None:
    world.kinds = tuple(kind(one) for one in ZONE_BALANCE.kinds)


def _last(world: World) -> int:
    return max(int(name.rpartition("-")[2]) for name, one in world.executions.items() if len(one.states) > 2)


def test_a_run_hands_over_after_fifty_rounds_and_goes_on_where_it_was() -> None:
    world = to_be_approved(round_limit=50)
    _for(world, 2.5 * HOOK)
    _kept(world)
    assert world.head().generation > 2
    assert world.pages == ["claims: APPROVAL_NEEDED"], "what was told travels along"
    assert all(len(one.states) <= 50 + len(("HandOver", "EndRun")) for one in world.executions.values())


def test_launches_that_go_on_failing_page_ever_more_rarely() -> None:
    world = six().when("no capacity", always, lambda world: world.groups.refuse_launches(GROUP, "quota"))
    world.when("grow", always, grow())
    at: list[float] = []
    began = world.clock.now
    while world.clock.now < began + 16 * HOOK:
        world.step()
        at += [(world.clock.now - began) / 3600] * (world.pages.count("claims: LAUNCHES_FAIL") - len(at))
    gaps = [round(after - before) for before, after in pairwise(at)]
    assert gaps == [1, 2, 4, 8]
    world.groups.refuse_launches(GROUP, "")
    world.resume()
    world.run()
    assert not world.seen().launches.marks
    assert len(world.instances()) == 7


def test_where_launches_fail_in_each_zone_a_person_is_told_once_of_each_suspension() -> None:
    """A template that launches nowhere: groups are suspended, and tried again, one after another."""

    def everywhere(world: World) -> None:
        for group in world.groups.describe():
            world.groups.refuse_launches(group.name, "InvalidAMIID.NotFound")
            world.when("grow", later(60), lambda world, name=group.name: world.groups.set_desired(name, 3))

    world = six().when("no such image", always, everywhere)
    began, marks = world.clock.now, set[tuple[str, str]]()
    while world.clock.now < began + 4 * HOOK:
        world.step()
        marks |= {(name, one.at) for name, one in world.seen().launches.marks.items()}
    told = sum("LAUNCHES_FAIL" in page for page in world.pages)
    assert len({name for name, _ in marks}) == 3
    assert len(marks) >= 6, "each was tried again at least once"
    assert len(marks) // 3 <= told <= len(marks), (marks, world.pages)
