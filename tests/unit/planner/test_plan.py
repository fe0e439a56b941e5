"""What a person would expect of a plan, told by small clusters."""

import msgspec
import pytest
from tests.unit.planner.carried_out import carried_out
from tests.unit.planner.checker import faults
from tests.unit.planner.small import AWARE, layout

from vagus.zone_balance.planner import Exchange, Index, Layout, Plan, Policy, Settings, plan
from vagus.zone_balance.planner.model import skew

EVEN = Policy()
TWO_AND_TWO = "x0:a1=900 y0:a1=100 u0:a2=100 v0:a2=100"
"""Counts are even, bytes are not: 1,000 against 200."""


def checked(cluster: Layout, policy: Policy = EVEN) -> Plan:
    """A plan that the independent checker finds no fault with."""
    made = plan(cluster, policy)
    assert faults(cluster, policy, made) == []
    return made


def reasons(made: Plan) -> set[str]:
    """What it says it can't do."""
    return {finding.reason for finding in made.findings}


def test_nothing_is_moved_where_nothing_is_wrong() -> None:
    made = checked(layout("a1 a2", "x0:a1=500 y0:a2=500"))
    assert made.waves == ()
    assert made.findings == ()
    assert made.at_rest
    assert made.robust


def test_where_a_move_would_tip_the_counts_a_large_copy_is_exchanged_for_a_small_one() -> None:
    made = checked(layout("a1 a2", "x0:a1=500 y0:a1=500 u0:a2=100 v0:a2=100"))
    (unit,) = made.waves[0].units
    assert isinstance(unit, Exchange)
    assert {(move.source, move.target, move.bytes) for move in unit.moves} == {("a1", "a2", 500), ("a2", "a1", 100)}
    assert max(skew(made.after).values()) == pytest.approx(0.0)


def test_copies_of_one_index_are_exchanged_where_every_node_has_some() -> None:
    made = checked(layout("a1 a2", "x0:a1=500 x1:a1=500 x2:a2=100 x3:a2=100"))
    assert {move.index for move in made.moves} == {"x"}
    assert max(skew(made.after).values()) == pytest.approx(0.0)


def test_with_a_higher_threshold_bytes_lead_and_fewer_are_moved() -> None:
    cluster = layout("a1 a2", "x0:a1=400 y0:a1=400 z0:a1=400 u0:a2=200 v0:a2=100 w0:a2=100")
    counted, led = checked(cluster), checked(cluster, Policy(highest_threshold=3.0))
    assert led.bytes < counted.bytes
    assert led.threshold is not None
    assert cluster.settings.threshold < led.threshold <= 3.0
    assert led.at_rest


def test_the_threshold_is_not_raised_where_nothing_needs_it() -> None:
    assert checked(layout("a1 a2", "x0:a1=500 y0:a2=500"), Policy(highest_threshold=9.0)).threshold is None


def test_a_node_that_joined_is_given_copies_by_count_and_bytes_end_even() -> None:
    shards = " ".join(
        f"{name}0:{node}={size}" for name, node, size in zip("pqrstu", ["a1", "a2"] * 3, [100] * 6, strict=True)
    )
    made = checked(layout("a1 a2 a3", shards))
    assert sorted(load.copies for load in made.after) == [2, 2, 2]
    assert {move.purpose for move in made.moves} == {"count"}
    assert max(skew(made.after).values()) == pytest.approx(0.0)


def test_shares_go_by_the_size_of_the_disks() -> None:
    cluster = layout("a1 a2", "x0:a1=100 y0:a1=100 u0:a2=100 v0:a2=100 w0:a1=100 t0:a2=100")
    large = msgspec.structs.replace(cluster.nodes[0], disk_total=20_000, disk_free=19_700)
    uneven = msgspec.structs.replace(cluster, nodes=(large, cluster.nodes[1]))
    made = checked(uneven, Policy(highest_threshold=3.0))
    assert {load.node: load.bytes for load in made.after} == {"a1": 400, "a2": 200}


def test_bytes_are_evened_within_a_zone_only() -> None:
    made = checked(layout("a1 b1", "x0:a1=900 y0:b1=100", AWARE))
    assert made.waves == ()


def test_a_wave_keeps_the_recovery_limits() -> None:
    shards = " ".join(f"x{number}:a1=10" for number in range(8))
    made = checked(layout("a1 a2", shards))
    assert len(made.moves) == 4
    assert [len(wave.moves) for wave in made.waves] == [2, 2]


def test_a_wave_keeps_the_disks_under_their_watermark_while_it_is_under_way() -> None:
    """Two exchanges at once would lift a2 over its low watermark: it holds the old copies until the new are there."""
    shards = "x0:a1=300 y0:a1=300 z0:a1=300 w0:a1=300 p0:a2=50 q0:a2=50 r0:a2=50 s0:a2=50"
    assert [len(wave.units) for wave in checked(layout("a1 a2", shards)).waves] == [2]
    assert [len(wave.units) for wave in checked(layout("a1 a2", shards, spent={"a2": 8_040})).waves] == [1, 1]


def test_an_excluded_node_is_emptied_first() -> None:
    cluster = layout("a1 a2 a3", "x0:a1 y0:a2 z0:a3", Settings(exclude={"_name": "a1"}))
    made = checked(cluster)
    assert made.moves[0].source == "a1"
    assert made.moves[0].purpose == "leave"


def test_a_copy_with_nowhere_to_go_is_named_with_the_deciders_that_say_no() -> None:
    made = checked(layout("a1 b1", "x0:a1,b1", msgspec.structs.replace(AWARE, exclude={"_name": "a1"})))
    assert made.waves == ()
    (finding,) = [finding for finding in made.findings if finding.reason == "StuckCopy"]
    assert "x[0] may not stay on a1 (filter)" in finding.message
    assert "same_shard on 1" in finding.message


def test_a_shard_larger_than_the_share_is_named() -> None:
    made = checked(layout("a1 a2", TWO_AND_TWO))
    assert "ShardLargerThanShare" in reasons(made)
    assert any("x[0] (900 bytes)" in finding.message for finding in made.findings)


def test_more_copies_than_zones_is_said() -> None:
    settings = Settings(awareness=("zone",))
    assert "MoreCopiesThanZones" in reasons(checked(layout("a1 a2 b1 b2", "x0:a1,a2,b1", settings)))


def test_a_cluster_that_misses_copies_is_left_alone() -> None:
    made = plan(layout("a1 a2", "x0:a1,-=900 y0:a1 z0:a1 u0:a1"), EVEN)
    assert made.waves == ()
    assert reasons(made) == {"NotGreen"}


def test_a_setting_that_is_not_modelled_stops_the_plan() -> None:
    made = plan(layout("a1 a2", "x0:a1 y0:a1 z0:a1", Settings(unmodelled=("load_awareness=3",))), EVEN)
    assert made.waves == ()
    assert reasons(made) == {"UnknownModel"}


def test_uneven_primaries_are_exchanged_for_replicas_where_a_third_zone_allows_it() -> None:
    shards = "x0:a1,b1=10 y0:a2,b2=10 z0:a1,b1=10 u0:a2,b2=10 p0:b1,c1=10 q0:b2,c2=10 r0:b1,c1=10 s0:b2,c2=10"
    made = checked(layout("a1 a2 b1 b2 c1 c2", shards, AWARE))
    primaries = {zone: sum(load.primaries for load in made.after if load.zone == zone) for zone in "abc"}
    before = {zone: sum(load.primaries for load in made.before if load.zone == zone) for zone in "abc"}
    assert before == {"a": 4, "b": 4, "c": 0}
    assert primaries["c"] > 0


def test_primaries_that_no_legal_exchange_evens_are_said() -> None:
    made = checked(layout("a1 b1", "x0:a1,b1 y0:a1,b1 z0:a1,b1", Settings(awareness=("zone",))))
    assert made.waves == ()
    assert "PrimariesUneven" in reasons(made)


def test_every_move_says_what_it_is_for() -> None:
    made = checked(layout("a1 a2", "x0:a1=500 y0:a1=500 u0:a2=100 v0:a2=100"))
    (unit,) = made.waves[0].units
    assert unit.sentence.startswith("exchange ")
    assert unit.sentence.endswith("the bytes are uneven")


def test_what_is_left_of_a_plan_is_planned_alike_after_each_wave() -> None:
    """A plan that was interrupted is finished by the next: the skew it ends at is no worse."""
    shards = " ".join(
        f"{name}0:a{number % 2 + 1}={size}"
        for number, (name, size) in enumerate(zip("bcdefghijklm", [300, 20] * 6, strict=True))
    )
    cluster = layout("a1 a2 a3", shards)
    whole = checked(cluster)
    assert len(whole.waves) > 1
    for number in range(1, len(whole.waves)):
        begun = msgspec.structs.replace(whole, waves=whole.waves[:number])
        rest = checked(carried_out(cluster, begun))
        assert rest.at_rest
        assert max(skew(rest.after).values()) <= max(skew(whole.after).values()) + EVEN.skew


def test_what_is_spread_to_be_robust_is_not_crowded_again_for_the_primaries() -> None:
    """Found by Hypothesis: the two undid each other, and every look planned the same moves anew."""
    settings = Settings(
        disk_threshold=False, incoming_recoveries=1, outgoing_recoveries=1, balance_shard=0.7, balance_index=0.55
    )
    cluster = layout(
        "a0 b1 a2 b3 a4 b5",
        "i0:a0=1 j0:a2,b1=1 j1:a2,b1=100 k0:a4,b1=1 k1:a2,b3=10 l0:a0=1 l1:a0=1 l2:a0=1 l3:a0=100 l4:b1=1",
        settings,
        {"l": Index(exclude={"_name": "a0"})},
        versions={"a0": "3.4.0", "b1": "3.5.0", "a2": "3.4.0", "b3": "3.4.0", "a4": "3.5.0", "b5": "3.4.0"},
    )
    disks = {"a0": 40_000, "b1": 100_000}
    nodes = tuple(msgspec.structs.replace(node, disk_total=disks.get(node.name, 20_000)) for node in cluster.nodes)
    cluster = msgspec.structs.replace(cluster, nodes=nodes)
    assert plan(carried_out(cluster, plan(cluster, EVEN)), EVEN).moves == ()


def test_a_zone_is_not_tipped_so_that_an_index_is_spread() -> None:
    """Found by Hypothesis: an exchange between two zones took one from 0.99 to 0.33 and the other from 0.20 to 0.50."""
    settings = Settings(disk_threshold=False, rebalance_primary=True)
    shards = "i0:b3=100 j0:a0,a2,a4=100 j1:b3,a2,a0=100 k0:b1=1"
    cluster = layout("a0 b1 a2 b3 a4", shards, settings, versions={"b3": "3.5.0"})
    made = checked(cluster, Policy(spare=0, even_primaries=False))
    assert skew(made.after)["a", "data"] <= skew(made.before)["a", "data"]
    assert "LeansOnACount" in reasons(made), "and it is said"
