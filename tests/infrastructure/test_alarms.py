"""Alarms: each thing that may fail has one, each has its page of the runbook, and each page's alarm is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.infrastructure.templates import Properties, Resource, Templates, walk

from vagus.figures import DIMENSIONS, FIGURES, NAMESPACE
from vagus.rooms import ROOMS

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
PAGE = re.compile(r"Runbook: docs/runbook\.md#([a-z-]+)$")


def alarms(templates: Templates) -> dict[str, Properties]:
    return {one.properties["AlarmName"]: one.properties for one in templates.resources("CloudWatch::Alarm")}


def page(alarm: Properties) -> str:
    found = PAGE.search(alarm["AlarmDescription"])
    assert found, f"{alarm['AlarmName']}: its description names no page of the runbook"
    return found[1]


def sections() -> set[str]:
    """Of alarms: those of reasons are in capitals."""
    return set(re.findall(r"^## ([a-z-]+)$", RUNBOOK, re.MULTILINE))


def test_every_alarm_has_a_page_and_every_page_an_alarm(templates: Templates) -> None:
    assert {page(one) for one in alarms(templates).values()} == sections()


def about(alarm: Properties, dimension: str) -> Any:
    return next((one["Value"] for one in alarm.get("Dimensions", ()) if one["Name"] == dimension), None)


def watched(templates: Templates, metric: str, dimension: str) -> list[Any]:
    return [about(one, dimension) for one in alarms(templates).values() if one.get("MetricName") == metric]


def test_every_rule_has_an_alarm_for_what_it_could_not_hand_over(templates: Templates) -> None:
    rules = {one.properties["Name"] for one in templates.resources("Events::Rule")}
    assert set(watched(templates, "FailedInvocations", "RuleName")) == rules


def references(resources: list[Resource]) -> set[str]:
    return {one.id for one in resources}


def named(values: list[Any]) -> set[str]:
    return {value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0] for value in values}


def test_every_function_has_an_alarm_on_its_errors(templates: Templates) -> None:
    functions = references(templates.resources("Lambda::Function"))
    assert named(watched(templates, "Errors", "FunctionName")) == functions


def test_every_queue_of_dead_letters_has_an_alarm(templates: Templates) -> None:
    dead = [one for one in templates.resources("SQS::Queue") if one.properties["QueueName"].endswith("-dead")]
    assert len(dead) == 2
    assert named(watched(templates, "ApproximateNumberOfMessagesVisible", "QueueName")) == references(dead)


@pytest.mark.parametrize("metric", ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"])
def test_every_state_machine_has_an_alarm_on_each_bad_end(templates: Templates, metric: str) -> None:
    machines = references(templates.resources("StepFunctions::StateMachine"))
    assert len(machines) == len(ROOMS)
    assert named(watched(templates, metric, "StateMachineArn")) == machines


def test_every_watched_figure_has_an_alarm_for_each_cluster(templates: Templates) -> None:
    ours = [one for one in alarms(templates).values() if one.get("Namespace") == NAMESPACE]
    wanted = {figure.name: figure for figure in FIGURES if figure.watch}
    assert {one["MetricName"] for one in ours} == set(wanted)
    for one in ours:
        figure = wanted[one["MetricName"]]
        assert {name["Name"] for name in one["Dimensions"]} == set(DIMENSIONS)
        assert (about(one, "Cell"), about(one, "Cluster")) == ("prod", "claims")
        assert one["Statistic"] == figure.statistic
        assert figure.watch
        assert one["EvaluationPeriods"] * one["Period"] <= 86400, "CloudWatch looks back a day at most"
        assert one["ComparisonOperator"].startswith("Less" if figure.watch.below else "Greater")


SILENT = {f"vagus-prod-{name}-silent": "breaching" for name in ("cluster-watch", "keeper", "sweep")}


def test_silence_is_bad_news_of_schedules_alone(templates: Templates) -> None:
    """Errors, dead letters and figures are told only when there are some: that news comes is the schedules' alarm."""
    missing = {name: one["TreatMissingData"] for name, one in alarms(templates).items()}
    assert {name: how for name, how in missing.items() if how != "notBreaching"} == SILENT


def test_every_alarm_calls_the_cells_topic(templates: Templates) -> None:
    (topic,) = references(templates.resources("SNS::Topic"))
    for name, one in alarms(templates).items():
        (action,) = one["AlarmActions"]
        assert topic in json.dumps(action) or "Fn::ImportValue" in action, name


def body(templates: Templates) -> str:
    (dashboard,) = templates.resources("CloudWatch::Dashboard")
    return "".join(part for part in walk(dashboard.properties["DashboardBody"]) if isinstance(part, str))


def test_the_dashboard_has_every_figure(templates: Templates) -> None:
    shown, told = body(templates), [figure for figure in FIGURES if "ec2" in figure.placements]
    assert [figure.name for figure in told if f'MetricName=\\"{figure.name}\\"' not in shown] == []


def test_the_dashboard_shows_the_runs_of_every_capability(templates: Templates) -> None:
    assert [name for name in ROOMS if f"runs of {name}" not in body(templates)] == []
