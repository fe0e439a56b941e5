"""The two tables of a cell: rows that have to agree with themselves, and records that are never changed."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from vagus_cdk import names
from vagus_cdk.acknowledged import acknowledge


class Tables(Construct):
    """Both under the customer key, with point-in-time recovery and deletion protection; kept when the stack goes.

    Only the state table has a TTL: closed intents go after 90 days, records never go by themselves.
    """

    def __init__(self, scope: Construct, construct_id: str, cell: str, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.state = self._table("State", names.state_table(cell), key, ttl="expires")
        self.records = self._table("Records", names.record_table(cell), key)
        acknowledge(self, "DynamoDBInBackupPlan")

    def _table(self, construct_id: str, name: str, key: kms.IKey, ttl: str | None = None) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            construct_id,
            table_name=name,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            time_to_live_attribute=ttl,
            removal_policy=RemovalPolicy.RETAIN,
        )
