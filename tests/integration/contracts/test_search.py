"""The search port: what a look tells and what a write does, on three real nodes of each engine and in the fake."""

import pytest
from tests.integration.contracts.search_world import AWARENESS, ZONES, SearchWorld

from vagus.cluster import Cluster, Copy
from vagus.errors import Refused
from vagus.owned import EXCLUDE, MARK, SettingsUpdate


def names(cluster: Cluster) -> dict[str, str]:
    """Node by zone."""
    return {node.zone: node.name for node in cluster.nodes}


def copy_of(cluster: Cluster, index: str) -> Copy:
    """The only copy of an index."""
    (copy,) = (copy for copy in cluster.copies if copy.index == index)
    return copy


def exclude(*nodes: str) -> SettingsUpdate:
    value = ",".join(nodes) or None
    return SettingsUpdate(persistent={EXCLUDE: value, MARK: value})


def test_a_look_tells_the_nodes_with_zone_roles_version_heap_and_disk(search: SearchWorld) -> None:
    seen = search.port.look()
    assert sorted(names(seen)) == list(ZONES)
    for node in seen.nodes:
        assert node.holds_data
        assert node.may_be_manager
        assert node.version == search.version
        assert node.address.startswith("127.")
        assert 0 < node.disk_free <= node.disk_total
        assert node.heap is not None
        assert 0 < node.heap <= 100
    assert len({node.ephemeral_id for node in seen.nodes}) == 3


def test_a_look_tells_identity_manager_and_voters(search: SearchWorld) -> None:
    seen = search.port.look()
    assert seen.uuid == search.port.look().uuid
    assert seen.uuid not in ("", "_na_")
    assert seen.node(seen.manager) is not None
    assert set(seen.voters) == {node.name for node in seen.nodes}


def test_a_look_tells_every_copy_with_its_node_and_size(search: SearchWorld) -> None:
    search.create_index("claims", shards=2, replicas=1)
    search.until(lambda: all(copy.bytes > 0 for copy in search.port.look().copies))  # the engine measures now and then
    seen = search.port.look()
    copies = [copy for copy in seen.copies if copy.index == "claims"]
    assert seen.status == "green"
    assert [(copy.shard, copy.primary) for copy in sorted(copies, key=lambda c: (c.shard, not c.primary))] == [
        (0, True),
        (0, False),
        (1, True),
        (1, False),
    ]
    for copy in copies:
        assert copy.state == "STARTED"
        assert seen.node(copy.node or "") is not None
        assert copy.target is None


def test_every_index_is_seen_and_counted(search: SearchWorld) -> None:
    before = search.port.look()
    assert before.visible_indices == before.counted_indices
    search.create_index("claims")
    after = search.port.look()
    assert after.visible_indices == after.counted_indices == before.counted_indices + 1


def test_settings_in_force_are_told_whoever_set_them(search: SearchWorld) -> None:
    seen = search.port.look()
    assert seen.setting(f"{AWARENESS}.attributes") == "zone"
    assert seen.setting(f"{AWARENESS}.force.zone.values") == "a,b,c"


def test_exclusion_and_mark_are_set_and_cleared_in_one_update(search: SearchWorld) -> None:
    search.port.update_settings(exclude("n7", "n8"))
    seen = search.port.look()
    assert (seen.persistent[EXCLUDE], seen.persistent[MARK]) == ("n7,n8", "n7,n8")
    search.port.update_settings(exclude())
    after = search.port.look()
    assert {EXCLUDE, MARK}.isdisjoint(after.persistent)


def test_both_layers_change_together_and_transient_is_in_force(search: SearchWorld) -> None:
    search.port.update_settings(SettingsUpdate(persistent={EXCLUDE: "n1"}, transient={EXCLUDE: "n2"}))
    seen = search.port.look()
    assert (seen.persistent[EXCLUDE], seen.transient[EXCLUDE], seen.setting(EXCLUDE)) == ("n1", "n2", "n2")
    search.port.update_settings(SettingsUpdate(persistent={EXCLUDE: "n1,n2"}, transient={EXCLUDE: None}))
    assert search.port.look().setting(EXCLUDE) == "n1,n2"


@pytest.mark.parametrize("bad", [{"cluster.routing.allocation.exclude._ip": "no address"}, {"no.such.setting": "1"}])
def test_a_body_with_one_bad_setting_changes_nothing(search: SearchWorld, bad: dict[str, str]) -> None:
    with pytest.raises(Refused):
        search.port.update_settings(SettingsUpdate(persistent={EXCLUDE: "n7", **bad}))
    assert EXCLUDE not in search.port.look().persistent


def test_an_excluded_nodes_shards_leave_it_and_it_stays_in_the_cluster(search: SearchWorld) -> None:
    search.create_index("claims", shards=4, replicas=0)
    leaver = names(search.port.look())["b"]
    search.port.update_settings(exclude(leaver))
    search.until(lambda: not search.port.look().on(leaver))
    seen = search.port.look()
    assert seen.node(leaver) is not None
    assert seen.stores == ()
    assert seen.status == "green"
    assert {copy.shard for copy in seen.copies if copy.index == "claims"} == {0, 1, 2, 3}


def test_where_every_zone_has_a_copy_nothing_moves_and_the_deciders_say_why(search: SearchWorld) -> None:
    search.create_index("claims", replicas=2)
    seen = search.port.look()
    leaver = names(seen)["b"]
    search.port.update_settings(exclude(leaver))
    copy = next(copy for copy in seen.copies if copy.index == "claims" and copy.node == leaver)
    words = search.port.explain("claims", 0, primary=copy.primary, node=leaver)
    lines = words.splitlines()
    others = [name for zone, name in names(seen).items() if zone != "b"]
    assert all(any(line.startswith(f"{other}: ") for line in lines) for other in others)
    assert "same node" in words or "already" in words
    assert lines == sorted(lines, key=len)
    assert [one.state for one in search.port.look().on(leaver) if one.index == "claims"] == ["STARTED"]


def test_explaining_a_shard_that_is_not_there_is_refused(search: SearchWorld) -> None:
    with pytest.raises(Refused):
        search.port.explain("none", 0, primary=True)


def test_a_store_of_a_shard_without_an_active_copy_is_told(search: SearchWorld) -> None:
    """Its retries are used up: routing lists nothing on the node, yet the only copy lies there."""
    node = search.strand("stranded")
    search.until(lambda: copy_of(search.port.look(), "stranded").state == "UNASSIGNED")
    seen = search.port.look()
    copy = copy_of(seen, "stranded")
    assert (copy.state, copy.node, copy.primary) == ("UNASSIGNED", None, True)
    assert seen.status == "red"
    assert copy not in seen.on(node)
    assert seen.stores == (node,)


def test_flushing_reaches_named_indices_and_minds_none_that_is_gone(search: SearchWorld) -> None:
    search.create_index("claims")
    search.port.flush(["claims", "gone"])
    search.port.flush([])
    assert search.port.look().status == "green"
