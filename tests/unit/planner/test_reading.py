"""The engine's flat settings, as a cluster says them."""

from vagus.zone_balance.planner import reading
from vagus.zone_balance.planner.model import Settings


def test_no_settings_are_the_engines_defaults() -> None:
    assert reading.settings({}, "3.4.0") == Settings()


def test_what_was_set_is_read() -> None:
    read = reading.settings(
        {
            "cluster.routing.allocation.awareness.attributes": "zone, rack",
            "cluster.routing.allocation.awareness.force.zone.values": "a,b,c",
            "cluster.routing.allocation.exclude._name": "n1,n2",
            "cluster.routing.allocation.disk.watermark.low": "50gb",
            "cluster.routing.allocation.node_concurrent_recoveries": "4",
            "cluster.routing.allocation.node_concurrent_outgoing_recoveries": "1",
            "cluster.routing.allocation.balance.threshold": "1.5",
            "cluster.routing.allocation.balance.prefer_primary": "true",
        },
        "3.4.0",
    )
    assert read.awareness == ("zone", "rack")
    assert read.forced == {"zone": ("a", "b", "c")}
    assert read.exclude == {"_name": "n1,n2"}
    assert read.watermark_low == "50gb"
    assert (read.incoming_recoveries, read.outgoing_recoveries) == (4, 1)
    assert read.threshold == 1.5
    assert read.prefer_primary
    assert read.unmodelled == ()


def test_a_filter_set_to_nothing_is_none() -> None:
    assert reading.settings({"cluster.routing.allocation.exclude._name": ""}, "3.4.0").exclude == {}


def test_what_is_not_modelled_is_named() -> None:
    read = reading.settings({"cluster.routing.allocation.load_awareness.provisioned_capacity": "6"}, "3.4.0")
    assert read.unmodelled == ("cluster.routing.allocation.load_awareness.provisioned_capacity=6",)


def test_an_index_says_where_it_may_stand() -> None:
    read = reading.index(
        {
            "index.routing.allocation.require.temp": "hot",
            "index.routing.allocation.include._tier_preference": "data_warm,data_hot",
            "index.routing.allocation.total_shards_per_node": "2",
            "index.replication.type": "SEGMENT",
        }
    )
    assert read.require == {"temp": "hot"}
    assert read.include == {}
    assert read.tier_preference == ("data_warm", "data_hot")
    assert read.shards_per_node == 2
    assert read.segment_replication


def test_what_a_breached_constraint_weighs_is_fixed_before_3() -> None:
    name = "cluster.routing.allocation.primary_constraint.threshold"
    assert [reading.settings(flat, "2.19.4").primary_weight for flat in ({}, {name: "50"})] == [1e6, 1e6]
    assert [reading.settings(flat, "3.4.0").primary_weight for flat in ({}, {name: "50"})] == [10, 50]
