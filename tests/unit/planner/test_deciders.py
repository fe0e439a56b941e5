"""May the first copy of shard x0 go to that node? One table, a sentence for each case."""

from dataclasses import dataclass, field

import msgspec
import pytest
from tests.unit.planner.small import AWARE, layout

from vagus.zone_balance.planner.board import Board
from vagus.zone_balance.planner.deciders import Deciders
from vagus.zone_balance.planner.model import Index, Layout, Settings


@dataclass(frozen=True)
class Case:
    """`says`: the decider that refuses; empty where none does."""

    cluster: Layout
    target: str
    says: str
    replica: bool = False
    moved: dict[str, str] = field(default_factory=dict)


def rule(**of: object) -> dict[str, Index]:
    """What index x says."""
    return {"x": msgspec.convert(of, Index)}


CASES = {
    "a free node takes it": Case(layout("a1 a2", "x0:a1"), "a2", ""),
    "a node that has the replica does not take the primary": Case(layout("a1 a2", "x0:a1,a2"), "a2", "same_shard"),
    "a node that a copy is only leaving has it still": Case(
        layout("a1 a2 a3", "x0:a1,a2"), "a2", "same_shard", moved={"a2": "a3"}
    ),
    "a node that is excluded by name": Case(
        layout("a1 a2", "x0:a1", Settings(exclude={"_name": "b1,a2"})), "a2", "filter"
    ),
    "a node that is excluded by a pattern": Case(
        layout("a1 a2", "x0:a1", Settings(exclude={"_name": "*2"})), "a2", "filter"
    ),
    "a node that the index excludes": Case(
        layout("a1 a2", "x0:a1", indices=rule(exclude={"_name": "a2"})), "a2", "filter"
    ),
    "a node without the attribute that the index requires": Case(
        layout("a1 a2", "x0:a1", indices=rule(require={"temp": "warm"})), "a2", "filter"
    ),
    "a node that has it": Case(
        layout("a1 a2", "x0:a1", indices=rule(require={"temp": "warm"}), temp={"a2": "warm"}), "a2", ""
    ),
    "of included values any will do": Case(
        layout("a1 a2", "x0:a1", indices=rule(include={"temp": "warm,hot"})), "a2", ""
    ),
    "of required values every one must match": Case(
        layout("a1 a2", "x0:a1", indices=rule(require={"temp": "warm,hot"})), "a2", "filter"
    ),
    "a node without the data role": Case(layout("a1 a2", "x0:a1", roles={"a2": "cluster_manager"}), "a2", "filter"),
    "a node of another tier than the index prefers": Case(
        layout(
            "a1 a2 a3",
            "x0:a1",
            indices=rule(tier_preference=["data_warm", "data_hot"]),
            roles={"a1": "data_warm", "a2": "data_hot", "a3": "data_warm"},
        ),
        "a2",
        "filter",
    ),
    "the next tier where none has the first": Case(
        layout(
            "a1 a2",
            "x0:a1",
            indices=rule(tier_preference=["data_warm", "data_hot"]),
            roles={"a1": "data_hot", "a2": "data_hot"},
        ),
        "a2",
        "",
    ),
    "a disk just under the low watermark": Case(layout("a1 a2", "x0:a1", spent={"a2": 8_500}), "a2", ""),
    "a disk over the low watermark": Case(layout("a1 a2", "x0:a1", spent={"a2": 8_501}), "a2", "disk_threshold"),
    "a copy that would lift the disk over the high watermark": Case(
        layout("a1 a2", "x0:a1=1001", spent={"a2": 8_000}), "a2", "disk_threshold"
    ),
    "a copy that just fits": Case(layout("a1 a2", "x0:a1=1000", spent={"a2": 8_000}), "a2", ""),
    "what is on its way takes its room already": Case(
        layout("a1 a2 a3", "x0:a1=600 y0:a3>a2=600", spent={"a2": 8_000}), "a2", "disk_threshold"
    ),
    "a full disk where the thresholds are off": Case(
        layout("a1 a2", "x0:a1", Settings(disk_threshold=False), spent={"a2": 9_999}), "a2", ""
    ),
    "a zone that has its share of the copies": Case(layout("a1 b1 b2", "x0:a1,b1", AWARE), "b2", "awareness"),
    "a zone that has none": Case(layout("a1 b1 c1", "x0:a1,b1", AWARE), "c1", ""),
    "another node of the same zone": Case(layout("a1 a2 b1", "x0:a1,b1", AWARE), "a2", ""),
    "a dead zone counts where it is forced": Case(layout("a1 b1 b2", "x0:a1,b1,-", AWARE), "b2", "awareness"),
    "and does not where it isn't": Case(layout("a1 b1 b2", "x0:a1,b1,b3", Settings(awareness=("zone",))), "b2", ""),
    "a node without the attribute that awareness goes by": Case(
        layout("a1 a2", "x0:a1", Settings(awareness=("rack",))), "a2", "awareness"
    ),
    "a node with as many copies as the cluster allows": Case(
        layout("a1 a2", "x0:a1 y0:a2", Settings(shards_per_node=1)), "a2", "shards_limit"
    ),
    "a node with as many copies of the index as it allows": Case(
        layout("a1 a2", "x0:a1 x1:a2", indices=rule(shards_per_node=1)), "a2", "shards_limit"
    ),
    "a limit of another index": Case(layout("a1 a2", "x0:a1 y0:a2", indices={"y": Index(shards_per_node=1)}), "a2", ""),
    "a node with as many primaries as the cluster allows": Case(
        layout("a1 a2", "x0:a1 y0:a2", Settings(primaries_per_node=1)), "a2", "shards_limit"
    ),
    "a limit of primaries does not hold for replicas": Case(
        layout("a1 a2 a3", "x0:a1,a3 y0:a2", Settings(primaries_per_node=1)), "a2", "", replica=True
    ),
    "an older node does not take a primary": Case(
        layout("a1 a2", "x0:a1", versions={"a1": "3.4.0", "a2": "2.19.4"}), "a2", "node_version"
    ),
    "a newer one does": Case(layout("a1 a2", "x0:a1", versions={"a1": "2.19.4", "a2": "3.4.0"}), "a2", ""),
    "a node older than the primary's does not take a replica": Case(
        layout("a1 a2 a3", "x0:a1,a3", versions={"a1": "3.4.0", "a2": "3.3.9", "a3": "3.4.0"}),
        "a2",
        "node_version",
        replica=True,
    ),
    "under segment replication a primary stays on no newer node than its replicas": Case(
        layout(
            "a1 a2 a3",
            "x0:a1,a3",
            indices=rule(segment_replication=True),
            versions={"a1": "3.4.0", "a2": "3.5.0", "a3": "3.4.0"},
        ),
        "a2",
        "node_version",
    ),
    "another node of a host that has a copy": Case(
        layout("a1 a2 a3", "x0:a1,a3", Settings(same_host=True), hosts={"a2": "h", "a3": "h"}), "a2", "same_host"
    ),
    "unless the host does not count": Case(layout("a1 a2 a3", "x0:a1,a3", hosts={"a2": "h", "a3": "h"}), "a2", ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_engine_would_say(case: Case) -> None:
    board = Board(case.cluster)
    deciders = Deciders(board)
    for source, target in case.moved.items():
        board.move(next(copy for copy in board.on[board.node_of[source]]), board.node_of[target])
    assert deciders.denial(1 if case.replica else 0, board.node_of[case.target]) == case.says


LEAVES = {
    "a copy on an excluded node": (layout("a1 a2", "x0:a1", Settings(exclude={"_name": "a1"})), "filter"),
    "a copy on a disk over the high watermark": (layout("a1 a2", "x0:a1", spent={"a1": 9_001}), "disk_threshold"),
    "a copy that shares a zone while another has none": (layout("a1 a2 b1", "x0:a1,a2", AWARE), "awareness"),
    "a copy too many for the node": (
        layout("a1 a2", "x0:a1 x1:a1", indices={"x": Index(shards_per_node=1)}),
        "shards_limit",
    ),
    "a copy between the low and the high watermark": (layout("a1 a2", "x0:a1", spent={"a1": 8_900}), ""),
    "a copy on a node of another pool": (layout("a1 a2", "x0:a1", roles={"a1": "warm"}), ""),
}


@pytest.mark.parametrize(("cluster", "says"), LEAVES.values(), ids=LEAVES.keys())
def test_a_copy_must_leave(cluster: Layout, says: str) -> None:
    assert Deciders(Board(cluster)).must_leave(0) == says


def test_what_is_being_snapshotted_or_not_started_stays() -> None:
    busy = layout("a1 a2", "x0:a1,a2 y0:a1>a2 z0:a1")
    busy = msgspec.structs.replace(busy, snapshots=frozenset({("x", 0)}))
    deciders = Deciders(Board(busy))
    assert [deciders.may_move(copy) for copy in range(4)] == [False, True, False, True]
