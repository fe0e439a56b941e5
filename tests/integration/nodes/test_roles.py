"""What each certificate may do on a real node: 200 where the role needs it, 403 where it must not."""

import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import urllib3

from vagus_local.certificates import ClientCertificate
from vagus_local.cluster import LocalCluster

UPGRADES = Path(__file__).parents[3] / "docs/upgrades.md"
READ, WRITE, APPLICATION = "vagus-read", "vagus-write", "client"
NOBODY: tuple[str, ...] = ()
FUNCTIONS = (READ, WRITE)
Request = tuple[str, str, Any]

LOOK: list[Request] = [
    ("GET", "/_cluster/health?level=indices", None),
    ("GET", "/_cluster/state/routing_nodes,routing_table,nodes,metadata", None),
    ("GET", "/_cluster/settings?flat_settings=true&include_defaults=true", None),
    ("GET", "/_cluster/stats", None),
    ("GET", "/_nodes", None),
    ("GET", "/_nodes/stats/fs,jvm,indices?level=shards", None),
    ("GET", "/_cat/shards?format=json&bytes=b", None),
    ("GET", "/_cat/nodes?format=json", None),
    ("GET", "/_cat/allocation?format=json", None),
    ("GET", "/_cat/indices?format=json&expand_wildcards=all", None),
    ("GET", "/_cat/recovery?format=json&active_only=true", None),
    ("GET", "/_cluster/allocation/explain", {"index": "patients", "shard": 0, "primary": True}),
    ("GET", "/_shard_stores?status=all", None),
    ("GET", "/_nodes/_all/settings,jvm?flat_settings=true", None),
    ("GET", "/_nodes/stats/indices/search", None),
    ("GET", "/_cluster/state/nodes,customs", None),
    ("GET", "/_cluster/state/metadata/vagus-no-such-index-*?ignore_unavailable=true&allow_no_indices=true", None),
    ("GET", "/_all/_settings/index.version.created?expand_wildcards=all&flat_settings=true", None),
    ("GET", "/_snapshot", None),
    ("GET", "/_snapshot/near/_all", None),
    ("GET", "/_cluster/pending_tasks", None),
    ("GET", "/_cluster/routing/awareness/zone/weights", None),
    ("GET", "/patients/_settings", None),
]
DOCUMENTS: list[Request] = [
    ("GET", "/patients/_search", None),
    ("GET", "/patients/_doc/1", None),
    ("GET", "/patients/_source/1", None),
    ("POST", "/patients/_mget", {"ids": ["1"]}),
    ("GET", "/patients/_count", None),
    ("GET", "/patients/_explain/1", {"query": {"match_all": {}}}),
    ("GET", "/patients/_termvectors/1", None),
    ("GET", "/patients/_mapping", None),
    ("PUT", "/patients/_doc/2", {"name": "b"}),
]
WEIGHTS = dict.fromkeys(("a", "b", "c", "vagus"), "1")
CHANGES: list[Request] = [
    ("PUT", "/_cluster/routing/awareness/zone/weights", {"weights": WEIGHTS, "_version": -1}),
    ("DELETE", "/_cluster/routing/awareness/zone/weights", {"_version": 0}),
    ("PUT", "/_cluster/settings", {"persistent": {"cluster.metadata.vagus.test": "1"}}),
    ("POST", "/patients/_flush", None),
    ("POST", "/_flush", None),
    ("POST", "/_cluster/reroute?dry_run=true&explain=true&metric=version", {"commands": []}),
    ("POST", "/_cluster/reroute", {"commands": []}),
    ("POST", "/_cluster/voting_config_exclusions?node_names=MANAGER&timeout=20s", None),
    ("DELETE", "/_cluster/voting_config_exclusions?wait_for_removal=false", None),
]
RESTORE = {
    "indices": "patients",
    "include_global_state": False,
    "rename_pattern": "patients",
    "rename_replacement": "patients-again",
}
"""Patients' data under a name of its own: beside what is there, where it could be read."""
NEVER: list[Request] = [
    ("GET", "/.opendistro_security/_search", None),
    ("PUT", "/patients/_settings", {"index.number_of_replicas": 1}),
    ("POST", "/patients/_close", None),
    ("PUT", "/_snapshot/mine", {"type": "fs", "settings": {"location": "x"}}),
    ("PUT", "/_snapshot/near/mine", None),
    ("POST", "/_snapshot/near/kept/_restore?wait_for_completion=true", RESTORE),
    ("DELETE", "/_snapshot/near/kept", None),
    ("DELETE", "/_snapshot/near", None),
    ("PUT", "/_cluster/decommission/awareness/zone/c", None),
    ("GET", "/_plugins/_security/api/roles", None),
    ("PUT", "/_plugins/_security/api/internalusers/x", {"password": "Long-enough-1-password"}),
]
TABLE = (
    [(request, FUNCTIONS) for request in LOOK if request[1] != "/_cluster/health?level=indices"]
    + [(LOOK[0], (READ, WRITE, APPLICATION))]
    + [(request, (APPLICATION,)) for request in DOCUMENTS]
    + [(request, (WRITE,)) for request in CHANGES]
    + [(request, NOBODY) for request in NEVER]
)


@pytest.fixture(scope="module")
def patients(cluster: LocalCluster) -> LocalCluster:
    shards = {"settings": {"number_of_shards": 1, "number_of_replicas": 1}}
    cluster.call("PUT", "/patients", shards, client=cluster.certificates.application)
    cluster.call("PUT", "/patients/_doc/1?refresh=true", {"name": "a"}, client=cluster.certificates.application)
    cluster.call("PUT", "/_snapshot/near", {"type": "fs", "settings": {"location": "near"}})
    cluster.call("PUT", "/_snapshot/near/kept?wait_for_completion=true")
    cluster.wait_green()
    return cluster


@pytest.mark.parametrize("role", [READ, WRITE, APPLICATION])
@pytest.mark.parametrize(("request_", "allowed"), TABLE, ids=[f"{r[0]} {r[1]}" for r, _ in TABLE])
def test_role(patients: LocalCluster, request_: Request, allowed: tuple[str, ...], role: str) -> None:
    method, path, body = request_
    path = path.replace("MANAGER", next(iter(patients.nodes)))
    status, answer = patients.try_call(method, path, body, client=patients.certificates.client(role))
    if role in allowed:
        assert status in (200, 201), answer
    else:
        assert status == 403, answer


def test_a_role_of_before_gets_its_rights_as_the_docs_say(patients: LocalCluster) -> None:
    """The security plugin reads its roles once: a cluster that was formed before has those of then."""
    roles, path = "/_plugins/_security/api/roles", "/_cluster/routing/awareness/zone/weights"
    said = re.search(r"api/roles -d '(\[.*?\])'", UPGRADES.read_text(), re.DOTALL)
    assert said is not None
    rights = {change["value"] for change in json.loads(said[1])}
    before = [
        {"op": "replace", "path": f"/{name}/cluster_permissions", "value": sorted(set(granted) - rights)}
        for name in ("vagus_read", "vagus_write")
        for granted in [patients.call("GET", f"{roles}/{name}")[name]["cluster_permissions"]]
    ]
    patients.call("PATCH", roles, before)
    read = patients.certificates.client(READ)
    assert patients.try_call("GET", path, client=read)[0] == 403
    patients.call("PATCH", roles, json.loads(said[1]))
    assert patients.try_call("GET", path, client=read)[0] == 200
    version = patients.call("GET", path)["_version"]
    write = patients.certificates.client(WRITE)
    patients.call("PUT", path, {"weights": WEIGHTS, "_version": version}, client=write)
    patients.call("DELETE", path, {"_version": version + 1}, client=write)


def test_a_restore_is_a_persons_alone(patients: LocalCluster) -> None:
    """The very request that no role of ours may make (`NEVER`) does restore, with the admin's certificate."""
    _, path, body = next(request for request in NEVER if request[2] is RESTORE)
    done = patients.call("POST", path, body)
    assert done["snapshot"]["shards"]["failed"] == 0
    assert patients.call("GET", "/patients-again/_doc/1")["_source"] == {"name": "a"}
    patients.call("DELETE", "/patients-again")


@pytest.mark.parametrize("role", FUNCTIONS)
def test_a_function_sees_every_index_that_the_cluster_counts(patients: LocalCluster, role: str) -> None:
    client = patients.certificates.client(role)
    counted = patients.call("GET", "/_cluster/stats", client=client)["indices"]["count"]
    rows = patients.call("GET", "/_cat/shards?format=json", client=client)
    assert len({row["index"] for row in rows}) == counted
    state = patients.call("GET", "/_cluster/state/routing_table", client=client)
    assert len(state["routing_table"]["indices"]) == counted


def test_a_nodes_certificate_may_do_nothing_over_http(patients: LocalCluster) -> None:
    node = next(iter(patients.nodes.values()))
    folder = node.home / "search" / "config" / "certificates"
    own = ClientCertificate(folder / "node.pem", folder / "node.key")
    status, _ = patients.try_call("GET", "/patients/_search", client=own)
    assert status == 403


def test_without_a_certificate_nothing_is_answered(patients: LocalCluster) -> None:
    address = next(iter(patients.addresses.values()))
    context = ssl.create_default_context(cafile=str(patients.certificates.ca))
    with urllib3.PoolManager(ssl_context=context) as pool:
        assert pool.request("GET", f"https://{address}:9200/", retries=False).status == 401
