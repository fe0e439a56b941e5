"""Figures of a cluster for CloudWatch: one table, from which come what the sweep tells, alarms, dashboard and runbook.
Pure.

A figure costs money only in the hours in which it is told. So those that an alarm watches, and that are nothing on most
days, are told only when there is something to tell: missing is good news. That news comes at all is watched by the
sweep's own alarm on silence.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from vagus.fleet import Placement
from vagus.status import CERTIFICATE, LIFE, REPORT, SKEW, SNAPSHOT, Status

NAMESPACE = "Vagus"
DIMENSIONS = ("Cell", "Cluster")
HEALTH = {"green": 0, "yellow": 1, "red": 2}

Unit = Literal["Count", "Seconds", "Percent"]


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """When a figure calls a person: it was `at_least` (or, with `below`, less than) so much in `datapoints` of the last
    `of` periods of `minutes`. `page`: its section in docs/runbook.md, and the end of the alarm's name."""

    page: str
    meaning: str
    at_least: int = 1
    below: bool = False
    minutes: int = 5
    datapoints: int = 1
    of: int = 1


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`value`: of one status; `None` tells nothing. `statistic`: which of a period's values counts. `placements`: of
    which clusters it can be told."""

    name: str
    unit: Unit
    title: str
    value: Callable[[Status], float | None]
    watch: Watch | None = None
    statistic: Literal["Maximum", "Minimum"] = "Maximum"
    placements: tuple[Placement, ...] = ("ec2",)


EVERYWHERE: tuple[Placement, ...] = ("ec2", "kubernetes")


def _some(number: float) -> float | None:
    return number or None


def _seen(status: Status, number: float | None) -> float | None:
    """Of a cluster that was not seen nothing is told."""
    return None if status.health.unseen or not status.health.status else number


def _highest(values: Iterable[int | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _numbers(status: Status, title: str, *, wrong: bool = False) -> list[float]:
    """What the lines of that title say; those that are wrong alone."""
    found = (line for line in status.lines if line.title == title and line.wrong >= wrong)
    return [line.number for line in found if line.number is not None]


def _until(status: Status, moment: float, seconds: float) -> float:
    """How many times `seconds` pass from when it was looked at until a moment; negative if that is over."""
    return round((moment - datetime.fromisoformat(status.at).timestamp()) / seconds, 2)


FIGURES: tuple[Figure, ...] = (
    # how clusters are: told at each look
    Figure(
        name="Health",
        unit="Count",
        title="health: 0 green, 1 yellow, 2 red",
        value=lambda one: _seen(one, HEALTH.get(one.health.status)),
        watch=Watch(
            page="cluster-red",
            meaning="a primary is assigned nowhere: some searches and writes fail",
            at_least=2,
            datapoints=2,
            of=3,
        ),
    ),
    Figure(
        name="Nodes",
        unit="Count",
        title="nodes in the cluster",
        value=lambda one: _seen(one, one.health.nodes),
        statistic="Minimum",
    ),
    Figure(
        name="DiskUsed",
        unit="Percent",
        title="disk used on the fullest node, %",
        value=lambda one: _highest(node.disk for node in one.nodes),
    ),
    Figure(
        name="HeapUsed",
        unit="Percent",
        title="heap used on the fullest node, %",
        value=lambda one: _highest(node.heap for node in one.nodes),
    ),
    Figure(
        name="ByteSkew",
        unit="Percent",
        title="byte skew: the fullest node above its share, %",
        value=lambda one: max(_numbers(one, SKEW), default=None),
    ),
    Figure(
        name="SnapshotHours",
        unit="Count",
        title="hours since the last snapshot that succeeded",
        value=lambda one: max((-_until(one, moment, 3600) for moment in _numbers(one, SNAPSHOT)), default=None),
    ),
    Figure(
        name="CertificateDays",
        unit="Count",
        title="days until the first certificate ends",
        value=lambda one: min((_until(one, moment, 86400) for moment in _numbers(one, CERTIFICATE)), default=None),
        statistic="Minimum",
        placements=EVERYWHERE,
    ),
    Figure(
        name="CertificateLife",
        unit="Percent",
        title="life left of a certificate that ends soon, %",
        value=lambda one: min(_numbers(one, LIFE, wrong=True), default=None),
        watch=Watch(
            page="certificate-ends",
            meaning="less than a quarter of its life, and less than 30 days, are left of a certificate",
            at_least=25,
            below=True,
            minutes=15,
        ),
        statistic="Minimum",
        placements=EVERYWHERE,
    ),
    Figure(
        name="ReportSeconds",
        unit="Seconds",
        title="seconds since the agent's last report",
        value=lambda one: max((-_until(one, moment, 1) for moment in _numbers(one, REPORT)), default=None),
        placements=("kubernetes",),
    ),
    # what Vagus does: told while it is so
    Figure(name="OpenIntents", unit="Count", title="open intents", value=lambda one: _some(len(one.intents))),
    Figure(
        name="UnassignedShards",
        unit="Count",
        title="unassigned copies of shards",
        value=lambda one: _some(one.health.unassigned),
    ),
    # what calls a person: told while it is so
    Figure(
        name="Unreachable",
        unit="Count",
        title="cluster not seen",
        value=lambda one: 1 if one.health.unseen or one.fault else None,
        watch=Watch(
            page="cluster-unreachable",
            meaning="the cluster does not answer, or not in time: nothing is decided on it",
            datapoints=2,
            of=3,
        ),
        placements=EVERYWHERE,
    ),
    Figure(
        name="WrongCluster",
        unit="Count",
        title="another cluster answers than the one noted",
        value=lambda one: 1 if one.wrong_cluster else None,
        watch=Watch(
            page="wrong-cluster", meaning="another cluster answers than the one noted: nothing is written to it"
        ),
    ),
    Figure(
        name="HookSecondsLeft",
        unit="Seconds",
        title="least time until AWS ends a hook",
        value=lambda one: min((hook.seconds_left for hook in one.hooks if hook.seconds_left is not None), default=None),
        watch=Watch(
            page="hook-ends-soon",
            meaning="AWS ends the wait of an instance within two hours, whatever heartbeats come",
            at_least=7200,
            below=True,
            minutes=15,
        ),
        statistic="Minimum",
    ),
    Figure(
        name="RetainedInstances",
        unit="Count",
        title="retained instances",
        value=lambda one: _some(
            sum(word == "Terminating:Retained" for group in one.groups for word in group.leaving.values())
        ),
        watch=Watch(
            page="instance-retained",
            meaning="an instance has been retained for two hours: it is billed, and its data waits for a new place",
            minutes=15,
            datapoints=8,
            of=8,
        ),
    ),
    Figure(
        name="LeaseHeldSeconds",
        unit="Seconds",
        title="longest unbroken lease",
        value=lambda one: _highest(lease.seconds for lease in one.leases),
        watch=Watch(
            page="lease-held",
            meaning="one run has been writing to the cluster for over an hour without a pause",
            at_least=3600,
            datapoints=2,
            of=2,
        ),
        placements=EVERYWHERE,
    ),
    Figure(
        name="MissingInstances",
        unit="Count",
        title="instances that a group wants and does not have in service",
        value=lambda one: _some(sum(max(0, group.desired - group.in_service) for group in one.groups)),
        watch=Watch(
            page="instances-missing",
            meaning="a group has had fewer instances in service than it wants for an hour: see its launches",
            minutes=15,
            datapoints=4,
            of=4,
        ),
    ),
    Figure(
        name="LaunchSuspended",
        unit="Count",
        title="groups that may not launch",
        value=lambda one: _some(sum("Launch" in group.suspended for group in one.groups)),
        watch=Watch(
            page="launch-suspended", meaning="a group may launch nothing: an instance that goes is not replaced"
        ),
    ),
    Figure(
        name="LateIntents",
        unit="Count",
        title="intents past their deadline",
        value=lambda one: _some(sum(intent.late for intent in one.intents)),
        watch=Watch(page="intent-late", meaning="what had to be done by a time was not done by then"),
    ),
    Figure(
        name="BrokenGroupRules",
        unit="Count",
        title="broken rules of group safety",
        value=lambda one: _some(len(one.safety.violations) + bool(one.safety.fault)),
        watch=Watch(page="groups-unsafe", meaning="groups may end nodes with their data", minutes=15),
    ),
)


def told(status: Status) -> dict[str, float]:
    """The figures that a status has, by name."""
    found = {figure.name: figure.value(status) for figure in FIGURES}
    return {name: value for name, value in found.items() if value is not None}


def embedded(cell: str, cluster: str, values: Mapping[str, float], now: float) -> dict[str, Any]:
    """Figures in CloudWatch's embedded metric format: to be the top level of one log line. `now`: epoch seconds.

    Source: the embedded metric format specification of CloudWatch (version 0; 100 metrics at most in one line).
    """
    units = {figure.name: figure.unit for figure in FIGURES}
    metrics = [{"Name": name, "Unit": units[name]} for name in values]
    told = {"Namespace": NAMESPACE, "Dimensions": [list(DIMENSIONS)], "Metrics": metrics}
    stamp = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [told]}
    return {"_aws": stamp, "Cell": cell, "Cluster": cluster, **values}
