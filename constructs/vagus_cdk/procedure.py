"""A procedure: the two functions of a capability and the state machine between them, all from its kinds of step."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from vagus.procedure.lease import FUNCTION_TIMEOUT
from vagus.steps import Step
from vagus_cdk import grants
from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.cell import Cell
from vagus_cdk.definition import definition
from vagus_cdk.function import Function, Spec
from vagus_cdk.grants import Statement

OUTSIDE_AT_ONCE = 2
"""Calls of the function outside the VPC: what it does waits for nobody."""
AT_ONCE = 10
"""Calls of each function that are kept for it: an outage of a zone wants many clusters at once."""


def decide_statements(kinds: Sequence[type[Step]], scope: grants.Scope) -> list[Statement]:
    """It looks, and may put the row that shows its plan. Nothing else."""
    return [
        *grants.sees(kinds),
        *grants.hears_sites(kinds, scope),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "plan#*"),
        *grants.client_certificate(scope, "read"),
    ]


def apply_statements(kinds: Sequence[type[Step]], scope: grants.Scope) -> list[Statement]:
    """Its steps' grants, what it checks them by, and the rows and records of the frame."""
    return [
        *grants.of_steps(kinds, scope),
        *grants.sees(kinds),
        *grants.hears_sites(kinds, scope),
        *grants.tells_sites(kinds, scope),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "cluster#*"),
        *grants.writes_records(scope),
        *grants.client_certificate(scope, "write"),
    ]


def outside_statements(kinds: Sequence[type[Step]], scope: grants.Scope) -> list[Statement]:
    """The same for steps that are done outside the VPC: no node, and no certificate of Vagus's own, is in reach."""
    return [
        *grants.of_steps(kinds, scope),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "cluster#*"),
        *grants.writes_records(scope),
    ]


class Procedure(Construct):
    """A capability, as it is seen in the console: `machine`, with the functions `decide` and `apply`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        capability: str,
        kinds: Sequence[type[Step]],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._cell, self._capability = cell, capability
        kinds = [one for one in kinds if not one.outside or cell.scope.gateways]
        inside = [one for one in kinds if not one.outside]
        self.decide = self._function(
            "Decide", "decide", "looks and decides; cannot write", decide_statements(kinds, cell.scope)
        )
        self.apply = self._function(
            "Apply", "apply", "does one step; cannot decide", apply_statements(inside, cell.scope)
        )
        self.outside = self._outside([one for one in kinds if one.outside])
        self.machine = self._machine(kinds)
        self.decide.function.grant_invoke(self.machine)
        self.apply.function.grant_invoke(self.machine)
        if self.outside:
            self.outside.function.grant_invoke(self.machine)
        cell.topic.grant_publish(self.machine)
        cell.keys.messages.grant(self.machine, "kms:Decrypt", "kms:GenerateDataKey*")
        acknowledge(self.machine, "IAMNoInlinePolicy")
        self._keep_awake(dead_letters)

    def functions(self) -> tuple[tuple[str, Function], ...]:
        """By what they do."""
        outside = (("applies outside", self.outside),) if self.outside else ()
        return (("decides", self.decide), ("applies", self.apply), *outside)

    def _outside(self, kinds: Sequence[type[Step]]) -> Function | None:
        """What calls a service without an endpoint in the VPC (ADR 43)."""
        if not kinds:
            return None
        statements = outside_statements(kinds, self._cell.scope)
        said = "does one step outside the VPC; cannot decide"
        return self._function("Outside", "outside", said, statements, inside=False)

    def _function(
        self, construct_id: str, verb: str, description: str, statements: list[Statement], *, inside: bool = True
    ) -> Function:
        spec = Spec(
            name=f"{self._capability}-{verb}",
            handler=f"{self._capability}.handler.{'decide' if verb == 'decide' else 'apply'}_handler",
            description=f"{self._capability}: {description}",
            seconds=FUNCTION_TIMEOUT,
            reserved=AT_ONCE if inside else OUTSIDE_AT_ONCE,
            memory=1024,
            inside=inside,
        )
        return Function(self, construct_id, self._cell, spec, statements)

    def _machine(self, kinds: Sequence[type[Step]]) -> sfn.StateMachine:
        stack = Stack.of(self)
        states = definition(
            self._capability,
            kinds,
            decide=self.decide.function.function_arn,
            apply=self.apply.function.function_arn,
            outside=self.outside.function.function_arn if self.outside else "",
            topic=self._cell.topic.topic_arn,
            partition=stack.partition,
        )
        name = self._cell.name(self._capability)
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{name}",
            encryption_key=self._cell.keys.logs,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        return sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            comment=f"{self._capability} of cell {self._cell.settings.cell}",
            definition_body=sfn.DefinitionBody.from_string(stack.to_json_string(states, 1)),
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=True),
            tracing_enabled=self._cell.settings.xray,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )

    def _keep_awake(self, dead_letters: sqs.IQueue) -> None:
        """Lambda puts a function in a VPC to sleep when it is idle, and its next call fails: so none is ever idle.

        The call looks at every cluster through the function's own certificate and endpoints, and changes nothing.
        """
        rule = events.Rule(
            self,
            "KeepAwake",
            rule_name=self._cell.name(f"{self._capability}-keep-awake"),
            description="A daily call that changes nothing, to every cluster and endpoint",
            schedule=events.Schedule.rate(Duration.days(1)),
        )
        for function in (self.decide, self.apply):
            rule.add_target(
                targets.LambdaFunction(
                    function.function,
                    event=events.RuleTargetInput.from_object({"keepAwake": True}),
                    dead_letter_queue=dead_letters,
                    retry_attempts=2,
                )
            )
