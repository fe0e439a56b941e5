"""Counts what an idle minute and a drain use, and what the stacks have: for docs/cost.md (see `_cost`).

The baseline of a drain's calls is the least that any controller must do: see that an instance waits, look at the
cluster, exclude, look until it is empty, let go, give the exclusion back.
"""

import json
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import _cost
from benchmarks._cost import Counts, Use
from benchmarks._stack import demo
from benchmarks.figure import Figure
from vagus import figures as table
from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.procedure import noted_status
from vagus_local.scene import Scene
from vagus_local.stack import wait_green

QUIET_MINUTES = 5
"""In so many minutes a quiet cluster is looked at once."""
LEAST_CALLS = 6
OF_AN_EVENT = 26
GROUP = "demo-data-us-east-1a"
EACH_MINUTE = {"sweep": 1.0, "keeper": 0.5, "cluster-watch": 0.5}
"""GB of the functions that are called each minute."""
PRICED = {
    "AWS::KMS::Key": "key",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
}


def figures() -> list[Figure]:
    """Counts, writes `cost_counts.json` and docs/cost.md, and tells how many calls a drain makes."""
    scene = demo()
    seconds = {name: _called(scene, name) for name in EACH_MINUTE}
    minute, drain = _idle(scene, seconds), _drain(scene)
    cell, cluster = _stacks(scene)
    counts = Counts(
        counted=f"{datetime.now(UTC):%Y-%m-%d}",
        how="stack",
        minute=minute,
        shared=Use(function_calls=minute.function_calls, gb_seconds=seconds["keeper"] * EACH_MINUTE["keeper"]),
        drain=drain,
        cell=cell,
        cluster=cluster,
        quiet_figures=_quiet_figures(scene),
    )
    _cost.COUNTS.write_bytes(msgspec.json.format(msgspec.json.encode(counts), indent=1) + b"\n")
    _cost.PAGE.write_text(_cost.page(*_cost.read()))
    calls = float(sum(drain.calls.values()))
    return [
        Figure(
            name="calls of AWS for a drain",
            ours=calls,
            baseline=LEAST_CALLS,
            ratio=round(calls / LEAST_CALLS, 1),
            unit="calls",
            bar="-",
            holds=True,
        )
    ]


def _called(scene: Scene, name: str) -> float:
    """Seconds of one warm call."""
    client = scene.stack.client("lambda")
    for _ in range(2):
        began = time.perf_counter()
        client.invoke(FunctionName=f"vagus-{scene.stack.cell}-{name}", Payload=b"{}")["Payload"].read()
    return time.perf_counter() - began


def _counted(scene: Scene) -> dict[str, dict[str, int]]:
    """What was called since the last time that this was asked."""
    request = urllib.request.Request(  # noqa: S310  (the emulator's own address)
        f"{scene.stack.endpoint}/_local/calls", data=b'{"reset": true}', method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
        found: dict[str, dict[str, int]] = json.loads(reply.read())
    return found


def _used(counted: dict[str, dict[str, int]], **more: float) -> Use:
    reads = ("dynamodb:Query", "dynamodb:GetItem")
    return Use(
        calls={name: one["calls"] for name, one in counted.items()},
        read_units=sum(one["units"] for name, one in counted.items() if name in reads),
        write_units=sum(one["units"] for name, one in counted.items() if name not in reads),
        **more,
    )


def _logged(scene: Scene, since: float) -> int:
    """Bytes of the functions' logs since then (epoch seconds), as CloudWatch Logs counts them: 26 more for an event.
    Step Functions' own log is no function's."""
    logs, found = scene.stack.client("logs"), 0
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            if group["logGroupName"].startswith("/aws/vendedlogs/"):
                continue
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], startTime=int(since * 1000)
            )
            found += sum(len(event["message"].encode()) + OF_AN_EVENT for page in pages for event in page["events"])
    return found


def _idle(scene: Scene, seconds: dict[str, float]) -> Use:
    """A minute's share of the time in which everything that happens now and then happens once."""
    _counted(scene)
    began = time.time()
    time.sleep(QUIET_MINUTES * 60)
    counted = _counted(scene)
    whole = _used(counted, log_bytes=_logged(scene, began))
    return Use(
        calls={name: number / QUIET_MINUTES for name, number in whole.calls.items()},
        read_units=whole.read_units / QUIET_MINUTES,
        write_units=whole.write_units / QUIET_MINUTES,
        function_calls=len(EACH_MINUTE),
        gb_seconds=sum(seconds[name] * gb for name, gb in EACH_MINUTE.items()),
        log_bytes=whole.log_bytes / QUIET_MINUTES,
    )


def _drain(scene: Scene) -> Use:
    """One scale-in, until its run has ended."""
    _counted(scene)
    instance, asked = scene.scale_in(GROUP)
    scene.wait_until_gone(instance)
    counted, written = _counted(scene), _logged(scene, asked)
    events = _history(scene)
    scene.restore_sizes()
    wait_green(scene.stack, scene.cluster, say=lambda _: None)
    tasks = [event for event in events if event["type"] == "TaskSucceeded"]
    return _used(
        counted,
        transitions=sum(event["type"].endswith("StateEntered") for event in events),
        function_calls=len(tasks) + 1,  # and intake's
        gb_seconds=_task_seconds(events),
        log_bytes=written,
    )


def _history(scene: Scene) -> list[dict[str, Any]]:
    states = scene.stack.client("stepfunctions")
    machine = next(
        one["stateMachineArn"]
        for one in states.list_state_machines()["stateMachines"]
        if one["name"].endswith("zone_balance")
    )
    last = states.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"]
    pages = states.get_paginator("get_execution_history").paginate(executionArn=last)
    return [event for page in pages for event in page["events"]]


def _task_seconds(events: list[dict[str, Any]]) -> float:
    """What decide and apply, of 1 GB each, took together."""
    total, began = 0.0, None
    for event in events:
        if event["type"] == "TaskStateEntered":
            began = event["timestamp"]
        elif event["type"] == "TaskSucceeded" and began is not None:
            total += (event["timestamp"] - began).total_seconds()
    return total


def _stacks(scene: Scene) -> tuple[dict[str, int], dict[str, int]]:
    """What the cell's stack has, and what a cluster's adds."""
    assembly = Path(scene.stack.run).parent / "cdk.out"
    cell = json.loads((assembly / f"vagus-{scene.stack.cell}.template.json").read_text())
    cluster = json.loads((assembly / f"vagus-{scene.stack.cell}-{scene.cluster}.template.json").read_text())
    return priced(cell), priced(cluster)


def priced(template: dict[str, Any]) -> dict[str, int]:
    """How many of a template's resources cost something by standing there. An endpoint counts in each zone."""
    found: dict[str, int] = {}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::EC2::VPCEndpoint" and resource["Properties"].get("VpcEndpointType") == "Interface":
            zones = len(resource["Properties"]["SubnetIds"])
            found["interface endpoint"] = found.get("interface endpoint", 0) + zones
        elif name := PRICED.get(resource["Type"]):
            found[name] = found.get(name, 0) + 1
    return found


def _quiet_figures(scene: Scene) -> int:
    """Figures that a quiet cluster tells: those that are told while something is wrong cost only then."""
    rows = DynamoTable(Clients(scene.stack.session), f"vagus-{scene.stack.cell}-state")
    noted = noted_status.last(rows, scene.cluster)
    if noted is None:
        raise RuntimeError("the sweep has noted no status")
    return len(table.told(noted))
