"""Which nodes go together, by a table of clusters keyed by a sentence: nine nodes, three in each of three zones."""

from collections.abc import Callable

import msgspec
import pytest
from tests.unit.rolling_upgrade.world import RollingWorld, declared

from vagus.cluster import Cluster, Node
from vagus.rolling_upgrade.order import batches

Change = Callable[[Cluster], Cluster]


def cluster(*, replicas: int = 1, expands: bool = False) -> Cluster:
    """Beside the world's own index (three shards, one replica) one more."""
    world = RollingWorld(spec=declared(per_zone=3))
    world.engine.create_index("more", shards=1, replicas=replicas, expands=expands)
    world.clock.now += 60
    return world.engine.look()


def without_zones(seen: Cluster) -> Cluster:
    return msgspec.structs.replace(seen, nodes=tuple(msgspec.structs.replace(one, zone="") for one in seen.nodes))


def of_three_voters(seen: Cluster) -> Cluster:
    """All three in one zone."""
    zone = seen.nodes[0].zone
    return msgspec.structs.replace(seen, voters=tuple(one.name for one in seen.nodes if one.zone == zone))


CASES: list[tuple[str, int, Cluster, Change, int]] = [
    ("one at a time unless the policy says more", 1, cluster(), lambda seen: seen, 1),
    ("two of a zone where it says so", 2, cluster(), lambda seen: seen, 2),
    ("never the whole of a zone", 9, cluster(), lambda seen: seen, 2),
    ("one at a time where nodes have no zone", 9, cluster(), without_zones, 1),
    ("never a majority of the voters", 9, cluster(), of_three_voters, 2),
    ("an index with a copy on every node keeps none apart", 2, cluster(replicas=0, expands=True), lambda seen: seen, 2),
    ("no two that hold copies of one shard", 9, cluster(replicas=8), lambda seen: seen, 1),
]


@pytest.mark.parametrize(("sentence", "most", "seen", "change", "largest"), CASES, ids=[one[0] for one in CASES])
def test_the_largest_batch_is(sentence: str, most: int, seen: Cluster, change: Change, largest: int) -> None:
    asked = change(seen)
    found = batches(asked, asked.nodes, most)
    assert max(len(batch) for batch in found) == largest
    _each_once_and_safe(asked, found)


def _each_once_and_safe(seen: Cluster, found: list[list[Node]]) -> None:
    assert sorted(node.name for batch in found for node in batch) == sorted(node.name for node in seen.nodes)
    for batch in found:
        names = {node.name for node in batch}
        assert len({node.zone for node in batch}) == 1
        held = [copy.id for copy in seen.copies if copy.node in names and copy.index not in seen.auto_expanding]
        assert len(names) == 1 or len(held) == len(set(held))
        assert len(names & set(seen.voters)) * 2 < len(seen.voters) or len(names) == 1


def test_the_elected_manager_goes_last_and_alone() -> None:
    seen = cluster()
    assert [node.name for node in batches(seen, seen.nodes, 9)[-1]] == [seen.manager]
