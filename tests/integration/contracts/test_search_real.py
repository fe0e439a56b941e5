"""What only real nodes can show: roles, hidden and closed indices, moves under way, nodes that fall silent."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.contracts.search_world import ZONES, RealSearch

from vagus.cluster import Cluster
from vagus.errors import Denied, Unreachable
from vagus.owned import EXCLUDE, SettingsUpdate
from vagus.search.client import Renewing, SearchClient
from vagus.search.transport import NotSent, Untrusted
from vagus.snapshots import Snapshots
from vagus_local.certificates import create_authority
from vagus_local.cluster import LocalCluster

NOBODY = "127.255.255.254"
"""No process listens there."""
ROLE = "/_plugins/_security/api/roles/vagus_read"
CONFIG = "/_plugins/_security/api/securityconfig"
FORBIDDEN = "/config/dynamic/do_not_fail_on_forbidden"


def test_both_roles_see_the_same(real_search: RealSearch) -> None:
    real_search.create_index("claims")
    read, write = real_search.client("vagus-read").look(), real_search.port.look()
    assert read.copies == write.copies
    assert (read.uuid, read.voters, read.defaults) == (write.uuid, write.voters, write.defaults)
    assert read.created == write.created
    assert read.nodes[0].forced == write.nodes[0].forced == ZONES


def test_both_roles_see_the_snapshots(real_search: RealSearch) -> None:
    real_search.create_index("claims")
    real_search.snapshot()
    read, write = real_search.client("vagus-read"), real_search.port
    assert read.snapshots(newest=True) == write.snapshots(newest=True) != Snapshots()


def test_the_read_role_writes_nothing_and_the_missing_action_is_named(real_search: RealSearch) -> None:
    with pytest.raises(Denied) as denied:
        real_search.client("vagus-read").update_settings(SettingsUpdate(persistent={EXCLUDE: "n1"}))
    assert denied.value.action == "cluster:admin/settings/update"
    real_search.create_index("claims")
    with pytest.raises(Denied) as denied:
        real_search.client("vagus-read").flush(["claims"])
    assert denied.value.action.startswith("indices:admin/flush")


def test_hidden_and_closed_indices_and_the_security_plugins_own_are_seen(real_search: RealSearch) -> None:
    real_search.create_index(".vagus-hidden", hidden=True)
    real_search.create_index("closed")
    real_search.cluster.call("POST", "/closed/_close")
    real_search.cluster.wait_green(3)
    seen = real_search.client("vagus-read").look()
    assert {".vagus-hidden", "closed", ".opendistro_security"} <= {copy.index for copy in seen.copies}
    assert seen.visible_indices == seen.counted_indices == len({copy.index for copy in seen.copies})
    assert seen.auto_expanding == {".opendistro_security"}
    real_search.until(lambda: all(copy.bytes > 0 for copy in real_search.port.look().copies))
    real_search.port.flush(["closed"])


@pytest.fixture
def narrowed(real_search: RealSearch) -> Iterator[LocalCluster]:
    """The read role's index patterns are narrowed to one index."""
    cluster = real_search.cluster
    role: dict[str, Any] = cluster.call("GET", ROLE)["vagus_read"]
    wide = {key: role[key] for key in ("cluster_permissions", "index_permissions")}
    actions = wide["index_permissions"][0]["allowed_actions"]
    narrow = {**wide, "index_permissions": [{"index_patterns": ["claims"], "allowed_actions": actions}]}
    real_search.create_index("claims")
    real_search.create_index("other")
    cluster.call("PUT", ROLE, narrow)
    yield cluster
    cluster.call("PATCH", CONFIG, [{"op": "add", "path": FORBIDDEN, "value": False}])
    cluster.call("PUT", ROLE, wide)


def test_a_role_narrowed_to_some_indices_is_denied_a_look(real_search: RealSearch, narrowed: LocalCluster) -> None:
    client = real_search.client("vagus-read")
    narrowed.wait_until(lambda: denied_action(client) == "indices:monitor/settings/get", "denied")


def test_where_forbidden_indices_are_silently_left_out_the_counts_differ(
    real_search: RealSearch, narrowed: LocalCluster
) -> None:
    """Such a cluster would also leave out the stores of a shard whose only copy lies on the leaving node."""
    narrowed.call("PATCH", CONFIG, [{"op": "add", "path": FORBIDDEN, "value": True}])
    client = real_search.client("vagus-read")
    narrowed.wait_until(lambda: denied_action(client) == "", "answered")
    seen = client.look()
    assert (seen.visible_indices, seen.counted_indices) == (1, 3)


def denied_action(client: SearchClient) -> str:
    """The action that a look is denied; empty if it is not."""
    try:
        client.look()
    except Denied as error:
        return error.action
    return ""


def test_a_copy_on_its_way_is_told_once_with_source_and_target(real_search: RealSearch) -> None:
    cluster, port = real_search.cluster, real_search.port
    real_search.create_index("slow", replicas=0)
    cluster.call("PUT", "/slow/_mapping", {"dynamic": False})  # bytes to move, of which a small heap knows little
    for n in range(4):
        cluster.call("PUT", f"/slow/_doc/{n}?refresh=true", {"bytes": secrets.token_hex(60_000)})
    real_search.until(lambda: bytes_of(port.look(), "slow") > 100_000)  # the engine measures a store each 10 s
    source = next(copy.node for copy in port.look().copies if copy.index == "slow") or ""
    slow = {"indices.recovery.max_bytes_per_sec": "20kb"}
    cluster.call("PUT", "/_cluster/settings", {"persistent": slow | {EXCLUDE: source}})
    try:
        real_search.until(lambda: state_of(port.look(), "slow") == "RELOCATING")
        seen = port.look()
        (copy,) = (copy for copy in seen.copies if copy.index == "slow")
        assert (copy.node, copy.state, copy.active) == (source, "RELOCATING", True)
        assert copy.target in {node.name for node in seen.nodes} - {source}
        assert copy in seen.on(source)
        assert copy in seen.on(copy.target or "")
        assert copy.bytes > 100_000
    finally:
        cluster.call("PUT", "/_cluster/settings", {"persistent": dict.fromkeys(slow)})
    real_search.until(lambda: not [copy for copy in port.look().on(source) if copy.index == "slow"])


def state_of(cluster: Cluster, index: str) -> str:
    return next(copy.state for copy in cluster.copies if copy.index == index)


def bytes_of(cluster: Cluster, index: str) -> int:
    return next(copy.bytes for copy in cluster.copies if copy.index == index)


def test_a_killed_node_is_absent_and_its_disk_tells_nothing(real_search: RealSearch) -> None:
    """Lost is not empty: no row, no store, and yet its disk holds the only copy."""
    cluster, port = real_search.cluster, real_search.port
    real_search.create_index("only", replicas=0)
    real_search.create_index("each", replicas=2)
    name = next(copy.node for copy in port.look().copies if copy.index == "only") or ""
    cluster.kill(cluster.nodes[name])
    try:
        real_search.until(lambda: reached(port, lambda seen: seen.node(name) is None))
        seen = port.look()
        assert (seen.status, state_of(seen, "only"), seen.on(name), seen.stores) == ("red", "UNASSIGNED", (), ())
        told = {copy.index: copy.nowhere for copy in seen.copies if copy.state == "UNASSIGNED"}
        assert (told["only"], told["each"]) == (("NODE_LEFT", "no_valid_shard_copy"), ("NODE_LEFT", "no_attempt"))
        assert len(seen.voters) == 3  # it still has a vote, under the engine's own id: nobody can tell its name
        assert len(set(seen.voters) - {node.name for node in seen.nodes}) == 1
    finally:
        cluster.start(cluster.nodes[name])
        cluster.wait_green(3)
    assert state_of(port.look(), "only") == "STARTED"


def reached(port: Any, holds: Any) -> bool:
    """Whether a look succeeds and something holds of it: without a manager there is none for a while."""
    try:
        return bool(holds(port.look()))
    except (Unreachable, Denied):
        return False


def test_votes_are_given_back_only_when_the_nodes_have_left(real_search: RealSearch) -> None:
    """As wanted, a node that is there still is waited for, in vain; a name that no node has is taken and cleared."""
    cluster, port = real_search.cluster, real_search.port
    name = next(node.name for node in port.look().nodes if node.name != port.look().manager)
    port.take_vote(name)
    cluster.kill(cluster.nodes[name])
    try:
        real_search.until(lambda: reached(port, lambda seen: seen.node(name) is None))
        assert port.look().voting_exclusions == (name,), "by its name, although it is gone"
        port.clear_votes_taken(gone=True)
        assert port.look().voting_exclusions == ()
    finally:
        cluster.start(cluster.nodes[name])
        cluster.wait_green(3)
    real_search.until(lambda: len(port.look().voters) == 3)


def test_a_frozen_node_counts_as_full_until_the_engine_finds_it_out(real_search: RealSearch) -> None:
    """The node that is asked first answers with silence: after a pause another is asked, and then first."""
    cluster = real_search.cluster
    manager = real_search.port.look().manager
    frozen, *others = sorted(cluster.nodes.values(), key=lambda node: node.id == manager)
    client = real_search.client(addresses=[frozen.address, *(node.address for node in others)])
    client.look()
    cluster.freeze(frozen)
    try:
        shown = client.look().node(frozen.id)
        assert shown is None or shown.disk_free == 0
        real_search.until(lambda: client.look().node(frozen.id) is None)
    finally:
        cluster.thaw(frozen)
        cluster.wait_green(3)


def test_an_address_where_nobody_listens_is_passed_over(real_search: RealSearch) -> None:
    client = real_search.client(addresses=[NOBODY, *real_search.cluster.addresses.values()])
    assert len(client.look().nodes) == 3
    client.update_settings(SettingsUpdate(persistent={EXCLUDE: "n1"}))
    assert client.look().persistent[EXCLUDE] == "n1"


def test_where_nobody_listens_at_all_nothing_was_sent(real_search: RealSearch) -> None:
    client = real_search.client(addresses=[NOBODY])
    with pytest.raises(NotSent):
        client.look()
    with pytest.raises(NotSent):
        client.update_settings(SettingsUpdate(persistent={EXCLUDE: "n1"}))


def test_a_foreign_authority_is_not_trusted(real_search: RealSearch, tmp_path: Any) -> None:
    client = real_search.client(tls=real_search.tls("vagus-write", create_authority(tmp_path)))
    with pytest.raises(Untrusted) as untrusted:
        client.look()
    assert not untrusted.value.sent


def test_a_client_of_a_foreign_authority_is_turned_away(real_search: RealSearch, tmp_path: Any) -> None:
    foreign, ours = create_authority(tmp_path), real_search.tls("vagus-read")
    pair = foreign.client("vagus-read")
    tls = type(ours)(certificate=pair.certificate.read_text(), key=pair.key.read_text(), ca=ours.ca)
    with pytest.raises((Untrusted, Denied)):
        real_search.client(tls=tls).look()


def test_a_warm_client_whose_certificate_or_nodes_were_replaced_opens_anew_once(
    real_search: RealSearch, tmp_path: Any
) -> None:
    stale = [
        real_search.client(addresses=[NOBODY]),
        real_search.client(tls=real_search.tls("vagus-read", create_authority(tmp_path))),
    ]
    for old in stale:
        opened = iter([old, real_search.client("vagus-read")])
        renewing = Renewing(lambda opened=opened: next(opened))  # type: ignore[misc]
        with pytest.raises(Unreachable):
            renewing.look()  # opened just now: trying the same again would not help
        assert len(renewing.look().nodes) == 3
