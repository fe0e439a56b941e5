"""No write without a record: what a day's records say of each way that a write can end."""

from collections.abc import Callable
from itertools import count

import pytest
from tests.unit.frame.parts import CLUSTER, NOW
from tests.unit.simulation.ports import Crash

from vagus.aws.fake import FakeTable
from vagus.errors import Conflict, Denied, Malformed, Refused, Unreachable
from vagus.ports import Put
from vagus.procedure import records
from vagus.procedure.records import Book, Record

DAY = "2026-01-01"


def _record() -> Record:
    return Record(
        id="",
        phase="intended",
        at="",
        cluster=CLUSTER,
        capability="zone_balance",
        execution="claims-zone_balance-1",
        step="ExcludeNodes",
        subject="i-1",
        sentence="exclude i-1",
    )


def _book(table: FakeTable, clock: Callable[[], float] = lambda: NOW) -> Book:
    ids = count(1)
    return Book(table=table, clock=clock, new_id=lambda: f"id-{next(ids)}")


def test_before_and_after_are_joined_by_one_id() -> None:
    table = FakeTable()
    with _book(table).writing(_record()):
        assert [one.phase for one in records.read(table, CLUSTER, DAY)] == ["intended"]
    intended, outcome = records.read(table, CLUSTER, DAY)
    assert (intended.phase, outcome.phase, outcome.result) == ("intended", "outcome", "done")
    assert intended.id == outcome.id == "id-1"
    assert records.without_outcome([intended, outcome]) == []


ENDS: dict[str, tuple[Exception, str]] = {
    "a permission is missing": (Denied("autoscaling:CompleteLifecycleAction", "no"), "denied"),
    "nobody answered: it may have happened": (Unreachable("time-out"), "unknown"),
    "it was wrong": (Refused("400"), "failed"),
    "it could not be read": (Malformed("row"), "failed"),
    "something that nobody foresaw": (ZeroDivisionError("x"), "unknown"),
}


@pytest.mark.parametrize(("error", "result"), ENDS.values(), ids=ENDS.keys())
def test_an_error_is_noted_and_raised_on(error: Exception, result: str) -> None:
    table = FakeTable()
    with pytest.raises(type(error)), _book(table).writing(_record()):
        raise error
    outcome = records.read(table, CLUSTER, DAY)[1]
    assert outcome.result == result
    assert outcome.detail == {"error": type(error).__name__, "message": str(error)}


def _die() -> None:
    raise Crash("now")


def test_a_process_that_dies_leaves_a_finding() -> None:
    table = FakeTable()
    with pytest.raises(Crash), _book(table).writing(_record()):
        _die()
    found = records.read(table, CLUSTER, DAY)
    assert [one.id for one in records.without_outcome(found)] == ["id-1"]


class _Deaf(FakeTable):
    def write(self, partition: str, *puts: Put) -> None:
        raise Unreachable(f"{partition}: {len(puts)} rows not written")


def test_what_can_not_be_recorded_is_not_done() -> None:
    done = []
    with pytest.raises(Unreachable), _book(_Deaf()).writing(_record()):
        done.append("written")
    assert done == []


def test_a_write_over_midnight_is_told_whole_by_the_day_on_which_it_began() -> None:
    table, times = FakeTable(), iter([NOW - 0.001, NOW])
    with _book(table, lambda: next(times)).writing(_record()):
        pass
    found = records.read(table, CLUSTER, "2025-12-31")
    assert [one.at for one in found] == ["2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"]
    assert records.without_outcome(found) == []


def test_a_record_is_never_overwritten() -> None:
    table = FakeTable()
    book = Book(table=table, clock=lambda: NOW, new_id=lambda: "the-same")
    with book.writing(_record()):
        pass
    with pytest.raises(Conflict), book.writing(_record()):
        pass


def test_what_was_done_already_is_noted_in_one() -> None:
    table = FakeTable()
    _book(table).note(_record())
    assert [one.at for one in records.read(table, CLUSTER, DAY)] == [records.iso(NOW)]
