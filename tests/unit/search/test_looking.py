"""One look of several answers: what is missing is an error, and never "empty"."""

from typing import Any

import msgspec
import pytest

from vagus.cluster import Copy
from vagus.errors import Malformed, Unreachable
from vagus.search.answers import (
    Health,
    IndexSettings,
    NodeInfo,
    NodeStats,
    Settings,
    ShardStores,
    State,
    Stats,
    Voting,
    decoded,
)
from vagus.search.client import STATE_FIELDS
from vagus.search.looking import Pieces, cluster, dead_shards


def node(name: str, zone: str) -> dict[str, Any]:
    address = {"a": "10.0.0.1:9300", "b": "[fd00::1]:9300"}[zone]
    return {"name": name, "ephemeral_id": f"e-{name}", "transport_address": address, "attributes": {"zone": zone}}


def routed(state: str, at: str | None = None, to: str | None = None, primary: bool = True) -> dict[str, Any]:
    return {"state": state, "primary": primary, "node": at, "relocating_node": to}


def state(**indices: list[dict[str, Any]]) -> State:
    """Two nodes, i-1 in zone a and i-2 in zone b; one shard per index."""
    table = {"indices": {name: {"shards": {"0": copies}} for name, copies in indices.items()}}
    nodes = {"n1": node("i-1", "a"), "n2": node("i-2", "b")}
    said = {"cluster_uuid": "u", "cluster_manager_node": "n2", "nodes": nodes, "routing_table": table}
    return msgspec.convert(said, State)


def stats(**sizes: dict[str, int]) -> Stats:
    """Bytes by node and index; the disks have 100 bytes, of which 40 are available."""
    nodes = {
        key: {
            "fs": {"total": {"total_in_bytes": 100, "available_in_bytes": 40}},
            "indices": {
                "shards": {index: [{"0": {"store": {"size_in_bytes": size}}}] for index, size in of.items()},
            },
        }
        for key, of in sizes.items()
    }
    return msgspec.convert({"nodes": nodes}, Stats)


def pieces(seen: State, **changed: Any) -> Pieces:
    indices: dict[str, Any] = {name: {} for name in seen.routing_table.indices}
    voting = {"metadata": {"cluster_coordination": {"last_committed_config": ["n2", "n1", "n9"]}}}
    whole: dict[str, Any] = {
        "state": seen,
        "settings": Settings(),
        "stats": stats(n1={}, n2={}),
        "health": Health(status="green", number_of_pending_tasks=3, indices=indices),
        "voting": msgspec.convert(voting, Voting),
        "visible": {index: IndexSettings() for index in indices},
        "info": {name: NodeInfo(version="3.4.0", roles=("data",)) for name in ("e-i-1", "e-i-2")},
    }
    return Pieces(**whole | changed)


def test_names_take_the_place_of_the_engines_ids() -> None:
    seen = cluster(pieces(state(claims=[routed("RELOCATING", "n1", "n2")])))
    assert seen.manager == "i-2"
    assert seen.voters == ("i-1", "i-2", "n9")  # one that is not in the cluster has no name
    assert seen.copies == (Copy(index="claims", shard=0, primary=True, state="RELOCATING", node="i-1", target="i-2"),)
    assert [one.address for one in seen.nodes] == ["10.0.0.1", "fd00::1"]
    assert seen.pending_tasks == 3


def test_the_target_of_a_move_is_no_copy_of_its_own() -> None:
    moving = state(claims=[routed("RELOCATING", "n1", "n2"), routed("INITIALIZING", "n2", "n1")])
    assert [copy.state for copy in cluster(pieces(moving)).copies] == ["RELOCATING"]


def test_sizes_are_those_of_the_copys_own_node() -> None:
    both = state(claims=[routed("STARTED", "n1"), routed("STARTED", "n2", primary=False)])
    seen = cluster(pieces(both, stats=stats(n1={"claims": 7}, n2={"claims": 9})))
    assert [copy.bytes for copy in seen.copies] == [7, 9]


@pytest.mark.parametrize("other", [{}, {"claims": 0}])
def test_a_copy_that_was_not_measured_yet_is_as_large_as_its_largest_twin(other: dict[str, int]) -> None:
    both = state(claims=[routed("STARTED", "n1"), routed("INITIALIZING", "n2", primary=False)])
    seen = cluster(pieces(both, stats=stats(n1={"claims": 7}, n2=other)))
    assert [copy.bytes for copy in seen.copies] == [7, 7]


def test_a_node_that_does_not_tell_its_disk_counts_as_full() -> None:
    seen = cluster(pieces(state(), stats=stats(n1={})))
    assert [(one.name, one.disk_free) for one in seen.nodes] == [("i-1", 40), ("i-2", 0)]


def test_a_node_that_does_not_tell_its_roles_is_no_node_without_data() -> None:
    with pytest.raises(Unreachable, match="i-2"):
        cluster(pieces(state(), info={"e-i-1": NodeInfo(version="3.4.0", roles=())}))


@pytest.mark.parametrize(
    ("copies", "dead"),
    [
        ([routed("STARTED", "n1")], False),
        ([routed("RELOCATING", "n1", "n2")], False),
        ([routed("STARTED", "n1"), routed("UNASSIGNED", primary=False)], False),
        ([routed("UNASSIGNED")], True),
        ([routed("INITIALIZING", "n1")], True),
        ([routed("UNASSIGNED"), routed("UNASSIGNED", primary=False)], True),
    ],
)
def test_a_shard_is_dead_without_an_active_copy(copies: list[dict[str, Any]], dead: bool) -> None:
    assert bool(dead_shards(state(claims=copies))) is dead


def stores(*keys: str, **more: Any) -> ShardStores:
    told = [{key: {"name": key}, "allocation": "unused"} for key in keys]
    return msgspec.convert({"indices": {"claims": {"shards": {"0": {"stores": told}}}}, **more}, ShardStores)


def test_what_the_engine_says_of_a_copy_that_is_nowhere_is_read() -> None:
    said = {"reason": "CLUSTER_RECOVERED", "at": "2026-01-01T00:00:00Z", "allocation_status": "deciders_throttled"}
    stores = msgspec.convert({"indices": {"claims": {"shards": {"0": {"stores": []}}}}}, ShardStores)
    seen = cluster(pieces(state(claims=[{**routed("UNASSIGNED"), "unassigned_info": said}]), stores=stores))
    assert seen.copies[0].nowhere == ("CLUSTER_RECOVERED", "deciders_throttled")
    assert all(f"unassigned_info.{field}" in STATE_FIELDS for field in ("reason", "allocation_status"))


DEAD = state(claims=[routed("UNASSIGNED")])


def test_stores_of_dead_shards_are_told_by_the_names_of_their_nodes() -> None:
    assert cluster(pieces(DEAD, stores=stores("n2", "n1"))).stores == ("i-1", "i-2")
    assert cluster(pieces(DEAD, stores=stores())).stores == ()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (ShardStores(), "was left out"),
        (msgspec.convert({"indices": {"claims": {"shards": {"1": {"stores": []}}}}}, ShardStores), "another shard"),
        (stores("n1", failures=[{"reason": "node left"}]), "a node could not be asked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_stores_that_were_not_told_are_not_absent(told: ShardStores, why: str) -> None:
    with pytest.raises(Unreachable):
        cluster(pieces(DEAD, stores=told))


def test_stores_of_living_shards_do_not_count() -> None:
    alive = state(claims=[routed("STARTED", "n1"), routed("UNASSIGNED", primary=False)])
    assert cluster(pieces(alive, stores=stores("n2"))).stores == ()


@pytest.mark.parametrize(
    ("visible", "counted_by_health", "seen"),
    [
        ({"a", "b"}, 2, (2, 2)),
        ({"a"}, 2, (1, 2)),
        ({"a", "b"}, 3, (2, 3)),
        (set(), 2, (0, 2)),
        ({"a", "b", "c"}, 2, (2, 2)),
    ],
)
def test_the_narrowest_view_is_held_against_the_widest_count(
    visible: set[str], counted_by_health: int, seen: tuple[int, int]
) -> None:
    two = state(a=[routed("STARTED", "n1")], b=[routed("STARTED", "n1")])
    health = Health(status="green", number_of_pending_tasks=0, indices={str(n): {} for n in range(counted_by_health)})
    made = cluster(pieces(two, visible={index: IndexSettings() for index in visible}, health=health))
    assert (made.visible_indices, made.counted_indices) == seen


def test_lists_in_settings_are_commas() -> None:
    said = Settings(persistent={"a": ["x", "y"]}, defaults={"b": "true", "c": []})
    seen = cluster(pieces(state(), settings=said))
    assert (seen.persistent, seen.defaults) == ({"a": "x,y"}, {"b": "true", "c": ""})


def test_indices_whose_replicas_expand_are_told_from_those_that_keep_theirs() -> None:
    said = b"""{
        "security": {"settings": {"index.number_of_replicas": "2", "index.auto_expand_replicas": "0-all"}},
        "switched_off": {"settings": {"index.auto_expand_replicas": "false"}},
        "claims": {"settings": {"index.number_of_replicas": "1"}}
    }"""
    told = decoded(said, dict[str, IndexSettings], "/_all/_settings")
    assert cluster(pieces(state(), visible=told)).auto_expanding == {"security"}


def test_a_status_nobody_knows_is_malformed() -> None:
    with pytest.raises(Malformed, match="purple"):
        cluster(pieces(state(), health=Health(status="purple", number_of_pending_tasks=0)))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"<html>", State),
        (b"{}", State),
        (b"{}", Health),
        (b"{}", Voting),
        (b'{"status": "green"}', Health),
        (b'{"cluster_uuid": "u", "nodes": {}, "routing_table": {"indices": {"a": {}}}}', State),
        (b'{"nodes": {"n1": {"fs": 7}}}', Stats),
    ],
)
def test_an_answer_without_what_was_asked_for_is_malformed(answer: bytes, kind: type[Any]) -> None:
    with pytest.raises(Malformed, match="/x"):
        decoded(answer, kind, "/x")


def test_stats_without_a_disk_are_those_of_a_full_one() -> None:
    assert msgspec.convert({}, NodeStats).fs.total.available_in_bytes == 0
