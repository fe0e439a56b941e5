"""Act: what the frame does around a step, what it refuses to do, and how a run ends or hands over."""

from typing import Any

import msgspec
import pytest
from tests.unit.frame.bench import CALL, KNOWS, NOTHING, RUNS, SLOW, STEP, THEIRS, Bench, call_with
from tests.unit.frame.parts import CLUSTER, ISO, NOW, head, intent, put, seen
from tests.unit.zone_balance.building import spec

from vagus.aws.fake import FakeExecutions
from vagus.errors import Conflict, Malformed, Unreachable
from vagus.plan import Blocked
from vagus.procedure import head as heads
from vagus.procedure import records
from vagus.procedure.lease import LENGTH
from vagus.procedure.loop import Call
from vagus.procedure.pages import Told
from vagus.procedure.rows import Head, Lease
from vagus.reasons import Reason
from vagus.steps import AnyStep, EndRun, HandOver, SetGroupSize, kind


def test_a_step_is_done_under_the_lease_between_two_records() -> None:
    bench = Bench()
    outcome = bench.act(call=call_with(failures=3))
    assert (outcome.result, outcome.call.failures) == ("done", 0)
    held = Lease(holder="claims-zone_balance-1", token=1, expires=NOW + LENGTH, since=NOW, resting=True)
    assert seen(bench.table).lease("topology") == held
    assert bench.done == [1]
    assert bench.noted() == ["intended", "outcome done"]


def test_a_step_that_no_longer_fits_is_not_done_and_counts() -> None:
    bench = Bench()
    bench.refuses = "the settings have changed"
    outcome = bench.act(call=call_with(failures=2))
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
    assert bench.act(HandOver(), call_with(**carried)).result == "done"
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


def test_kinds_are_not_handed_over_but_told_by_each_definition() -> None:
    bench = Bench()
    call = msgspec.structs.replace(CALL, rounds=7, kinds=KNOWS)
    bench.act(HandOver(), call)
    assert "kinds" not in bench.executions.started["claims-zone_balance-2"]
