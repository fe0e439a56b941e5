"""A node is added, and gets its bytes: on real nodes, by the event of its launch alone."""

import time

from vagus_local.scene import Scene
from vagus_local.stack import wait_green
from vagus_local.waiting import until
from vagus_local.workload import create_uneven

GROUP, ZONE = "trio-core-us-east-1a", "us-east-1a"
SIZES = {f"uneven-{number:02}": int(80_000 * 1.2**number) for number in range(18)}
"""80 kB to 1.8 MB: with counts even, as the engine leaves them, a node has a fifth more than its share or worse."""
BAR = 0.02
WATCHED_SECONDS = 10


def held(scene: Scene) -> dict[str, int]:
    """Bytes of shards by node of the zone."""
    return {row.instance: row.bytes for row in scene.nodes() if row.zone == ZONE and row.joined}


def skew(bytes_: dict[str, int]) -> float:
    """How far the fuller of nodes with equal disks is above its share."""
    return max(bytes_.values()) * len(bytes_) / max(1, sum(bytes_.values())) - 1


def places(scene: Scene) -> set[tuple[str, str, str, str]]:
    """Where every copy of ours stands, and in which state."""
    rows = scene.admin.call("GET", "/_cat/shards/uneven-*?format=json&h=index,prirep,state,node")
    return {(row["index"], row["prirep"], row["state"], row["node"]) for row in rows}


def test_an_added_node_gets_its_bytes_and_the_engine_leaves_them_there(trio: Scene) -> None:
    create_uneven(trio.admin, SIZES)
    wait_green(trio.stack, "trio")
    fresh, asked = trio.scale_out(GROUP)

    def evened() -> bool:
        done = "MoveShards" in [record.step for record in trio.records_since(asked)]
        return done and len(held(trio)) == 2 and skew(held(trio)) <= BAR

    until(evened, 300, f"{fresh} has its bytes (now: {trio.plan_in_words()})", 1.0)
    trio.await_rest()
    assert skew(held(trio)) <= BAR, held(trio)
    assert trio.without_outcome() == []

    stood = places(trio)
    assert {state for _, _, state, _ in stood} == {"STARTED"}
    trio.admin.call("POST", "/_cluster/reroute?metric=none")
    watched = time.monotonic() + WATCHED_SECONDS
    while time.monotonic() < watched:
        assert places(trio) == stood, "the engine moved what we had moved"

    trio.admin.call("DELETE", "/uneven-*")
    leaving, _ = trio.scale_in(GROUP)
    trio.wait_until_settled(leaving)
