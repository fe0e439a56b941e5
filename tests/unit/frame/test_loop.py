"""Look and act: what the frame decides before and after the room, and what it refuses to do."""

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
import pytest
from tests.unit.frame.parts import CLUSTER, ISO, NOW, head, intent, put, seen
from tests.unit.zone_balance.building import spec

from vagus.aws.fake import FakeCommands, FakeExecutions, FakeGroups, FakeParameters, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.errors import Conflict, Denied, Malformed, Unreachable
from vagus.owned import SettingsUpdate
from vagus.plan import Blocked, Done, Plan, Progress, Steps, Wait
from vagus.policy import Mode
from vagus.procedure import head as heads
from vagus.procedure import loop, records
from vagus.procedure.lease import LENGTH
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.pages import AGAIN_SECONDS, Told
from vagus.procedure.records import Book
from vagus.procedure.room import Handler, Reads, Room, Writes
from vagus.procedure.rows import Head, Lease
from vagus.reasons import Reason
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import FRAME, AnyStep, EndRun, ExcludeNodes, HandOver, NoteIdentity, SetGroupSize, kind

STEP = NoteIdentity(uuid="uuid-1")
CALL = Call(cluster=CLUSTER, capability="zone_balance", generation=1)
RUNS = Head(state="running", generation=1, execution="claims-zone_balance-1", seq=3)
PROGRESS = Progress(bytes_left=1, at=NOW, changed_at=NOW)


def _steps(*steps: AnyStep) -> Plan:
    return Steps(steps=steps, reason=Reason.NOTING, message="to be noted")


class Bench:
    """One room whose decision and handler the test says, on fake parts."""

    def __init__(self, plan: Plan | None = None, mode: Mode = "act") -> None:
        self.plan = plan or _steps(STEP)
        self.mode = mode
        self.table, self.records, self.executions = FakeTable(), FakeTable(), FakeExecutions()
        self.refuses: str | None = None
        self.decides: Callable[[], Plan] = lambda: self.plan
        self.does: Callable[[], None] = lambda: None
        self.done: list[int] = []
        put(self.table, head__zone_balance=RUNS)

    def room(self) -> Room:
        def do(_writes: Writes, _seen: object, _step: object, token: int) -> None:
            self.does()
            self.done.append(token)

        return Room(
            name="zone_balance",
            concern="topology",
            kinds=(NoteIdentity, *FRAME),
            observe=lambda *_: None,
            decide=lambda *_: self.decides(),
            handlers={one: Handler(lambda *_: self.refuses, do) for one in (NoteIdentity, ExcludeNodes)},
            mode=lambda _: self.mode,
            failures_in_a_row=lambda declared: declared.zone_balance.failures_in_a_row,
        )

    def look(self, call: Call = CALL, now: float = NOW) -> Answer:
        reads = Reads(
            groups=FakeGroups(lambda: now),
            search=lambda _: FakeEngine(lambda: now),
            commands=lambda _: FakeCommands(),
            handshakes=lambda _: FakeHandshakes(),
        )
        return loop.look(self.room(), reads, spec(), seen(self.table), call, now)

    def act(self, step: AnyStep = STEP, call: Call = CALL, now: float = NOW) -> Outcome:
        ids = count(1)
        book = Book(table=self.records, clock=lambda: now, new_id=lambda: f"id-{next(ids)}")
        writes = Writes(
            spec=spec(),
            groups=FakeGroups(lambda: now),
            search=FakeEngine(lambda: now),
            parameters=FakeParameters(),
            commands=FakeCommands(),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(lambda: now),
            table=self.table,
            now=now,
            iso=ISO,
        )
        return loop.act(self.room(), writes, self.executions, book, call, step)

    def noted(self) -> list[str]:
        return [
            f"{one.phase}{one.result and ' ' + one.result}" for one in records.read(self.records, CLUSTER, ISO[:10])
        ]


# -- look ------------------------------------------------------------------------------------------------------------

OPEN = Blocked(reason=Reason.NO_ROOM, message="full", open_deadline=True)
SHUT = Blocked(reason=Reason.WRONG_CLUSTER, message="another", open_deadline=False)
MOVING = Wait(seconds=7, reason=Reason.SHARDS_MOVING, message="3 left", progress=PROGRESS)
NOTHING = Done(reason=Reason.NOTHING_LEAVES, message="nothing")

ANSWERS: dict[str, tuple[Plan, str, int, bool, str]] = {
    "a step is the state to go to": (_steps(STEP, HandOver()), "NoteIdentity", 0, False, ""),
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
    for plan in (_steps(STEP), MOVING, OPEN, NOTHING):
        answer = Bench(plan).look()
        assert msgspec.json.decode(msgspec.json.encode(answer), type=Answer) == answer


EXCLUDE = ExcludeNodes(intents=(), nodes=("i-1",), update=SettingsUpdate())
OBSERVING = {"steps": _steps(EXCLUDE), "a wait": MOVING, "a block": SHUT}


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


def _call(**fields: Any) -> Call:
    return msgspec.structs.replace(CALL, **fields)


THEIRS = Lease(holder="claims-rolling_upgrade-7", token=4, expires=NOW + 30)
DENIED = {"Error": "Denied", "Cause": "autoscaling:CompleteLifecycleAction"}

SLOW = Progress(bytes_left=7, at=NOW - 5, changed_at=NOW - 90)
FIRST: dict[str, tuple[Call, dict[str, Any], str, Reason]] = {
    "a younger generation runs": (_call(generation=0), {}, "EndRun", Reason.HANDED_OVER),
    "the last step was denied": (_call(failures=1, error=DENIED), {}, "Wait", Reason.DENIED),
    "too many failures in a row": (
        _call(failures=5, error={"Error": "X", "Cause": "y"}),
        {},
        "Wait",
        Reason.TOO_MANY_FAILURES,
    ),
    "too few failures in a row": (
        _call(failures=4, error={"Error": "X", "Cause": "y"}),
        {},
        "NoteIdentity",
        Reason.NOTING,
    ),
    "its history grows long": (_call(rounds=loop.ROUNDS), {}, "HandOver", Reason.HANDED_OVER),
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
    assert bench.look(_call(progress=SLOW)).call.progress == SLOW


def test_after_a_person_was_told_of_failures_it_is_tried_again() -> None:
    bench = Bench()
    told = bench.look(_call(failures=5, error={"Error": "Unreachable", "Cause": "time-out"}))
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


# -- act -------------------------------------------------------------------------------------------------------------


def test_a_step_is_done_under_the_lease_between_two_records() -> None:
    bench = Bench()
    outcome = bench.act(call=_call(failures=3))
    assert (outcome.result, outcome.call.failures) == ("done", 0)
    held = Lease(holder="claims-zone_balance-1", token=1, expires=NOW + LENGTH, since=NOW, resting=True)
    assert seen(bench.table).lease("topology") == held
    assert bench.done == [1]
    assert bench.noted() == ["intended", "outcome done"]


def test_a_step_that_no_longer_fits_is_not_done_and_counts() -> None:
    bench = Bench()
    bench.refuses = "the settings have changed"
    outcome = bench.act(call=_call(failures=2))
    assert (outcome.result, outcome.message) == ("superseded", "the settings have changed")
    assert outcome.call.failures == 3
    assert bench.done == []
    assert bench.noted() == []
    assert seen(bench.table).lease("topology").resting, "nothing was written: nobody has to wait"


def test_a_check_and_a_decision_that_never_agree_end_with_a_person() -> None:
    bench = Bench()
    bench.refuses = "never"
    call = CALL
    for _ in range(spec().zone_balance.failures_in_a_row):
        answer = bench.look(call)
        assert answer.step is not None
        call = bench.act(answer.step, answer.call).call
    last = bench.look(call)
    assert (last.plan.reason, last.page) == (Reason.TOO_MANY_FAILURES, True)
    assert "never" in last.plan.message


def test_an_error_is_recorded_and_raised_on() -> None:
    bench = Bench()

    def fails() -> None:
        raise Unreachable("time-out")

    bench.does = fails
    with pytest.raises(Unreachable):
        bench.act()
    assert bench.noted() == ["intended", "outcome unknown"]


REFUSED = {
    "another generation runs": (msgspec.structs.replace(RUNS, generation=2), STEP),
    "another generation runs, to an end as well": (
        msgspec.structs.replace(RUNS, generation=2),
        EndRun(seq=3, reason="x", message="y"),
    ),
    "it was ended": (msgspec.structs.replace(RUNS, state="idle"), STEP),
    "a person stopped it": (msgspec.structs.replace(RUNS, state="paused"), STEP),
}


@pytest.mark.parametrize(("row", "step"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_since(row: Head, step: AnyStep) -> None:
    bench = Bench()
    put(bench.table, head__zone_balance=row)
    assert bench.act(step).result == "refused"
    assert head(bench.table) == row
    assert bench.done == []


def test_another_writer_is_never_overtaken() -> None:
    bench = Bench()
    put(bench.table, lease__topology=THEIRS)
    with pytest.raises(Conflict):
        bench.act()
    assert bench.done == []


def test_a_step_that_this_version_does_not_know_names_the_remedy() -> None:
    with pytest.raises(Malformed, match="deploy"):
        Bench().act(SetGroupSize(group="g", desired=1, declared=1))


END = EndRun(seq=3, reason="NOTHING_LEAVES", message="nothing")


def test_an_end_gives_head_and_lease_back() -> None:
    bench = Bench()
    put(bench.table, lease__topology=Lease(holder="claims-zone_balance-1", token=6, expires=NOW + 9))
    assert bench.act(END).result == "done"
    assert head(bench.table) == Head(generation=1, seq=3, reason="NOTHING_LEAVES", message="nothing")
    assert seen(bench.table).lease("topology") == Lease(token=6)


def test_what_an_end_told_is_no_news_in_the_next_run_and_another_is() -> None:
    bench = Bench(_launches_fail("a"))
    first = bench.look()
    assert first.page
    assert first.step is not None
    bench.act(first.step, first.call)
    assert head(bench.table).told == ("LAUNCHES_FAIL: a",)
    assert not bench.look(_next_run(bench)).page
    bench.plan = _launches_fail("a", "b")
    assert bench.look(_next_run(bench)).page


def test_what_an_end_told_is_news_again_where_it_was_over_in_between() -> None:
    bench = Bench(_launches_fail("a"))
    for plan in (_launches_fail("a"), NOTHING):
        bench.plan = plan
        answer = bench.look(_next_run(bench))
        assert answer.step is not None
        bench.act(answer.step, answer.call)
    assert head(bench.table).told == ()
    bench.plan = _launches_fail("a")
    assert bench.look(_next_run(bench)).page


def test_what_a_stop_holds_back_is_told_by_each_run() -> None:
    """The sweep starts one only when something else is held back."""
    bench = Bench()
    put(bench.table, head__zone_balance=Head(reason="PAUSED", state="paused", paused_by="ada", told=("PAUSED: a",)))
    assert _next_run(bench, paused=True).paged == ()


def _launches_fail(*groups: str) -> Blocked:
    return Blocked(reason=Reason.LAUNCHES_FAIL, message="x", about=groups)


def _next_run(bench: Bench, *, paused: bool = False) -> Call:
    """The call that a run begins with."""
    heads.ensure_running(bench.table, bench.executions, CLUSTER, "zone_balance", NOW, ISO, although_paused=paused)
    return msgspec.convert(bench.executions.started[head(bench.table).execution], Call)


def test_an_end_leaves_another_writers_lease_alone() -> None:
    bench = Bench()
    put(bench.table, lease__topology=THEIRS)
    bench.act(END)
    assert seen(bench.table).lease("topology") == THEIRS


def test_no_run_ends_over_an_intent_that_it_has_not_seen() -> None:
    bench = Bench()
    heads.open_intent(bench.table, CLUSTER, intent())
    assert bench.act(END).result == "superseded"
    assert head(bench.table).state == "running"


def test_an_end_done_twice_is_an_end() -> None:
    bench = Bench()
    bench.act(END)
    ended = head(bench.table)
    assert bench.act(END).result == "done"
    assert head(bench.table) == ended


def test_a_pause_stays_a_pause_and_the_lease_is_given_back() -> None:
    bench = Bench()
    stopped = msgspec.structs.replace(RUNS, state="paused", paused_by="ada")
    put(bench.table, head__zone_balance=stopped, lease__topology=Lease(holder=CALL.execution, token=2, expires=NOW + 9))
    assert bench.act(END).result == "done"
    assert head(bench.table) == stopped
    assert seen(bench.table).lease("topology") == Lease(token=2)


def test_a_hand_over_writes_the_next_generation_and_then_starts_it() -> None:
    bench = Bench()
    put(bench.table, lease__topology=Lease(holder=CALL.execution, token=2, expires=NOW + 9))
    carried: dict[str, Any] = {"paged": {"STALLED": Told(NOW, NOW)}, "round_limit": 9, "progress": SLOW}
    assert bench.act(HandOver(), _call(**carried)).result == "done"
    assert head(bench.table) == msgspec.structs.replace(RUNS, generation=2, execution="claims-zone_balance-2")
    assert seen(bench.table).lease("topology").holder == ""
    following = msgspec.convert(bench.executions.started["claims-zone_balance-2"], Call)
    assert following == Call(cluster=CLUSTER, capability="zone_balance", generation=2, **carried)


def test_a_hand_over_whose_start_was_lost_is_started_by_whoever_comes_next() -> None:
    class Deaf(FakeExecutions):
        def start(self, name: str, payload: object) -> bool:
            raise Unreachable(f"{name}: {payload}")

    bench = Bench()
    bench.executions = Deaf()
    with pytest.raises(Unreachable):
        bench.act(HandOver())
    later = FakeExecutions()
    assert heads.ensure_running(bench.table, later, CLUSTER, "zone_balance", NOW, ISO)
    assert list(later.started) == ["claims-zone_balance-2"]


def test_every_step_of_a_plan_is_recorded_by_its_own_words() -> None:
    bench = Bench()
    bench.act()
    intended, _ = records.read(bench.records, CLUSTER, ISO[:10])
    assert (intended.step, intended.subject, intended.sentence) == (kind(STEP), "uuid-1", STEP.sentence)
    assert intended.detail == {"kind": "NoteIdentity", "uuid": "uuid-1"}
    assert intended.execution == "claims-zone_balance-1"


KNOWS = ("PutSettingsRight", "HandOver", "EndRun")


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


def test_kinds_are_not_handed_over_but_told_by_each_definition() -> None:
    bench = Bench()
    call = msgspec.structs.replace(CALL, rounds=7, kinds=KNOWS)
    bench.act(HandOver(), call)
    assert "kinds" not in bench.executions.started["claims-zone_balance-2"]


def test_a_right_that_the_look_lacks_blocks_and_names_the_action() -> None:
    bench = Bench()

    def denied() -> Plan:
        raise Denied("autoscaling:DescribeAutoScalingGroups", "not authorized")

    bench.decides = denied
    answer = bench.look()
    assert (answer.plan.reason, answer.next, answer.page) == (Reason.DENIED, "Wait", True)
    assert "autoscaling:DescribeAutoScalingGroups" in answer.plan.message
