"""From Auto Scaling's event to the first write on the cluster, hop by hop; warm, on the local stack.

The bars are absolute because the emulated hops are (a bare event through queue, function and state machine takes about
20 ms, 100 ms at the 95th percentile). The baseline of the ratio is the least that any controller must do between the
two: look at the cluster and write the setting, called from here with nothing between.
"""

import statistics
import time
from datetime import datetime

import msgspec

from benchmarks._stack import demo
from benchmarks.figure import Figure, percentile
from vagus_local.scene import Scene
from vagus_local.stack import wait_green, wait_serving
from vagus_local.waiting import until

ROUNDS = 6
QUIET_SECONDS = 3
GROUPS = ("demo-data-us-east-1a", "demo-data-us-east-1b", "demo-data-us-east-1c")
SETTING = "cluster.routing.allocation.exclude._name"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from the call that made Auto Scaling act to each point: the execution's start, the end of its first look,
    the first write as it leaves for the cluster, the engine's answer to it (a new cluster state on every node)."""

    started: float
    decided: float
    written: float
    answered: float


def figures() -> list[Figure]:
    """Percentiles of all hops over some scale-ins; the first round warms and does not count."""
    scene = demo()
    samples = [sample for number in range(ROUNDS) for sample in one_round(scene) if number]
    baseline = statistics.median(by_hand(scene) for _ in range(10)) * 1000
    written = [sample.written * 1000 for sample in samples]
    return [
        figure("event -> first write, p50", percentile(written, 50), baseline, 150),
        figure("event -> first write, p95", percentile(written, 95), baseline, 400),
        hop("of it: event -> execution started", [sample.started for sample in samples], baseline),
        hop("of it: started -> decided", [sample.decided - sample.started for sample in samples], baseline),
        hop("of it: decided -> written", [sample.written - sample.decided for sample in samples], baseline),
        hop("after it: written -> answered", [sample.answered - sample.written for sample in samples], baseline),
    ]


def figure(name: str, ours: float, baseline: float, most: float) -> Figure:
    """One with an absolute bar in milliseconds."""
    return Figure(
        name=name,
        ours=round(ours, 1),
        baseline=round(baseline, 1),
        ratio=round(ours / baseline, 2),
        unit="ms",
        bar=f"<= {most:.0f} ms",
        holds=ours <= most,
    )


def hop(name: str, seconds: list[float], baseline: float) -> Figure:
    """One without a bar of its own."""
    ours = statistics.median(seconds) * 1000
    ratio = round(ours / baseline, 2)
    return Figure(
        name=name, ours=round(ours, 1), baseline=round(baseline, 1), ratio=ratio, unit="ms", bar="-", holds=True
    )


def one_round(scene: Scene) -> list[Sample]:
    """Three scale-ins, one after another, each drained and tidied; then the nodes come back."""
    samples = [one(scene, group) for group in GROUPS]
    scene.restore_sizes()
    wait_green(scene.stack, scene.cluster, say=lambda _: None)
    wait_serving(scene.stack, scene.cluster)
    return samples


def one(scene: Scene, group: str) -> Sample:
    """One scale-in, followed by the records and by the execution's own history."""
    instance = scene.group(group)["Instances"][0]["InstanceId"]
    asked = time.time()
    scene.set_size(group, 0)
    until(lambda: time.time() - asked > QUIET_SECONDS, 10, "nobody looks, so that looking costs nothing", 0.5)
    scene.wait_until_settled(instance, pause=1.0)
    written = next(record for record in scene.records() if record.step == "ExcludeNodes" and record.subject == instance)
    done = next(record for record in scene.records() if record.id == written.id and record.phase == "outcome")
    started, decided = points(scene, written.execution)
    return Sample(
        started=started - asked,
        decided=decided - asked,
        written=epoch(written.at) - asked,
        answered=epoch(done.at) - asked,
    )


def points(scene: Scene, execution: str) -> tuple[float, float]:
    """When the execution started, and when its first look had decided: epoch seconds."""
    states = scene.stack.client("stepfunctions")
    machine = next(
        one["stateMachineArn"]
        for one in states.list_state_machines()["stateMachines"]
        if one["name"].endswith("zone_balance")
    )
    arn = machine.replace(":stateMachine:", ":execution:") + f":{execution}"
    events = states.get_execution_history(executionArn=arn)["events"]
    decided = next(event for event in events if event["type"] == "TaskSucceeded")
    return events[0]["timestamp"].timestamp(), decided["timestamp"].timestamp()


def by_hand(scene: Scene) -> float:
    """Seconds of a look and a write, by a client that knows what it wants."""
    began = time.perf_counter()
    scene.admin.call("GET", "/_cluster/state/nodes,routing_table")
    scene.admin.call("GET", "/_nodes/stats/fs,indices/store?level=shards")
    scene.admin.call("PUT", "/_cluster/settings", {"persistent": {SETTING: "nobody"}})
    took = time.perf_counter() - began
    scene.admin.call("PUT", "/_cluster/settings", {"persistent": {SETTING: None}})
    return took


def epoch(at: str) -> float:
    """Seconds of an ISO 8601 time."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
