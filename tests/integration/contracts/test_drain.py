"""The drain on real nodes of each engine: an instance leaves once its shards stand elsewhere; nothing of ours stays.

Auto Scaling, DynamoDB and Step Functions are the fakes that keep the same contracts; `tests/e2e` has the whole of it.
"""

from collections.abc import Iterator

import pytest
from tests.integration.contracts.conftest import ENGINES
from tests.integration.contracts.drain_world import Ward
from tests.integration.contracts.search_world import RealSearch

from vagus.owned import EXCLUDE, MARK, TOKEN
from vagus_local.cluster import LocalCluster

DOCUMENTS = 60


@pytest.fixture
def ward(engine_cluster: LocalCluster) -> Iterator[Ward]:
    world = RealSearch(engine_cluster)
    made = Ward(world)
    yield made
    made.close()
    world.close()


@pytest.mark.parametrize("engine_cluster", ENGINES, indirect=True)
def test_an_instance_leaves_when_its_shards_stand_elsewhere(ward: Ward) -> None:
    world = ward.world
    world.create_index("claims", shards=3, replicas=1)
    world.create_index("letters", shards=2, replicas=0)
    written = write(world)
    ward.sweep()
    assert ward.rows().identity == world.port.look().uuid
    noted = len(ward.steps())

    leaver = next(node.name for node in world.port.look().nodes if node.zone == "b")
    assert world.port.look().on(leaver), "it has something to lose"
    ward.groups.scale_in(leaver)
    ward.take_events()

    assert ward.groups.completed == [(leaver, "CONTINUE")]
    assert ward.groups.left_with == {leaver: ()}, "nothing stood on it when it was let go"
    assert ward.steps()[noted:] == [
        "ExcludeNodes",
        "TakeVote",
        "LetEmptyInstanceGo",
        "GiveVotesBack",
        "PutSettingsRight",
    ]
    marks_and_exclusions_went_together(ward, leaver)

    world.cluster.wait_green(2)
    left = world.port.look()
    assert leaver not in {node.name for node in left.nodes}
    assert {EXCLUDE, MARK, TOKEN}.isdisjoint({*left.persistent, *left.transient})
    assert {index: count(world, index) for index in written} == written
    assert ward.rows().intents == ()


def write(world: RealSearch) -> dict[str, int]:
    """Documents in both indices; how many in each."""
    for number in range(DOCUMENTS):
        index = "claims" if number % 3 else "letters"
        world.cluster.call("PUT", f"/{index}/_doc/{number}", {"number": number})
    return {"claims": DOCUMENTS * 2 // 3, "letters": DOCUMENTS // 3}


def count(world: RealSearch, index: str) -> int:
    world.cluster.call("POST", f"/{index}/_refresh")
    counted: int = world.cluster.call("GET", f"/{index}/_count")["count"]
    return counted


def marks_and_exclusions_went_together(ward: Ward, leaver: str) -> None:
    """In every look that was had: set at once, for this node alone, and cleared at once."""
    layers = [look.persistent for look in ward.search.looks]
    assert {layer.get(EXCLUDE) for layer in layers} == {None, leaver}
    for layer in layers:
        assert layer.get(EXCLUDE) == layer.get(MARK)
        assert (TOKEN in layer) == (MARK in layer)
