"""What an auditor asks of the templates, beyond cdk-nag's pack (`test_nag`) and `test_never`."""

import re
from typing import Any

import pytest
from tests.infrastructure.templates import Templates, listed, text, walk

from vagus.rooms import ROOMS

DOCUMENT = "SSM::Document"
SHELL = "'\";|&$`<>\n"


# -- commands on nodes -----------------------------------------------------------------------------------------------


def parameters(templates: Templates) -> list[tuple[str, str, dict[str, Any]]]:
    """Document, name and declaration of every parameter."""
    return [
        (one.properties["Name"], name, declared)
        for one in templates.resources(DOCUMENT)
        for name, declared in one.properties["Content"].get("parameters", {}).items()
    ]


def test_every_parameter_of_a_document_says_what_it_admits(templates: Templates) -> None:
    """Parameters are pasted into shell: one without a pattern is a shell for whoever may send the command."""
    found = parameters(templates)
    assert found
    open_ended = [
        f"{document} {name}"
        for document, name, declared in found
        if not (declared.get("allowedPattern", "").startswith("^") and declared["allowedPattern"].endswith("$"))
        and not declared.get("allowedValues")
    ]
    assert open_ended == []


def test_no_pattern_admits_what_a_shell_would_read(templates: Templates) -> None:
    for document, name, declared in parameters(templates):
        pattern = declared.get("allowedPattern")
        for sign in SHELL:
            assert not pattern or not re.fullmatch(pattern, f"a{sign}b" * 9), f"{document} {name} admits {sign!r}"


def statements(templates: Templates) -> list[tuple[str, dict[str, Any]]]:
    """Every statement of every function's role."""
    names = [one.properties["FunctionName"] for one in templates.resources("Lambda::Function")]
    return [(name, one) for name in names for one in templates.statements_of(name)]


def test_commands_are_sent_by_our_documents_alone_and_to_declared_clusters(templates: Templates) -> None:
    for name, one in statements(templates):
        if "ssm:SendCommand" in listed(one["Action"]):
            targets = [text(resource) for resource in listed(one["Resource"])]
            assert all(":document/vagus-" in target or ":instance/" in target for target in targets), name
            if any(":instance/" in target for target in targets):
                assert "vagus:cl" in str(one.get("Condition")) or "vagus:cell" in str(one.get("Condition")), name


def test_nobody_may_run_the_shell_documents_of_aws(templates: Templates) -> None:
    assert not [
        name for name, one in statements(templates) for part in walk(one) if isinstance(part, str) and "AWS-Run" in part
    ]


# -- roles -----------------------------------------------------------------------------------------------------------

TOUCHES = ("autoscaling:", "ec2:Terminate", "ec2:Stop", "ec2:Reboot", "ssm:SendCommand")


def test_whatever_touches_a_group_or_an_instance_is_bound_to_the_tags_of_this_cell(templates: Templates) -> None:
    touching = [
        (name, one)
        for name, one in statements(templates)
        for action in listed(one["Action"])
        if action.startswith(TOUCHES) and ":Describe" not in action
        if not all(":document/" in text(resource) for resource in listed(one["Resource"]))
    ]
    assert {name for name, _ in touching} >= {"vagus-prod-keeper", "vagus-prod-zone_balance-apply"}
    assert not [name for name, one in touching if "aws:ResourceTag/vagus:cell" not in str(one.get("Condition"))]


@pytest.mark.parametrize("capability", ROOMS)
def test_a_procedure_reaches_declared_clusters_alone(templates: Templates, capability: str) -> None:
    """A group that bears the cell's tag by mistake is out of reach as long as no fleet file declares its cluster."""
    for one in templates.statements_of(f"vagus-prod-{capability}-apply"):
        if any("autoScalingGroup:" in text(resource) for resource in listed(one["Resource"])):
            assert one["Condition"]["StringEquals"]["aws:ResourceTag/vagus:cluster"] == ["claims"]


# -- the network -----------------------------------------------------------------------------------------------------


def test_all_traffic_of_the_vpc_is_logged_where_retention_and_key_are_ours(templates: Templates) -> None:
    (log,) = templates.resources("EC2::FlowLog")
    (vpc,) = templates.resources("EC2::VPC")
    assert log.properties["TrafficType"] == "ALL"
    assert log.properties["ResourceId"] == {"Ref": vpc.id}
    (group,) = (one for one in templates.resources("Logs::LogGroup") if one.id == log.properties["LogGroupName"]["Ref"])
    assert (group.properties["RetentionInDays"], "KmsKeyId" in group.properties) == (365, True)


def test_every_endpoint_has_a_policy_and_none_admits_another_account(templates: Templates) -> None:
    endpoints = templates.resources("EC2::VPCEndpoint")
    assert endpoints
    for one in endpoints:
        for statement in one.properties["PolicyDocument"]["Statement"]:
            ours = "aws:PrincipalAccount" in str(statement.get("Condition"))
            read_only = listed(statement["Action"]) == ["s3:GetObject"]
            assert ours or read_only, f"{one.id}: {statement['Sid']}"
