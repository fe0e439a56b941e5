"""Instances that EC2 or a person takes away, whatever we say: what is saved, what is told, what is noted."""

from collections.abc import Callable

import msgspec
import pytest
from tests.unit.simulation.gone_by_themselves import (
    a_rebalance_recommendation_expires,
    a_rebalance_recommendation_is_acted_on,
    a_rebalance_recommendation_means_nothing_to_its_group,
    a_spot_instance_holds_last_copies,
    a_spot_instance_is_reclaimed,
    a_spot_instance_is_reclaimed_before_its_last_copy_has_moved,
    a_spot_instance_is_spared,
    a_spot_warning_comes_true_while_its_hook_waits,
    an_instance_retires_and_a_person_approves,
    detached_and_attached_again,
    ended_without_us,
    ended_without_us_with_the_only_copy,
    ended_without_us_with_the_only_copy_and_no_event_comes,
    set_aside_while_a_recommendation_stands,
    two_instances_retire,
)
from tests.unit.simulation.happenings import DRAIN, FIRST, THIRD, Scenario, always, excluded_is, spot_warning
from tests.unit.simulation.leaving import its_hook_runs_out, managers_of_their_own_leave
from tests.unit.simulation.people import two_managers_leave_and_a_person_excludes_a_vote
from tests.unit.simulation.world import World

from vagus.intent import AllocationPrimaries, Rolling, restart
from vagus.plan import Blocked
from vagus.procedure import head as heads
from vagus.reasons import Reason


def steps(world: World) -> list[str]:
    """The kinds of what was done, in order; without what lets a replacement into service."""
    found = [row.data for key in sorted(world.records.partitions()) for row in world.records.read(key).values()]
    intended = [record for record in found if record["phase"] == "intended"]
    done = [record["step"] for record in sorted(intended, key=lambda record: record["id"])]
    return [step for step in done if step != "ContinueLaunch"]


DONE: dict[str, tuple[Scenario, list[str]]] = {
    "with other copies of everything, a Spot instance is flushed and drained as far as it goes": (
        a_spot_instance_is_reclaimed,
        ["SaveLastCopies", "ExcludeNodes", "NoteDeparture", "PutSettingsRight"],
    ),
    "last copies are moved before anything else": (
        a_spot_instance_holds_last_copies,
        ["SaveLastCopies", "ExcludeNodes", "NoteDeparture", "PutSettingsRight"],
    ),
    "what is lost is noted, and again when it is over": (
        a_spot_instance_is_reclaimed_before_its_last_copy_has_moved,
        ["SaveLastCopies", "ExcludeNodes", "NoteDeparture", "PutSettingsRight", "NoteJoined", "NoteDeparture"],
    ),
    "one that was drained already is saved from as well": (
        a_spot_warning_comes_true_while_its_hook_waits,
        ["ExcludeNodes", "SaveLastCopies", "NoteDeparture", "NoteDeparture", "PutSettingsRight"],
    ),
    "one that EC2 spares serves again": (
        a_spot_instance_is_spared,
        ["SaveLastCopies", "ExcludeNodes", "PutSettingsRight"],
    ),
    "a recommendation is drained early, and let go by its hook": (
        a_rebalance_recommendation_is_acted_on,
        ["ExcludeNodes", "TakeVote", "LetEmptyInstanceGo", "PutSettingsRight", "GiveVotesBack", "PutSettingsRight"],
    ),
    "a recommendation expires": (a_rebalance_recommendation_expires, ["ExcludeNodes", "PutSettingsRight"]),
    "a recommendation that its group does not act on is closed": (
        a_rebalance_recommendation_means_nothing_to_its_group,
        ["PutSettingsRight"],
    ),
    "one that was ended without us is judged": (ended_without_us, ["NoteDeparture"]),
    "its only copy is told as lost": (
        ended_without_us_with_the_only_copy,
        ["NoteDeparture", "NoteJoined", "NoteDeparture"],
    ),
    "a detached one is left alone": (detached_and_attached_again, []),
    "one on standby is not kept free any more": (
        set_aside_while_a_recommendation_stands,
        ["ExcludeNodes", "PutSettingsRight"],
    ),
}


@pytest.mark.parametrize(("make", "expected"), DONE.values(), ids=DONE.keys())
def test_what_is_done(make: Scenario, expected: list[str]) -> None:
    assert steps(make().run()) == expected


TOLD: dict[str, tuple[Scenario, list[str]]] = {
    "nothing is lost": (a_spot_instance_holds_last_copies, []),
    "data is lost with one of which no event came": (
        ended_without_us_with_the_only_copy_and_no_event_comes,
        ["claims: LOST_WITH_DATA"],
    ),
    "data is lost": (a_spot_instance_is_reclaimed_before_its_last_copy_has_moved, ["claims: LOST_WITH_DATA"]),
    "ended without us, and data is lost": (ended_without_us_with_the_only_copy, ["claims: LOST_WITH_DATA"]),
    "ended without us, and nothing is lost": (ended_without_us, []),
    "detached": (detached_and_attached_again, ["claims: DETACHED"]),
    "somebody else's vote is excluded": (
        two_managers_leave_and_a_person_excludes_a_vote,
        ["claims: VOTES_EXCLUDED"],
    ),
}


@pytest.mark.parametrize(("make", "pages"), TOLD.values(), ids=TOLD.keys())
def test_a_person_is_told_where_one_is_needed(make: Scenario, pages: list[str]) -> None:
    assert make().run().pages == pages


def until(world: World, holds: Callable[[World], bool], hours: float = 4) -> World:
    end = world.clock.now + hours * 3600
    while not holds(world):
        assert world.clock.now < end, world.story()
        world.step()
    return world


def test_last_copies_are_on_their_way_before_any_other() -> None:
    world = until(a_spot_instance_holds_last_copies(), excluded_is(FIRST))
    held = world.engine.look().on(FIRST)
    assert {copy.target is not None for copy in held if copy.index == "alone"} == {True}
    end = world.run()
    assert end.engine.look().status == "green"
    assert {copy.index for copy in end.engine.look().copies} == {"alone", "notes"}


def test_the_smallest_last_copies_go_first_and_those_that_arrive_are_not_lost() -> None:
    world = World().known()
    world.engine.create_index("huge", shards=6, replicas=0, size=400_000)
    world.engine.create_index("small", shards=6, replicas=0, size=1000)
    scenario = a_spot_instance_is_reclaimed_before_its_last_copy_has_moved()
    world.happenings = scenario.happenings[:2]
    until(world, lambda world: isinstance(world.shown(), Blocked))
    plan = world.shown()
    assert plan.reason is Reason.LOST_WITH_DATA
    assert "huge[" in plan.message
    assert "small[" not in plan.message
    assert "vagus:cluster=claims" in plan.message, "it says where the volume is to be found"
    (intent,) = world.seen().intents
    assert len(intent.lost) == 1
    assert intent.lost[0].startswith("huge[")


def test_one_that_retires_is_replaced_in_the_order_of_deadlines_and_one_at_a_time() -> None:
    world = two_instances_retire().run()
    assert world.oracle.let_go == [THIRD, FIRST]
    assert [group.desired for group in world.groups.describe()] == [2, 2, 2]
    assert steps(world) == 2 * [
        "ReplaceInstance",
        "PutSettingsRight",
        "ExcludeNodes",
        "TakeVote",
        "LetEmptyInstanceGo",
        "GiveVotesBack",
        "PutSettingsRight",
    ]


def test_a_retirement_waits_for_its_approval() -> None:
    world = an_instance_retires_and_a_person_approves()
    until(world, lambda world: bool(world.pages))
    assert world.oracle.let_go == []
    assert world.run().oracle.let_go == [FIRST]


def test_one_that_can_not_be_replaced_is_told_long_before() -> None:
    world = two_instances_retire(retains=False)
    until(world, lambda world: bool(world.pages))
    plan = world.shown()
    assert (type(plan), plan.reason) == (Blocked, Reason.RETIRING)
    assert "would go with its data" in plan.message
    assert world.instances().count(FIRST) == 1


def test_a_hook_that_ran_out_retains_and_is_drained_all_the_same() -> None:
    world = until(its_hook_runs_out(), lambda world: FIRST in world.instances("Terminating:Retained"))
    assert FIRST in world.engine.machines
    assert steps(world.run())[-4:] == ["TakeVote", "EndRetainedInstance", "GiveVotesBack", "PutSettingsRight"]


def test_managers_go_one_at_a_time_each_without_its_vote() -> None:
    world = managers_of_their_own_leave()
    seen: set[tuple[str, ...]] = set()
    while not world.at_rest():
        world.step()
        seen.add(tuple(world.engine.votes_taken))
    assert max(len(taken) for taken in seen) == 1
    assert steps(world).count("TakeVote") == steps(world).count("GiveVotesBack") == 3


def test_what_has_its_other_copy_on_a_node_that_a_restart_has_in_hand_is_saved_as_well() -> None:
    """Whoever decides and whoever writes ask the same of a copy: else each step is refused, and nothing is saved."""
    world = World().known()
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.engine.create_index("notes", shards=6, replicas=1, size=DRAIN)
    ours = {copy.id for copy in world.engine.look().on(FIRST)}
    twin = next(c.node for c in world.engine.look().copies if c.id in ours and c.node not in (None, FIRST))
    asked = restart({}, world.iso(), "ada")
    in_hand = Rolling(taken=(twin,), taken_at=world.iso()) if twin else None
    heads.open_intent(
        world.table, "claims", msgspec.structs.replace(asked, rolling=in_hand, demands=(AllocationPrimaries(),))
    )
    world.when("warned", always, spot_warning(FIRST))
    saved = until(world, lambda world: "SaveLastCopies" in steps(world) and excluded_is(FIRST)(world), hours=0.1)
    last = [copy for copy in saved.engine.look().on(FIRST) if copy.index == "alone"]
    assert all(copy.target for copy in last), "on its way, before anything else is"
    assert not [page for page in saved.pages if "TOO_MANY_FAILURES" in page]
