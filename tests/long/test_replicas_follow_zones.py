"""Replicas as zones come and go (`zone_balance.replicas: with_zones`), on real nodes; groups and rows are simulated.

The write certificate has the right to set them only because the test's owner gave it, as docs/shards.md says.
"""

from collections.abc import Iterator

import msgspec
import pytest
from tests.integration.contracts.drain_world import Ward
from tests.integration.contracts.search_world import ZONES, RealSearch

from vagus.allocation import FORCED
from vagus.cluster import Copy
from vagus.policy import ZoneBalance
from vagus_local.cluster import LocalCluster

FOUR = (*ZONES, "d")
DOCUMENTS = 30
POLICY = ZoneBalance(mode="act", wait_cap_seconds=1, replicas="with_zones")


@pytest.fixture
def ward() -> Iterator[Ward]:
    with LocalCluster(nodes_per_zone=1, zones=ZONES) as cluster:
        world = RealSearch(cluster)
        world.may_set_replicas()
        yield Ward(world, zone_balance=POLICY)
        for node in [node for node in cluster.nodes.values() if node.zone == "d"]:
            cluster.stop(node)
            del cluster.nodes[node.id]
        world.close()


def copies(ward: Ward, index: str) -> list[Copy]:
    return [copy for copy in ward.world.port.look().copies if copy.index == index and copy.state == "STARTED"]


def test_replicas_are_raised_for_a_zone_that_comes_and_lowered_for_one_that_goes(ward: Ward) -> None:
    world, cluster = ward.world, ward.world.cluster
    world.create_index("each", shards=2, replicas=2)  # a copy in each zone
    world.create_index("plain", shards=2, replicas=1)
    for number in range(DOCUMENTS):
        cluster.call("PUT", f"/each/_doc/{number}", {"number": number})
    ward.sweep()
    assert "SetReplicas" not in ward.steps()

    cluster.zones = FOUR  # a deploy: nodes that start from now on read four zones
    ward.spec = msgspec.structs.replace(ward.spec, zones=FOUR)
    fresh = cluster.add_node("d", roles="data")
    ward.groups.create(ward.spec.group_name("core", "d"), cluster="ward", zone="d", desired=1)
    cluster.wait_green(4)
    ward.sweep()
    assert world.port.look().persistent.get(FORCED) == ",".join(FOUR)
    assert "SetReplicas" in ward.steps()
    world.until(lambda: len(copies(ward, "each")) == 2 * 4)
    assert {copy.shard for copy in copies(ward, "each") if copy.node == fresh.id} == {0, 1}
    assert len(copies(ward, "plain")) == 2 * 2, "what had no copy in each zone is left alone"
    assert [intent.raised for intent in ward.rows().intents if intent.kind == "zones"] == [("each",)]
    ward.sweep()
    assert ward.steps().count("SetReplicas") == 1, "once"

    ward.spec = msgspec.structs.replace(ward.spec, zones_leaving=("d",))
    for _ in range(6):
        ward.sweep()
        ward.take_events()
    assert ward.steps().count("SetReplicas") == 2
    assert ward.groups.completed == [(fresh.id, "CONTINUE")]
    assert ward.groups.left_with == {fresh.id: ()}
    cluster.wait_green(3)
    ward.sweep()
    assert len(copies(ward, "each")) == 2 * 3
    assert len(copies(ward, "plain")) == 2 * 2
    assert not [name for name in world.port.look().persistent if name.startswith("cluster.metadata.vagus")]
    cluster.call("POST", "/each/_refresh")
    assert cluster.call("GET", "/each/_count")["count"] == DOCUMENTS
