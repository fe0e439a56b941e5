"""A function of Vagus: one package of `functions/`, a role of its own, and nothing that it does not say."""

from collections.abc import Sequence

import msgspec
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus_cdk import grants
from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.cell import Cell
from vagus_cdk.grants import Statement, allow
from vagus_cdk.layers import RUNTIME, architecture, function_code
from vagus_cdk.settings import SettingsError


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """`name` within the cell; `handler` is `package.module.function`. `seconds` until Lambda ends it. `reserved`
    invocations at once are kept for it and are all that it gets. `inside`: it reaches nodes, so it lies in the VPC."""

    name: str
    handler: str
    description: str
    seconds: int
    reserved: int
    inside: bool = True
    memory: int = 512


class Function(Construct):
    """`function` and its `role`. Statements lie in the role itself: a role is never there without them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        spec: Spec,
        statements: Sequence[Statement],
        dead_letters: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._cell, self._spec = cell, spec
        log_group = self._log_group()
        self.role = self._role([*statements, *self._own(log_group, dead_letters)])
        inside = cell.network if spec.inside else None
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=cell.name(spec.name),
            description=spec.description,
            runtime=RUNTIME,
            architecture=architecture(cell.settings),
            code=function_code(spec.handler.split(".")[0]),
            handler=spec.handler,
            layers=cell.layers.all,
            role=self.role.without_policy_updates(),
            memory_size=spec.memory,
            timeout=Duration.seconds(spec.seconds),
            reserved_concurrent_executions=spec.reserved,
            log_group=log_group,
            environment=self._environment(),
            vpc=inside.vpc if inside else None,
            vpc_subnets=inside.selection() if inside else None,
            security_groups=[inside.functions] if inside else None,
            dead_letter_queue=dead_letters,
        )
        acknowledge(self, "IAMNoInlinePolicy", *self._exceptions(dead_letters))

    def _exceptions(self, dead_letters: sqs.IQueue | None) -> list[str]:
        rules = {"LambdaDLQ": dead_letters is None, "LambdaInsideVPC": not self._spec.inside}
        return [rule for rule, needed in rules.items() if needed]

    def _log_group(self) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Logs",
            encryption_key=self._cell.keys.logs,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _own(self, log_group: logs.ILogGroup, dead_letters: sqs.IQueue | None) -> list[Statement]:
        """What any function needs: its own log, its place in the network, and where its unheard calls go."""
        scope = self._cell.scope
        own = [allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])]
        if self._spec.inside:
            arn = scope.arn("lambda", f"function:{self._cell.name(self._spec.name)}")
            own += grants.interfaces(arn)
        if dead_letters:
            own.append(allow("DeadLetters", ["sqs:SendMessage"], [dead_letters.queue_arn]))
            own.append(allow("DeadLettersKey", ["kms:Decrypt", "kms:GenerateDataKey"], [scope.messages_key]))
        return own

    def _role(self, statements: Sequence[Statement]) -> iam.Role:
        if (taken := grants.characters(statements)) > grants.POLICY_CHARACTERS:
            clusters = len(self._cell.settings.clusters)
            raise SettingsError(
                f"cell {self._cell.settings.cell} has {clusters} clusters: the role of {self._spec.name}, which names "
                f"them, would have {taken} characters, and IAM takes {grants.POLICY_CHARACTERS}. Give some of them "
                "another `cell` in their fleet files"
            )
        policy = iam.PolicyDocument(statements=[iam.PolicyStatement.from_json(one) for one in statements])
        return iam.Role(
            self,
            "Role",
            description=f"{self._cell.name(self._spec.name)}: {self._spec.description}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Vagus": policy},
        )

    def _environment(self) -> dict[str, str]:
        cell = self._cell
        scope = cell.scope
        machines = {capability: scope.machine(capability) for capability in scope.capabilities}
        return {
            "POWERTOOLS_SERVICE_NAME": self._spec.name,
            "VAGUS_CELL": cell.settings.cell,
            "VAGUS_STATE_TABLE": cell.tables.state.table_name,
            "VAGUS_RECORD_TABLE": cell.tables.records.table_name,
            "VAGUS_MACHINES": Stack.of(self).to_json_string(machines),
        }
