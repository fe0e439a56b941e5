"""What the nodes of one cluster share: who they are, whom they talk to, what they boot with."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import yaml
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from vagus.fleet import ClusterSpec
from vagus_cdk import names
from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.cell import Cell
from vagus_cdk.certificates import ANSWERS, REQUESTS
from vagus_cdk.settings import ROOT

SEARCH, TRANSPORT, HTTPS = 9200, 9300, 443
NODES = ROOT / "nodes"
USER_DATA_LIMIT = 16 * 1024


def user_data(script: Path = NODES / "boot.sh") -> str:
    """The boot script as user data: packed (cloud-init unpacks it), for EC2 takes 16 KiB. The same bytes each time."""
    packed = gzip.compress(script.read_bytes(), mtime=0)
    if len(packed) > USER_DATA_LIMIT:
        raise ValueError(f"{script.name} is {len(packed)} bytes when packed: EC2 takes {USER_DATA_LIMIT}")
    return base64.b64encode(packed).decode()


def bundle(build: Path, folder: Path = NODES) -> Path:
    """What boot.sh brings to a node (`nodes/`) as a tar.gz that is named by its SHA-256; the same bytes each time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(str(path.relative_to(folder)))
            member.size, member.mode = path.stat().st_size, 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(path.read_bytes()))
    target = build / "nodes" / f"{hashlib.sha256(buffer.getvalue()).hexdigest()}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())
    return target


class Artifacts(Construct):
    """The cluster's bucket: engines and plugins, the nodes' bundle, certificate requests and their answers."""

    def __init__(self, scope: Construct, construct_id: str, cell: Cell) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=cell.keys.nodes,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        acknowledge(self.bucket, "S3BucketLoggingEnabled", "S3BucketReplicationEnabled")


class Parameters(Construct):
    """What booting nodes ask for. `formed` is not here: a step writes it, and a template would set it back.

    `formed-at-first` says that a cluster without `formed` has not formed yet.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        spec: ClusterSpec,
        bucket: s3.IBucket,
        nodes_bundle: str,
        role_id: str,
    ) -> None:
        super().__init__(scope, construct_id)
        values = self.values(spec, bucket.bucket_name, nodes_bundle)
        if spec.certified:  # it tells nodes whom to ask, and by which name
            values["role-id"] = role_id
        for name, value in values.items():
            ssm.StringParameter(self, name, parameter_name=names.node_parameter(spec.name, name), string_value=value)

    @staticmethod
    def values(spec: ClusterSpec, bucket: str, nodes_bundle: str) -> dict[str, str]:
        """Value by name. `heap` is for a node whose group has no heap of its own."""
        managers = [group for group in spec.groups.values() if "cluster_manager" in group.roles]
        return {
            "engine": spec.engine.name,
            "version-at-first": spec.engine.version,
            **({} if spec.engine.tls else {"tls": "false"}),
            "settings": json.dumps(dict(spec.settings), sort_keys=True),
            "zones": ",".join(spec.zones),
            "artifact-bucket": bucket,
            "nodes-bundle": nodes_bundle,
            "formed-at-first": "none",
            "initial-managers": str(sum(group.per_zone for group in managers) * len(spec.zones)),
            **{f"heap-{kind}": group.heap for kind, group in spec.groups.items()},
            "heap": next(iter(spec.groups.values())).heap,
        }


class Documents(Construct):
    """The SSM documents of `nodes/documents`: what a step runs on a node."""

    def __init__(self, scope: Construct, construct_id: str, cluster: str, folder: Path = NODES / "documents") -> None:
        super().__init__(scope, construct_id)
        for file in sorted(folder.glob("*.yaml")):
            ssm.CfnDocument(
                self,
                file.stem,
                name=names.document(cluster, file.stem),
                document_type="Command",
                document_format="YAML",
                target_type="/AWS::EC2::Instance",
                update_method="NewVersion",
                content=yaml.safe_load(file.read_text()),
            )


class NodeRole(Construct):
    """What a node may do: read its parameters and artifacts, find its managers, have its certificate signed."""

    def __init__(self, scope: Construct, construct_id: str, cell: Cell, spec: ClusterSpec, bucket: s3.IBucket) -> None:
        super().__init__(scope, construct_id)
        statements = [
            *self._boots(cell, spec),
            *self._artifacts(cell, bucket),
            *self._asks(spec, bucket),
            *self._commands(),
        ]
        self.role = iam.Role(
            self,
            "Role",
            description=f"Search nodes of {spec.name}",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            inline_policies={"Vagus": iam.PolicyDocument(statements=statements)},
        )
        acknowledge(self.role, "IAMNoInlinePolicy")
        self.profile = iam.CfnInstanceProfile(self, "Profile", roles=[self.role.role_name])

    def _boots(self, cell: Cell, spec: ClusterSpec) -> list[iam.PolicyStatement]:
        path = names.node_parameter(spec.name, "")
        return [
            _allow("Parameters", ["ssm:GetParametersByPath"], [cell.scope.arn("ssm", f"parameter{path.rstrip('/')}")]),
            # it has no resource-level permissions; it tells addresses and tags
            _allow("FindManagers", ["ec2:DescribeInstances"], ["*"]),
        ]

    def _artifacts(self, cell: Cell, bucket: s3.IBucket) -> list[iam.PolicyStatement]:
        through = {"StringEquals": {"kms:ViaService": f"s3.{Stack.of(self).region}.amazonaws.com"}}
        return [
            _allow(
                "Artifacts",
                ["s3:GetObject"],
                [bucket.arn_for_objects(f"{folder}/*") for folder in ("engines", "nodes")],
            ),
            _allow("ArtifactsKey", ["kms:Decrypt", "kms:GenerateDataKey"], [cell.keys.nodes.key_arn], through),
        ]

    def _asks(self, spec: ClusterSpec, bucket: s3.IBucket) -> list[iam.PolicyStatement]:
        """For a certificate. Of an instance's session the id is <role's id>:<instance's id>: where the issuing function
        signs, no node asks in another's name. Where people sign, they look whose request it is."""
        requests, answers = ("${aws:userid}.csr", "${aws:userid}.pem") if spec.certified else ("*", "*")
        request = [bucket.arn_for_objects(f"{REQUESTS}/{requests}")]
        answer = [bucket.arn_for_objects(f"{ANSWERS}/{answers}")]
        return [
            _allow("CertificateRequests", ["s3:PutObject"], request),
            _allow("CertificateAnswers", ["s3:DeleteObject", "s3:GetObject"], answer),
        ]

    def _commands(self) -> list[iam.PolicyStatement]:
        """The Systems Manager agent, so that steps can run documents. It may not read other parameters."""
        return [
            _allow(
                "Agent",
                [
                    "ec2messages:AcknowledgeMessage",
                    "ec2messages:DeleteMessage",
                    "ec2messages:FailMessage",
                    "ec2messages:GetEndpoint",
                    "ec2messages:GetMessages",
                    "ec2messages:SendReply",
                    "ssm:GetDocument",
                    "ssm:ListInstanceAssociations",
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:OpenControlChannel",
                ],
                ["*"],
            )
        ]


class NodeSecurity(Construct):
    """Who may reach a node: its own kind on 9300, functions and declared clients on 9200, functions for handshakes."""

    def __init__(self, scope: Construct, construct_id: str, cell: Cell, spec: ClusterSpec) -> None:
        super().__init__(scope, construct_id)
        self.group = ec2.SecurityGroup(
            self,
            "Nodes",
            vpc=cell.network.vpc,
            description=f"Search nodes of {spec.name}",
            allow_all_outbound=False,
        )
        for port, what in ((TRANSPORT, "transport"), (SEARCH, "http")):
            self.group.add_ingress_rule(self.group, ec2.Port.tcp(port), f"{what} among nodes")
            self.group.add_egress_rule(self.group, ec2.Port.tcp(port), f"{what} among nodes")
        # gateway endpoints are reached by public addresses, which only they answer: no route leads further
        self.group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "AWS endpoints")
        functions = ec2.SecurityGroup.from_security_group_id(
            self, "Functions", cell.network.functions.security_group_id, mutable=False
        )
        self.group.add_ingress_rule(functions, ec2.Port.tcp(SEARCH), "functions of Vagus")
        if spec.certified:  # they send nothing there: it is for TLS handshakes, which show what a node trusts
            self.group.add_ingress_rule(functions, ec2.Port.tcp(TRANSPORT), "handshakes of Vagus")
        for block in spec.network.clients:
            self.group.add_ingress_rule(ec2.Peer.ipv4(block), ec2.Port.tcp(SEARCH), "declared clients")


def _allow(
    sid: str, actions: list[str], resources: list[str], conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions)
