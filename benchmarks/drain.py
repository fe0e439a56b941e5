"""A drain by Vagus against one by hand (`exclude`, then look each half second), first exclusion -> proven empty.

Both on the same node, with the same shards, throttled alike so that the one by hand takes a minute or more.
"""

import time

from benchmarks._stack import demo
from benchmarks.event_to_first_write import epoch
from benchmarks.figure import Figure, against
from vagus_local.scene import Scene
from vagus_local.stack import wait_green, wait_serving
from vagus_local.waiting import until
from vagus_local.workload import create_indices

GROUP = "demo-data-us-east-1a"
INDEX = "bench"
SHARDS, DOCUMENTS, PADDING = 12, 24_000, 1000
THROTTLE = "100kb"
BAR = 1.1


def figures() -> list[Figure]:
    """One ratio: seconds of ours to seconds by hand."""
    scene = demo()
    scene.restore_sizes()
    wait_green(scene.stack, scene.cluster, say=lambda _: None)
    wait_serving(scene.stack, scene.cluster)
    create_indices(scene.stack.application(scene.cluster), {INDEX: (SHARDS, 1)}, DOCUMENTS, PADDING)
    scene.admin.call("POST", f"/{INDEX}/_flush")
    wait_green(scene.stack, scene.cluster, say=lambda _: None)
    scene.slow_recovery(THROTTLE)
    instance = scene.group(GROUP)["Instances"][0]["InstanceId"]
    hand, hand_bytes = by_hand(scene, instance)
    ours, our_bytes = by_vagus(scene)
    scene.slow_recovery(None)
    per_megabyte = hand / hand_bytes * 1e6, ours / our_bytes * 1e6
    return [
        against("drain, first exclusion -> empty, per MB moved", per_megabyte[1], per_megabyte[0], "s/MB", BAR),
        against("drain, first exclusion -> empty", ours, hand, "s", BAR),
    ]


def on_node(scene: Scene, instance: str) -> int:
    """Bytes of the shards on a node."""
    return sum(row.bytes for row in scene.nodes() if row.instance == instance)


def empty(scene: Scene, instance: str) -> bool:
    """Nothing is routed to it."""
    return next(row for row in scene.nodes() if row.instance == instance).shards == 0


def by_hand(scene: Scene, instance: str) -> tuple[float, int]:
    """Seconds and bytes of a drain by hand; afterwards the engine's balancer has given the node shards again."""
    moved = on_node(scene, instance)
    began = time.monotonic()
    scene.exclude_by_hand(instance)
    until(lambda: empty(scene, instance), 600, f"{instance} is empty", 0.5)
    took = time.monotonic() - began
    scene.exclude_by_hand(None)
    scene.slow_recovery("40mb")
    until(lambda: settled(scene, instance), 300, "the balancer has given it shards again", 0.5)
    scene.slow_recovery(THROTTLE)
    return took, moved


def settled(scene: Scene, instance: str) -> bool:
    """It holds shards, and nothing moves any more."""
    moving = scene.admin.call("GET", "/_cluster/health")["relocating_shards"]
    row = next(row for row in scene.nodes() if row.instance == instance)
    return moving == 0 and row.shards >= 2 * SHARDS // 6


def by_vagus(scene: Scene) -> tuple[float, int]:
    """Seconds and bytes of a drain by Vagus, from its own records: exclusion written -> instance let go."""
    instance = scene.group(GROUP)["Instances"][0]["InstanceId"]
    moved = on_node(scene, instance)
    _, asked = scene.scale_in(GROUP)
    scene.wait_until_settled(instance, seconds=900)
    outcomes = {record.id: record for record in scene.records() if record.phase == "outcome"}
    steps = {record.step: record for record in scene.records_since(asked)}
    excluded, let_go = outcomes[steps["ExcludeNodes"].id], steps["LetEmptyInstanceGo"]
    return epoch(let_go.at) - epoch(excluded.at), moved
