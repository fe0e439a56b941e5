"""Intake: AWS events -> rule -> queue -> function. An event that can't be taken ends in the dead-letter queue.

Malformed messages are reported as failed and go to the dead letters after three tries: a standard queue lets none
wait behind another, and the function needs neither a right nor an endpoint to send to a queue.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus_cdk import grants
from vagus_cdk.cell import Cell
from vagus_cdk.function import Function, Spec
from vagus_cdk.grants import Statement, allow
from vagus_cdk.queue import dead_letter_queue

SECONDS = 15
TRIES = 3
AT_ONCE = 10
"""Batches at once. The queue's poller is held to it too: what is throttled counts as a try of each message."""


def statements(scope: grants.Scope) -> list[Statement]:
    """It writes intents and heads, starts executions, asks whose an instance is, and notes its last event."""
    return [
        grants.whose(),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "cluster#*", "status#*"),
        *grants.runs(scope),
    ]


class Intake(Construct):
    """`queue` and its `dead_letters`, `function`, and a rule per source of events."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        sources: Mapping[str, Sequence[str]],
        details: Mapping[str, Mapping[str, Any]],
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letter_queue(self, "DeadLetters", cell, "events-dead")
        self.queue = self._queue(cell)
        for source, detail_types in sources.items():
            self._rule(cell, source, detail_types, details.get(source))
        self._keep_awake(cell)
        self.function = self._function(cell)

    def _queue(self, cell: Cell) -> sqs.Queue:
        return sqs.Queue(
            self,
            "Queue",
            queue_name=cell.name("events"),
            encryption_master_key=cell.keys.messages,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(6 * SECONDS),
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=TRIES, queue=self.dead_letters),
        )

    def _rule(
        self, cell: Cell, source: str, detail_types: Sequence[str], detail: Mapping[str, Any] | None = None
    ) -> None:
        short = source.removeprefix("aws.").replace(".", "-")
        events.Rule(
            self,
            "On" + "".join(part.capitalize() for part in short.split("-")),
            rule_name=cell.name(f"on-{short}"),
            description=f"Events of {source} that a capability reacts to",
            event_pattern=events.EventPattern(source=[source], detail_type=list(detail_types), detail=detail),
            targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)],
        )

    def _keep_awake(self, cell: Cell) -> None:
        """A scheduled event is none of ours, so that intake ignores it: the whole way is tried each hour."""
        events.Rule(
            self,
            "KeepAwake",
            rule_name=cell.name("intake-keep-awake"),
            description="An event each hour that changes nothing, on the way that all events take",
            schedule=events.Schedule.rate(Duration.hours(1)),
            targets=[targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters)],
        )

    def _function(self, cell: Cell) -> Function:
        scope = cell.scope
        receives = [
            allow(
                "Receive",
                ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
                [self.queue.queue_arn],
            ),
            allow("ReceiveKey", ["kms:Decrypt"], [scope.messages_key]),
        ]
        spec = Spec(
            name="intake",
            handler="intake.handler.lambda_handler",
            description="writes what an event wants, and wakes the procedure",
            seconds=SECONDS,
            reserved=AT_ONCE,
        )
        made = Function(self, "Function", cell, spec, [*statements(scope), *receives])
        lambda_.EventSourceMapping(
            self,
            "Messages",
            target=made.function,
            event_source_arn=self.queue.queue_arn,
            batch_size=10,
            max_concurrency=AT_ONCE,
            report_batch_item_failures=True,
        )
        return made
