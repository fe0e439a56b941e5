"""What `placement` says of legal targets and room, and that the simulated engine agrees."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.zone_balance.building import FORCED, GB, cluster, node, ours

from vagus.allocation import reserve, shielded
from vagus.cluster import Cluster, Node
from vagus.owned import EXCLUDE, SettingsUpdate
from vagus.search.fake import FakeEngine
from vagus.zone_balance import placement
from vagus.zone_balance.placement import fit, spare, started_elsewhere, zones

SIX = [node(f"n{number}", (number - 1) // 2) for number in range(1, 7)]
THREE = [node(f"n{number}", number - 1) for number in range(1, 4)]
FULL = 12 * GB
"""Free of 100 GB: over the low watermark."""


def _some_full(*names: str) -> list[Node]:
    return [node(one.name, (int(one.name[1:]) - 1) // 2, free=FULL if one.name in names else 90 * GB) for one in SIX]


def _upgraded(nodes: list[Node], *names: str) -> list[Node]:
    """These run 3.4.0, the others the version before."""
    return [one if one.name in names else msgspec.structs.replace(one, version="2.19.4") for one in nodes]


NOWHERE: dict[str, tuple[Cluster, set[str], list[str]]] = {
    "a copy goes to another node of its zone": (cluster(SIX, "a:n1,n3", persistent=FORCED), {"n1"}, []),
    "one node per zone and a copy in each leaves no legal node": (
        cluster(THREE, "a:n1,n2,n3", persistent=FORCED),
        {"n1"},
        ["a"],
    ),
    "without awareness, same shard alone leaves no legal node": (cluster(THREE, "a:n1,n2,n3"), {"n1"}, ["a"]),
    "without awareness a third node takes it": (cluster(THREE, "a:n1,n2"), {"n1"}, []),
    "two copies in three zones may use the third": (cluster(THREE, "a:n1,n2", persistent=FORCED), {"n1"}, []),
    "a forced zone without nodes still counts, so that its share is not given to others": (
        cluster([SIX[0], SIX[1], SIX[2]], "a:n1,n3,-", persistent=FORCED),
        {"n1", "n2"},
        ["a"],
    ),
    "a primary never goes back to a node of an older version": (
        cluster(_upgraded(SIX, "n1", "n3"), "a:n1,n3,n5", persistent=FORCED),
        {"n1"},
        ["a"],
    ),
    "nor does a replica, of a primary on a newer one": (
        cluster(_upgraded(SIX, "n1", "n3"), "a:n3,n1,n5", persistent=FORCED),
        {"n1"},
        ["a"],
    ),
    "a replica of a primary on an old node may go to any": (
        cluster(_upgraded(SIX, "n1"), "a:n3,n1,n5", persistent=FORCED),
        {"n1"},
        [],
    ),
    "a node that is excluded by hand takes nothing": (
        cluster(SIX, "a:n1,n3", persistent={**FORCED, EXCLUDE: "n2,n5,n6"}),
        {"n1"},
        ["a"],
    ),
    "a node that leaves as well takes nothing": (
        cluster(SIX, "a:n1,n3,n5", persistent=FORCED),
        {"n1", "n2"},
        ["a"],
    ),
    "a copy that is on its way elsewhere already needs no place": (cluster(THREE, "a:n1>n3,n2"), {"n1"}, []),
    "a copy that is on its way to a node which leaves as well needs another": (
        cluster(THREE, "a:n1>n3,n2"),
        {"n1", "n3"},
        ["a"],
    ),
    "a manager of its own takes no shards": (
        cluster([*THREE[:2], node("m1", 2, roles=("cluster_manager",))], "a:n1,n2"),
        {"n1"},
        ["a"],
    ),
}


@pytest.mark.parametrize(("seen", "going", "expected"), NOWHERE.values(), ids=NOWHERE.keys())
def test_copies_that_may_go_nowhere(seen: Cluster, going: set[str], expected: list[str]) -> None:
    assert [copy.index for copy in fit(seen, frozenset(going)).nowhere] == expected


AUTO_EXPANDING: dict[str, tuple[Cluster, set[str], list[str]]] = {
    "a copy on every node, as the security plugin has it, is taken away by the engine itself": (
        cluster(THREE, "a:n1,n2,n3", persistent=FORCED),
        {"n1"},
        [],
    ),
    "unless every copy would go": (cluster(THREE, "a:n1,n2,n3", persistent=FORCED), {"n1", "n2", "n3"}, ["a"] * 3),
}


@pytest.mark.parametrize(("seen", "going", "expected"), AUTO_EXPANDING.values(), ids=AUTO_EXPANDING.keys())
def test_replicas_that_expand_with_the_nodes(seen: Cluster, going: set[str], expected: list[str]) -> None:
    expanding = msgspec.structs.replace(seen, auto_expanding=frozenset({"a"}))
    assert [copy.index for copy in fit(expanding, frozenset(going)).nowhere] == expected


NO_ROOM: dict[str, tuple[Cluster, set[str], list[str]]] = {
    "there is room": (cluster(SIX, "a:n1,n3", persistent=FORCED, size=50 * GB), {"n1"}, []),
    "the legal node would pass its high watermark, and others may not take it": (
        cluster(_some_full("n2", "n5", "n6"), "a:n1,n3", persistent=FORCED),
        {"n1"},
        ["a"],
    ),
    "two shards fit each, and not both": (cluster(SIX[:2], "a:n1 b:n1", size=50 * GB), {"n1"}, ["b"]),
    "watermarks that are off leave the whole disk": (
        cluster(SIX[:2], "a:n1", size=89 * GB, persistent={placement.THRESHOLD: "false"}),
        {"n1"},
        [],
    ),
    "what is on its way to a node takes its room": (
        cluster(SIX[:3], "a:n1 b:n3>n2", size=50 * GB, persistent={EXCLUDE: "n3"}),
        {"n1"},
        ["a"],
    ),
}


@pytest.mark.parametrize(("seen", "going", "expected"), NO_ROOM.values(), ids=NO_ROOM.keys())
def test_copies_for_which_there_is_no_room(seen: Cluster, going: set[str], expected: list[str]) -> None:
    found = fit(seen, frozenset(going))
    assert [copy.index for copy in found.no_room] == expected
    assert found.nowhere == ()


WATERMARKS = {"90%": 10, "0.9": 10, "85.5%": 15, "50b": 50, "2kb": 2048, "1.5mb": 3 << 19, "1gb": GB, "2tb": 2 << 40}


@pytest.mark.parametrize(("watermark", "expected"), WATERMARKS.items())
def test_bytes_that_a_watermark_wants_free(watermark: str, expected: int) -> None:
    assert reserve(watermark, 100) == expected


SPARE = {
    "up to the high watermark": (90 * GB, {}, 80 * GB),
    "nothing once the low one is passed": (14 * GB, {}, 0),
    "as the settings say": (14 * GB, {placement.LOW: "95%", placement.HIGH: "99%"}, 13 * GB),
    "the whole disk where watermarks are off": (14 * GB, {placement.THRESHOLD: "false"}, 14 * GB),
}


@pytest.mark.parametrize(("free", "persistent", "expected"), SPARE.values(), ids=SPARE.keys())
def test_bytes_that_a_node_can_take(free: int, persistent: dict[str, str], expected: int) -> None:
    one = node("n1", free=free)
    assert spare(cluster([one], persistent=persistent), one) == expected


SHIELDED = {
    "by name": ({EXCLUDE: "n1, n2"}, {}, {"n1", "n2"}),
    "by wildcard": ({EXCLUDE: "n*"}, {}, {f"n{number}" for number in range(1, 7)}),
    "a transient twin wins": ({EXCLUDE: "n1"}, {EXCLUDE: "n2"}, {"n2"}),
    "a mark alone shields nothing": (ours("n1") | {EXCLUDE: ""}, {}, set()),
}


@pytest.mark.parametrize(("persistent", "transient", "expected"), SHIELDED.values(), ids=SHIELDED.keys())
def test_nodes_that_shards_are_kept_off(
    persistent: dict[str, str], transient: dict[str, str], expected: set[str]
) -> None:
    assert shielded(cluster(SIX, persistent=persistent, transient=transient)) == expected


ELSEWHERE = {
    "a replica stands elsewhere": ("a:n1,n2", True),
    "there is no replica": ("a:n1", False),
    "the replica is unassigned": ("a:n1,-", False),
    "the replica is not there yet": ("a:n1,+n2", False),
    "a replica that moves still serves": ("a:n1,n2>n3", True),
    "its own move elsewhere is not there yet": ("a:n1>n2", False),
    "one of two shards has no other copy": ("a:n1,n2 b:n1", False),
}


@pytest.mark.parametrize(("layout", "expected"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_whether_all_it_holds_is_served_elsewhere(layout: str, expected: bool) -> None:
    seen = cluster(THREE, layout)
    assert started_elsewhere(seen, seen.on("n1"), "n1") is expected


def test_zones_that_awareness_counts_are_live_and_forced() -> None:
    assert zones(cluster(SIX[:4], persistent=FORCED)) == {one.zone for one in SIX}
    assert zones(cluster(SIX[:4])) == frozenset()


@settings(max_examples=60, deadline=None)
@given(
    nodes=st.lists(st.integers(0, 2), min_size=2, max_size=6),
    indices=st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=4),
    forced=st.booleans(),
    first=st.integers(0, 5),
)
def test_what_fits_moves_and_what_may_go_nowhere_stays(
    nodes: list[int], indices: list[tuple[int, int, int]], forced: bool, first: int
) -> None:
    """The engine empties a node if `fit` finds a place for all that it holds, unless its own greedy order runs it into
    a corner; and a copy that `fit` says may go nowhere never leaves."""
    now = [0.0]
    engine = FakeEngine(lambda: now[0], speed=1000.0)
    for number, zone in enumerate(nodes):
        engine.start_node(f"n{number}", f"eu-west-1{'abc'[zone]}", disk=100_000)
    if forced:
        engine.update_settings(SettingsUpdate(persistent=FORCED))
    for number, (shards, replicas, size) in enumerate(indices):
        engine.create_index(f"i{number}", shards=shards, replicas=replicas, size=1000 * size)
    goes = f"n{first % len(nodes)}"
    before = engine.look()
    expected = fit(before, frozenset({goes}))
    engine.update_settings(SettingsUpdate(persistent={EXCLUDE: goes}))
    for _ in range(60):
        now[0] += 10
        engine.settle()
    left = {copy.id for copy in engine.look().on(goes)}
    assert {copy.id for copy in expected.nowhere if copy.state == "STARTED"} <= left
    if before.status == "green" and not left:
        assert expected.nowhere == ()
    if (
        before.status == "green"
        and expected == placement.Fit()
        and not forced
        and max(size for *_, size in indices) <= 5
    ):
        assert not left
