"""The head row: at most one execution, and no intent that ends unseen, whoever writes in between."""

from collections.abc import Callable

import msgspec
import pytest
from tests.unit.frame.parts import CLUSTER, ISO, NOW, RivalTable, head, intent, put, seen

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.errors import Conflict, Malformed
from vagus.intent import gone
from vagus.procedure import head as heads
from vagus.procedure.rows import Head

RUNNING = Head(state="running", generation=3, execution="claims-zone_balance-3", seq=2)


def _opens(instance: str) -> Callable[[FakeTable], None]:
    def write(table: FakeTable) -> None:
        heads.open_intent(table, CLUSTER, intent(instance))

    return write


def _ensure(table: FakeTable, executions: FakeExecutions, now: float = NOW) -> bool:
    return heads.ensure_running(table, executions, CLUSTER, "zone_balance", now, ISO)


def test_an_intent_and_the_next_seq_are_written_together() -> None:
    table = FakeTable()
    assert heads.open_intent(table, CLUSTER, intent())
    assert [one.id for one in seen(table).intents] == ["leave-i-1"]
    assert head(table).seq == 1


def test_the_same_event_twice_is_one_intent() -> None:
    table = FakeTable()
    heads.open_intent(table, CLUSTER, intent())
    assert not heads.open_intent(table, CLUSTER, intent())
    assert head(table).seq == 1


def test_a_late_copy_of_an_event_opens_nothing_that_was_closed() -> None:
    table = FakeTable()
    heads.open_intent(table, CLUSTER, intent())
    put(table, **{"intent#leave-i-1": msgspec.structs.replace(intent(), closed=ISO)})
    assert not heads.open_intent(table, CLUSTER, intent())
    assert seen(table).intents == ()


@pytest.mark.parametrize(("closed", "let_go", "opened"), [(ISO, None, True), (ISO, ISO, False), (None, None, False)])
def test_one_that_is_gone_is_judged_unless_it_leaves_or_was_let_go(
    closed: str | None, let_go: str | None, *, opened: bool
) -> None:
    table = FakeTable()
    heads.open_intent(table, CLUSTER, intent())
    put(table, **{"intent#leave-i-1": msgspec.structs.replace(intent(), closed=closed, let_go=let_go)})
    assert heads.open_intent(table, CLUSTER, gone("i-1", "a", ISO)) is opened


def test_two_intents_at_once_are_both_opened() -> None:
    table = RivalTable(_opens("i-2"))
    assert heads.open_intent(table, CLUSTER, intent("i-1"))
    assert {one.instance for one in seen(table).intents} == {"i-1", "i-2"}
    assert head(table).seq == 2


def test_the_same_intent_opened_by_a_rival_first_is_opened_once() -> None:
    table = RivalTable(_opens("i-1"))
    assert not heads.open_intent(table, CLUSTER, intent("i-1"))
    assert head(table).seq == 1


def test_a_race_that_is_lost_again_and_again_is_told_so_that_the_queue_shows_the_event_again() -> None:
    table = RivalTable(*(_opens(f"i-{number}") for number in range(2, 2 + heads.ATTEMPTS)))
    with pytest.raises(Conflict, match="races"):
        heads.open_intent(table, CLUSTER, intent("i-1"))
    assert "intent#leave-i-1" not in seen(table).versions


def test_an_idle_capability_is_started_with_the_next_generation() -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=Head(generation=2, seq=5))
    assert _ensure(table, executions)
    assert head(table) == Head(generation=3, seq=5, state="running", execution="claims-zone_balance-3", since=ISO)
    assert executions.started["claims-zone_balance-3"]["generation"] == 3


def test_one_that_runs_is_left_alone() -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=RUNNING)
    executions.start(RUNNING.execution, {})
    assert _ensure(table, executions)
    assert list(executions.started) == [RUNNING.execution]
    assert head(table) == RUNNING


def test_whoever_died_between_the_row_and_the_start_is_made_up_for() -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=RUNNING)
    assert _ensure(table, executions)
    assert executions.status(RUNNING.execution) == "RUNNING"


HELD_BACK = {
    "a person stopped it": Head(state="paused", paused_by="ada"),
    "it backs off": Head(not_before=NOW + 1),
}


@pytest.mark.parametrize("row", HELD_BACK.values(), ids=HELD_BACK.keys())
def test_not_started_while(row: Head) -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=row)
    assert not _ensure(table, executions)
    assert executions.started == {}


def test_started_once_the_back_off_is_over() -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=Head(not_before=NOW))
    assert _ensure(table, executions)


def test_two_who_start_at_once_start_one_execution() -> None:
    executions = FakeExecutions()

    def rival(table: FakeTable) -> None:
        _ensure(table, executions)

    table = RivalTable(rival)
    assert _ensure(table, executions)
    assert list(executions.started) == ["claims-zone_balance-1"]
    assert head(table).generation == 1


BEHIND = {"by one": 1, "by many": 300}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND.keys())
def test_a_table_that_was_restored_and_is_behind_is_gone_past_at_once(behind: int) -> None:
    table, executions = FakeTable(), FakeExecutions()
    for generation in range(1, behind + 1):
        executions.start(name := heads.execution_name(CLUSTER, "zone_balance", generation), {"generation": generation})
        executions.end(name, "SUCCEEDED")
    assert _ensure(table, executions)
    assert head(table).generation > behind
    assert executions.status(head(table).execution) == "RUNNING"
    assert executions.started[head(table).execution]["generation"] == head(table).generation


def test_a_name_that_is_taken_by_one_that_runs_is_as_good_as_started() -> None:
    table, executions = FakeTable(), FakeExecutions()
    executions.start("claims-zone_balance-1", {"rounds": 7})
    assert _ensure(table, executions)
    assert (head(table).generation, len(executions.started)) == (1, 1)


UNREADABLE: dict[str, tuple[str, object]] = {
    "a state that nobody knows": ("head#zone_balance", {"state": "sleeping"}),
    "an identity without a UUID": ("identity", {}),
    "an identity that is no text": ("identity", {"uuid": 5}),
    "a size that is no number": ("sizes", {"claims-data-eu-west-1a": "two"}),
}


@pytest.mark.parametrize(("key", "row"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_row_of_a_newer_version_is_told_with_the_remedy(key: str, row: object) -> None:
    table = FakeTable()
    put(table, **{key: row})
    with pytest.raises(Malformed, match="newer version"):
        seen(table)
