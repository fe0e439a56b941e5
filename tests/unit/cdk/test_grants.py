"""From steps to permissions: ARNs and conditions, and nothing wider."""

from typing import Any

import msgspec
import pytest

from vagus.rooms import ROOMS
from vagus.steps import (
    EndRetainedInstance,
    ExcludeNodes,
    Grant,
    HandOver,
    Heartbeat,
    ImportCertificate,
    NoteIdentity,
    SetGroupSize,
    Step,
)
from vagus_cdk import grants, procedure
from vagus_cdk.grants import Scope

SCOPE = Scope(
    certified=("claims",),
    partition="aws",
    region="eu-central-1",
    account="111122223333",
    cell="prod",
    clusters=("claims", "labs"),
    capabilities=("zone_balance",),
    topic="arn:topic",
    state_table="arn:state",
    record_table="arn:records",
    state_key="arn:state-key",
    secrets_key="arn:secrets-key",
    messages_key="arn:messages-key",
)


class Commands(Step, frozen=True, kw_only=True):
    """As a step on nodes is."""

    title = "Have a node do something"
    aws = (Grant("ssm:SendCommand", "node_command"),)


CELL = {"aws:ResourceTag/vagus:cell": "prod"}
OURS = {"StringEquals": CELL | {"aws:ResourceTag/vagus:cluster": ["claims", "labs"]}}
HERE = "eu-central-1:111122223333"

DERIVED: list[tuple[str, tuple[type[Step], ...], list[dict[str, Any]]]] = [
    ("a step on the cluster alone needs nothing of AWS", (ExcludeNodes,), []),
    (
        "groups of this cell, whatever their names",
        (SetGroupSize, Heartbeat),
        [
            {
                "Sid": "Groups",
                "Effect": "Allow",
                "Action": ["autoscaling:RecordLifecycleActionHeartbeat", "autoscaling:SetDesiredCapacity"],
                "Resource": [f"arn:aws:autoscaling:{HERE}:autoScalingGroup:*:autoScalingGroupName/*"],
                "Condition": OURS,
            }
        ],
    ),
    (
        "instances of this cell",
        (EndRetainedInstance,),
        [
            {
                "Sid": "Instances",
                "Effect": "Allow",
                "Action": ["ec2:TerminateInstances"],
                "Resource": [f"arn:aws:ec2:{HERE}:instance/*"],
                "Condition": OURS,
            }
        ],
    ),
    (
        "the one parameter that a step writes, of each cluster of the cell",
        (NoteIdentity,),
        [
            {
                "Sid": "NodeParameters",
                "Effect": "Allow",
                "Action": ["ssm:PutParameter"],
                "Resource": [
                    f"arn:aws:ssm:{HERE}:parameter/vagus/claims/node/formed",
                    f"arn:aws:ssm:{HERE}:parameter/vagus/labs/node/formed",
                ],
            }
        ],
    ),
    (
        "documents of the cell's clusters, on nodes of the cell's clusters",
        (Commands,),
        [
            {
                "Sid": "NodeDocuments",
                "Effect": "Allow",
                "Action": ["ssm:SendCommand"],
                "Resource": [
                    f"arn:aws:ssm:{HERE}:document/vagus-claims-*",
                    f"arn:aws:ssm:{HERE}:document/vagus-labs-*",
                ],
            },
            {
                "Sid": "CommandedNodes",
                "Effect": "Allow",
                "Action": ["ssm:SendCommand"],
                "Resource": [f"arn:aws:ec2:{HERE}:instance/*"],
                "Condition": {
                    "StringEquals": {
                        "aws:ResourceTag/vagus:cell": "prod",
                        "aws:ResourceTag/vagus:cluster": ["claims", "labs"],
                    }
                },
            },
        ],
    ),
    (
        "the capabilities' own state machines",
        (HandOver,),
        [
            {
                "Sid": "StateMachines",
                "Effect": "Allow",
                "Action": ["states:StartExecution"],
                "Resource": [f"arn:aws:states:{HERE}:stateMachine:vagus-prod-zone_balance"],
            }
        ],
    ),
]


@pytest.mark.parametrize(("sentence", "kinds", "statements"), DERIVED, ids=[one[0] for one in DERIVED])
def test_derived(sentence: str, kinds: tuple[type[Step], ...], statements: list[dict[str, Any]]) -> None:
    assert grants.of_steps(kinds, SCOPE) == statements


def test_a_private_ca_signs_leaves_alone_and_its_cluster_has_no_key_in_kms() -> None:
    arn = f"arn:aws:acm-pca:{HERE}:certificate-authority/1"
    scope = msgspec.structs.replace(SCOPE, private_cas={"claims": (arn,)})
    leaves, reads = grants.signs(scope)
    assert (leaves["Action"], leaves["Resource"]) == (["acm-pca:IssueCertificate"], [arn])
    templates = [f"EndEntity{use}Certificate/V1" for use in ("ClientAuth", "")]
    wanted = {"acm-pca:TemplateArn": [f"arn:aws:acm-pca:::template/{one}" for one in templates]}
    assert leaves["Condition"] == {"StringEquals": wanted}
    assert reads["Action"] == ["acm-pca:GetCertificate", "acm-pca:GetCertificateAuthorityCertificate"]
    assert reads["Resource"] == [arn]
    assert [one["Sid"] for one in grants.signs(SCOPE)] == ["AuthorityKeys"]


def test_keys_are_used_through_their_service_only() -> None:
    statements = [*grants.reads_rows(SCOPE), *grants.writes_rows(SCOPE, "plan#*"), *grants.writes_records(SCOPE)]
    statements += grants.client_certificate(SCOPE, "read")
    keyed = [one for one in statements if any(action.startswith("kms:") for action in one["Action"])]
    assert len(keyed) == 4
    assert all("kms:ViaService" in one["Condition"]["StringEquals"] for one in keyed)


def test_nobody_may_delete_a_row_or_a_record() -> None:
    statements = [*grants.reads_rows(SCOPE), *grants.writes_rows(SCOPE, "cluster#*"), *grants.writes_records(SCOPE)]
    dynamodb = {action for one in statements for action in one["Action"] if action.startswith("dynamodb:")}
    assert dynamodb == {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"}


def test_the_keeper_keeps_instances_of_clusters_that_are_declared_no_more() -> None:
    (statement,) = grants.of_steps([Heartbeat], SCOPE, any_cluster=True)
    assert statement["Condition"] == {"StringEquals": CELL}


@pytest.mark.parametrize(("clusters", "fits"), [(1, True), (25, True), (60, False)])
def test_a_role_that_iam_would_refuse_is_known_before_the_deploy(clusters: int, fits: bool) -> None:
    """Each declared cluster is named in the role: a cell can't have any number of them."""
    scope = msgspec.structs.replace(SCOPE, clusters=tuple(f"cluster-{number:03}" for number in range(clusters)))
    kinds = ROOMS["zone_balance"].kinds
    taken = grants.characters([*procedure.apply_statements(kinds, scope), *grants.interfaces("arn:aws:lambda:x")])
    assert (taken <= grants.POLICY_CHARACTERS) is fits


def test_what_cloudformation_fills_in_is_counted_as_long_as_it_may_be() -> None:
    bare = grants.characters([{"Resource": ""}])
    assert grants.characters([{"Resource": "${Token[AWS.AccountId.4]}"}]) == bare + 12
    assert grants.characters([{"Resource": "${Token[TOKEN.57]}"}]) == bare + 100


GATEWAY = f"arn:aws:acm:{HERE}:certificate/12345678-1234-1234-1234-123456789012"
PRIVATE = f"arn:aws:acm-pca:{HERE}:certificate-authority/12345678-1234-1234-1234-123456789012"


def test_who_imports_has_a_private_ca_sign_for_servers_alone() -> None:
    scope = msgspec.structs.replace(SCOPE, gateways=(GATEWAY,), private_cas={"claims": (PRIVATE,)})
    made = {one["Sid"]: one for one in grants.of_steps([ImportCertificate], scope)}
    assert made["Gateways"]["Action"] == ["acm:DescribeCertificate", "acm:ImportCertificate"]
    assert made["Gateways"]["Resource"] == [GATEWAY]
    assert made["PrivateLeaves"]["Resource"] == [PRIVATE]
    (template,) = made["PrivateLeaves"]["Condition"]["StringEquals"]["acm-pca:TemplateArn"]
    assert template.endswith("template/EndEntityServerAuthCertificate/V1")
    assert "AuthorityKeys" not in made


def test_without_gateways_nobody_may_import() -> None:
    assert "Gateways" not in {one["Sid"] for one in grants.of_steps([ImportCertificate], SCOPE)}
