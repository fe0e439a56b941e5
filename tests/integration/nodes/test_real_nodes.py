"""Three real nodes started by the boot script: what a machine does to them, they live through."""

import os

import urllib3.exceptions

from vagus_local.cluster import LocalCluster
from vagus_local.node import LocalNode


def seen(cluster: LocalCluster, asked: LocalNode) -> set[str]:
    rows = cluster.call("GET", "/_cat/nodes?format=json&h=name&cluster_manager_timeout=2s", node=asked)
    return {row["name"] for row in rows}


def test_nodes_have_their_instances_names_zones_and_addresses(cluster: LocalCluster) -> None:
    nodes = cluster.call("GET", "/_nodes")["nodes"].values()
    told = {n["name"]: (n["attributes"]["zone"], n["host"]) for n in nodes}
    assert told == {n.id: (n.zone, n.address) for n in cluster.nodes.values() if n.process}


def test_a_killed_node_leaves_and_comes_back_with_its_data_into_the_same_cluster(cluster: LocalCluster) -> None:
    first, *_, last = cluster.nodes.values()
    before = cluster.call("GET", "/")["cluster_uuid"]
    cluster.call("PUT", "/kept/_doc/1?refresh=true", {"a": 1})
    cluster.wait_green()
    cluster.kill(last)
    cluster.wait_until(lambda: last.id not in seen(cluster, first), "without the killed node")
    cluster.start(last)
    cluster.wait_green(3)
    assert cluster.call("GET", "/", node=last)["cluster_uuid"] == before
    assert cluster.call("GET", "/kept/_doc/1", node=last)["found"]


def test_a_frozen_node_answers_with_silence_and_is_found_out(cluster: LocalCluster) -> None:
    first, *_, last = cluster.nodes.values()
    cluster.freeze(last)
    try:
        cluster.wait_until(lambda: last.id not in seen(cluster, first), "without the frozen node", seconds=180)
    finally:
        cluster.thaw(last)
    cluster.wait_green(3)


def test_a_node_can_be_added_and_ended(cluster: LocalCluster) -> None:
    first = next(iter(cluster.nodes.values()))
    added = cluster.add_node("b", roles="data")
    cluster.wait_green(4)
    assert "initial_cluster_manager_nodes" not in (added.home / "search/config/opensearch.yml").read_text()
    cluster.stop(added)
    cluster.wait_until(lambda: added.id not in seen(cluster, first), "without the ended node")
    cluster.wait_green(3)


def test_an_ended_cluster_leaves_no_process(cluster: LocalCluster) -> None:
    added = cluster.add_node("c", roles="data")
    cluster.wait_until(lambda: answers(cluster, added), "answering")
    group = added.process.pid if added.process else 0
    cluster.stop(added)
    cluster.wait_until(lambda: not alive(group), "rid of its processes")  # the last ones are init's to reap
    cluster.wait_green(3)


def answers(cluster: LocalCluster, node: LocalNode) -> bool:
    try:
        return cluster.try_call("GET", "/", node=node)[0] == 200
    except urllib3.exceptions.HTTPError:
        return False


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
