"""Two nodes of a zone restarted at a time, against one, in the same run, with an application at work.

Each zone has a manager and two data nodes. The data nodes are restarted one by one (one of each zone, then the others),
and then two by two, which the policy `batch: 2` allows.
"""

import statistics

from benchmarks._restarts import ZONES, by_vagus, failed, made_ready, reported, settled
from benchmarks._stack import demo
from benchmarks.figure import Figure, against
from vagus_local.waiting import until

BAR = 0.9


def figures() -> list[Figure]:
    """Seconds and calls per node, and failed requests."""
    scene = demo()
    made_ready(scene)
    names = [f"demo-data-{zone}" for zone in ZONES]
    for name in names:
        scene.set_size(name, 2)
    until(lambda: len(scene.names()) == 9, 300, "nine nodes have joined", 0.5)
    settled(scene, 9)
    pairs = [[str(one["InstanceId"]) for one in scene.group(name)["Instances"]] for name in names]
    alone = [by_vagus(scene, [pair[which] for pair in pairs]) for which in (0, 1)]
    together = by_vagus(scene, [name for pair in pairs for name in pair])
    scene.restore_sizes()
    if len(together.seconds) != len(ZONES):
        raise RuntimeError(f"{len(together.seconds)} batches instead of {len(ZONES)}")
    seconds = statistics.mean(one.per_node for one in alone)
    functions, aws = sum(one.functions for one in alone) / 6, sum(one.aws for one in alone) / 6
    return [
        against("restart per node, two of a zone at a time, against one", together.per_node, seconds, "s", BAR),
        failed("failed requests of the application, two at a time", [together.work], [one.work for one in alone]),
        reported("calls of functions per node, two at a time", together.functions / 6, functions, "calls"),
        reported("calls of AWS per node, two at a time", together.aws / 6, aws, "calls"),
    ]
