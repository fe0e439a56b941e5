"""The stack of a cluster on Kubernetes: its authority, its bucket, and what its site's agent may. It composes, and
decides nothing; nothing in it runs, and nothing connects to the site.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_rolesanywhere as rolesanywhere
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from vagus import site
from vagus.certificates.wishes import CAPABILITY
from vagus.fleet import ClusterSpec, Kubernetes
from vagus.rooms import ROOMS
from vagus_cdk import grants, names
from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.alarms import Alarms
from vagus_cdk.cell import Cell
from vagus_cdk.cell_stack import CellStack
from vagus_cdk.certificates import AuthorityKeys, WayToIssuing
from vagus_cdk.nodes import Artifacts

FOLLOWED = (site.BUNDLE, site.COMMANDS, f"{site.ANSWERS}*")
"""What an agent reads."""
TOLD = (f"{site.REQUESTS}*", site.REPORT)
"""What it puts. Nothing else in AWS is in its reach."""
HEARD = (site.REPORT, site.COMMANDS)
"""What functions read of what was told. Who publishes reads the bundle too, over which it puts the next."""
SESSION_SECONDS = 3600
KEPT_DAYS = 30
"""Requests and answers: what came of them is in the records for good."""


class SiteRole(Construct):
    """Whom a site's agent acts as: whoever shows IAM Roles Anywhere a certificate of the trust anchor's authority with
    the declared common name. Source: IAM Roles Anywhere User Guide, "Trust policy"."""

    def __init__(
        self, scope: Construct, construct_id: str, cell: Cell, spec: ClusterSpec, said: Kubernetes, bucket: s3.Bucket
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.CfnRole(
            self,
            "Role",
            description=f"The agent of {spec.name}, at its site",
            assume_role_policy_document=iam.PolicyDocument(statements=[self._trusts(said)]),
            max_session_duration=SESSION_SECONDS,
            policies=[
                iam.CfnRole.PolicyProperty(
                    policy_name="Vagus", policy_document=iam.PolicyDocument(statements=self._may(cell, bucket))
                )
            ],
        )
        acknowledge(self.role, "IAMNoInlinePolicy")
        self.profile = rolesanywhere.CfnProfile(
            self,
            "Profile",
            name=names.site_profile(spec.cell, spec.name),
            role_arns=[self.role.attr_arn],
            duration_seconds=SESSION_SECONDS,
            enabled=True,
        )

    def _trusts(self, said: Kubernetes) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="TheAgentsCertificate",
            actions=["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            principals=[iam.ServicePrincipal("rolesanywhere.amazonaws.com")],
            conditions={
                "ArnEquals": {"aws:SourceArn": said.trust_anchor},
                "StringEquals": {"aws:PrincipalTag/x509Subject/CN": said.agent},
            },
        )

    def _may(self, cell: Cell, bucket: s3.Bucket) -> list[iam.PolicyStatement]:
        """Of a key that all buckets of the cell share, what lies in this bucket: S3 says which by the context."""
        this_bucket = {
            "StringEquals": {
                "kms:ViaService": f"s3.{cell.scope.region}.amazonaws.com",
                "kms:EncryptionContext:aws:s3:arn": bucket.bucket_arn,
            }
        }
        return [
            _allow("Follows", ["s3:GetObject"], _objects(bucket, FOLLOWED)),
            _allow("Tells", ["s3:PutObject"], _objects(bucket, TOLD)),
            _allow("Key", ["kms:Decrypt", "kms:GenerateDataKey"], [cell.keys.nodes.key_arn], this_bucket),
        ]


class SiteStack(Stack):
    """No group, no network, no document, no secret: only what Vagus and the agent tell each other."""

    def __init__(self, scope: Construct, cell_stack: CellStack, spec: ClusterSpec, **options: object) -> None:
        super().__init__(scope, names.cluster_stack(spec.cell, spec.name), **options)  # type: ignore[arg-type]  # passed on as given
        if spec.kubernetes is None or cell_stack.issuing is None:
            raise ValueError(f"{spec.name} is no cluster on Kubernetes whose certificates Vagus issues")
        cell = cell_stack.cell
        bucket = Artifacts(self, "Artifacts", cell).bucket
        _forgets(bucket)
        _lets_functions_in(bucket, cell_stack)
        ssm.StringParameter(
            self,
            "artifact-bucket",
            parameter_name=names.node_parameter(spec.name, "artifact-bucket"),
            string_value=bucket.bucket_name,
        )
        if spec.certificates.issuer == "kms":
            AuthorityKeys(self, "Authority", spec)
        issuing = cell_stack.issuing.role.role_arn
        WayToIssuing(self, "Certificates", cell, spec, bucket, issuing, cell_stack.calls_dead)
        agent = SiteRole(self, "Site", cell, spec, spec.kubernetes, bucket)
        alarms = Alarms(self, "Alarms", cell)
        alarms.watch_cluster(spec.name, spec.placement)
        alarms.watch_requests(spec.name)
        CfnOutput(self, "ArtifactBucket", value=bucket.bucket_name)
        CfnOutput(self, "SiteRole", value=agent.role.attr_arn)
        CfnOutput(self, "SiteProfile", value=agent.profile.attr_profile_arn)


def _lets_functions_in(bucket: s3.Bucket, cell_stack: CellStack) -> None:
    """Of the certificates capability: who decides reads what was told, who applies puts what its steps put. To list, so
    that S3 tells them what is not there from what they may not read."""
    certificates = cell_stack.procedures[CAPABILITY]
    applies = certificates.apply.role.role_arn
    readers = [cell_stack.sweep.role.role_arn, certificates.decide.role.role_arn, applies]
    puts = grants.site_keys(ROOMS[CAPABILITY].kinds)
    for statement in (
        _allow("Hear", ["s3:GetObject"], _objects(bucket, HEARD), to=readers),
        _allow("SeeWhatIsPublished", ["s3:GetObject"], _objects(bucket, (site.BUNDLE,)), to=[applies]),
        _allow("SeeWhatIsNotThere", ["s3:ListBucket"], [bucket.bucket_arn], to=readers),
        _allow("Tell", ["s3:PutObject"], _objects(bucket, puts), to=[applies]),
    ):
        bucket.add_to_resource_policy(statement)


def _forgets(bucket: s3.Bucket) -> None:
    """A report comes every few seconds while something is under way, and the bucket keeps versions."""
    bucket.add_lifecycle_rule(
        id="reports",
        prefix=site.REPORT,
        noncurrent_version_expiration=Duration.days(1),
        noncurrent_versions_to_retain=None,
    )
    for folder in (site.REQUESTS, site.ANSWERS):
        bucket.add_lifecycle_rule(
            id=folder.partition("/")[0],
            prefix=folder,
            expiration=Duration.days(KEPT_DAYS),
            noncurrent_version_expiration=Duration.days(KEPT_DAYS),
        )


def _objects(bucket: s3.Bucket, keys: Sequence[str]) -> list[str]:
    return [bucket.arn_for_objects(key) for key in keys]


def _allow(
    sid: str,
    actions: list[str],
    resources: list[str],
    conditions: Mapping[str, Mapping[str, str]] | None = None,
    to: Sequence[str] = (),
) -> iam.PolicyStatement:
    principals = [iam.ArnPrincipal(one) for one in to]
    return iam.PolicyStatement(
        sid=sid, actions=actions, resources=resources, conditions=conditions, principals=principals or None
    )
