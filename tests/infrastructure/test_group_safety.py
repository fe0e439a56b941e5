"""GroupSafety of our own templates, before anything is deployed; and adopted groups are left as they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Resource, Templates

from vagus.group_safety import GroupFacts, Hook, Machine, violations
from vagus_cdk.assembly import build

GROUP, TEMPLATE = "AutoScaling::AutoScalingGroup", "EC2::LaunchTemplate"


def described(group: Resource, templates: Templates) -> GroupFacts:
    """A group as AWS would describe it after the deploy."""
    said = group.properties
    policy = said["InstanceMaintenancePolicy"]
    tags = {tag["Key"]: tag["Value"] for tag in said["Tags"]}
    return GroupFacts(
        name=said["AutoScalingGroupName"],
        zones=tuple(str(subnet) for subnet in said["VPCZoneIdentifier"]),  # a subnet lies in one zone
        roles=tuple(tags["vagus:roles"].split(",")),
        health_checks=tuple(said["HealthCheckType"].split(",")),
        hooks=tuple(hook(one) for one in said["LifecycleHookSpecificationList"]),
        retains=said["InstanceLifecyclePolicy"]["RetentionTriggers"]["TerminateHookAbandon"] == "retain",
        warm_pool=bool(templates.resources("AutoScaling::WarmPool")),
        longest_life=said.get("MaxInstanceLifetime", 0),
        healthy=(policy["MinHealthyPercentage"], policy["MaxHealthyPercentage"]),
        machines=(machine(template_of(said, templates), spot="MixedInstancesPolicy" in said),),
    )


def hook(said: Mapping[str, Any]) -> Hook:
    return Hook(
        name=said["LifecycleHookName"],
        transition=said["LifecycleTransition"],
        timeout=said["HeartbeatTimeout"],
        default_result=said["DefaultResult"],
    )


def template_of(group: Mapping[str, Any], templates: Templates) -> Mapping[str, Any]:
    name = group["LaunchTemplate"]["LaunchTemplateId"]["Ref"]
    (found,) = (one for one in templates.resources(TEMPLATE) if one.id == name)
    data: Mapping[str, Any] = found.properties["LaunchTemplateData"]
    return data


def machine(data: Mapping[str, Any], *, spot: bool) -> Machine:
    return Machine(
        what="its launch template",
        spot=spot or "InstanceMarketOptions" in data,
        tokens_required=data["MetadataOptions"]["HttpTokens"] == "required",
        kept_volumes=tuple(
            one["DeviceName"] for one in data["BlockDeviceMappings"] if one["Ebs"]["DeleteOnTermination"] is False
        ),
    )


def test_our_templates_break_no_rule(templates: Templates) -> None:
    groups = [described(one, templates) for one in templates.resources(GROUP)]
    assert len(groups) == 6
    assert violations(groups) == ()


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The example, its data nodes in groups that exist."""
    fleet, out = tmp_path_factory.mktemp("fleet"), tmp_path_factory.mktemp("adopted")
    text = Path(__file__).parents[2].joinpath("fleet/examples/claims.yaml").read_text()
    names = ", ".join(f"eu-central-1{zone}: legacy-{zone}" for zone in "abc")
    (fleet / "claims.yaml").write_text(text.replace("    per_zone: 2", f"    per_zone: 2\n    adopted: {{{names}}}"))
    build(cdk.App(context={**CONTEXT, "fleet": str(fleet)}, outdir=str(out))).synth()
    return Templates.read(out)


def test_adopted_groups_are_not_made(adopted: Templates) -> None:
    names = {one.properties["AutoScalingGroupName"] for one in adopted.resources(GROUP)}
    assert names == {f"claims-managers-eu-central-1{zone}" for zone in "abc"}
    assert len(adopted.resources(TEMPLATE)) == 3
