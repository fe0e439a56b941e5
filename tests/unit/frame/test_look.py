"""Look: what the frame decides before and after the room is asked."""

from typing import Any

import msgspec
import pytest
from tests.unit.frame.bench import CALL, KNOWS, NOTHING, PROGRESS, SLOW, STEP, THEIRS, Bench, call_with, to_do
from tests.unit.frame.parts import NOW, put

from vagus.errors import Denied
from vagus.owned import SettingsUpdate
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.procedure import loop
from vagus.procedure.loop import Answer, Call
from vagus.procedure.pages import AGAIN_SECONDS, Told
from vagus.reasons import Reason
from vagus.steps import EndRun, ExcludeNodes, HandOver

OPEN = Blocked(reason=Reason.NO_ROOM, message="full", open_deadline=True)
SHUT = Blocked(reason=Reason.WRONG_CLUSTER, message="another", open_deadline=False)
MOVING = Wait(seconds=7, reason=Reason.SHARDS_MOVING, message="3 left", progress=PROGRESS)
ANSWERS: dict[str, tuple[Plan, str, int, bool, str]] = {
    "a step is the state to go to": (to_do(STEP, HandOver()), "NoteIdentity", 0, False, ""),
    "a wait": (MOVING, "Wait", 7, False, ""),
    "a wait that a person should know of": (
        Wait(seconds=7, reason=Reason.STALLED, message="x", page=True),
        "Wait",
        7,
        True,
        "",
    ),
    "blocked while a hook waits is a wait with a page": (OPEN, "Wait", 60, True, ""),
    "blocked with nothing at stake is an end with a page": (SHUT, "EndRun", 0, True, "Blocked"),
    "done": (NOTHING, "EndRun", 0, False, "Done"),
}


@pytest.mark.parametrize(("plan", "state", "seconds", "page", "ends"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_look_answers(plan: Plan, state: str, seconds: int, page: bool, ends: str) -> None:
    answer = Bench(plan).look()
    assert (answer.next, answer.seconds, answer.page, answer.ends) == (state, seconds, page, ends)
    assert answer.subject == f"claims: {plan.reason}"
    assert answer.call.rounds == 1
    assert answer.call.progress == plan.progress


def test_an_end_names_the_seq_that_was_seen() -> None:
    assert Bench(NOTHING).look().step == EndRun(seq=3, reason="NOTHING_LEAVES", message="nothing")


def test_a_person_is_told_of_a_reason_once_in_a_run() -> None:
    bench = Bench(OPEN)
    first = bench.look()
    second = bench.look(first.call)
    bench.plan = Blocked(reason=Reason.QUORUM, message="x", open_deadline=True)
    assert [first.page, second.page, bench.look(second.call).page] == [True, False, True]


def test_a_person_is_told_again_hours_later_while_an_instance_waits() -> None:
    bench = Bench(OPEN)
    first = bench.look()
    between = bench.look(first.call, NOW + 599)
    assert not between.page
    call = msgspec.structs.replace(between.call, paged={"NO_ROOM": Told(NOW, NOW + AGAIN_SECONDS)})
    assert bench.look(call, NOW + AGAIN_SECONDS).page


def test_an_answer_travels_as_json() -> None:
    for plan in (to_do(STEP), MOVING, OPEN, NOTHING):
        answer = Bench(plan).look()
        assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


EXCLUDE = ExcludeNodes(intents=(), nodes=("i-1",), update=SettingsUpdate())
OBSERVING = {"steps": to_do(EXCLUDE), "a wait": MOVING, "a block": SHUT}


@pytest.mark.parametrize("plan", OBSERVING.values(), ids=OBSERVING.keys())
def test_in_mode_observe_it_is_shown_and_neither_done_nor_told(plan: Plan) -> None:
    answer = Bench(plan, mode="observe").look()
    assert (answer.next, answer.page, answer.plan.reason) == ("EndRun", False, Reason.OBSERVING)
    assert plan.message in answer.plan.message
    assert answer.plan.foreseen == (plan.steps if isinstance(plan, Steps) else plan.foreseen)


def test_in_mode_observe_the_identity_is_noted() -> None:
    bench = Bench(mode="observe")
    answer = bench.look()
    assert answer.next == "NoteIdentity"
    assert bench.act().result == "done"


def test_in_mode_observe_a_person_is_told_that_something_waits_and_nothing_is_done() -> None:
    answer = Bench(OPEN, mode="observe").look()
    assert (answer.next, answer.page, answer.plan.reason) == ("Wait", True, Reason.NO_ROOM)


DENIED = {"Error": "Denied", "Cause": "autoscaling:CompleteLifecycleAction"}
FIRST: dict[str, tuple[Call, dict[str, Any], str, Reason]] = {
    "a younger generation runs": (call_with(generation=0), {}, "EndRun", Reason.HANDED_OVER),
    "the last step was denied": (call_with(failures=1, error=DENIED), {}, "Wait", Reason.DENIED),
    "too many failures in a row": (
        call_with(failures=5, error={"Error": "X", "Cause": "y"}),
        {},
        "Wait",
        Reason.TOO_MANY_FAILURES,
    ),
    "too few failures in a row": (
        call_with(failures=4, error={"Error": "X", "Cause": "y"}),
        {},
        "NoteIdentity",
        Reason.NOTING,
    ),
    "its history grows long": (call_with(rounds=loop.ROUNDS), {}, "HandOver", Reason.HANDED_OVER),
    "another holds the lease": (CALL, {"lease__topology": THEIRS}, "Wait", Reason.LEASE_HELD),
    "another held the lease": (
        CALL,
        {"lease__topology": msgspec.structs.replace(THEIRS, expires=NOW)},
        "NoteIdentity",
        Reason.NOTING,
    ),
    "another concern's lease is no matter": (CALL, {"lease__snapshots": THEIRS}, "NoteIdentity", Reason.NOTING),
}


@pytest.mark.parametrize(("call", "before", "state", "reason"), FIRST.values(), ids=FIRST.keys())
def test_before_the_room_is_asked(call: Call, before: dict[str, Any], state: str, reason: Reason) -> None:
    bench = Bench()
    put(bench.table, **before)
    answer = bench.look(call)
    assert (answer.next, answer.plan.reason) == (state, reason)


def test_a_plan_of_the_frame_does_not_set_the_clock_of_a_stall_back() -> None:
    bench = Bench()
    put(bench.table, lease__topology=THEIRS)
    assert bench.look(call_with(progress=SLOW)).call.progress == SLOW


def test_after_a_person_was_told_of_failures_it_is_tried_again() -> None:
    bench = Bench()
    told = bench.look(call_with(failures=5, error={"Error": "Unreachable", "Cause": "time-out"}))
    assert "time-out" in told.plan.message
    assert bench.look(told.call).next == "NoteIdentity"


def test_a_lease_of_another_is_waited_out_and_no_longer() -> None:
    bench = Bench()
    put(bench.table, lease__topology=THEIRS)
    answer, at = bench.look(), NOW
    while answer.next == "Wait":
        at += answer.seconds
        answer = bench.look(answer.call, now=at)
    assert answer.next == "NoteIdentity"
    assert THEIRS.expires <= at <= THEIRS.expires + 2


def test_a_lease_that_rests_since_a_moment_is_taken_at_once() -> None:
    """Its holder was just writing when it was looked at first: no urgent drain sleeps for what is left of it."""
    bench = Bench()
    put(bench.table, lease__topology=THEIRS)
    answer = bench.look()
    assert answer.seconds <= 2
    put(bench.table, lease__topology=msgspec.structs.replace(THEIRS, resting=True))
    assert bench.look(answer.call, now=NOW + answer.seconds).next == "NoteIdentity"


def test_a_step_that_the_running_definition_has_no_state_for_is_handed_over_first() -> None:
    bench = Bench()
    answer = bench.look(msgspec.structs.replace(CALL, rounds=7, kinds=KNOWS))
    assert (answer.next, answer.step) == ("HandOver", HandOver())
    assert answer.plan.foreseen == (STEP,), "what it is handed over for is shown"
    assert bench.look(msgspec.structs.replace(CALL, rounds=7, kinds=(*KNOWS, "NoteIdentity"))).next == "NoteIdentity"
    assert bench.look(msgspec.structs.replace(CALL, rounds=7)).next == "NoteIdentity", "an older one does not say"


def test_a_fresh_execution_of_an_old_definition_waits_for_the_deploy_and_then_hands_over() -> None:
    bench = Bench()
    first = bench.look(msgspec.structs.replace(CALL, kinds=KNOWS))
    assert (first.next, first.seconds, first.page) == ("Wait", loop.DEPLOY_SECONDS, False)
    assert "no state for" in first.plan.message
    assert bench.look(first.call).next == "HandOver"


def test_a_right_that_the_look_lacks_blocks_and_names_the_action() -> None:
    bench = Bench()

    def denied() -> Plan:
        raise Denied("autoscaling:DescribeAutoScalingGroups", "not authorized")

    bench.decides = denied
    answer = bench.look()
    assert (answer.plan.reason, answer.next, answer.page) == (Reason.DENIED, "Wait", True)
    assert "autoscaling:DescribeAutoScalingGroups" in answer.plan.message
