"""Who may do what: the function that decides cannot write, the function that writes has its steps' grants only."""

from typing import Any

import pytest
from tests.infrastructure.templates import Templates, listed, text

from vagus.rooms import ROOMS
from vagus.steps import Heartbeat

ROWS_AND_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
READING = ("Describe", "Get", "Query", "List", "Decrypt")
INTERFACES = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
}
"""What Lambda itself needs to put a function into a subnet."""


def writes(statements: list[dict[str, Any]]) -> set[str]:
    """Actions that change something, beyond the function's own log and network interface."""
    allowed = {action for one in statements if one["Effect"] == "Allow" for action in listed(one["Action"])}
    return {one for one in allowed - ROWS_AND_LOGS - INTERFACES if not one.split(":")[1].startswith(READING)}


def steps_grant(capability: str) -> set[str]:
    """What its steps change, that are done in the VPC: an authority's public key is only read, and no cluster here has
    a private CA, or is on Kubernetes."""
    elsewhere = ("private_ca", "private_server_ca", "site_bundle", "site_commands")
    every = [grant for kind in ROOMS[capability].kinds if not kind.outside for grant in kind.aws]
    grants = {grant.action for grant in every if grant.resource not in elsewhere}
    return {one for one in grants if not one.split(":")[1].startswith(READING)}


@pytest.mark.parametrize("capability", ROOMS)
def test_decide_puts_plan_rows_and_nothing_else(templates: Templates, capability: str) -> None:
    statements = templates.statements_of(f"vagus-prod-{capability}-decide")
    assert writes(statements) == {"dynamodb:PutItem", "kms:GenerateDataKey*"}
    (puts,) = (one for one in statements if "dynamodb:PutItem" in listed(one["Action"]))
    assert puts["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["plan#*"]}}


@pytest.mark.parametrize("capability", ROOMS)
def test_apply_has_exactly_its_steps_grants_rows_and_records(templates: Templates, capability: str) -> None:
    statements = templates.statements_of(f"vagus-prod-{capability}-apply")
    encrypts = {"kms:GenerateDataKey"} if "secretsmanager:PutSecretValue" in steps_grant(capability) else set()
    assert writes(statements) == steps_grant(capability) | {"dynamodb:PutItem", "kms:GenerateDataKey*"} | encrypts
    partitions = {
        key
        for one in statements
        if "dynamodb:PutItem" in listed(one["Action"])
        for key in one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    }
    assert partitions == {"cluster#*", "record#*"}


def test_the_keeper_sends_heartbeats_and_notes_them(templates: Templates) -> None:
    assert writes(templates.statements_of("vagus-prod-keeper")) == {
        *(grant.action for grant in Heartbeat.aws),
        "dynamodb:PutItem",
        "kms:GenerateDataKey*",
    }


def test_the_sweep_starts_runs_and_touches_neither_groups_nor_clusters(templates: Templates) -> None:
    statements = templates.statements_of("vagus-prod-sweep")
    mine = {
        "dynamodb:PutItem",
        "kms:GenerateDataKey*",
        "states:StartExecution",
    }
    assert writes(statements) == mine


def test_the_cluster_watch_remembers_and_tells_and_can_start_nothing(templates: Templates) -> None:
    statements = templates.statements_of("vagus-prod-cluster-watch")
    assert writes(statements) == {"dynamodb:PutItem", "kms:GenerateDataKey*", "events:PutEvents"}
    (puts,) = (one for one in statements if "dynamodb:PutItem" in listed(one["Action"]))
    assert puts["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["watch#*", "status#*"]}}
    (tells,) = (one for one in statements if "events:PutEvents" in listed(one["Action"]))
    assert tells["Condition"] == {"StringEquals": {"events:source": "vagus.cluster"}}
    assert text(tells["Resource"]).endswith(":event-bus/default")


def test_intake_writes_rows_starts_runs_and_takes_messages(templates: Templates) -> None:
    assert writes(templates.statements_of("vagus-prod-intake")) == {
        "dynamodb:PutItem",
        "kms:GenerateDataKey*",
        "states:StartExecution",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:ReceiveMessage",
    }


def test_groups_and_instances_of_other_cells_are_out_of_reach(templates: Templates) -> None:
    touching = [
        one
        for function in ("zone_balance-apply", "keeper")
        for one in templates.statements_of(f"vagus-prod-{function}")
        for action in listed(one["Action"])
        if action.startswith(("autoscaling:", "ec2:Terminate")) and not action.split(":")[1].startswith("Describe")
    ]
    assert touching
    assert all(one["Condition"]["StringEquals"]["aws:ResourceTag/vagus:cell"] == "prod" for one in touching)


def test_a_functions_code_can_not_use_what_lambda_needs_for_its_network(templates: Templates) -> None:
    for function in ("intake", "sweep", "cluster-watch", "zone_balance-decide", "zone_balance-apply"):
        statements = templates.statements_of(f"vagus-prod-{function}")
        (denied,) = (one for one in statements if one["Effect"] == "Deny")
        assert set(listed(denied["Action"])) >= INTERFACES
        assert text(denied["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]).endswith(f"vagus-prod-{function}")


EVERYTHING_READ = {
    "ssm:ListCommandInvocations",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLifecycleHooks",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
} | INTERFACES
"""Actions that know no resource-level permissions: the only ones allowed on everything."""


def test_only_what_knows_no_resources_is_allowed_on_everything(templates: Templates) -> None:
    for one in templates.resources("Lambda::Function"):
        for statement in templates.statements_of(one.properties["FunctionName"]):
            if statement["Effect"] == "Allow" and "*" in listed(statement["Resource"]):
                assert set(listed(statement["Action"])) <= EVERYTHING_READ, one.id


def test_no_role_has_a_whole_service(templates: Templates) -> None:
    """State machines and flow logs too. `kms:ReEncrypt*` and the like are families of one operation."""
    for one in [*templates.resources("IAM::Role"), *templates.resources("IAM::Policy")]:
        documents = [policy["PolicyDocument"] for policy in one.properties.get("Policies", [])]
        documents += [one.properties["PolicyDocument"]] if "PolicyDocument" in one.properties else []
        actions = [action for document in documents for s in document["Statement"] for action in listed(s["Action"])]
        assert not [action for action in actions if action.split(":")[-1] == "*"], one.id


CERTIFICATES = [
    ("zone_balance-decide", "read"),
    ("sweep", "read"),
    ("cluster-watch", "read"),
    ("zone_balance-apply", "write"),
]


SIGNERS = ("certificates-apply", "certificates-issue", "certificates-outside")


def test_three_functions_sign_and_only_with_an_authoritys_key(templates: Templates) -> None:
    for one in templates.resources("Lambda::Function"):
        name = str(one.properties["FunctionName"]).removeprefix("vagus-prod-")
        signs = [s for s in templates.statements_of(f"vagus-prod-{name}") if "kms:Sign" in listed(s["Action"])]
        assert bool(signs) is (name in SIGNERS), name
        for statement in signs:
            aliases = listed(statement["Condition"]["StringEquals"]["kms:RequestAlias"])
            assert aliases == [f"alias/vagus/prod/claims/authority-{slot}" for slot in "ab"]


def test_who_issues_to_nodes_writes_no_other_rows_and_reads_no_certificate(templates: Templates) -> None:
    statements = templates.statements_of("vagus-prod-certificates-issue")
    partitions = [
        key
        for one in statements
        if "dynamodb:PutItem" in listed(one["Action"])
        for key in one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    ]
    assert partitions == ["issued#*", "record#*"]
    assert not [a for one in statements for a in listed(one["Action"]) if a.startswith("secretsmanager:")]


IMPORTS = "vagus-prod-certificates-outside"


def test_one_function_imports_into_acm_and_under_the_declared_arns_alone(templates: Templates) -> None:
    for one in templates.resources("Lambda::Function"):
        name = str(one.properties["FunctionName"])
        acm = [s for s in templates.statements_of(name) if any(a.startswith("acm:") for a in listed(s["Action"]))]
        assert bool(acm) is (name == IMPORTS), name
        for statement in acm:
            assert listed(statement["Action"]) == ["acm:DescribeCertificate", "acm:ImportCertificate"]
            (arn,) = listed(statement["Resource"])
            assert str(arn).startswith("arn:aws:acm:eu-central-1:111122223333:certificate/")


def test_who_imports_reaches_no_node_and_reads_no_secret(templates: Templates) -> None:
    (one,) = (f for f in templates.resources("Lambda::Function") if f.properties["FunctionName"] == IMPORTS)
    assert "VpcConfig" not in one.properties
    assert one.properties["Handler"] == "certificates.handler.apply_handler"
    actions = {action for s in templates.statements_of(IMPORTS) for action in listed(s["Action"])}
    assert {action.partition(":")[0] for action in actions} == {"acm", "dynamodb", "kms", "logs"}


def test_a_cluster_lets_who_issues_read_requests_and_put_answers(templates: Templates) -> None:
    policy = templates.at("vagus-prod-claims/Artifacts/Bucket/Policy/Resource").properties["PolicyDocument"]
    ways = {one["Sid"]: one for one in policy["Statement"] if "Sid" in one and one["Effect"] == "Allow"}
    assert {sid: listed(one["Action"]) for sid, one in ways.items()} == {
        "ReadsRequests": ["s3:GetObject"],
        "Answers": ["s3:PutObject"],
    }
    assert text(ways["ReadsRequests"]["Resource"]).endswith("/requests/*")
    assert text(ways["Answers"]["Resource"]).endswith("/certificates/*")


@pytest.mark.parametrize(("function", "role"), CERTIFICATES)
def test_each_certificate_is_read_by_its_functions(templates: Templates, function: str, role: str) -> None:
    statements = templates.statements_of(f"vagus-prod-{function}")
    (reads,) = (one for one in statements if "secretsmanager:GetSecretValue" in listed(one["Action"]))
    assert [text(one).rpartition(":")[2] for one in listed(reads["Resource"])] == [f"vagus/claims/{role}-??????"]


def test_intake_and_keeper_read_no_certificate(templates: Templates) -> None:
    for function in ("intake", "keeper"):
        actions = [a for one in templates.statements_of(f"vagus-prod-{function}") for a in listed(one["Action"])]
        assert not [action for action in actions if action.startswith("secretsmanager:")]


READERS = [
    ("ReadCertificate", {"Sweep", "ClusterWatch", "Decide", "operator"}),
    ("WriteCertificate", {"Apply"}),
]


@pytest.mark.parametrize(("secret", "readers"), READERS)
def test_everybody_else_is_denied_a_certificate(templates: Templates, secret: str, readers: set[str]) -> None:
    policy = templates.at(f"vagus-prod-claims/{secret}/Readers").properties["ResourcePolicy"]
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
    names = [text(one) for one in listed(statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"])]
    words = ("Sweep", "ClusterWatch", "Decide", "Apply", "Keeper", "Intake")
    found = {next((word for word in words if word in name), "operator") for name in names}
    several = len(ROOMS) - 1  # of Decide and Apply each capability has its own
    assert (found, len(names)) == (readers, len(readers) + several)


def test_a_node_reads_its_own_parameters_and_asks_for_its_own_certificate(templates: Templates) -> None:
    role = templates.at("vagus-prod-claims/Role/Role/Resource")
    (policy,) = role.properties["Policies"]
    statements = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}
    assert text(statements["Parameters"]["Resource"]).endswith(":parameter/vagus/claims/node")
    assert statements["Parameters"]["Action"] == "ssm:GetParametersByPath"
    assert {a for one in statements.values() for a in listed(one["Action"]) if a.startswith("s3:")} == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
    }
    assert text(statements["CertificateRequests"]["Resource"]).endswith("/requests/${aws:userid}.csr")
    assert text(statements["CertificateAnswers"]["Resource"]).endswith("/certificates/${aws:userid}.pem")


def test_no_function_may_write_an_approval(templates: Templates) -> None:
    named = {str(one.properties.get("FunctionName", "")) for one in templates.resources("Lambda::Function")}
    ours = {name for name in named if name.startswith("vagus-prod-")}
    assert len(ours) > 4
    for function in ours:
        for one in templates.statements_of(function):
            if set(listed(one["Action"])) & {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:*"}:
                partitions = one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
                assert not [key for key in partitions if key.startswith(("approval", "*"))], function
