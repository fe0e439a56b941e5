"""A zone comes, and goes, on real nodes: its node joins, copies are forced over it, it is drained, all is
given back."""

from collections.abc import Iterator

import msgspec
import pytest
from tests.integration.contracts.drain_world import Ward
from tests.integration.contracts.search_world import ZONES, RealSearch

from vagus.allocation import FORCED
from vagus_local.cluster import LocalCluster

FOUR = (*ZONES, "d")
DOCUMENTS = 30


@pytest.fixture
def ward(real_cluster: LocalCluster) -> Iterator[Ward]:
    world = RealSearch(real_cluster)
    made = Ward(world)
    yield made
    real_cluster.zones = ZONES
    for node in [node for node in real_cluster.nodes.values() if node.zone == "d"]:
        real_cluster.stop(node)
        del real_cluster.nodes[node.id]
    made.close()
    world.close()


def forced(ward: Ward) -> str | None:
    """What the setting says, if there is one."""
    return ward.world.port.look().persistent.get(FORCED)


def test_a_zone_comes_and_goes(ward: Ward) -> None:
    world, cluster = ward.world, ward.world.cluster
    world.create_index("claims", shards=4, replicas=1)
    for number in range(DOCUMENTS):
        cluster.call("PUT", f"/claims/_doc/{number}", {"number": number})
    ward.sweep()
    assert forced(ward) is None

    cluster.zones = FOUR  # a deploy: nodes that start from now on read four zones
    ward.spec = msgspec.structs.replace(ward.spec, zones=FOUR)
    fresh = cluster.add_node("d", roles="data")
    ward.groups.create(ward.spec.group_name("core", "d"), cluster="ward", zone="d", desired=1)
    cluster.wait_green(4)
    world.until(lambda: bool(world.port.look().on(fresh.id)))
    cluster.wait_green(4)
    ward.sweep()
    assert forced(ward) == ",".join(FOUR)
    assert [intent.id for intent in ward.rows().intents] == ["zones"]
    assert {node.forced for node in world.port.look().nodes if node.zone != "d"} == {ZONES}

    ward.spec = msgspec.structs.replace(ward.spec, zones_leaving=("d",))
    for _ in range(6):
        ward.sweep()
        ward.take_events()
    assert ward.groups.completed == [(fresh.id, "CONTINUE")]
    assert ward.groups.left_with == {fresh.id: ()}
    cluster.wait_green(3)
    ward.sweep()
    assert (forced(ward), ward.rows().intents) == (None, ()), "the three that stay agree without it"
    assert not [name for name in world.port.look().persistent if name.startswith("cluster.metadata.vagus")]
    cluster.call("POST", "/claims/_refresh")
    assert cluster.call("GET", "/claims/_count")["count"] == DOCUMENTS
