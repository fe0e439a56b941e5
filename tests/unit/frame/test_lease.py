"""One writer per cluster and concern: who may take the lease, and what its token says."""

import pytest
from tests.unit.frame.parts import NOW, RivalTable, put, seen

from vagus.aws.fake import FakeTable
from vagus.errors import Conflict
from vagus.procedure import lease as leases
from vagus.procedure.lease import LENGTH, Held
from vagus.procedure.rows import Lease

OURS, THEIRS = "claims-zone_balance-1", "claims-rolling_upgrade-7"

EARLY = NOW - 1000

TAKEN: dict[str, tuple[Lease, int, float]] = {
    "nobody held it ever": (Lease(), 1, NOW),
    "it was given back": (Lease(holder="", token=4), 5, NOW),
    "ours: the token stays": (Lease(holder=OURS, token=4, expires=NOW + 5, since=EARLY), 4, EARLY),
    "ours, and run out: the token stays": (Lease(holder=OURS, token=4, expires=NOW - 5, since=EARLY), 4, NOW),
    "ours, of a version that noted no start": (Lease(holder=OURS, token=4, expires=NOW + 5), 4, NOW),
    "theirs, and at rest": (Lease(holder=THEIRS, token=4, expires=NOW + 80, since=EARLY, resting=True), 5, NOW),
    "theirs, and run out": (Lease(holder=THEIRS, token=4, expires=NOW, since=EARLY), 5, NOW),
}


@pytest.mark.parametrize(("before", "token", "since"), TAKEN.values(), ids=TAKEN.keys())
def test_taken(before: Lease, token: int, since: float) -> None:
    table = FakeTable()
    put(table, lease__topology=before)
    taken = leases.renew(table, seen(table), "topology", OURS, NOW)
    assert taken == Lease(holder=OURS, token=token, expires=NOW + LENGTH, since=since)
    assert seen(table).lease("topology") == taken


def test_not_taken_while_another_may_still_write() -> None:
    table = FakeTable()
    put(table, lease__topology=Lease(holder=THEIRS, token=4, expires=NOW + 1))
    with pytest.raises(Held, match=THEIRS):
        leases.renew(table, seen(table), "topology", OURS, NOW)
    assert seen(table).lease("topology").holder == THEIRS


def test_other_concerns_are_other_leases() -> None:
    table = FakeTable()
    put(table, lease__snapshots=Lease(holder=THEIRS, token=4, expires=NOW + 100))
    assert leases.renew(table, seen(table), "topology", OURS, NOW).token == 1


def test_of_two_who_take_it_at_once_one_is_told() -> None:
    table = RivalTable(lambda rival: put(rival, lease__topology=Lease(holder=THEIRS, token=1, expires=NOW + LENGTH)))
    with pytest.raises(Conflict):
        leases.renew(table, seen(table), "topology", OURS, NOW)
    assert seen(table).lease("topology").holder == THEIRS


def test_given_back_the_token_only_grows() -> None:
    assert leases.released(Lease(holder=OURS, token=4, expires=NOW)) == Lease(token=4)


def test_it_outlasts_every_write_that_was_begun_under_it() -> None:
    assert LENGTH >= leases.FUNCTION_TIMEOUT + leases.MANAGER_TIMEOUT


def test_once_its_write_was_answered_another_may_take_it_at_once() -> None:
    table = FakeTable()
    before = seen(table)
    mine = leases.renew(table, before, "topology", THEIRS, NOW)
    leases.rest(table, before, "topology", mine)
    assert leases.renew(table, seen(table), "topology", OURS, NOW).token == 2


def test_one_who_lost_it_meanwhile_takes_nothing_back() -> None:
    table = FakeTable()
    before = seen(table)
    mine = leases.renew(table, before, "topology", THEIRS, NOW)
    leases.renew(table, seen(table), "topology", OURS, NOW + LENGTH)
    leases.rest(table, before, "topology", mine)
    assert seen(table).lease("topology").holder == OURS
