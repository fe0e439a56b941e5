"""The search port: what a look tells and what a write does, on three real nodes of each engine and in the fake."""

import time
from typing import Literal

import pytest
from tests.integration.contracts.search_world import AWARENESS, ZONES, SearchWorld

from vagus.cluster import Awaited, Cluster, Copy, ShardMove, Unseen
from vagus.cluster_watch.certificates import certificates
from vagus.cluster_watch.model import Sight
from vagus.errors import Refused, Unreachable
from vagus.owned import EXCLUDE, MARK, SettingsUpdate
from vagus.policy import ClusterWatch
from vagus.rolling_upgrade.versions import made_by_major, too_old
from vagus.search.handshakes import HTTP, TRANSPORT, Handshakes
from vagus.snapshots import Snapshots
from vagus.weights import MARK as MARK_ZONE
from vagus.weights import Weighing, Weights
from vagus_local.cluster import LocalCluster

THRESHOLD = "cluster.routing.allocation.balance.threshold"


def names(cluster: Cluster) -> dict[str, str]:
    """Node by zone."""
    return {node.zone: node.name for node in cluster.nodes}


def copy_of(cluster: Cluster, index: str) -> Copy:
    """The only copy of an index."""
    (copy,) = (copy for copy in cluster.copies if copy.index == index)
    return copy


def manager_of(search: SearchWorld) -> str:
    """The elected manager; none while one hands over."""
    try:
        return search.port.look().manager
    except Unreachable:
        return ""


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
        assert node.forced == ZONES, "what its own configuration says, whatever a setting says"
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


def test_what_is_so_is_awaited_no_longer_and_what_is_not_as_long_as_was_said(search: SearchWorld) -> None:
    nodes = len(search.port.look().nodes)
    assert search.port.awaited(Awaited(nodes=nodes), 30)
    assert not search.port.awaited(Awaited(nodes=nodes + 1), 1)
    search.begin_index("awaited", replicas=3, active=3)
    assert search.port.awaited(Awaited(nodes=nodes), 30)
    assert not search.port.awaited(Awaited(green=True), 1), "it has more replicas than nodes"


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


def test_the_version_that_made_each_index_is_told(search: SearchWorld) -> None:
    """Else every upgrade would be stopped by indices that are too old."""
    search.create_index("claims")
    seen = search.port.look()
    assert set(seen.created) == {copy.index for copy in seen.copies}
    major = int(search.version.partition(".")[0])
    family: Literal["opensearch", "elasticsearch"] = "elasticsearch" if major == 7 else "opensearch"
    for created in seen.created.values():
        assert made_by_major(created) == (1 if family == "elasticsearch" else major)
        assert not too_old(family, created, search.version)
        assert not too_old(family, created, f"{major + 1}.0.0")
        assert too_old(family, created, f"{major + 2}.0.0")


def test_without_a_repository_there_is_no_snapshot(search: SearchWorld) -> None:
    assert search.port.snapshots(newest=False) == search.port.snapshots(newest=True) == Snapshots()


def test_the_newest_snapshot_that_succeeded_is_told_if_asked_for(search: SearchWorld) -> None:
    search.create_index("claims")
    search.snapshot()
    (first, shown) = (search.port.snapshots(newest=True), search.port.snapshots(newest=False))
    then = first.newest
    assert then is not None
    assert abs(then - search.now()) < 60, "seconds of the clock"
    assert (first.running, shown) == ((), Snapshots())
    search.until(lambda: later(search, then))


def later(search: SearchWorld, than: float) -> bool:
    """Whether one more snapshot is told as newer: the engine's clock of snapshots has ticks of 0.2 s."""
    search.snapshot()
    newest = search.port.snapshots(newest=True).newest
    assert newest is not None
    assert newest >= than
    return newest > than


def test_a_snapshot_that_runs_is_told_with_the_shards_it_still_takes_and_is_not_the_newest(search: SearchWorld) -> None:
    search.create_index("claims")
    search.snapshot()
    before = search.port.snapshots(newest=True).newest
    with search.running_snapshot("slow", of="claims"):
        assert search.port.snapshots(newest=True) == Snapshots(running=("slow",), newest=before)
        assert search.port.placement().snapshots == {("claims", 0)}
    search.until(lambda: search.port.snapshots(newest=True) == Snapshots(newest=before))


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


def nowhere(search: SearchWorld, index: str) -> list[tuple[str, str]]:
    """What is said of the copies of an index that stand nowhere; nothing while it is just being made, and no store is
    told of it."""
    try:
        seen = search.port.look()
    except Unreachable:
        return []
    return [copy.nowhere for copy in seen.copies if copy.index == index and copy.state == "UNASSIGNED"]


def test_why_a_copy_stands_nowhere_is_told_and_of_a_primary_what_came_of_the_last_try(search: SearchWorld) -> None:
    search.port.update_settings(exclude(*names(search.port.look()).values()))
    search.begin_index("never", replicas=0, active=0)
    search.until(lambda: nowhere(search, "never") == [("INDEX_CREATED", "deciders_no")])
    search.port.update_settings(exclude())
    search.until(lambda: copy_of(search.port.look(), "never").state == "STARTED")
    assert copy_of(search.port.look(), "never").nowhere == ("", "")
    search.begin_index("many", replicas=3, active=3)
    search.until(lambda: nowhere(search, "many") == [("INDEX_CREATED", "no_attempt")])


def test_of_a_copy_whose_retries_are_used_up_it_is_told(search: SearchWorld) -> None:
    search.strand("stranded")
    search.until(lambda: nowhere(search, "stranded") == [("ALLOCATION_FAILED", "deciders_no")])


def test_flushing_reaches_named_indices_and_minds_none_that_is_gone(search: SearchWorld) -> None:
    search.create_index("claims")
    search.port.flush(["claims", "gone"])
    search.port.flush([])
    assert search.port.look().status == "green"


def test_replicas_of_named_indices_come_and_go_and_one_that_is_gone_is_no_matter(search: SearchWorld) -> None:
    search.may_set_replicas()
    search.create_index("few", shards=2, replicas=1)
    search.create_index("others", replicas=1)

    def copies(index: str) -> list[Copy]:
        return [copy for copy in search.port.look().copies if copy.index == index]

    search.port.set_replicas(["few", "no-such-index"], 2)
    search.until(lambda: len(copies("few")) == 6 and search.port.look().status == "green")
    search.port.set_replicas(["few"], 3)
    search.until(lambda: nowhere(search, "few") == [("REPLICA_ADDED", "no_attempt")] * 2)
    search.port.set_replicas(["few"], 0)
    search.until(lambda: len(copies("few")) == 2)
    assert all(copy.primary for copy in copies("few"))
    assert len(copies("others")) == 2


def test_what_decides_where_shards_may_stand_is_told(search: SearchWorld) -> None:
    search.create_index("claims")
    seen, told = search.port.look(), search.port.placement()
    assert set(told.ids) == set(told.attributes) == {node.name for node in seen.nodes}
    assert len(set(told.ids.values())) == 3
    assert {name: told.attributes[name]["zone"] for name in told.attributes} == {
        node.name: node.zone for node in seen.nodes
    }
    assert told.settings[f"{AWARENESS}.force.zone.values"].split(",") == list(ZONES)
    assert told.snapshots == frozenset()
    assert told.fetches == 0
    assert told.queries >= 0
    search.port.update_settings(SettingsUpdate(persistent={THRESHOLD: "1.5"}, transient={THRESHOLD: "2.5"}))
    assert search.port.placement().settings[THRESHOLD] == "2.5", "what is in force"


def test_a_dry_run_of_a_move_changes_nothing_and_a_move_moves(search: SearchWorld) -> None:
    search.create_index("claims", replicas=0)
    copy = copy_of(search.port.look(), "claims")
    target = next(node.name for node in search.port.look().nodes if node.name != copy.node)
    move = ShardMove(index="claims", shard=0, primary=True, source=copy.node or "", target=target, bytes=copy.bytes)
    assert search.port.reroute([move], dry_run=True) == ()
    assert copy_of(search.port.look(), "claims").node == copy.node
    assert search.port.reroute([move], dry_run=False) == ()
    search.until(lambda: copy_of(search.port.look(), "claims").node == target)


def test_a_move_that_can_not_be_is_refused_with_all_of_its_request(search: SearchWorld) -> None:
    search.create_index("claims", replicas=0)
    search.create_index("letters", replicas=1)
    seen = search.port.look()
    copy = copy_of(seen, "claims")
    other = next(node.name for node in seen.nodes if node.name != copy.node)
    good = ShardMove(index="claims", shard=0, primary=True, source=copy.node or "", target=other, bytes=0)
    one, two = (found.node or "" for found in seen.copies if found.index == "letters")
    bad = ShardMove(index="letters", shard=0, primary=True, source=one, target=two, bytes=0)
    (refused,) = search.port.reroute([good, bad], dry_run=True)
    assert refused.startswith("letters[0]")
    with pytest.raises(Refused):
        search.port.reroute([good, bad], dry_run=False)
    assert copy_of(search.port.look(), "claims").node == copy.node, "nothing of it was done"


def test_a_vote_is_taken_and_given_back(search: SearchWorld) -> None:
    """The manager that is elected hands over by itself, soon after the answer: its own vote is taken."""
    leaver = search.port.look().manager
    search.port.take_vote(leaver)
    taken = search.port.look()
    assert taken.voting_exclusions == (leaver,)
    assert leaver not in taken.voters
    search.until(lambda: manager_of(search) not in ("", leaver))
    search.port.take_vote(leaver)  # twice is once
    assert search.port.look().voting_exclusions == (leaver,)
    search.port.clear_votes_taken(gone=False)
    assert search.port.look().voting_exclusions == ()
    search.until(lambda: leaver in search.port.look().voters)
    search.port.clear_votes_taken(gone=False)  # nothing to clear is as good as cleared


def test_zones_are_weighed_on_the_version_that_was_seen(search: SearchWorld) -> None:
    """A zone that no node is in may be named: that is how ours are known."""
    met = search.port.weights()
    if met is None:
        pytest.skip("this engine knows no weights")
    away = {"a": "0", "b": "1", "c": "1", MARK_ZONE: "1"}
    search.port.weigh(Weighing(zones=away, version=met.version))
    stands = Weights(zones={"a": 0.0, "b": 1.0, "c": 1.0, MARK_ZONE: 1.0}, version=met.version + 1)
    assert search.port.weights() == stands
    for refused in (
        Weighing(zones=away, version=met.version),
        Weighing(zones={"a": "0", MARK_ZONE: "1"}, version=stands.version),
        Weighing(zones={"a": "0", "b": "0", "c": "0", MARK_ZONE: "1"}, version=stands.version),
        Weighing(version=met.version),
    ):
        with pytest.raises(Refused):
            search.port.weigh(refused)
    assert search.port.weights() == stands, "nothing of it was done"
    search.port.weigh(Weighing(version=stands.version))
    gone = Weights(version=stands.version + 1)
    assert search.port.weights() == gone
    with pytest.raises(Refused):
        search.port.weigh(Weighing(version=gone.version))


def test_looked_at_closely_a_node_says_how_it_speaks(engine_cluster: LocalCluster | None) -> None:
    if engine_cluster is None:
        pytest.skip("a fake has no ports")
    seen = Handshakes(lambda: engine_cluster.addresses).all("", closely=True)
    assert [one.port for one in seen] == [HTTP, TRANSPORT] * 3
    sight = Sight(
        name="x",
        cell="local",
        policy=ClusterWatch(),
        cluster=Unseen(reason="UNREACHABLE", message=""),
        shaken=seen,
        now=time.time(),
    )
    wrong = {(item.key.partition(" ")[0].partition(":")[2], item.level) for item in certificates(sight, {})}
    plain = engine_cluster.scheme == "http"
    assert wrong == ({("9200", "NO_TLS"), ("9300", "NO_TLS")} if plain else set())
