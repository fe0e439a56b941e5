"""What runs each minute: sweep, keeper and cluster watch, each a function with its schedule and its dead letters."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus.cluster_watch.model import SOURCE
from vagus.rooms import ROOMS
from vagus.steps import Heartbeat
from vagus_cdk import grants
from vagus_cdk.cell import Cell
from vagus_cdk.function import Function, Spec
from vagus_cdk.grants import Statement

MINUTE = Duration.minutes(1)


def sweep_statements(scope: grants.Scope) -> list[Statement]:
    """It looks as decide does, examines groups, keeps heads and plans, notes how clusters are, and starts runs."""
    kinds = [kind for room in ROOMS.values() for kind in room.kinds]
    return [
        *grants.sees(kinds),
        *grants.hears_sites(kinds, scope),
        grants.examines(),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "cluster#*", "plan#*", "status#*"),
        *grants.runs(scope),
        *grants.client_certificate(scope, "read"),
    ]


def keeper_statements(scope: grants.Scope) -> list[Statement]:
    """Its one step, and a record of it."""
    return [grants.looks(), *grants.of_steps([Heartbeat], scope, any_cluster=True), *grants.writes_records(scope)]


def cluster_watch_statements(scope: grants.Scope) -> list[Statement]:
    """It looks with the read certificate, remembers what it told, notes for the status when certificates end, and
    tells."""
    return [
        grants.finds_nodes(),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "watch#*", "status#*"),
        *grants.client_certificate(scope, "read"),
        grants.puts_events(scope, SOURCE),
    ]


class EachMinute(Construct):
    """A function that is called each minute. A call that comes too late is dropped: the next one knows more."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        spec: Spec,
        statements: list[Statement],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        # no dead letters of its own: a call that failed is in its error alarm, and the next minute knows more; a queue
        # that nobody empties would hide the next one
        made = Function(self, "Function", cell, spec, statements)
        self.function = made.function
        self.role = made.role
        self.function.configure_async_invoke(max_event_age=MINUTE, retry_attempts=0)
        events.Rule(
            self,
            "EachMinute",
            rule_name=cell.name(f"{spec.name}-each-minute"),
            description=spec.description,
            schedule=events.Schedule.rate(MINUTE),
            targets=[
                targets.LambdaFunction(
                    self.function, dead_letter_queue=dead_letters, max_event_age=MINUTE, retry_attempts=0
                )
            ],
        )


def sweep(scope: Construct, cell: Cell, dead_letters: sqs.IQueue) -> EachMinute:
    """One at a time: two would only race for rows."""
    spec = Spec(
        name="sweep",
        handler="sweep.handler.lambda_handler",
        description="re-reads the truth of every cluster; starts a run only for a plan with something to do",
        seconds=120,
        reserved=1,
        memory=1024,
    )
    return EachMinute(scope, "Sweep", cell, spec, sweep_statements(cell.scope), dead_letters)


def cluster_watch(scope: Construct, cell: Cell, dead_letters: sqs.IQueue) -> EachMinute:
    """One at a time: two would tell everything twice."""
    spec = Spec(
        name="cluster-watch",
        handler="cluster_watch.handler.lambda_handler",
        description="reads every cluster, and tells what changed as vagus.cluster events",
        seconds=110,
        reserved=1,
        memory=1024,
    )
    return EachMinute(scope, "ClusterWatch", cell, spec, cluster_watch_statements(cell.scope), dead_letters)


def keeper(scope: Construct, cell: Cell, dead_letters: sqs.IQueue) -> EachMinute:
    """Outside the VPC: it calls Auto Scaling alone, and must not depend on subnets, endpoints or a sleeping network."""
    spec = Spec(
        name="keeper",
        handler="keeper.handler.lambda_handler",
        description="keeps waiting instances waiting",
        seconds=50,
        reserved=2,
        inside=False,
    )
    return EachMinute(scope, "Keeper", cell, spec, keeper_statements(cell.scope), dead_letters)
