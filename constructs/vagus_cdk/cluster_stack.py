"""The stack of one cluster. It composes, and decides nothing."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from vagus.fleet import ClusterSpec
from vagus_cdk import names
from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.alarms import Alarms
from vagus_cdk.cell_stack import CellStack
from vagus_cdk.certificates import AuthorityKeys, WayToIssuing
from vagus_cdk.node_group import NodeGroup, NodeSpec
from vagus_cdk.nodes import Artifacts, Documents, NodeRole, NodeSecurity, Parameters, bundle, user_data


class ClientCertificate(Construct):
    """A secret for a client certificate: made without a value, which people or the certificates capability put.

    Everyone but the functions of its role (and declared people) is denied its value, whatever other policies say.
    """

    def __init__(
        self, scope: Construct, construct_id: str, spec: ClusterSpec, role: str, key: str, readers: Sequence[str]
    ) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.CfnSecret(
            self,
            "Secret",
            name=names.client_secret(spec.name, role),
            description=f"Client certificate of the functions that {role}: JSON with certificate, key and ca, in PEM",
            kms_key_id=key,
            tags=[CfnTag(key="vagus:cell", value=spec.cell), CfnTag(key="vagus:cluster", value=spec.name)],
        )
        secret.apply_removal_policy(RemovalPolicy.RETAIN)
        acknowledge(secret, "SecretsManagerRotationEnabled")
        secretsmanager.CfnResourcePolicy(
            self,
            "Readers",
            secret_id=secret.ref,
            block_public_policy=True,
            resource_policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        sid="NobodyElse",
                        effect=iam.Effect.DENY,
                        actions=["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"],
                        principals=[iam.AnyPrincipal()],
                        resources=["*"],
                        conditions={"ArnNotEquals": {"aws:PrincipalArn": list(readers)}},
                    )
                ]
            ),
        )


class ClusterStack(Stack):
    """Groups, one per zone and kind, and what their nodes need."""

    def __init__(self, scope: Construct, cell_stack: CellStack, spec: ClusterSpec, **options: object) -> None:
        super().__init__(scope, names.cluster_stack(spec.cell, spec.name), **options)  # type: ignore[arg-type]  # passed on as given
        cell = cell_stack.cell
        artifacts = Artifacts(self, "Artifacts", cell)
        packed = bundle(cell.settings.build)
        Documents(self, "Documents", spec.name)
        role = NodeRole(self, "Role", cell, spec, artifacts.bucket)
        Parameters(self, "Parameters", spec, artifacts.bucket, f"nodes/{packed.name}", role.role.role_id)
        if cell_stack.issuing and spec.certified:
            if spec.certificates.issuer == "kms":
                AuthorityKeys(self, "Authority", spec)
            WayToIssuing(
                self,
                "Certificates",
                cell,
                spec,
                artifacts.bucket,
                cell_stack.issuing.role.role_arn,
                cell_stack.calls_dead,
            )
        nodes = NodeSpec(
            cluster=spec,
            image=cell.settings.image,
            profile=role.profile.attr_arn,
            security_group=NodeSecurity(self, "Security", cell, spec).group.security_group_id,
            volume_key=cell.keys.nodes.key_arn,
            user_data=user_data(),
        )
        self.groups = [
            NodeGroup(self, f"{kind}-{zone}", nodes, kind, zone, cell.network.subnets[zone].subnet_id)
            for kind, declared in spec.groups.items()
            if not declared.adopted  # they exist, under names of their own, and stay as their owners made them
            for zone in spec.zones
        ]
        people = cell.settings.operators
        secrets_key = cell.keys.secrets.key_arn
        ClientCertificate(self, "ReadCertificate", spec, "read", secrets_key, [*cell_stack.readers(), *people])
        ClientCertificate(self, "WriteCertificate", spec, "write", secrets_key, cell_stack.writers())
        alarms = Alarms(self, "Alarms", cell)
        alarms.watch_cluster(spec.name)
        if spec.certified:
            alarms.watch_requests(spec.name)
        CfnOutput(self, "ArtifactBucket", value=artifacts.bucket.bucket_name)
        CfnOutput(
            self, "NodesBundle", value=packed.name, description="Upload .build/nodes/<this> to nodes/ in the bucket"
        )
