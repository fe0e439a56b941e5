"""Sizes, scale-in, suspended processes, standby, protection, health."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, until


def zones(aws: Aws) -> Counter[str]:
    shown = aws.shown()["Instances"]
    return Counter(i["AvailabilityZone"][-1] for i in shown if i["LifecycleState"] == "InService")


def test_a_group_made_without_a_desired_capacity_starts_at_min_size(aws: Aws) -> None:
    aws.group(MinSize=2)
    assert (aws.shown()["DesiredCapacity"], len(aws.in_service())) == (2, 2)


def test_instances_are_launched_evenly_over_the_zones_and_taken_from_the_fullest(aws: Aws) -> None:
    aws.group(DesiredCapacity=7)
    assert sorted(zones(aws).values()) == [2, 2, 3]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=3)
    until(lambda: len(aws.members()) == 3)
    assert zones(aws) == {"a": 1, "b": 1, "c": 1}


def test_scale_in_takes_the_oldest_template_version_first(aws: Aws) -> None:
    subnets = aws.subnets("a")
    aws.group(DesiredCapacity=1, subnets=subnets)
    (old,) = aws.in_service()
    data = {"ImageId": "ami-0c55b159cbfafe1f0", "InstanceType": "t3.small"}
    aws.ec2.create_launch_template_version(LaunchTemplateName="nodes", LaunchTemplateData=data)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=2)
    (new,) = set(aws.in_service()) - {old}
    shown = {i["InstanceId"]: i["LaunchTemplate"]["Version"] for i in aws.shown()["Instances"]}
    assert shown == {old: "1", new: "2"}
    assert aws.instance(new)["InstanceType"] == "t3.small"
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    until(lambda: aws.members() == {new: "InService"})


def test_protected_instances_are_not_picked_on_scale_in(aws: Aws) -> None:
    aws.group(DesiredCapacity=2)
    kept, other = aws.in_service()
    aws.autoscaling.set_instance_protection(AutoScalingGroupName="nodes", InstanceIds=[kept], ProtectedFromScaleIn=True)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    until(lambda: aws.members() == {kept: "InService"})
    assert aws.state(other) in ("shutting-down", "terminated")


@pytest.mark.parametrize(("desired", "said"), [(10, "above max value 9"), (0, "below min value 1")])
def test_a_desired_capacity_outside_the_bounds_is_refused(aws: Aws, desired: int, said: str) -> None:
    aws.group(MinSize=1)
    with pytest.raises(ClientError, match=said):
        aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=desired)


def test_terminating_with_decrement_shrinks_the_group_but_not_below_min_size(aws: Aws) -> None:
    aws.group(MinSize=1, DesiredCapacity=2)
    first, second = aws.in_service()
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=True)
    until(lambda: aws.members() == {second: "InService"})
    with pytest.raises(ClientError, match="min size constraint"):
        aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)


def test_terminating_without_decrement_launches_the_replacement_at_once(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    aws.hook()
    (old,) = aws.in_service()
    answer = aws.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=old, ShouldDecrementDesiredCapacity=False
    )
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {old}"
    assert sorted(aws.members().values()) == ["InService", "Terminating:Wait"]


def test_suspending_launch_holds_replacements_back_until_it_is_resumed(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["Launch"])
    (old,) = aws.in_service()
    aws.ec2.terminate_instances(InstanceIds=[old])
    until(lambda: not aws.members())
    assert [p["ProcessName"] for p in aws.shown()["SuspendedProcesses"]] == ["Launch"]
    aws.autoscaling.resume_processes(AutoScalingGroupName="nodes", ScalingProcesses=["Launch"])
    assert len(aws.in_service()) == 1


def test_suspending_terminate_holds_scale_in_back(aws: Aws) -> None:
    aws.group(DesiredCapacity=2)
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["Terminate"])
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    assert len(aws.in_service()) == 2
    aws.autoscaling.resume_processes(AutoScalingGroupName="nodes")
    until(lambda: len(aws.members()) == 1)


def test_a_stopped_instance_is_unhealthy_and_replaced(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    (old,) = aws.in_service()
    aws.ec2.stop_instances(InstanceIds=[old])
    until(lambda: old not in aws.members() and aws.in_service())


def test_with_replace_unhealthy_suspended_an_instance_may_be_stopped_started_and_called_healthy(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    (node,) = aws.in_service()
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["ReplaceUnhealthy"])
    aws.ec2.stop_instances(InstanceIds=[node])
    until(lambda: aws.state(node) == "stopped")
    assert aws.shown()["Instances"][0]["HealthStatus"] == "Unhealthy"
    aws.ec2.start_instances(InstanceIds=[node])
    aws.autoscaling.set_instance_health(InstanceId=node, HealthStatus="Healthy")
    aws.autoscaling.resume_processes(AutoScalingGroupName="nodes", ScalingProcesses=["ReplaceUnhealthy"])
    assert aws.members() == {node: "InService"}


def test_resuming_replace_unhealthy_replaces_what_is_still_unhealthy(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    (node,) = aws.in_service()
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["ReplaceUnhealthy"])
    aws.ec2.terminate_instances(InstanceIds=[node])
    until(lambda: aws.state(node) == "terminated")
    assert aws.members() == {node: "InService"}  # as on AWS: nobody takes it out
    aws.autoscaling.resume_processes(AutoScalingGroupName="nodes", ScalingProcesses=["ReplaceUnhealthy"])
    until(lambda: node not in aws.members() and len(aws.in_service()) == 1)


def test_a_maintenance_policy_of_100_to_200_percent_launches_before_it_terminates(aws: Aws) -> None:
    policy = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    aws.group(DesiredCapacity=1, InstanceMaintenancePolicy=policy)
    aws.hook(name="join", going=False)
    (old,) = aws.in_service()
    aws.autoscaling.set_instance_health(InstanceId=old, HealthStatus="Unhealthy")
    (new,) = set(aws.members()) - {old}
    assert aws.members() == {old: "InService", new: "Pending:Wait"}
    aws.complete(new, hook="join")
    until(lambda: aws.members() == {new: "InService"})
    assert aws.shown()["InstanceMaintenancePolicy"] == policy


def test_standby_keeps_an_instance_out_of_service_without_terminating_it(aws: Aws) -> None:
    aws.group(DesiredCapacity=2)
    node, other = aws.in_service()
    aws.autoscaling.enter_standby(AutoScalingGroupName="nodes", InstanceIds=[node], ShouldDecrementDesiredCapacity=True)
    assert aws.members() == {node: "Standby", other: "InService"}
    assert aws.shown()["DesiredCapacity"] == 1
    aws.autoscaling.exit_standby(AutoScalingGroupName="nodes", InstanceIds=[node])
    assert sorted(aws.in_service()) == sorted([node, other])
    assert aws.shown()["DesiredCapacity"] == 2


def test_detaching_runs_no_hook_and_leaves_the_instance_running(aws: Aws) -> None:
    aws.group(DesiredCapacity=2)
    aws.hook()
    node, other = aws.in_service()
    aws.autoscaling.detach_instances(
        AutoScalingGroupName="nodes", InstanceIds=[node], ShouldDecrementDesiredCapacity=True
    )
    assert aws.members() == {other: "InService"}
    assert aws.state(node) == "running"


def test_az_rebalance_moves_an_instance_to_an_empty_zone_unless_it_is_suspended(aws: Aws) -> None:
    aws.group(DesiredCapacity=6)
    doomed = [i["InstanceId"] for i in aws.shown()["Instances"] if i["AvailabilityZone"].endswith("a")]
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes", ScalingProcesses=["AZRebalance"])
    for instance in doomed:
        aws.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )
    until(lambda: len(aws.members()) == 4)
    assert zones(aws) == {"b": 2, "c": 2}
    aws.autoscaling.resume_processes(AutoScalingGroupName="nodes", ScalingProcesses=["AZRebalance"])
    until(lambda: sorted(zones(aws).values()) == [1, 1, 2])


def test_a_group_with_instances_is_deleted_by_force_only_and_not_while_it_is_protected(aws: Aws) -> None:
    aws.group(DesiredCapacity=1, DeletionProtection="prevent-force-deletion")
    (node,) = aws.in_service()
    with pytest.raises(ClientError, match="while there are instances"):
        aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes")
    with pytest.raises(ClientError, match="protected from deletion"):
        aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName="nodes", DeletionProtection="none")
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
    assert not aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    until(lambda: aws.state(node) == "terminated")


def test_groups_are_found_by_tag_and_instances_say_their_group(aws: Aws) -> None:
    aws.group(DesiredCapacity=1, Tags=[{"Key": "vagus:cluster", "Value": "blue", "PropagateAtLaunch": True}])
    filters = [{"Name": "tag:vagus:cluster", "Values": ["blue"]}]
    found = aws.autoscaling.describe_auto_scaling_groups(Filters=filters)["AutoScalingGroups"]
    assert [g["AutoScalingGroupName"] for g in found] == ["nodes"]
    (details,) = aws.autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
    assert (details["AutoScalingGroupName"], details["HealthStatus"]) == ("nodes", "HEALTHY")


def test_accounts_do_not_see_each_others_groups(aws: Aws) -> None:
    aws.group(DesiredCapacity=0)
    other = Aws(aws.autoscaling.meta.endpoint_url, "999999999999")
    assert not other.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    other.close()


def test_what_ministack_only_pretended_is_refused(aws: Aws) -> None:
    aws.group(DesiredCapacity=0)
    with pytest.raises(ClientError, match="launch first"):
        aws.autoscaling.start_instance_refresh(AutoScalingGroupName="nodes")
