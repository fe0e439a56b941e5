"""What calls a person when Vagus itself, or a cluster, is not well. Each alarm names its page of docs/runbook.md.

Missing data, and what it means: a schedule that is silent is late (breaching); errors, dead letters and figures of
clusters are told only when there are some, so that none is good news (not breaching).
"""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IConstruct

from vagus import figures
from vagus.figures import Watch
from vagus.fleet import Placement
from vagus_cdk import names
from vagus_cdk.cell import Cell

FIVE_MINUTES = Duration.minutes(5)
DEAD = "-dead"
"""How the name of a queue of dead letters ends."""


class Alarms(Construct):
    """All go to the cell's topic."""

    def __init__(self, scope: Construct, construct_id: str, cell: Cell) -> None:
        super().__init__(scope, construct_id)
        self._cell = cell

    # -- of a cell -------------------------------------------------------------------------------------------------

    def watch_schedule(self, name: str, function: lambda_.IFunction, meaning: str) -> None:
        """A function of each minute that fails three times in five minutes, or that was not called at all.

        One failure is nobody's night: the next minute tries again, and a hook lasts an hour.
        """
        errors = function.metric_errors(period=FIVE_MINUTES, statistic="Sum")
        self._add(f"{name}-fails", errors, Watch(page=f"{name}-fails", meaning=meaning, at_least=3))
        silent = function.metric_invocations(period=FIVE_MINUTES, statistic="Sum")
        watch = Watch(page=f"{name}-silent", meaning=meaning, below=True)
        self._add(f"{name}-silent", silent, watch, cloudwatch.TreatMissingData.BREACHING)

    def watch_machine(self, name: str, machine: sfn.IStateMachine) -> None:
        """Runs that ended without success: blocked, broken, timed out, or stopped by a person."""
        ends = {
            "blocked": (machine.metric_failed(period=FIVE_MINUTES), "a run ended blocked: a person is needed"),
            "timed-out": (machine.metric_timed_out(period=FIVE_MINUTES), "a run lasted a week: look why"),
            "stopped": (machine.metric_aborted(period=FIVE_MINUTES), "a run was stopped: its capability is paused"),
        }
        for end, (metric, meaning) in ends.items():
            self._add(f"{name}-{end}", metric, Watch(page=f"run-{end}", meaning=meaning))

    def watch_all(self, within: IConstruct, watched: Iterable[lambda_.IFunction]) -> None:
        """Every rule, queue of dead letters and function in a stack but those that are `watched` otherwise: what is
        added later can't be forgotten."""
        others = {one.node.path for one in watched}
        for one in within.node.find_all():
            if isinstance(one, events.CfnRule):
                self._rule(one)
            elif isinstance(one, sqs.Queue):
                self._queue(one)
            elif isinstance(one, lambda_.Function) and one.node.path not in others:
                self._function(one)

    def _rule(self, rule: events.CfnRule) -> None:
        """What a rule could not hand to its target. EventBridge tells it late or never where a key policy is missing,
        which `vagus doctor` tries."""
        self._undelivered(str(rule.name), rule.event_bus_name)

    def _undelivered(self, rule: str, event_bus: str | None = None) -> None:
        bus = {"EventBusName": event_bus} if event_bus else {}
        metric = cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="FailedInvocations",
            dimensions_map={"RuleName": rule, **bus},
            period=FIVE_MINUTES,
            statistic="Sum",
        )
        watch = Watch(page="rule-undelivered", meaning="a rule could not hand an event, or a call, to its target")
        self._add(f"{self._short(rule)}-undelivered", metric, watch)

    def _queue(self, queue: sqs.Queue) -> None:
        name = self._short(_made(queue, sqs.CfnQueue).queue_name)
        if name.endswith(DEAD):
            metric = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
            watch = Watch(page="dead-letters", meaning="something could not be taken, and nobody but a person will")
            self._add(f"{name}-not-empty", metric, watch)

    def _function(self, function: lambda_.Function) -> None:
        name = self._short(_made(function, lambda_.CfnFunction).function_name)
        errors = function.metric_errors(period=FIVE_MINUTES, statistic="Sum")
        watch = Watch(page="function-fails", meaning="a function of Vagus fails again and again", at_least=3)
        self._add(f"{name}-fails", errors, watch)

    def _short(self, name: str | None) -> str:
        return str(name).removeprefix(self._cell.name(""))

    # -- of a cluster ----------------------------------------------------------------------------------------------

    def watch_requests(self, cluster: str) -> None:
        """The way that its nodes' requests for certificates take."""
        self._undelivered(names.requests_rule(cluster))

    def watch_cluster(self, cluster: str, placement: Placement = "ec2") -> None:
        """Every watched figure that the sweep tells of it."""
        for figure in figures.FIGURES:
            if figure.watch and placement in figure.placements:
                metric = cloudwatch.Metric(
                    namespace=figures.NAMESPACE,
                    metric_name=figure.name,
                    dimensions_map=dict(zip(figures.DIMENSIONS, (self._cell.settings.cell, cluster), strict=True)),
                    period=Duration.minutes(figure.watch.minutes),
                    statistic=figure.statistic,
                )
                self._add(f"{cluster}-{figure.watch.page}", metric, figure.watch)

    def _add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        watch: Watch,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        compare = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._cell.name(name),
            alarm_description=described(watch),
            metric=metric,
            threshold=watch.at_least,
            evaluation_periods=watch.of,
            datapoints_to_alarm=watch.datapoints,
            comparison_operator=compare.LESS_THAN_THRESHOLD
            if watch.below
            else compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self._cell.topic))


def described(watch: Watch) -> str:
    """An alarm's description: what a page says, with its page of the runbook."""
    return f"{watch.meaning}. Runbook: docs/runbook.md#{watch.page}"


def _made[T](construct: Construct, kind: type[T]) -> T:
    """The resource of CloudFormation that a construct makes: it has the plain name, where the construct has a token."""
    made = construct.node.default_child
    if not isinstance(made, kind):
        raise TypeError(f"{construct.node.path} is not made of a {kind.__name__}")
    return made
