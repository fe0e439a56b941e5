"""The same counts as `cost`, where no local stack is at hand: Vagus's own code against the fakes of its ports.

    python -m benchmarks._cost_simulated     writes cost_counts.json

Calls of ports stand for calls of AWS; a table's units follow from the rows that are read and written. The time that
functions take can't be had so: `SECONDS` are assumed.
"""

import io
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import aws_cdk as cdk
import msgspec
from tests.infrastructure.conftest import CONTEXT
from tests.unit.runtime.conftest import ROOT, FakeParts
from tests.unit.simulation.happenings import FIRST
from tests.unit.simulation.world import World

from benchmarks._cost import COUNTS, Counts, Use
from benchmarks.cost import EACH_MINUTE, QUIET_MINUTES, priced
from vagus import figures, runtime
from vagus.aws.fake import FakeTable
from vagus.ports import Put, Row
from vagus.procedure import noted_status
from vagus_cdk.assembly import build
from vagus_cli import fleet_files

SECONDS = {"sweep": 0.5, "keeper": 0.2, "cluster-watch": 0.5, "step": 0.3}
"""Assumed, of a warm call."""
OF_A_LOOK, OF_A_STEP, OF_AN_END = 3, 4, 6
"""States of a round that waits, of one that does a step, and of the last with the first ("Read the call")."""
CALLS = {
    "describe": "autoscaling:DescribeAutoScalingGroups",
    "waiting_since": "autoscaling:DescribeScalingActivities",
    "complete": "autoscaling:CompleteLifecycleAction",
    "heartbeat": "autoscaling:RecordLifecycleActionHeartbeat",
    "groups_of": "autoscaling:DescribeAutoScalingInstances",
    "read": "dynamodb:Query",
    "write": "dynamodb:PutItem",
    "start": "states:StartExecution",
    "status": "states:DescribeExecution",
    "put": "ssm:PutParameter",
}


class CountedTable(FakeTable):
    """A table that counts units as DynamoDB bills them: 4 KiB read consistently, 1 KiB written; twice in a
    transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.read_units = self.write_units = 0

    def read(self, partition: str, prefix: str = "") -> dict[str, Row]:
        found = super().read(partition, prefix)
        size = sum(len(msgspec.json.encode(row)) for row in found.values())
        self.calls["dynamodb:Query"] += 1
        self.read_units += max(1, -(-size // 4096))
        return found

    def write(self, partition: str, *puts: Put) -> None:
        sizes = [len(msgspec.json.encode(put)) for put in puts]
        self.calls["dynamodb:PutItem" if len(puts) == 1 else "dynamodb:TransactWriteItems"] += 1
        self.write_units += sum(-(-size // 1024) for size in sizes) * (1 if len(puts) == 1 else 2)
        super().write(partition, *puts)


def idle() -> tuple[Use, int]:
    """A minute's share of five idle ones, and how many figures a quiet cluster tells."""
    spec = fleet_files.load(ROOT / "fleet")["demo"]
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "vagus_fleet"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "clusters.json").write_bytes(msgspec.json.encode({"demo": spec}))
        sys.path.insert(0, folder)
        parts = FakeParts(spec)
        start, log = time.time(), io.StringIO()
        handler = logging.StreamHandler(log)
        handler.setFormatter(runtime.logger.registered_formatter)
        runtime.logger.addHandler(handler)
        _minute(parts, start)  # the watch remembers what it saw
        parts.rows, before = _counted(parts.rows), len(log.getvalue())
        for minute in range(1, QUIET_MINUTES + 1):
            _minute(parts, start + 60 * minute)
        table: Any = parts.rows
        noted = noted_status.last(table, "demo")
    if noted is None:
        raise RuntimeError("no look in five minutes")
    use = Use(
        calls={name: number / QUIET_MINUTES for name, number in table.calls.items()}
        | {"autoscaling:DescribeAutoScalingGroups": 2},
        read_units=table.read_units / QUIET_MINUTES,
        write_units=table.write_units / QUIET_MINUTES,
        function_calls=len(EACH_MINUTE),
        gb_seconds=sum(SECONDS[name] * gb for name, gb in EACH_MINUTE.items()),
        log_bytes=(len(log.getvalue()) - before) / QUIET_MINUTES,
    )
    return use, len(figures.told(noted))


def _counted(table: FakeTable) -> FakeTable:
    counted = CountedTable()
    for partition in table.partitions():
        rows = FakeTable.read(table, partition)
        counted._rows[partition] = dict(rows)
    return counted


def _minute(parts: FakeParts, now: float) -> None:
    with mock.patch.object(time, "time", return_value=now):
        runtime.sweep(parts)
        runtime.keep(parts)
        runtime.watch(parts)


def drain() -> Use:
    """One instance that leaves the simulated cluster, until everything is at rest."""
    world = World(table=CountedTable()).known()
    world.engine.create_index("patients", shards=6, replicas=1, size=20_000)
    world.groups.scale_in(FIRST)
    world.run()
    table: Any = world.table
    states = [state for run in world.executions.values() for state in run.states]
    looks = len(states)
    waits = states.count("Wait")
    acts = looks - waits
    ports = Counter(CALLS[name.rpartition(".")[2]] for name in world.meter.calls if name.rpartition(".")[2] in CALLS)
    return Use(
        calls=dict(ports | table.calls),
        read_units=table.read_units,
        write_units=table.write_units,
        transitions=waits * OF_A_LOOK + acts * OF_A_STEP + OF_AN_END,
        function_calls=looks + acts + 1,
        gb_seconds=(looks + acts) * SECONDS["step"],
        log_bytes=1000 * (looks + acts),
    )


def stacks() -> tuple[dict[str, int], dict[str, int]]:
    """What the production example's two stacks have."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(cdk.Validations, "add_plugins"):
        build(cdk.App(context=CONTEXT, outdir=folder)).synth()
        read = {file.name: json.loads(file.read_text()) for file in Path(folder).glob("*.template.json")}
    return priced(read["vagus-prod.template.json"]), priced(read["vagus-prod-claims.template.json"])


if __name__ == "__main__":
    minute, told = idle()
    cell, cluster = stacks()
    counts = Counts(
        counted=f"{datetime.now(UTC):%Y-%m-%d}",
        how="simulation",
        minute=minute,
        shared=Use(function_calls=minute.function_calls, gb_seconds=SECONDS["keeper"] * EACH_MINUTE["keeper"]),
        drain=drain(),
        cell=cell,
        cluster=cluster,
        quiet_figures=told,
    )
    COUNTS.write_bytes(msgspec.json.format(msgspec.json.encode(counts), indent=1) + b"\n")
