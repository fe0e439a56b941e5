"""The dashboard of a cell: its clusters by the table of figures, then Vagus itself.

A figure's graph finds its clusters by a search, so that the dashboard neither grows nor changes with the fleet.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from vagus import figures
from vagus.figures import Figure
from vagus_cdk.cell import Cell

COLUMNS = 3
WIDTH, HEIGHT = 24 // COLUMNS, 6
PERIOD = Duration.minutes(5)


class Dashboard(Construct):
    """`<cell>-vagus` in CloudWatch."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        machines: Mapping[str, sfn.IStateMachine],
        functions: Mapping[str, lambda_.IFunction],
        queues: Mapping[str, sqs.IQueue],
    ) -> None:
        super().__init__(scope, construct_id)
        self._cell = cell
        placements = {"ec2", *(spec.placement for spec in cell.settings.clusters.values())}
        told = [figure for figure in figures.FIGURES if placements & set(figure.placements)]
        watched = [figure for figure in told if figure.watch]
        shown = [figure for figure in told if not figure.watch]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=cell.name("clusters"),
            default_interval=Duration.hours(12),
            widgets=[
                [_heading(f"Vagus, cell {cell.settings.cell}: its clusters. `vagus status` says more of each.")],
                *_rows([self._figure(figure) for figure in shown]),
                [_heading("What calls a person. A graph without a line is good news. Pages: docs/runbook.md.")],
                *_rows([self._figure(figure) for figure in watched]),
                [_heading("Vagus itself")],
                *_rows([*_runs(machines), _calls(functions), _errors(functions), _waiting(queues)]),
            ],
        )

    def _figure(self, figure: Figure) -> cloudwatch.IWidget:
        """All clusters of the cell in one graph, with the alarm's threshold."""
        names = ",".join((figures.NAMESPACE, *figures.DIMENSIONS))
        asked = f'{{{names}}} MetricName="{figure.name}" Cell="{self._cell.settings.cell}"'
        search = cloudwatch.MathExpression(
            expression=f"SEARCH('{asked}', '{figure.statistic}')", label="${PROP('Dim.Cluster')}", period=PERIOD
        )
        lines = (
            [cloudwatch.HorizontalAnnotation(value=figure.watch.at_least, label=figure.watch.page)]
            if figure.watch
            else []
        )
        return cloudwatch.GraphWidget(
            title=figure.title, left=[search], left_annotations=lines, width=WIDTH, height=HEIGHT
        )


def _heading(text: str) -> cloudwatch.IWidget:
    return cloudwatch.TextWidget(markdown=text, width=24, height=1)


def _rows(widgets: Sequence[cloudwatch.IWidget]) -> list[list[cloudwatch.IWidget]]:
    return [list(widgets[start : start + COLUMNS]) for start in range(0, len(widgets), COLUMNS)]


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=WIDTH, height=HEIGHT)


def _runs(machines: Mapping[str, sfn.IStateMachine]) -> list[cloudwatch.IWidget]:
    return [
        _graph(
            f"runs of {name}",
            [
                machine.metric_started(period=PERIOD, label="started"),
                machine.metric_succeeded(period=PERIOD, label="done"),
                machine.metric_failed(period=PERIOD, label="blocked"),
                machine.metric_aborted(period=PERIOD, label="stopped"),
                machine.metric_timed_out(period=PERIOD, label="timed out"),
            ],
        )
        for name, machine in machines.items()
    ]


def _calls(functions: Mapping[str, lambda_.IFunction]) -> cloudwatch.IWidget:
    metrics = [one.metric_duration(period=PERIOD, statistic="Maximum", label=name) for name, one in functions.items()]
    return _graph("longest call of each function, ms", metrics)


def _errors(functions: Mapping[str, lambda_.IFunction]) -> cloudwatch.IWidget:
    metrics = [one.metric_errors(period=PERIOD, statistic="Sum", label=name) for name, one in functions.items()]
    return _graph("calls that failed", metrics)


def _waiting(queues: Mapping[str, sqs.IQueue]) -> cloudwatch.IWidget:
    metrics = [
        one.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum", label=name)
        for name, one in queues.items()
    ]
    return _graph("messages that wait", metrics)
