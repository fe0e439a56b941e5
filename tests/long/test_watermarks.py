"""Disks near their watermark: real nodes with small disks of their own, and every moment of a plan that is carried out.

A relocation takes its room at the target while the source still holds the copy. The plan may not let any disk pass the
high watermark at any moment: the engine would then move shards away that nobody planned to move.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.integration.contracts.search_world import RealSearch

from vagus.cluster import Cluster, ShardMove
from vagus.zone_balance.layout import layout_of, skews
from vagus.zone_balance.planner import Layout, Plan, Policy, Wave, plan
from vagus_local.cluster import LocalCluster
from vagus_local.node import may_mount
from vagus_local.workload import fill, in_one_segment

MB = 1 << 20
DISK = 192
"""MB: while an index is filled it needs its bytes three times, for its log and for the merge."""
HELD = ((5, 3, 4, 8, 5, 6), (10, 10, 10, 4, 12, 5), (2, 10, 2, 5, 4, 4))
"""MB of each shard, node by node: 31, 51 and 27. On disk each is up to a quarter more, and not the same in every run:
the watermark is set by what is measured."""
BETWEEN = 0.6
"""Where the high watermark lies, on the way from the fullest disk as it is to the fullest that a plan would make which
does not ask about disks."""
CLEARLY = 2 * MB
WAVES = 6
"""Two are usual; a size that changes by itself may ask for one more."""
POLICY = Policy(skew=0.04, even_primaries=False)
ROUTING = "cluster.routing.allocation."
SETTINGS = {
    f"{ROUTING}disk.threshold_enabled": False,  # until the shards are there
    f"{ROUTING}disk.watermark.flood_stage": "1mb",
    f"{ROUTING}disk.watermark.high": "2mb",
    f"{ROUTING}disk.watermark.low": "3mb",
    "cluster.info.update.interval": "10s",
    "indices.recovery.max_bytes_per_sec": "5mb",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RealSearch]:
    if why := may_mount(tmp_path):
        pytest.skip(why)
    with LocalCluster(nodes_per_zone=3, zones=("a",), disk_mb=DISK, settings=SETTINGS) as cluster:
        made = RealSearch(cluster)
        yield made
        made.close()


def test_no_disk_passes_the_high_watermark_at_any_moment_of_a_plan(world: RealSearch) -> None:
    filled(world)
    seen = look(world)
    assert max(skews(seen).values()) > 0.1
    ignorant = plan(without_disks(laid(world, seen)), POLICY)
    high = watermark(world, ignorant)
    assert passing(laid(world, seen), ignorant) > high + CLEARLY, "who does not ask about disks passes it"
    refused = moves(ignorant.waves[0])
    world.cluster.wait_until(lambda: bool(world.port.reroute(refused, dry_run=True)), "that plan is refused", 120)

    with sampled(world.cluster) as most:
        for _ in range(WAVES):
            if not (made := plan(laid(world, seen := look(world)), POLICY)).waves:
                break
            carry_out(world, made.waves[0])
    assert max(skews(seen).values()) <= POLICY.skew + 0.01, made.findings
    assert max(most.values()) <= high, most
    after = used(world.cluster)
    assert any(most[name] > after[name] + CLEARLY for name in most), "what is on its way was seen"


def filled(world: RealSearch) -> None:
    """Each index on its node."""
    cluster, nodes = world.cluster, list(world.cluster.nodes)
    names = {f"full-{node}-{number}": size for node, sizes in enumerate(HELD) for number, size in enumerate(sizes)}
    for name in names:
        pin = {"index.routing.allocation.include._name": nodes[int(name.split("-")[1])]}
        said = {"settings": {"number_of_shards": 1, "number_of_replicas": 0, **pin}, "mappings": {"enabled": False}}
        cluster.call("PUT", f"/{name}", said)
    for name, size in names.items():
        fill(cluster, name, size * MB)
        in_one_segment(cluster, [name])
    cluster.call("PUT", "/full-*/_settings", {"index.routing.allocation.include._name": None})


def watermark(world: RealSearch, ignorant: Plan) -> int:
    """Lets the engine heed the disks from now on. Returns the bytes of a disk at the high watermark."""
    fullest = max(used(world.cluster).values())
    high = int(fullest + BETWEEN * (passing(laid(world, look(world)), ignorant) - fullest))
    lines = {"watermark.low": high - MB, "watermark.high": high, "watermark.flood_stage": (DISK - 1) * MB}
    free = {f"{ROUTING}disk.{name}": f"{DISK * MB - held}b" for name, held in lines.items()}
    told = {f"{ROUTING}disk.threshold_enabled": True, **free}
    world.cluster.call("PUT", "/_cluster/settings", {"persistent": told})
    return high


def at_rest(world: RealSearch, seen: Cluster) -> bool:
    """Nothing moves, and what the engine tells of each node's shards is what lies on its disk: it measures them every
    ten seconds (zone_balance waits for that too), and what a merge leaves behind goes a little later."""
    told = {name: sum(copy.bytes for copy in seen.on(name)) for name in world.cluster.nodes}
    held = used(world.cluster)
    still = seen.status == "green" and all(copy.state == "STARTED" for copy in seen.copies)
    return still and all(abs(held[name] - told[name]) < MB for name in told)


def look(world: RealSearch) -> Cluster:
    """At rest, with every disk as it is then."""
    looks: list[Cluster] = []

    def settled() -> bool:
        looks.append(world.port.look())
        return at_rest(world, looks[-1])

    world.cluster.wait_until(settled, "at rest, and measured", 120)
    return looks[-1]


def laid(world: RealSearch, seen: Cluster) -> Layout:
    return layout_of(seen, world.port.placement())


def without_disks(layout: Layout) -> Layout:
    return msgspec.structs.replace(layout, settings=msgspec.structs.replace(layout.settings, disk_threshold=False))


def passing(layout: Layout, made: Plan) -> int:
    """The most bytes that any disk would hold while a wave of the plan is on its way."""
    taken = {node.name: node.disk_total - node.disk_free for node in layout.nodes}
    most = 0
    for wave in made.waves:
        coming = {name: sum(move.bytes for move in wave.moves if move.target == name) for name in taken}
        most = max(most, *(taken[name] + coming[name] for name in taken))
        for move in wave.moves:
            taken[move.source] -= move.bytes
            taken[move.target] += move.bytes
    return most


def moves(wave: Wave) -> tuple[ShardMove, ...]:
    return tuple(
        ShardMove(index=m.index, shard=m.shard, primary=m.primary, source=m.source, target=m.target, bytes=m.bytes)
        for m in wave.moves
    )


def carry_out(world: RealSearch, wave: Wave) -> None:
    """In one request, once the engine has looked at the disks as they are (it does so every ten seconds)."""
    legs = moves(wave)
    world.cluster.wait_until(lambda: world.port.reroute(legs, dry_run=True) == (), "the engine takes the wave", 120)
    assert world.port.reroute(legs, dry_run=False) == ()


def used(cluster: LocalCluster) -> dict[str, int]:
    """Bytes on each node's disk."""
    found = {}
    for node in cluster.nodes.values():
        disk = os.statvfs(node.home / "data")
        found[node.id] = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    return found


@contextmanager
def sampled(cluster: LocalCluster) -> Iterator[dict[str, int]]:
    """The most that each disk held, looked at a hundred times a second."""
    most, over = used(cluster), threading.Event()

    def sample() -> None:
        while not over.wait(0.01):
            for name, held in used(cluster).items():
                most[name] = max(most[name], held)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()
