"""What calls a person when Vagus itself is not well. Each says what is wrong and what it means for the clusters."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from vagus_cdk.cell import Cell

FIVE_MINUTES = Duration.minutes(5)


class Alarms(Construct):
    """All go to the cell's topic."""

    def __init__(self, scope: Construct, construct_id: str, cell: Cell) -> None:
        super().__init__(scope, construct_id)
        self._cell = cell

    def watch_queue(self, name: str, queue: sqs.IQueue, meaning: str) -> None:
        """Not empty: something was not taken, and nobody but a person will."""
        metric = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
        self._above(f"{name}-not-empty", metric, meaning)

    def watch_schedule(self, name: str, function: lambda_.IFunction, meaning: str) -> None:
        """A function of each minute that fails three times in five minutes, or that was not called at all.

        One failure is nobody's night: the next minute tries again, and a hook lasts an hour.
        """
        errors = function.metric_errors(period=FIVE_MINUTES, statistic="Sum")
        self._above(f"{name}-fails", errors, meaning, least=3)
        silent = function.metric_invocations(period=FIVE_MINUTES, statistic="Sum")
        self._alarm(
            f"{name}-silent",
            silent,
            meaning,
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            cloudwatch.TreatMissingData.BREACHING,
        )

    def watch_errors(self, name: str, functions: Sequence[lambda_.IFunction], meaning: str) -> None:
        """Calls of these functions that end in an error."""
        for function, short in zip(functions, name.split(","), strict=True):
            self._above(f"{short}-fails", function.metric_errors(period=FIVE_MINUTES), meaning)

    def watch_groups(self, cluster: str) -> None:
        """A cluster whose groups break a rule of `vagus.group_safety`. They are examined once an hour, and between two
        examinations the alarm stays as it is: a person is called once."""
        metric = cloudwatch.Metric(
            namespace="Vagus",
            metric_name="BrokenGroupRules",
            dimensions_map={"Cell": self._cell.settings.cell, "Cluster": cluster},
            period=Duration.hours(1),
            statistic="Maximum",
        )
        meaning = f"groups of {cluster} may end nodes with their data: see `vagus status {cluster}`"
        above = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        self._alarm(f"{cluster}-groups-unsafe", metric, meaning, above, cloudwatch.TreatMissingData.IGNORE)

    def watch_machine(self, name: str, machine: sfn.IStateMachine) -> None:
        """Runs that ended without success: blocked, broken, timed out, or stopped by a person."""
        ends = {
            "blocked": (machine.metric_failed(period=FIVE_MINUTES), "a run ended blocked: a person is needed"),
            "timed-out": (machine.metric_timed_out(period=FIVE_MINUTES), "a run lasted a week: look why"),
            "stopped": (machine.metric_aborted(period=FIVE_MINUTES), "a run was stopped: its capability is paused"),
        }
        for end, (metric, meaning) in ends.items():
            self._above(f"{name}-{end}", metric, meaning)

    def _above(self, name: str, metric: cloudwatch.IMetric, meaning: str, least: int = 1) -> None:
        above = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        self._alarm(name, metric, meaning, above, cloudwatch.TreatMissingData.NOT_BREACHING, least)

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        meaning: str,
        comparison: cloudwatch.ComparisonOperator,
        missing: cloudwatch.TreatMissingData,
        threshold: int = 1,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._cell.name(name),
            alarm_description=meaning,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self._cell.topic))
