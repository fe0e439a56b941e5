"""Restarts by Vagus on the demo's cluster, with an application at work, as its own records tell them."""

import json
import time
import urllib.request
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import msgspec

from benchmarks.event_to_first_write import epoch
from benchmarks.figure import Figure, against
from vagus.intent import restart
from vagus.procedure.records import Record, iso
from vagus_local.scene import Scene
from vagus_local.stack import wait_green, wait_serving
from vagus_local.waiting import until
from vagus_local.workload import Result, Workload, at_work, create_indices

ROOM = "rolling_upgrade"
INDICES = ("bench-a", "bench-b")
SHARDS, DOCUMENTS, PADDING = 6, 3000, 500
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
MOST_SECONDS = 1200


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """Some nodes restarted by Vagus. `seconds` of each batch, from when it was taken (the first: from when the restart
    was asked for) until the next was, or until all was tidied. Calls of functions, and those that functions made to
    AWS. `work`: what became of the application's requests."""

    nodes: int
    seconds: tuple[float, ...]
    functions: int
    aws: int
    work: Result

    @property
    def per_node(self) -> float:
        """Mean seconds."""
        return sum(self.seconds) / self.nodes


def made_ready(scene: Scene) -> None:
    """The cluster whole, with indices for an application."""
    scene.restore_sizes()
    settled(scene)
    application = scene.stack.application(scene.cluster)
    if scene.admin.try_call("GET", f"/{INDICES[0]}") is None:
        create_indices(application, dict.fromkeys(INDICES, (SHARDS, 1)), DOCUMENTS, PADDING)


def settled(scene: Scene, nodes: int = 6) -> None:
    """Green with so many nodes, each in service and answering, nothing on its way, no run on."""
    wait_green(scene.stack, scene.cluster, say=lambda _: None)
    wait_serving(scene.stack, scene.cluster)

    def quiet() -> bool:
        health = scene.admin.try_call("GET", "/_cluster/health") or {}
        return (health.get("status"), health.get("number_of_nodes"), health.get("relocating_shards")) == (
            "green",
            nodes,
            0,
        )

    until(quiet, 300, f"{nodes} nodes are green, and nothing moves", 0.5)
    scene.await_rest(300)


@contextmanager
def working(scene: Scene) -> Iterator[Workload]:
    """With the application at work."""
    with at_work(scene.stack.application(scene.cluster), INDICES) as work:
        yield work


def by_vagus(scene: Scene, names: Collection[str]) -> Pass:
    """Restart these nodes, with the application at work."""
    settled(scene, len(scene.names()))
    processes = {name: one for name, one in scene.processes().items() if name in names}
    with working(scene) as work:
        aws_calls(scene)
        asked = time.time()
        wanted = restart(processes, iso(asked), "bench")
        scene.ask(wanted)
        scene.wait_until_closed(wanted, MOST_SECONDS)
        calls = aws_calls(scene)
        result = work.stop()
    records = scene.records_since(asked)
    taken = [record for record in records if record.step == "KeepReplicas"]
    tidied = next(record for record in records if record.step == "PutSettingsRight")
    marks = [asked, *(epoch(record.at) for record in (*taken[1:], tidied))]
    return Pass(
        nodes=len(names),
        seconds=tuple(after - before for before, after in pairwise(marks)),
        functions=calls_of_functions(scene, taken),
        aws=calls,
        work=result,
    )


def calls_of_functions(scene: Scene, records: Sequence[Record]) -> int:
    """Tasks of the executions that these records name: each is one call of a function, a look or a step."""
    states = scene.stack.client("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    machine = next(one["stateMachineArn"] for one in machines if one["name"].endswith(ROOM))
    found = 0
    for execution in {record.execution for record in records}:
        arn = machine.replace(":stateMachine:", ":execution:") + f":{execution}"
        pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
        found += sum(event["type"] == "TaskScheduled" for page in pages for event in page["events"])
    return found


def aws_calls(scene: Scene) -> int:
    """Calls of AWS by all functions since the last time that this was asked, the sweep's of each minute among them."""
    request = urllib.request.Request(  # noqa: S310  (the emulator's own address)
        f"{scene.stack.endpoint}/_local/calls", data=b'{"reset": true}', method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        return sum(one["calls"] for one in json.loads(reply.read()).values())


def reported(name: str, ours: float, baseline: float, unit: str) -> Figure:
    """A figure without a bar."""
    return msgspec.structs.replace(against(name, ours, baseline, unit, float("inf")), bar="-")


def failed(name: str, ours: Sequence[Result], baseline: Sequence[Result]) -> Figure:
    """Requests that failed, and acknowledged writes that were lost: none of ours may."""
    bad, theirs = (sum(one.requests_failed + one.writes_lost for one in results) for results in (ours, baseline))
    ratio = bad / theirs if theirs else 0.0
    return Figure(name=name, ours=bad, baseline=theirs, ratio=ratio, unit="requests", bar="0", holds=bad == 0)
