"""Bytes are evened on six real nodes by the real steps, and the engine leaves the shards where they then are."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.contracts.drain_world import Ward
from tests.integration.contracts.search_world import RealSearch

from vagus.cluster import Cluster
from vagus.owned_values import VALUES
from vagus.policy import Shards, ZoneBalance
from vagus.zone_balance.layout import skews
from vagus_local.cluster import LocalCluster
from vagus_local.workload import fill, in_one_segment

WATCHED_SECONDS = float(os.environ.get("VAGUS_WATCHED_SECONDS", "5"))
"""How long the engine is watched afterwards; `make bench NAME=shards_watched` takes the full 60."""
INDICES = 30
SMALLEST, STEP = 4_000, 1.27
"""Bytes of the smallest index, and by how much each is larger than the one before: three orders of magnitude."""
BAR = 0.02
EVEN = Shards(mode="on", skew=0.015, margin=0.03, least_bytes=0, highest_threshold=3.0)
"""A little below the bar: copies of one shard differ in size by what each has merged, and a copy that moves becomes as
large as its primary is; the planner takes the larger for both."""

Places = dict[tuple[str, int, str], int]


@pytest.fixture
def ward() -> Iterator[Ward]:
    with LocalCluster(nodes_per_zone=2) as cluster:
        world = RealSearch(cluster)
        yield Ward(world, per_zone=2, zone_balance=ZoneBalance(mode="act", wait_cap_seconds=1, shards=EVEN))
        world.close()


def test_skewed_bytes_are_evened_and_the_engine_leaves_them_where_they_are(ward: Ward) -> None:
    world = ward.world
    skewed(world)
    before = world.port.look()
    assert max(skews(before).values()) > EVEN.skew + EVEN.margin, "there is something to even"
    ward.sweep()  # the run notes the identity first; at its end it evens bytes

    after = world.port.look()
    assert max(skews(after).values()) <= BAR, f"{skews(before)} became {skews(after)}"
    assert "MoveShards" in ward.steps()
    dry = [refused for _, dry_run, refused in ward.search.rerouted if dry_run]
    assert dry
    assert all(refused == () for refused in dry), "the engine's deciders accepted every move"
    assert moved_bytes(ward) <= 1.25 * above_shares(before), "hardly more than had to be moved"

    stood = places(after)
    watched(world, stood)
    world.cluster.call("POST", "/_cluster/reroute", {"commands": []})
    watched(world, stood)
    for name in ("new-1", "new-2"):
        world.create_index(name, shards=1)
    watched(world, stood)
    for name in ("new-1", "new-2"):
        world.cluster.call("DELETE", f"/{name}")
    watched(world, stood)

    raised = VALUES[1].mark in world.port.look().persistent
    assert raised == ("RaiseBalanceThreshold" in ward.steps()), "the threshold is marked as ours where we raised it"


def skewed(world: RealSearch) -> None:
    """The large ones on one node of each zone, the small ones on the others, and as many copies on each. Which zones an
    index has is said as well: how even so few shards can be made depends on it."""
    nodes = sorted(world.port.look().nodes, key=lambda node: (node.zone, node.name))
    heavy, light = [node.name for node in nodes[::2]], [node.name for node in nodes[1::2]]
    names = [f"claims-{number:02}" for number in range(INDICES)]
    for number, name in enumerate(names):
        three = light if number < INDICES // 2 else heavy
        settings: dict[str, Any] = {
            "number_of_shards": 1,
            "number_of_replicas": 1,
            "routing.allocation.include._name": f"{three[number % 3]},{three[(number + 1) % 3]}",
            "refresh_interval": "-1",
        }
        world.cluster.call("PUT", f"/{name}", {"settings": settings, "mappings": {"enabled": False}})
    world.cluster.wait_green(len(nodes))
    for number, name in enumerate(names):
        fill(world.cluster, name, int(SMALLEST * STEP**number))
    world.cluster.call("PUT", "/claims-*/_settings", {"index.routing.allocation.include._name": None})
    in_one_segment(world.cluster, names)
    world.cluster.wait_until(lambda: at_rest(world.port.look()), "at rest, and measured", 120)


def at_rest(seen: Cluster) -> bool:
    """Nothing moves, and every copy has been measured with its data in it."""
    large = [copy for copy in seen.copies if copy.index == f"claims-{INDICES - 1:02}"]
    measured = all(copy.bytes > SMALLEST * STEP ** (INDICES - 2) for copy in large)
    return seen.status == "green" and measured and all(copy.state == "STARTED" for copy in seen.copies)


def places(seen: Cluster) -> Places:
    """Which copies of ours stand where."""
    found: Places = {}
    for copy in seen.copies:
        if copy.index.startswith("claims-"):
            key = (copy.index, copy.shard, copy.node or "")
            found[key] = found.get(key, 0) + 1
    return found


def watched(world: RealSearch, stood: Places) -> None:
    """For a while no old shard is on its way, and then each is where it was."""
    until = time.monotonic() + WATCHED_SECONDS
    while True:
        seen = world.port.look()
        assert not [copy for copy in seen.copies if copy.index.startswith("claims-") and copy.state != "STARTED"]
        if time.monotonic() > until:
            break
    assert places(seen) == stood


def above_shares(seen: Cluster) -> float:
    """Bytes above the fair shares of nodes of the same size: nobody can move less."""
    held = {node.name: sum(copy.bytes for copy in seen.on(node.name)) for node in seen.nodes}
    zones = {node.zone: [other.name for other in seen.nodes if other.zone == node.zone] for node in seen.nodes}
    shares = {zone: sum(held[name] for name in names) / len(names) for zone, names in zones.items()}
    return sum(max(0.0, held[node.name] - shares[node.zone]) for node in seen.nodes)


def moved_bytes(ward: Ward) -> int:
    return sum(move.bytes for moves, dry_run, _ in ward.search.rerouted if not dry_run for move in moves)
