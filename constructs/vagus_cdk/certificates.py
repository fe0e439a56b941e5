"""Certificates: the keys of a cluster's authority, the function that signs for nodes, and the way to it."""

from aws_cdk import CfnTag, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus.fleet import ClusterSpec
from vagus_cdk import grants, names
from vagus_cdk.cell import Cell
from vagus_cdk.function import Function, Spec
from vagus_cdk.grants import Statement, allow

REQUESTS, ANSWERS = "requests", "certificates"
PLACES = {"bucket": "bucket.name", "key": "object.key"}
"""What the issuing function is told, and where in the event's detail it stands."""


class AuthorityKeys(Construct):
    """Two keys that sign, and that nobody can read: a rotation signs with the one that is not in use. They are kept
    when the stack goes: what they signed is trusted still."""

    def __init__(self, scope: Construct, construct_id: str, spec: ClusterSpec) -> None:
        super().__init__(scope, construct_id)
        for slot in "ab":
            key = kms.CfnKey(
                self,
                f"Slot{slot.upper()}",
                description=f"vagus {spec.cell}: authority {slot} of {spec.name}",
                key_spec="ECC_NIST_P256",
                key_usage="SIGN_VERIFY",
                key_policy=self._policy(),
                tags=[CfnTag(key="vagus:cell", value=spec.cell), CfnTag(key="vagus:cluster", value=spec.name)],
            )
            key.apply_removal_policy(RemovalPolicy.RETAIN)
            kms.CfnAlias(
                self,
                f"Alias{slot.upper()}",
                alias_name=names.authority_alias(spec.cell, spec.name, slot),
                target_key_id=key.attr_key_id,
            )

    def _policy(self) -> iam.PolicyDocument:
        """The account's own policies say who: those of Vagus allow two functions of a cell to sign, by alias."""
        statement = iam.PolicyStatement(
            sid="AccountPolicies", actions=["kms:*"], principals=[iam.AccountRootPrincipal()], resources=["*"]
        )
        return iam.PolicyDocument(statements=[statement])


def issuing_statements(scope: grants.Scope) -> list[Statement]:
    """It reads who signs, asks EC2 who asks, signs, and keeps rows and records of what it issued."""
    return [
        allow("WhoAsks", ["ec2:DescribeInstances"], ["*"]),
        *grants.signs(scope),
        *grants.reads_rows(scope),
        *grants.writes_rows(scope, "issued#*"),
        *grants.writes_records(scope),
    ]


def issuing(scope: Construct, cell: Cell, nodes_key: kms.IKey, dead_letters: sqs.IQueue) -> Function:
    """Outside the VPC: it reaches no node. Its requests lie in the clusters' buckets, whose policies let it in."""
    through = {"StringEquals": {"kms:ViaService": f"s3.{cell.scope.region}.amazonaws.com"}}
    spec = Spec(
        name="certificates-issue",
        handler="certificates.handler.issue_handler",
        description="answers nodes' requests for certificates: a chain, or a refusal",
        seconds=30,
        reserved=5,
        inside=False,
    )
    bucket_key = allow("RequestsKey", ["kms:Decrypt", "kms:GenerateDataKey"], [nodes_key.key_arn], through)
    return Function(scope, "Issuing", cell, spec, [*issuing_statements(cell.scope), bucket_key], dead_letters)


class WayToIssuing(Construct):
    """From a cluster's bucket to the issuing function: an event for each request, and the function's place in there."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cell: Cell,
        spec: ClusterSpec,
        bucket: s3.Bucket,
        issuing_role: str,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        _tells_of_objects(bucket)
        _lets_in(bucket, iam.ArnPrincipal(issuing_role))
        # by its ARN: the permission to call it lies in this stack, which comes after that of the function
        function = lambda_.Function.from_function_attributes(
            self,
            "Function",
            function_arn=cell.scope.arn("lambda", f"function:{names.issuing(spec.cell)}"),
            same_environment=True,
        )
        asked = targets.LambdaFunction(
            function,
            event=_request(spec.name),
            dead_letter_queue=sqs.Queue.from_queue_arn(self, "DeadLetters", dead_letters.queue_arn),
        )
        events.Rule(
            self,
            "Requests",
            rule_name=names.requests_rule(spec.name),
            description=f"Requests for certificates of {spec.name}'s nodes",
            event_pattern=_requests_in(bucket),
            targets=[asked],
        )


def _tells_of_objects(bucket: s3.Bucket) -> None:
    """A new object is an event. By the raw bucket: the construct's own way would add a function of its own."""
    raw = bucket.node.default_child
    assert isinstance(raw, s3.CfnBucket)  # noqa: S101  (for the type checker: a Bucket's default child is one)
    raw.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)


def _lets_in(bucket: s3.Bucket, principal: iam.IPrincipal) -> None:
    for sid, action, folder in (("ReadsRequests", "s3:GetObject", REQUESTS), ("Answers", "s3:PutObject", ANSWERS)):
        objects = bucket.arn_for_objects(f"{folder}/*")
        statement = iam.PolicyStatement(sid=sid, actions=[action], principals=[principal], resources=[objects])
        bucket.add_to_resource_policy(statement)


def _requests_in(bucket: s3.Bucket) -> events.EventPattern:
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": f"{REQUESTS}/"}]}},
    )


def _request(cluster: str) -> events.RuleTargetInput:
    """What the issuing function is called with."""
    told = {name: events.EventField.from_path(f"$.detail.{at}") for name, at in PLACES.items()}
    return events.RuleTargetInput.from_object({"cluster": cluster, **told})
