"""Customer keys of a cell, one per kind of thing, so that each key's policy names who may use it and no one else.

Key policies that are missing fail silently (launches die, events vanish, alarms reach nobody): each is asserted in
tests/infrastructure, and named in docs/infrastructure.md.
"""

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

ENCRYPTS = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
AUTO_SCALING_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


class Keys(Construct):
    """Rotated each year, kept when the stack goes: what they encrypt stays too.

    `rows` tables; `nodes` volumes and artifact buckets; `secrets` client certificates; `messages` queues and topic;
    `logs` log groups.
    """

    def __init__(self, scope: Construct, construct_id: str, cell: str) -> None:
        super().__init__(scope, construct_id)
        self._cell = cell
        self.rows = self._key("Rows", "state and records of Vagus")
        self.nodes = self._key("Nodes", "volumes and artifacts of search nodes")
        self.secrets = self._key("Secrets", "client certificates of Vagus")
        self.messages = self._key("Messages", "events and alarms")
        self.logs = self._key("Logs", "logs")
        self._volumes_for_auto_scaling()
        self._messages_for_services()
        self._logs_for_cloudwatch()

    def _key(self, name: str, description: str) -> kms.Key:
        return kms.Key(
            self,
            name,
            alias=f"alias/vagus/{self._cell}/{name.lower()}",
            description=f"vagus {self._cell}: {description}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _volumes_for_auto_scaling(self) -> None:
        """Without CreateGrant, groups launch instances that end at once with Client.InternalError."""
        stack = Stack.of(self)
        principal = iam.ArnPrincipal(f"arn:{stack.partition}:iam::{stack.account}:{AUTO_SCALING_ROLE}")
        self._allow(self.nodes, "AutoScalingUsesVolumes", principal, ENCRYPTS)
        for_resources = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        self._allow(self.nodes, "AutoScalingAttachesVolumes", principal, ["kms:CreateGrant"], for_resources)

    def _messages_for_services(self) -> None:
        """EventBridge drops what it may not encrypt for a queue, CloudWatch what it may not encrypt for a topic."""
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        for name, service in (("EventsToQueues", "events"), ("AlarmsToTopic", "cloudwatch")):
            principal = iam.ServicePrincipal(f"{service}.amazonaws.com")
            self._allow(self.messages, name, principal, ["kms:Decrypt", "kms:GenerateDataKey*"], account)

    def _logs_for_cloudwatch(self) -> None:
        stack = Stack.of(self)
        groups = stack.format_arn(service="logs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
        only_groups = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
        principal = iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")
        self._allow(self.logs, "Logs", principal, ENCRYPTS, only_groups)

    @staticmethod
    def _allow(
        key: kms.Key,
        sid: str,
        principal: iam.IPrincipal,
        actions: list[str],
        conditions: dict[str, dict[str, str]] | None = None,
    ) -> None:
        statement = iam.PolicyStatement(
            sid=sid, actions=actions, principals=[principal], resources=["*"], conditions=conditions
        )
        key.add_to_resource_policy(statement)
