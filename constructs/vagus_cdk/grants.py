"""From steps to permissions: what a role may do, as IAM statements. Pure; nothing in here is wider than a step says.

A step names what it is done to (`Grant.resource`); here that becomes ARNs and conditions. Groups and instances are
those tagged with this cell, whatever their names.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from vagus import site
from vagus.aws.private_ca import template
from vagus.steps import SIGNS, Grant, Resource, Step
from vagus_cdk import names

Statement = dict[str, Any]
OF_CERTIFIED: tuple[Resource, ...] = ("client_secret", "node_trust")
"""What only clusters on EC2 have whose certificates Vagus issues."""
OF_CLUSTERS: tuple[Resource, ...] = ("group", "instance", "node_command", "node_parameters", "node_version")
"""What only clusters on EC2 have."""
OF_SITES: Mapping[Resource, str] = {"site_bundle": site.BUNDLE, "site_commands": site.COMMANDS}
"""Objects that steps put for clusters on Kubernetes: each cluster's bucket lets in who may (`site_stack`)."""

STEP_PARAMETERS: Mapping[str, tuple[str, ...]] = {"node_parameters": ("formed",), "node_version": ("version",)}
"""Node parameters that steps write, by what a grant calls them. No template has them: CloudFormation would put its
value back with any change."""

LOOKS = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeLifecycleHooks",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeInstances",
)
"""What a look at AWS takes. None of them knows resource-level permissions."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where a role lives. `clusters` are the names of the cell's clusters on EC2, `certified` of those whose
    certificates Vagus issues, `sites` of those on Kubernetes, `private_cas` the private CAs of those that have them, by
    cluster, `gateways` the certificates in ACM that Vagus issues; ARNs may be CloudFormation tokens.
    """

    partition: str
    region: str
    account: str
    cell: str
    clusters: tuple[str, ...]
    certified: tuple[str, ...]
    sites: tuple[str, ...] = ()
    private_cas: Mapping[str, tuple[str, ...]] = {}
    gateways: tuple[str, ...] = ()
    capabilities: tuple[str, ...]
    topic: str
    state_table: str
    record_table: str
    state_key: str
    secrets_key: str
    messages_key: str
    nodes_key: str = ""

    @property
    def by_kms(self) -> tuple[str, ...]:
        """Clusters whose authorities sign with keys in KMS."""
        return tuple(name for name in (*self.certified, *self.sites) if name not in self.private_cas)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this account and Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def machine(self, capability: str) -> str:
        """The state machine of a capability: by name, for its role and definition would else need one another."""
        return self.arn("states", f"stateMachine:{names.of_cell(self.cell, capability)}")


def allow(sid: str, actions: Iterable[str], resources: Iterable[str], condition: Statement | None = None) -> Statement:
    """One statement, in a stable order."""
    made = {"Sid": sid, "Effect": "Allow", "Action": sorted(set(actions)), "Resource": sorted(set(resources))}
    return made | ({"Condition": condition} if condition else {})


# -- derived from steps ----------------------------------------------------------------------------------------------


def of_steps(kinds: Iterable[type[Step]], scope: Scope, *, any_cluster: bool = False) -> list[Statement]:
    """Exactly the grants of these kinds of step: one statement per class of resource.

    Groups and instances are those of the cell's declared clusters. `any_cluster`: of the whole cell, for the keeper,
    which must not let an instance end because somebody deleted its cluster's file.
    """
    grants: set[Grant] = {grant for one in kinds for grant in one.aws}
    resources = sorted({grant.resource for grant in grants})
    if not scope.clusters and not any_cluster:
        resources = [one for one in resources if one not in OF_CLUSTERS]
    return [
        statement
        for resource in resources
        for statement in _of_resource(
            resource, [one.action for one in grants if one.resource == resource], scope, _tagged(scope, any_cluster)
        )
    ]


def _tagged(scope: Scope, any_cluster: bool) -> Statement:
    """The condition that something bears the tags of this cell, and of one of its declared clusters."""
    cell = {"aws:ResourceTag/vagus:cell": scope.cell}
    clusters = {"aws:ResourceTag/vagus:cluster": sorted(scope.clusters)}
    return {"StringEquals": cell if any_cluster else cell | clusters}


def _of_resource(resource: Resource, actions: Sequence[str], scope: Scope, ours: Statement) -> list[Statement]:
    if resource == "node_command":
        return _of_commands(actions, scope)
    if resource in OF_CERTIFIED and not scope.certified:
        return []
    if resource in OF_SITES:
        return []  # to put it: by the bucket's own policy, which knows its name
    if resource == "private_ca":
        return _of_private_cas(actions, scope, "client", "node")
    if resource == "private_server_ca":
        return _of_private_cas(actions, scope, "gateway")
    if resource == "gateway_certificate":
        return [allow("Gateways", actions, scope.gateways)] if scope.gateways else []
    if resource == "authority_key" and not scope.by_kms:
        return []
    if resource == "client_secret":
        return _of_secrets(actions, scope)
    return [_of_one(resource, actions, scope, ours)]


def _of_commands(actions: Sequence[str], scope: Scope) -> list[Statement]:
    """SendCommand is allowed on a document and on every instance that it goes to: ours, of a cluster of this cell."""
    documents = [scope.arn("ssm", f"document/{names.document(cluster, '*')}") for cluster in scope.clusters]
    instances = [scope.arn("ec2", "instance/*")]
    return [
        allow("NodeDocuments", actions, documents),
        allow("CommandedNodes", actions, instances, _tagged(scope, any_cluster=False)),
    ]


def _of_secrets(actions: Sequence[str], scope: Scope) -> list[Statement]:
    """To put, never to get: a value is encrypted under the customer key on its way in."""
    secrets = [secret for role in ("read", "write") for secret in _secrets(scope, scope.certified, role)]
    return [
        allow("ClientSecrets", actions, secrets),
        allow("ClientSecretsKey", ["kms:Decrypt", "kms:GenerateDataKey"], [scope.secrets_key], _to_secrets(scope)),
    ]


def _secrets(scope: Scope, clusters: Sequence[str], role: str) -> list[str]:
    # Secrets Manager adds six characters of its own to a secret's name
    return [scope.arn("secretsmanager", f"secret:{names.client_secret(one, role)}-??????") for one in clusters]


def _to_secrets(scope: Scope) -> Statement:
    return {"StringEquals": {"kms:ViaService": f"secretsmanager.{scope.region}.amazonaws.com"}}


def signs(scope: Scope) -> list[Statement]:
    """To sign with the authorities' keys of the cell's clusters: only as what their alias says they are."""
    return [
        statement
        for resource in ("authority_key", "private_ca")
        for statement in _of_resource(resource, [one.action for one in SIGNS if one.resource == resource], scope, {})
    ]


def _of_private_cas(actions: Sequence[str], scope: Scope, *uses: str) -> list[Statement]:
    """To have leaves signed, by the templates of these uses alone: never a certificate of an authority."""
    declared = [arn for arns in scope.private_cas.values() for arn in arns]
    if not declared:
        return []
    issues = [one for one in actions if one == "acm-pca:IssueCertificate"]
    templates = [template(scope.partition, use) for use in uses]
    leaves = allow("PrivateLeaves", issues, declared, {"StringEquals": {"acm-pca:TemplateArn": templates}})
    reads = allow("PrivateAuthorities", [one for one in actions if one not in issues], declared)
    return [one for one in (leaves, reads) if one["Action"]]


def _of_one(resource: Resource, actions: Sequence[str], scope: Scope, ours: Statement) -> Statement:
    match resource:
        case "group":
            return allow(
                "Groups", actions, [scope.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")], ours
            )
        case "instance":
            return allow("Instances", actions, [scope.arn("ec2", "instance/*")], ours)
        case "authority_key":
            aliases = [names.authority_alias(scope.cell, cluster, slot) for cluster in scope.by_kms for slot in "ab"]
            return allow(
                "AuthorityKeys", actions, [scope.arn("kms", "key/*")], {"StringEquals": {"kms:RequestAlias": aliases}}
            )
        case "node_trust":
            trust = [scope.arn("ssm", f"parameter{names.node_parameter(one, 'trust')}") for one in scope.certified]
            return allow("NodeTrust", actions, trust)
        case "node_parameters" | "node_version":
            parameters = [
                scope.arn("ssm", f"parameter{names.node_parameter(cluster, name)}")
                for cluster in scope.clusters
                for name in STEP_PARAMETERS[resource]
            ]
            return allow("NodeVersion" if resource == "node_version" else "NodeParameters", actions, parameters)
        case "state_machine":
            return allow("StateMachines", actions, [scope.machine(one) for one in scope.capabilities])
        case _:
            return allow("Topic", actions, [scope.topic])


# -- what the frame needs beside them --------------------------------------------------------------------------------


def looks() -> Statement:
    """To see groups and instances."""
    return allow("Looks", LOOKS, ["*"])


def sees(kinds: Iterable[type[Step]]) -> list[Statement]:
    """The same; what became of commands to nodes too, where these steps send any."""
    commands = any(grant.resource == "node_command" for kind in kinds for grant in kind.aws)
    heard = [allow("HearsCommands", ["ssm:ListCommandInvocations"], ["*"])] if commands else []
    return [looks(), *heard]


def hears_sites(kinds: Iterable[type[Step]], scope: Scope) -> list[Statement]:
    """To find the buckets of clusters on Kubernetes, and to decrypt what lies there; to encrypt too, where these steps
    put something. Each bucket's own policy says who may read and put what."""
    if not scope.sites or not site_keys(kinds):
        return []
    parameters = [scope.arn("ssm", f"parameter{names.node_parameter(one, 'artifact-bucket')}") for one in scope.sites]
    return [
        allow("SiteBuckets", ["ssm:GetParameter"], parameters),
        allow("SiteBucketsKey", ["kms:Decrypt"], [scope.nodes_key], _by_s3(scope)),
    ]


def tells_sites(kinds: Iterable[type[Step]], scope: Scope) -> list[Statement]:
    """To encrypt what these steps put there."""
    if not scope.sites or not site_keys(kinds):
        return []
    return [allow("TellsSitesKey", ["kms:GenerateDataKey"], [scope.nodes_key], _by_s3(scope))]


def site_keys(kinds: Iterable[type[Step]]) -> list[str]:
    """The objects that these steps put for clusters on Kubernetes."""
    return sorted({OF_SITES[grant.resource] for kind in kinds for grant in kind.aws if grant.resource in OF_SITES})


def _by_s3(scope: Scope) -> Statement:
    return {"StringEquals": {"kms:ViaService": f"s3.{scope.region}.amazonaws.com"}}


def whose() -> Statement:
    """To ask for the group of an instance: what EC2 and AWS Health say of one names none."""
    return allow("Whose", ["autoscaling:DescribeAutoScalingInstances"], ["*"])


def finds_nodes() -> Statement:
    """To find the addresses of nodes."""
    return allow("FindsNodes", ["ec2:DescribeInstances"], ["*"])


def puts_events(scope: Scope, source: str) -> Statement:
    """To put events of one source on the default bus."""
    ours = {"StringEquals": {"events:source": source}}
    return allow("PutEvents", ["events:PutEvents"], [scope.arn("events", "event-bus/default")], ours)


def examines() -> Statement:
    """To hold groups against GroupSafety: their launch templates too."""
    return allow("Examines", ["ec2:DescribeLaunchTemplateVersions"], ["*"])


def reads_rows(scope: Scope) -> list[Statement]:
    """To read the state table."""
    reads = allow("ReadRows", ["dynamodb:GetItem", "dynamodb:Query"], [scope.state_table])
    return [reads, _key(scope, "ReadRowsKey", "Decrypt")]


def writes_rows(scope: Scope, *partitions: str) -> list[Statement]:
    """To put rows of these partitions. There is no right to delete one: closed rows go by their TTL.

    Plan rows lie in partitions of their own (`plan#`): IAM can tell partitions from one another, but not rows.
    """
    return [_puts("WriteRows", scope.state_table, partitions), _key(scope, "WriteRowsKey", "GenerateDataKey*")]


def writes_records(scope: Scope) -> list[Statement]:
    """To add records: no reading, no deleting."""
    puts = _puts("WriteRecords", scope.record_table, ("record#*",))
    return [puts, _key(scope, "WriteRecordsKey", "Decrypt", "GenerateDataKey*")]


def _puts(sid: str, table: str, partitions: Sequence[str]) -> Statement:
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(partitions)}}
    return allow(sid, ["dynamodb:PutItem"], [table], condition)


def runs(scope: Scope) -> list[Statement]:
    """To start executions, and to see how they stand."""
    executions = [
        scope.arn("states", f"execution:{names.of_cell(scope.cell, capability)}:*") for capability in scope.capabilities
    ]
    return [
        allow("StartRuns", ["states:StartExecution"], [scope.machine(one) for one in scope.capabilities]),
        allow("SeeRuns", ["states:DescribeExecution"], executions),
    ]


def client_certificate(scope: Scope, role: str) -> list[Statement]:
    """To read the client certificate of one role, of the cell's clusters."""
    if not scope.clusters:
        return []
    return [
        allow("ClientCertificate", ["secretsmanager:GetSecretValue"], _secrets(scope, scope.clusters, role)),
        allow("ClientCertificateKey", ["kms:Decrypt"], [scope.secrets_key], _to_secrets(scope)),
    ]


def _key(scope: Scope, sid: str, *operations: str) -> Statement:
    through = {"StringEquals": {"kms:ViaService": f"dynamodb.{scope.region}.amazonaws.com"}}
    return allow(sid, [f"kms:{operation}" for operation in operations], [scope.state_key], through)


def interfaces(function_arn: str) -> list[Statement]:
    """What Lambda itself needs to put a function into subnets; the function's own code may not use it."""
    actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    deny = {
        "Sid": "NotByTheCode",
        "Effect": "Deny",
        "Action": actions,
        "Resource": ["*"],
        "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": function_arn}},
    }
    return [allow("LambdaInterfaces", actions, ["*"]), deny]


POLICY_CHARACTERS = 10_240
"""What IAM takes of all inline policies of one role; white space is not counted."""
TOKEN, PSEUDO = re.compile(r"\$\{Token\[[^\]]+\]\}"), re.compile(r"AccountId|Partition")


def characters(statements: Sequence[Statement]) -> int:
    """How much of `POLICY_CHARACTERS` they take. Of what CloudFormation fills in, an account is 12 long, and anything
    else is taken for an ARN of 100."""
    text = json.dumps(list(statements), separators=(",", ":"))
    return len(TOKEN.sub(lambda found: "x" * (12 if PSEUDO.search(found[0]) else 100), text))
