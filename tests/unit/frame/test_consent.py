"""Who lets a plan go on: modes, a stop, approvals; and what people's words leave in the rows."""

from typing import Any, get_args

import msgspec
import pytest
from tests.unit.frame.bench import Bench
from tests.unit.frame.parts import CLUSTER, ISO, NOW, RivalTable, head, intent, put, seen
from tests.unit.simulation.declared import spec

from vagus import approval
from vagus.approval import Act, Approval
from vagus.aws.fake import FakeTable
from vagus.intent import ExcludeNode
from vagus.owned import SettingsUpdate
from vagus.plan import Ask, Blocked, Done, Plan, Steps, Wait
from vagus.policy import Mode
from vagus.procedure import consent, people, rows
from vagus.procedure.rows import Head, Rows
from vagus.reasons import Reason
from vagus.steps import (
    ExcludeNodes,
    HoldInstance,
    LetEmptyInstanceGo,
    NoteIdentity,
    PutSettingsRight,
    SetGroupSize,
    Step,
)

EXCLUDE = ExcludeNodes(intents=(), nodes=("i-1", "i-2"), update=SettingsUpdate())
LET_GO = LetEmptyInstanceGo(instance="i-1", group="g", hook="h")
TIDY = PutSettingsRight(closes=("leave-i-1",), update=SettingsUpdate())
NOTE = NoteIdentity(uuid="uuid-1")
HOLD = HoldInstance(instance="i-1", group="g", hook="h")
GROW = SetGroupSize(group="g", desired=2, declared=3)
GIB = 1 << 30
IN_WORDS = {
    "ExcludeNodes i-1": Act("ExcludeNodes", "i-1"),
    "ExcludeNodes i-1 (at most 110,000 MB)": Act("ExcludeNodes", "i-1", bytes=100_000_000_000),
    "Upgrade i-1 to 3.5.0": Act("Upgrade", "i-1", version="3.5.0"),
}


@pytest.mark.parametrize(("words", "act"), IN_WORDS.items())
def test_an_act_in_words(words: str, act: Act) -> None:
    assert str(act) == words


HEAVY = ExcludeNodes(intents=(), nodes=("i-1",), update=SettingsUpdate(), moves={"i-1": 100 * GIB})
LIGHT = ExcludeNodes(intents=(), nodes=("i-1",), update=SettingsUpdate(), moves={"i-1": GIB})


class _Upgrade(Step, frozen=True, kw_only=True):
    """As a step of a capability that leads to a version."""

    title = "Upgrade"
    version: str

    @property
    def subject(self) -> str:
        return "i-1"


UPGRADE = _Upgrade(version="3.5.0")


def _approval(*acts: Act, expires: float = NOW + 1, capability: str = "zone_balance") -> Approval:
    return Approval(capability=capability, person="ada", given=ISO, expires=expires, acts=acts)


FIRST, SECOND = Act("ExcludeNodes", "i-1"), Act("ExcludeNodes", "i-2")

COVERED: dict[str, tuple[Step, tuple[Approval, ...], bool]] = {
    "nothing is approved": (EXCLUDE, (), False),
    "both nodes are": (EXCLUDE, (_approval(FIRST, SECOND),), True),
    "one of two nodes is": (EXCLUDE, (_approval(FIRST),), False),
    "each by another person": (EXCLUDE, (_approval(FIRST), _approval(SECOND)), True),
    "it has run out": (EXCLUDE, (_approval(FIRST, SECOND, expires=NOW),), False),
    "it is for another capability": (EXCLUDE, (_approval(FIRST, SECOND, capability="rolling_upgrade"),), False),
    "the same node, another act": (LET_GO, (_approval(FIRST, SECOND),), False),
    "a protective step needs none": (TIDY, (), True),
    "a size on the way to the one approved": (GROW, (_approval(Act("SetGroupSize", "g to 3")),), True),
    "another size than was approved": (GROW, (_approval(Act("SetGroupSize", "g to 4")),), False),
    "as many bytes as were approved": (HEAVY, (_approval(Act("ExcludeNodes", "i-1", bytes=100 * GIB)),), True),
    "a tenth more, for the cluster goes on indexing": (
        HEAVY,
        (_approval(Act("ExcludeNodes", "i-1", bytes=91 * GIB)),),
        True,
    ),
    "more than that": (HEAVY, (_approval(Act("ExcludeNodes", "i-1", bytes=90 * GIB)),), False),
    "of little, 1 GiB more": (LIGHT, (_approval(Act("ExcludeNodes", "i-1", bytes=0)),), True),
    "what an older version approved knows no bytes": (HEAVY, (_approval(FIRST),), True),
    "the version that was approved": (UPGRADE, (_approval(Act("_Upgrade", "i-1", version="3.5.0")),), True),
    "another version": (UPGRADE, (_approval(Act("_Upgrade", "i-1", version="3.4.0")),), False),
    "a version, where none was said": (UPGRADE, (_approval(Act("_Upgrade", "i-1")),), False),
}


@pytest.mark.parametrize(("step", "approvals", "covered"), COVERED.values(), ids=COVERED.keys())
def test_whether_approvals_cover_a_step(step: Step, approvals: tuple[Approval, ...], covered: bool) -> None:
    assert approval.covers(approval.in_force(approvals, "zone_balance", NOW), step) is covered


def test_what_is_approved_is_every_disturbing_step_that_is_foreseen() -> None:
    assert approval.scope((EXCLUDE, LET_GO, TIDY)) == (FIRST, SECOND, Act("LetEmptyInstanceGo", "i-1"))


def _steps(step: Any) -> Steps:
    return Steps(steps=(step,), reason=Reason.DRAINING, message="because")


WAIT = Wait(seconds=7, reason=Reason.SHARDS_MOVING, message="12 bytes left")
STALLED = Wait(seconds=7, reason=Reason.STALLED, message="why", page=True)
OPEN = Blocked(reason=Reason.NO_ROOM, message="full", open_deadline=True)
SHUT = Blocked(reason=Reason.WRONG_CLUSTER, message="another")
DONE = Done(reason=Reason.NOTHING_LEAVES, message="x")
STOPPED = Head(state="running", paused_by="ada", paused_at=ISO, paused_why="an audit")
ALLOWED = Rows(cluster=CLUSTER, approvals=(_approval(FIRST, SECOND),))
HALF_WAY = Rows(cluster=CLUSTER, intents=(msgspec.structs.replace(intent("i-1"), demands=(ExcludeNode(node="i-1"),)),))

LET: dict[str, tuple[Plan, Mode, Rows, type[Plan], str]] = {
    "observe shows": (_steps(EXCLUDE), "observe", ALLOWED, Done, "mode observe: because"),
    "observe gives back what is ours": (_steps(TIDY), "observe", ALLOWED, Steps, "because"),
    "observe notes which cluster this is": (_steps(NOTE), "observe", ALLOWED, Steps, "because"),
    "observe holds nobody": (_steps(HOLD), "observe", ALLOWED, Done, "mode observe: because"),
    "observe tells of a block while a hook waits": (OPEN, "observe", ALLOWED, Blocked, "mode observe: full"),
    "observe tells of no block while none does": (SHUT, "observe", ALLOWED, Done, "mode observe: another"),
    "observe tells of a wait that a person should know of": (STALLED, "observe", ALLOWED, Wait, "mode observe: why"),
    "observe tells of no other wait": (WAIT, "observe", ALLOWED, Done, "mode observe: 12 bytes"),
    "observe, with something of ours set, tells what stays": (
        WAIT,
        "observe",
        HALF_WAY,
        Blocked,
        "mode observe: SHARDS_MOVING, and nothing more is done about it; what Vagus had set for leave-i-1 stays set",
    ),
    "and so it does where a step is held back": (
        _steps(LET_GO),
        "observe",
        HALF_WAY,
        Blocked,
        "`vagus takeover claims`",
    ),
    "and gives back what is over": (_steps(TIDY), "observe", HALF_WAY, Steps, "because"),
    "act acts": (_steps(EXCLUDE), "act", Rows(cluster=CLUSTER), Steps, "because"),
    "approve asks": (_steps(EXCLUDE), "approve", Rows(cluster=CLUSTER), Ask, "`vagus approve claims`"),
    "approve goes on inside what was approved": (_steps(EXCLUDE), "approve", ALLOWED, Steps, "because"),
    "approve asks outside of it": (_steps(LET_GO), "approve", ALLOWED, Ask, "because"),
    "approve gives back without asking": (_steps(TIDY), "approve", Rows(cluster=CLUSTER), Steps, "because"),
    "approve waits as before": (WAIT, "approve", Rows(cluster=CLUSTER), Wait, "12 bytes"),
}


@pytest.mark.parametrize(("plan", "mode", "known", "kind", "words"), LET.values(), ids=LET.keys())
def test_as_far_as_the_mode_lets_it(plan: Plan, mode: Mode, known: Rows, kind: type[Plan], words: str) -> None:
    bench = Bench(mode=mode)
    found = consent.within(plan, bench.room(), spec(), known, NOW)
    assert isinstance(found, kind)
    assert words in found.message


HELD: dict[str, tuple[Plan, type[Plan], str]] = {
    "a disturbing step": (_steps(EXCLUDE), Blocked, f"stopped by ada at {ISO} (an audit); held back: exclude i-1, i-2"),
    "a protective step is not": (_steps(TIDY), Steps, "because"),
    "a wait, without its numbers": (WAIT, Blocked, f"stopped by ada at {ISO} (an audit); meanwhile: SHARDS_MOVING"),
    "an end is not": (DONE, Done, "x"),
}


@pytest.mark.parametrize("mode", ["approve", "act"])
@pytest.mark.parametrize(("plan", "kind", "words"), HELD.values(), ids=HELD.keys())
def test_what_a_stop_holds_back(mode: Mode, plan: Plan, kind: type[Plan], words: str) -> None:
    known = Rows(cluster=CLUSTER, heads={"zone_balance": STOPPED})
    found = consent.within(plan, Bench(mode=mode).room(), spec(), known, NOW)
    assert isinstance(found, kind)
    assert words in found.message


NOT_NOW: dict[str, tuple[Step, Mode, Head, tuple[Approval, ...], str]] = {
    "the mode became observe": (EXCLUDE, "observe", Head(), (_approval(FIRST, SECOND),), "the mode is observe"),
    "and holding is no giving back": (HOLD, "observe", Head(), (), "no HoldInstance is done"),
    "a person stopped it": (EXCLUDE, "act", STOPPED, (), "stopped by ada"),
    "the approval ran out": (EXCLUDE, "approve", Head(), (_approval(FIRST, SECOND, expires=NOW),), "no approval"),
}


@pytest.mark.parametrize(("step", "mode", "row", "approvals", "words"), NOT_NOW.values(), ids=NOT_NOW.keys())
def test_the_function_that_writes_asks_again(
    step: Step, mode: Mode, row: Head, approvals: tuple[Approval, ...], words: str
) -> None:
    known = Rows(cluster=CLUSTER, heads={"zone_balance": row}, approvals=approvals)
    assert words in (consent.why_not(step, Bench(mode=mode).room(), spec(), known, NOW) or "")


@pytest.mark.parametrize("step", [TIDY, NOTE])
def test_what_is_ours_is_given_back_and_noted_in_every_mode_and_through_a_stop(step: Step) -> None:
    known = Rows(cluster=CLUSTER, heads={"zone_balance": STOPPED})
    for mode in get_args(Mode):
        assert consent.why_not(step, Bench(mode=mode).room(), spec(), known, NOW) is None


def test_a_step_that_is_held_back_is_neither_recorded_nor_done() -> None:
    bench = Bench(mode="observe")
    outcome = bench.act(EXCLUDE)
    assert (outcome.result, outcome.message) == ("superseded", "the mode is observe: no ExcludeNodes is done")
    assert bench.done == []
    assert bench.records.partitions() == ()
    assert seen(bench.table).leases == {}


def test_a_person_is_asked_once_for_each_step_and_looked_for_ever_less_often() -> None:
    bench = Bench(_steps(EXCLUDE), mode="approve")
    first = bench.look()
    assert (first.next, first.page, first.seconds) == ("Wait", True, 5)
    second = bench.look(first.call)
    assert (second.page, second.seconds) == (False, 6)
    late = bench.look(msgspec.structs.replace(second.call, rounds=1000))
    assert late.seconds == consent.ASK_SECONDS
    bench.plan = _steps(LET_GO)
    assert bench.look(second.call).page


def test_a_stop_leaves_the_run_under_way_to_end_by_itself() -> None:
    table = FakeTable()
    put(table, head__zone_balance=Head(state="running", generation=2, seq=4, execution="claims-zone_balance-2"))
    people.stop(table, CLUSTER, "zone_balance", person="ada", why="an audit", now=NOW)
    assert head(table).state == "running"
    assert head(table).paused
    assert (head(table).paused_by, head(table).paused_at, head(table).paused_why) == ("ada", ISO, "an audit")
    people.resume(table, CLUSTER, "zone_balance", now=NOW)
    assert head(table) == Head(state="running", generation=2, seq=4, execution="claims-zone_balance-2")


def test_a_resume_ends_any_pause_and_any_back_off() -> None:
    table = FakeTable()
    put(table, head__zone_balance=Head(state="paused", seq=4, paused_by="4 failed", failures=3, not_before=NOW + 900))
    assert people.resume(table, CLUSTER, "zone_balance", now=NOW) == Head(seq=4)


def test_a_resume_goes_on_where_a_stop_in_the_console_has_not_been_noted_yet() -> None:
    table = FakeTable()
    running = Head(state="running", generation=2, seq=4, execution="claims-zone_balance-2")
    put(table, head__zone_balance=running)
    assert people.resume(table, CLUSTER, "zone_balance", now=NOW, ended="claims-zone_balance-1") == running
    assert people.resume(table, CLUSTER, "zone_balance", now=NOW, ended=running.execution).state == "idle"


def test_a_stop_is_written_whoever_writes_in_between() -> None:
    table = RivalTable(lambda table: put(table, head__zone_balance=Head(seq=9)))
    assert people.stop(table, CLUSTER, "zone_balance", person="ada", why="", now=NOW).seq == 9
    assert head(table).paused_by == "ada"


def test_an_approval_is_a_row_that_outlives_what_it_allows() -> None:
    table = FakeTable()
    given = people.approved("zone_balance", (EXCLUDE,), person="ada", now=NOW, seconds=60)
    people.approve(table, CLUSTER, given)
    assert rows.read(table, CLUSTER, approvals=True).approvals == (given,)
    assert given == _approval(FIRST, SECOND, expires=NOW + 60)
    assert table.partitions() == (rows.approval_partition(CLUSTER),), "no function may write there"


@pytest.mark.parametrize(
    ("expires", "holds"), [(rows.OLD_APPROVALS_UNTIL, True), (rows.OLD_APPROVALS_UNTIL + 1, False)]
)
def test_an_approval_among_the_rows_that_functions_write_holds_only_for_as_long_as_an_old_one_could(
    expires: float, holds: bool
) -> None:
    table = FakeTable()
    old = _approval(FIRST, expires=expires)
    put(table, **{"approval__zone_balance__2026-12-01": old})
    assert rows.read(table, CLUSTER, approvals=True).approvals == ((old,) if holds else ())


@pytest.mark.parametrize(("mode", "asked"), [("approve", Steps), ("act", Steps), ("observe", Done)])
def test_a_run_reads_the_approvals_where_its_mode_asks_for_them(mode: Mode, asked: type[Plan]) -> None:
    bench = Bench(_steps(EXCLUDE), mode=mode)
    people.approve(bench.table, CLUSTER, _approval(FIRST, SECOND))
    found = consent.rows_for(bench.room(), spec(), bench.table)
    assert bool(found.approvals) is (mode == "approve")
    assert isinstance(consent.within(_steps(EXCLUDE), bench.room(), spec(), found, NOW), asked)


def test_more_bytes_than_were_approved_are_asked_for_again_and_refused_by_the_function_that_writes() -> None:
    allowed = Rows(cluster=CLUSTER, approvals=(_approval(Act("ExcludeNodes", "i-1", bytes=GIB)),))
    found = consent.within(_steps(HEAVY), Bench(mode="approve").room(), spec(), allowed, NOW)
    assert isinstance(found, Ask)
    assert "so that the shards move elsewhere (107,374 MB)" in found.message
    refused = consent.why_not(HEAVY, Bench(mode="approve").room(), spec(), allowed, NOW)
    assert refused == "no approval in force covers it (107,374 MB)"


def test_an_approval_for_ever_is_none() -> None:
    given = people.approved("zone_balance", (EXCLUDE,), person="ada", now=NOW, seconds=1e9)
    assert given.expires == NOW + people.LONGEST_APPROVAL


def test_what_is_asked_for_is_told_in_sentences_so_that_a_page_is_enough() -> None:
    farewells = tuple(msgspec.structs.replace(LET_GO, instance=f"i-{number}") for number in range(1, 23))
    plan = Steps(steps=(EXCLUDE, *farewells, TIDY), reason=Reason.DRAINING, message="because")
    found = consent.within(plan, Bench(mode="approve").room(), spec(), Rows(cluster=CLUSTER), NOW)
    assert f"because. Asked for: {EXCLUDE.sentence}; then let instance i-1 go" in found.message
    assert "; and 3 more. Approve it" in found.message
    assert TIDY.sentence not in found.message, "nobody has to approve what is given back"
