"""Figures of a cluster: what each says of a status, and that nothing is told where there is nothing to tell."""

from typing import Any

import msgspec
import pytest

from vagus import figures
from vagus.figures import FIGURES, embedded, told
from vagus.group_safety import Violation
from vagus.status import (
    CERTIFICATE,
    LIFE,
    SKEW,
    SNAPSHOT,
    GroupShown,
    Health,
    HookShown,
    IntentShown,
    LeaseShown,
    NodeShown,
    SafetyShown,
    Shown,
    Status,
)

WELL = Status(
    cluster="claims",
    cell="prod",
    engine="opensearch 3.4.0",
    declared_nodes=2,
    health=Health(status="green", nodes=2, shards=4),
    nodes=(
        NodeShown(name="i-1", zone="a", version="3.4.0", disk=40, heap=55),
        NodeShown(name="i-2", zone="b", version="3.4.0", disk=70, heap=None),
    ),
    groups=(
        GroupShown(name="g", zone="a", desired=2, declared=2, in_service=2, leaving={}, unprotected=False),
    ),
)  # fmt: skip
QUIET = {"Health": 0, "Nodes": 2, "DiskUsed": 70, "HeapUsed": 55}


def group(**changes: Any) -> tuple[GroupShown, ...]:
    return (msgspec.structs.replace(WELL.groups[0], **changes),)


INTENT = IntentShown(id="leave-i-1", kind="leave", capability="zone_balance", source="event", opened="t")
LOOKED = 1772452800.0
"""2026-03-02T12:00:00Z."""
RULE = Violation(group="g", rule="r", sentence="s", remedy="m")

CASES: dict[str, tuple[dict[str, Any], dict[str, float | None]]] = {
    "a cluster that is well tells how it is, and nothing else": ({}, {}),
    "yellow": ({"health": Health(status="yellow", nodes=2, unassigned=3)}, {"Health": 1, "UnassignedShards": 3}),
    "red": ({"health": Health(status="red", nodes=1)}, {"Health": 2, "Nodes": 1}),
    "one that is not seen has no health, and no nodes": (
        {"health": Health(unseen="no node answered"), "nodes": ()},
        {"Unreachable": 1, "Health": None, "Nodes": None, "DiskUsed": None, "HeapUsed": None},
    ),
    "one that could not be read is not seen either": ({"fault": "Malformed: a row"}, {"Unreachable": 1}),
    "another answers": ({"wrong_cluster": "u-2"}, {"WrongCluster": 1}),
    "of several hooks the one that ends first": (
        {"hooks": (HookShown(instance="i-1", seconds_left=9000), HookShown(instance="i-2", seconds_left=7000))},
        {"HookSecondsLeft": 7000},
    ),
    "a hook of which nobody knows the start": ({"hooks": (HookShown(instance="i-1"),)}, {}),
    "a hook that has run out": (
        {"hooks": (HookShown(instance="i-1", seconds_left=-5),)},
        {"HookSecondsLeft": -5},
    ),
    "a retained instance": ({"groups": group(leaving={"i-9": "Terminating:Retained"})}, {"RetainedInstances": 1}),
    "one that waits is not retained": ({"groups": group(leaving={"i-9": "Terminating:Wait"})}, {}),
    "a group that lacks an instance": ({"groups": group(in_service=1)}, {"MissingInstances": 1}),
    "a group that has more than it wants lacks none": ({"groups": group(in_service=3)}, {}),
    "a group that may not launch": ({"groups": group(suspended=("AZRebalance", "Launch"))}, {"LaunchSuspended": 1}),
    "a group that may not rebalance": ({"groups": group(suspended=("AZRebalance",))}, {}),
    "a lease": (
        {"leases": (LeaseShown(concern="topology", holder="r", seconds=4000),)},
        {"LeaseHeldSeconds": 4000},
    ),
    "an open intent": ({"intents": (INTENT,)}, {"OpenIntents": 1}),
    "an intent past its deadline": (
        {"intents": (INTENT, msgspec.structs.replace(INTENT, late=True))},
        {"OpenIntents": 2, "LateIntents": 1},
    ),
    "the zone whose bytes are least even": (
        {"lines": (Shown(title=SKEW, says="s", of="a", number=1.5), Shown(title=SKEW, says="s", of="b", number=30.0))},
        {"ByteSkew": 30.0},
    ),
    "a snapshot of two hours ago, and a certificate that ends in three days": (
        {
            "at": "2026-03-02T12:00:00.000Z",
            "lines": (
                Shown(title=SNAPSHOT, says="s", number=LOOKED - 7200),
                Shown(title=CERTIFICATE, says="s", number=LOOKED + 3 * 86400),
            ),
        },
        {"SnapshotHours": 2.0, "CertificateDays": 3.0},
    ),
    "a certificate of whose life a tenth is left": (
        {"lines": (Shown(title=LIFE, says="s", number=10.0, wrong=True),)},
        {"CertificateLife": 10.0},
    ),
    "little of its life, and many days": ({"lines": (Shown(title=LIFE, says="s", number=10.0),)}, {}),
    "a certificate that has ended": (
        {
            "at": "2026-03-02T12:00:00.000Z",
            "lines": (Shown(title=CERTIFICATE, says="s", number=LOOKED - 43_200),),
        },
        {"CertificateDays": -0.5},
    ),
    "a cluster without a snapshot has no age of one": ({"lines": (Shown(title=SNAPSHOT, says="none"),)}, {}),
    "a broken rule": ({"safety": SafetyShown(at="t", violations=(RULE, RULE))}, {"BrokenGroupRules": 2}),
    "an examination that failed counts as one: safe is only what was seen": (
        {"safety": SafetyShown(at="t", fault="Denied")},
        {"BrokenGroupRules": 1},
    ),
}


@pytest.mark.parametrize(("changes", "differs"), CASES.values(), ids=CASES)
def test_what_is_told(changes: dict[str, Any], differs: dict[str, float | None]) -> None:
    wanted = {name: value for name, value in (QUIET | differs).items() if value is not None}
    assert told(msgspec.structs.replace(WELL, **changes)) == wanted


def test_names_and_pages_are_said_once() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    pages = [figure.watch.page for figure in FIGURES if figure.watch]
    assert len(set(pages)) == len(pages)


@pytest.mark.parametrize("figure", [one for one in FIGURES if one.watch], ids=lambda one: one.name)
def test_a_watch_can_be_kept_by_cloudwatch(figure: figures.Figure) -> None:
    watch = figure.watch
    assert watch is not None
    assert 1 <= watch.datapoints <= watch.of
    assert watch.of * watch.minutes <= 24 * 60, "CloudWatch looks back a day at most"
    assert watch.minutes >= 5, "a quiet cluster is looked at every five minutes"
    assert (figure.statistic == "Minimum") is watch.below


def test_a_line_of_figures_is_what_cloudwatch_takes() -> None:
    line = embedded("prod", "claims", {"Nodes": 6, "DiskUsed": 40}, 1_700_000_000.5)
    assert line == {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Vagus",
                    "Dimensions": [["Cell", "Cluster"]],
                    "Metrics": [{"Name": "Nodes", "Unit": "Count"}, {"Name": "DiskUsed", "Unit": "Percent"}],
                }
            ],
        },
        "Cell": "prod",
        "Cluster": "claims",
        "Nodes": 6,
        "DiskUsed": 40,
    }
