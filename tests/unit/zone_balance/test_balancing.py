"""When bytes are evened, and when not: nothing is moved but in a cluster that is whole, at rest and skewed enough."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.unit.zone_balance.building import BOTH_SERVE, FIRST_WAITS, FORCED, GB, NOW, six, spec

from vagus.cluster import Cluster, Placement, ShardMove
from vagus.intent import AllocationPrimaries, BalanceThreshold, Intent, balance
from vagus.owned_values import VALUES
from vagus.plan import Plan, Progress, Steps, Wait
from vagus.policy import Shards
from vagus.reasons import Reason
from vagus.steps import MoveShards, PutSettingsRight, RaiseBalanceThreshold
from vagus.zone_balance import balancing
from vagus.zone_balance.decide import decide
from vagus.zone_balance.layout import layout_of, skews
from vagus.zone_balance.observed import MOVE_SECONDS, Moved, Observed

# n1 has the two large ones, n2 the two small ones; counts are even, so that the engine is at rest
LAYOUT = "a:n1,n3 b:n1,n4 c:n2,n3 d:n2,n4 e:n5 f:n5 g:n6 h:n6"
LARGE = frozenset("ab")
PLACED = Placement(
    ids={f"n{number}": f"id{number}" for number in range(1, 7)},
    attributes={f"n{number}": {} for number in range(1, 7)},
    settings=FORCED,
)
RUN = Progress(bytes_left=0, at=NOW, changed_at=NOW)
LEG = ShardMove(index="a", shard=0, primary=True, source="n1", target="n2", bytes=8 * GB)
RAISED, THRESHOLD = VALUES[1].mark, VALUES[1].setting
OTHERS = Intent(
    id="restart", capability="rolling_upgrade", kind="balance", opened="2026-01-01T00:00:00Z", source="person"
)
ON = {"mode": "on", "margin": 0.03}


def seen(
    layout: str = LAYOUT, first: Mapping[str, str] = BOTH_SERVE, *, large: int = 8 * GB, **fields: Any
) -> Observed:
    """The layout with its sizes, looked at from near; other fields as `six` takes them."""
    found = six(first, layout, **{"placement": PLACED, **fields})
    assert isinstance(found.cluster, Cluster)
    copies = tuple(
        msgspec.structs.replace(copy, bytes=large if copy.index in LARGE else GB) for copy in found.cluster.copies
    )
    return msgspec.structs.replace(found, cluster=msgspec.structs.replace(found.cluster, copies=copies))


def decided(found: Observed, **policy: Any) -> Plan:
    return decide(found, spec(shards=Shards(**{**ON, **policy})), NOW)


def ago(seconds: float, **fields: Any) -> Moved:
    """A wave that was sent so long ago."""
    return Moved(since=NOW - seconds, at=NOW - seconds, **{"sent": True, **fields})


CASES: dict[str, tuple[Observed, dict[str, Any], str]] = {
    "a zone is skewed: the first wave": (seen(), {}, "Steps BALANCING"),
    "the policy is off": (seen(), {"mode": "off"}, "Done NOTHING_LEAVES"),
    "it was not looked at from near": (seen(placement=None), {}, "Done NOTHING_LEAVES"),
    "within the bar and its margin": (seen(large=GB + GB // 50), {}, "Done NOTHING_LEAVES"),
    "beyond the bar, and not by the margin": (seen(), {"margin": 0.9}, "Done NOTHING_LEAVES"),
    "too few bytes to be worth it": (seen(), {"least_bytes": 8 * GB}, "Done NOTHING_LEAVES"),
    "a drain goes first": (seen(first=FIRST_WAITS), {}, "Steps DRAINING"),
    "a copy is missing": (seen(LAYOUT.replace("n3", "-", 1)), {}, "Done NOTHING_LEAVES"),
    "shards are on their way, in a run": (
        seen(LAYOUT.replace("g:n6", "g:n6>n5"), progress=RUN), {}, "Wait SHARDS_MOVING"),
    "shards are on their way, and nobody waits for them": (
        seen(LAYOUT.replace("g:n6", "g:n6>n5")), {}, "Done NOTHING_LEAVES"),
    "all has arrived, and is not measured yet": (
        seen(progress=msgspec.structs.replace(RUN, about=f"{balancing.ABOUT} [('a', 0)]")), {}, "Wait SHARDS_MOVING"),
    "it is measured by now": (
        seen(progress=msgspec.structs.replace(RUN, about=balancing.ARRIVED, changed_at=NOW - 12)),
        {}, "Steps BALANCING"),
    "the engine still asks for stores": (
        seen(placement=msgspec.structs.replace(PLACED, fetches=1)), {}, "Done NOTHING_LEAVES"),
    "a person turned rebalancing off": (
        seen(persistent={"cluster.routing.rebalance.enable": "none"}), {}, "Done NOTHING_LEAVES"),
    "another procedure is under way": (seen(others=(OTHERS,)), {}, "Steps BALANCING"),
    "another capability keeps replicas off": (
        seen(others=(msgspec.structs.replace(OTHERS, kind="leave", demands=(AllocationPrimaries(),)),)),
        {}, "Done NOTHING_LEAVES"),
    "searches have been slow since the last wave": (
        seen(placement=msgspec.structs.replace(PLACED, queries=100, query_ms=6000), moved=ago(60)),
        {"slowest_search_ms": 50}, "Wait SEARCH_SLOW"),
    "searches have been quick enough": (
        seen(placement=msgspec.structs.replace(PLACED, queries=100, query_ms=4000), moved=ago(60)),
        {"slowest_search_ms": 50}, "Steps BALANCING"),
    "slow searches of long ago hold nothing back": (
        seen(placement=msgspec.structs.replace(PLACED, queries=100, query_ms=6000), moved=ago(901)),
        {"slowest_search_ms": 50}, "Steps BALANCING"),
    "the hour's account is spent": (seen(moved=ago(60, moves=199)), {}, "Done BALANCE_LATER"),
    "the hour's account is spent, and nobody looked from near": (
        seen(moved=ago(60, moves=199), placement=None), {}, "Done BALANCE_LATER"),
    "a new hour": (seen(moved=ago(3601, moves=199)), {}, "Steps BALANCING"),
    "the engine moved on what we moved: planned anew": (seen(moved=ago(60, wave=(LEG,))), {}, "Steps BALANCING"),
    "it did so several times in a row": (seen(moved=ago(60, wave=(LEG,), undone=2)), {}, "Blocked ENGINE_DISAGREES"),
    "a wave that may never have been sent proves nothing": (
        seen(moved=ago(60, wave=(LEG,), undone=2, sent=False)), {}, "Steps BALANCING"),
    "a day later it is tried again": (seen(moved=ago(90_000, wave=(LEG,), undone=2)), {}, "Steps BALANCING"),
    "what we moved is still on its way there": (
        seen(LAYOUT.replace("a:n1", "a:n1>n2"), moved=ago(60, wave=(LEG,), undone=2), progress=RUN),
        {}, "Wait SHARDS_MOVING"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "policy", "expected"), CASES.values(), ids=CASES.keys())
def test_decide(found: Observed, policy: dict[str, Any], expected: str) -> None:
    plan = decided(found, **policy)
    assert f"{type(plan).__name__} {plan.reason}" == expected, plan.message


def test_a_wave_is_an_exchange_in_one_request_and_says_what_for() -> None:
    plan = decided(seen())
    assert isinstance(plan, Steps)
    (step,) = plan.steps
    assert isinstance(step, MoveShards)
    assert sorted((leg.index, leg.source, leg.target) for leg in step.legs) in (
        [("a", "n1", "n2"), ("c", "n2", "n1")],
        [("a", "n1", "n2"), ("d", "n2", "n1")],
        [("b", "n1", "n2"), ("c", "n2", "n1")],
        [("b", "n1", "n2"), ("d", "n2", "n1")],
    )
    assert "the bytes are uneven" in step.sentence
    assert "skew 77.8 % (eu-west-1a) now, 0.0 % " in plan.message
    assert step.scope == ("n1", "n2")
    assert step.moves == {"n1": GB, "n2": 8 * GB}


def test_what_the_engine_moved_on_is_said_and_counted() -> None:
    plan = decided(seen(moved=ago(60, wave=(LEG,))))
    assert isinstance(plan, Steps)
    assert "the engine has moved a[0] on" in plan.message
    assert isinstance(plan.steps[0], MoveShards)
    assert plan.steps[0].undone == 1


def test_a_run_that_has_begun_goes_on_down_to_the_bar() -> None:
    assert not isinstance(decided(seen(progress=RUN), margin=0.9), Steps)
    begun = msgspec.structs.replace(RUN, about=balancing.ABOUT)
    assert isinstance(decided(seen(progress=begun), margin=0.9), Steps)


def test_the_threshold_is_raised_before_the_wave_that_needs_it_and_stays_while_it_is_wanted() -> None:
    tiny = seen(LAYOUT, large=8 * GB)
    assert isinstance(tiny.cluster, Cluster)
    copies = tuple(
        msgspec.structs.replace(copy, bytes=copy.bytes if copy.index in LARGE else 1000) for copy in tiny.cluster.copies
    )
    found = msgspec.structs.replace(tiny, cluster=msgspec.structs.replace(tiny.cluster, copies=copies))
    plan = decided(found, highest_threshold=5.0)
    assert isinstance(plan, Steps)
    first, wave = plan.steps
    assert isinstance(first, RaiseBalanceThreshold)
    assert isinstance(wave, MoveShards)
    assert 1.0 < first.value <= 5.0
    assert first.update.persistent[THRESHOLD] == str(first.value)

    raised = {THRESHOLD: "3.0", RAISED: '{"set":"3.0","persistent":null,"transient":null}'}
    known = balance("2026-01-01T00:00:00Z", BalanceThreshold(3.0))
    still = seen("a:n1,n3 c:n2,n4", persistent=raised, intents=(known,), large=GB)
    assert not isinstance(decided(still, highest_threshold=3.0), Steps)
    for policy in ({"highest_threshold": 2.0}, {"highest_threshold": 1.0}, {"mode": "off", "highest_threshold": 3.0}):
        (step,) = decided(still, **policy).steps  # type: ignore[union-attr]  # a plan of steps, or the test fails here
        assert isinstance(step, PutSettingsRight)
        assert (step.closes, step.update.persistent) == (("balance",), {THRESHOLD: None, RAISED: None})


def test_planning_comes_in_turns() -> None:
    every = spec(shards=Shards(mode="on", every_minutes=30))
    turns = [minute for minute in range(120) if balancing.due(every, NOW + 60 * minute)]
    assert len(turns) == 4 * 5
    assert not any(balancing.due(spec(), NOW + 60 * minute) for minute in range(120))


def test_a_copy_is_as_large_as_the_largest_of_its_shard() -> None:
    found = seen()
    assert isinstance(found.cluster, Cluster)
    arrived = tuple(
        msgspec.structs.replace(copy, bytes=7) if (copy.index, copy.node) == ("a", "n1") else copy
        for copy in found.cluster.copies
    )
    layout = layout_of(msgspec.structs.replace(found.cluster, copies=arrived), PLACED)
    assert {copy.bytes for copy in layout.copies if copy.index == "a"} == {8 * GB}


def test_tiers_are_what_filters_tell_apart() -> None:
    attributes = {
        f"n{number}": {"temp": "hot" if number % 2 else "warm", "rack": f"r{number}"} for number in range(1, 7)
    }
    told = {"a": {"index.routing.allocation.require.temp": "hot", "index.routing.allocation.include._name": "n1"}}
    found = seen()
    assert isinstance(found.cluster, Cluster)
    layout = layout_of(found.cluster, msgspec.structs.replace(PLACED, attributes=attributes, indices=told))
    assert {node.name: node.tier for node in layout.nodes if node.zone.endswith("a")} == {
        "n1": "data temp=hot",
        "n2": "data temp=warm",
    }
    assert all(node.id == f"id{node.name[1:]}" for node in layout.nodes)


def test_skew_is_told_per_zone() -> None:
    found = seen()
    assert isinstance(found.cluster, Cluster)
    assert {zone[-1]: round(most, 3) for (zone, _), most in skews(found.cluster).items()} == {
        "a": 0.778,
        "b": 0.0,
        "c": 0.0,
    }
    lines = balancing.shown(found, spec(), NOW)
    assert next((line.of[-1], line.says) for line in lines) == (
        "a",
        "the fullest data node is 77.8 % above its share; `zone_balance.shards` is off",
    )


def test_the_same_shards_on_their_way_for_two_hours_are_told_by_name() -> None:
    about = f"{balancing.ABOUT} {[('a', 0, 'n1', 'n2')]}"
    late = Progress(bytes_left=8 * GB, copies_left=1, about=about, at=NOW - 9, changed_at=NOW - MOVE_SECONDS)
    said = decided(seen(LAYOUT.replace("a:n1", "a:n1>n2"), progress=late))
    assert isinstance(said, Wait)
    assert (said.page, said.reason) == (True, Reason.STALLED)
    assert "for 2 hours" in said.message
    assert "a[0] from n1 to n2" in said.message
