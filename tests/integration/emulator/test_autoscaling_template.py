"""Auto Scaling from CloudFormation."""

from typing import Any

import pytest
from tests.integration.emulator.support import Aws, until


def resources(aws: Aws, **group: Any) -> dict[str, Any]:
    data = {"ImageId": "ami-0c55b159cbfafe1f0", "InstanceType": "t3.micro", "UserData": {"Fn::Base64": "hello"}}
    subnets = group.pop("subnets", None) or aws.subnets()
    hook = {
        "LifecycleHookName": "drain",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": 3600,
        "DefaultResult": "ABANDON",
    }
    template = {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": "Template.LatestVersionNumber"}}
    properties = {
        "MinSize": "2",
        "MaxSize": "6",
        "VPCZoneIdentifier": subnets,
        "LaunchTemplate": template,
        "LifecycleHookSpecificationList": [hook],
        "InstanceLifecyclePolicy": {"RetentionTriggers": {"TerminateHookAbandon": "retain"}},
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200},
        "DeletionProtection": "prevent-force-deletion",
        "Tags": [{"Key": "vagus:cluster", "Value": "blue", "PropagateAtLaunch": "true"}],
    }
    return {
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": data}},
        "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": properties | group},
    }


def test_a_group_starts_at_min_size_with_what_its_template_says(aws: Aws) -> None:
    name = aws.stack(resources(aws), Name={"Ref": "Group"})["Name"]
    shown = aws.shown(name)
    assert (shown["DesiredCapacity"], len(aws.in_service(name))) == (2, 2)
    assert shown["InstanceLifecyclePolicy"] == {"RetentionTriggers": {"TerminateHookAbandon": "retain"}}
    assert shown["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    assert shown["DeletionProtection"] == "prevent-force-deletion"
    assert shown["AvailabilityZones"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    (hook,) = aws.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
    assert (hook["LifecycleHookName"], hook["HeartbeatTimeout"], hook["DefaultResult"]) == ("drain", 3600, "ABANDON")
    tags = {t["Key"]: t["Value"] for t in aws.instance(aws.in_service(name)[0])["Tags"]}
    assert tags.items() >= {"vagus:cluster": "blue", "aws:autoscaling:groupName": name}.items()


def test_a_stack_update_does_not_reset_a_desired_size_changed_since(aws: Aws) -> None:
    made = resources(aws)
    name = aws.stack(made, Name={"Ref": "Group"})["Name"]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)
    arn = aws.shown(name)["AutoScalingGroupARN"]
    made["Group"]["Properties"]["MaxSize"] = "8"
    made["Template"]["Properties"]["LaunchTemplateData"]["InstanceType"] = "t3.small"
    aws.stack(made, Name={"Ref": "Group"})
    shown = aws.shown(name)
    assert (shown["MaxSize"], shown["DesiredCapacity"], shown["AutoScalingGroupARN"]) == (8, 4, arn)
    assert shown["LaunchTemplate"]["Version"] == "2"
    assert {i["LaunchTemplate"]["Version"] for i in shown["Instances"]} == {"1"}  # nothing is replaced by an update


def test_a_hook_of_its_own_resource(aws: Aws) -> None:
    made = resources(aws, LifecycleHookSpecificationList=[])
    hook = {
        "AutoScalingGroupName": {"Ref": "Group"},
        "LifecycleHookName": "leave",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "HeartbeatTimeout": "300",
    }
    made["Hook"] = {"Type": "AWS::AutoScaling::LifecycleHook", "Properties": hook}
    name = aws.stack(made, Name={"Ref": "Group"})["Name"]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
    (node, *_) = aws.in_service(name)
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=node, ShouldDecrementDesiredCapacity=True)
    assert aws.members(name)[node] == "Terminating:Wait"
    aws.complete(node, group=name, hook="leave")
    until(lambda: node not in aws.members(name))


def test_a_protected_group_is_not_deleted_with_its_stack(aws: Aws) -> None:
    name = aws.stack(resources(aws), Name={"Ref": "Group"})["Name"]
    aws.cloudformation.delete_stack(StackName="stack")
    status = until(lambda: _not_in_progress(aws))
    assert status == "DELETE_FAILED"
    assert len(aws.in_service(name)) == 2


def _not_in_progress(aws: Aws) -> str | None:
    status = str(aws.cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"])
    return status if status not in ("CREATE_COMPLETE", "DELETE_IN_PROGRESS") else None


def test_an_unknown_subnet_fails_the_stack(aws: Aws) -> None:
    with pytest.raises(AssertionError, match=r"subnet ID 'subnet-0' does not exist"):
        aws.stack(resources(aws, subnets=["subnet-0"]))
