"""Lifecycle hooks and retention, as AWS documents them and operators met them."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import HOOK_SCALE, Aws, until

from vagus_local.emulator.autoscaling.model import TERMINATING, Hook

RETAIN = {"RetentionTriggers": {"TerminateHookAbandon": "retain"}}


def leaving(aws: Aws, **group: Any) -> str:
    """An instance in Terminating:Wait, of a group of two that has a terminate hook."""
    aws.group(MinSize=0, DesiredCapacity=2, **group)
    aws.hook()
    instance = aws.in_service()[0]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    waiting = [i for i, state in aws.members().items() if state == "Terminating:Wait"]
    assert len(waiting) == 1, aws.members()
    assert instance in aws.members()
    return waiting[0]


def test_a_terminate_hook_holds_the_instance_running_until_continue(aws: Aws) -> None:
    instance = leaving(aws)
    assert aws.state(instance) == "running"
    aws.complete(instance)
    until(lambda: instance not in aws.members())
    assert aws.state(instance) == "terminated"
    assert len(aws.in_service()) == 1


def test_abandon_terminates_too_when_nothing_says_retain(aws: Aws) -> None:
    instance = leaving(aws)
    aws.complete(instance, "ABANDON")
    until(lambda: instance not in aws.members())
    assert aws.state(instance) == "terminated"


def test_the_time_out_takes_the_default_result(aws: Aws) -> None:
    instance = leaving(aws)
    aws.hook(HeartbeatTimeout=30)  # the waiting instance keeps the hook it met
    assert aws.members()[instance] == "Terminating:Wait"
    other = aws.in_service()[0]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    until(lambda: other not in aws.members())
    assert aws.members() == {instance: "Terminating:Wait"}


def test_a_heartbeat_starts_the_time_out_anew(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    aws.hook(HeartbeatTimeout=200)
    instance = aws.in_service()[0]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    time_out, started = 200 * HOOK_SCALE, time.monotonic()

    def more_than_the_time_out_has_passed() -> bool:
        aws.autoscaling.record_lifecycle_action_heartbeat(
            AutoScalingGroupName="nodes", LifecycleHookName="drain", InstanceId=instance
        )
        return time.monotonic() - started > 1.5 * time_out

    until(more_than_the_time_out_has_passed)
    assert aws.members() == {instance: "Terminating:Wait"}
    until(lambda: not aws.members())


def test_the_longest_wait_is_100_heartbeats_or_48_hours(aws: Aws) -> None:
    assert Hook("drain", TERMINATING, timeout=300).longest == 30_000
    assert Hook("drain", TERMINATING, timeout=7200).longest == 48 * 3600
    aws.group(DesiredCapacity=0)
    aws.hook(HeartbeatTimeout=300)
    shown = aws.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="nodes")["LifecycleHooks"][0]
    assert shown["GlobalTimeout"] == 30_000


def test_a_late_answer_finds_no_active_lifecycle_action(aws: Aws) -> None:
    instance = leaving(aws)
    aws.complete(instance)
    with pytest.raises(ClientError, match="No active Lifecycle Action found") as refused:
        aws.complete(instance)
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_abandon_retains_where_the_group_says_so_and_the_instance_is_replaced(aws: Aws) -> None:
    """Retained: still running and billed, not counted, replaced; TerminateInstances ends it and it leaves the group."""
    aws.group(DesiredCapacity=1, InstanceLifecyclePolicy=RETAIN)
    aws.hook()
    instance = aws.in_service()[0]
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=False)
    assert aws.members()[instance] == "Terminating:Wait"
    replacement = aws.in_service()[0]
    aws.complete(instance, "ABANDON")
    assert aws.members() == {instance: "Terminating:Retained", replacement: "InService"}
    assert aws.state(instance) == "running"
    assert aws.shown()["InstanceLifecyclePolicy"] == RETAIN
    aws.ec2.terminate_instances(InstanceIds=[instance])
    until(lambda: aws.members() == {replacement: "InService"})


def test_a_time_out_with_default_abandon_retains_too(aws: Aws) -> None:
    aws.group(DesiredCapacity=1, InstanceLifecyclePolicy=RETAIN)
    aws.hook(HeartbeatTimeout=30)
    instance = aws.in_service()[0]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    until(lambda: aws.members() == {instance: "Terminating:Retained"})


def test_a_retained_instance_goes_by_the_groups_own_call_as_well(aws: Aws) -> None:
    instance = leaving(aws, InstanceLifecyclePolicy=RETAIN)
    aws.complete(instance, "ABANDON")
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=False)
    until(lambda: instance not in aws.members())
    assert aws.state(instance) == "terminated"


def test_continue_of_one_hook_waits_for_the_others_and_abandon_ends_them_all(aws: Aws) -> None:
    aws.group(DesiredCapacity=2)
    aws.hook(name="drain")
    aws.hook(name="audit")
    first, second = aws.in_service()
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    aws.complete(first, hook="drain")
    assert aws.members()[first] == "Terminating:Wait"
    aws.complete(first, hook="audit")
    aws.complete(second, "ABANDON", hook="audit")
    until(lambda: not aws.members())


def test_a_launch_hook_holds_the_instance_in_pending_wait(aws: Aws) -> None:
    aws.group(DesiredCapacity=0)
    aws.hook(name="join", going=False)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    ((instance, state),) = aws.members().items()
    assert (state, aws.state(instance)) == ("Pending:Wait", "running")
    aws.complete(instance, hook="join")
    assert aws.members() == {instance: "InService"}


def test_an_abandoned_launch_is_terminated_and_tried_again(aws: Aws) -> None:
    aws.group(DesiredCapacity=0)
    aws.hook(name="join", going=False)
    aws.hook(name="drain")
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    (instance,) = aws.members()
    aws.complete(instance, "ABANDON", hook="join")
    until(lambda: instance not in aws.members() and aws.members())
    assert aws.state(instance) == "terminated"
    assert list(aws.members().values()) == ["Pending:Wait"]


def test_deleting_a_hook_lets_waiting_instances_go_on(aws: Aws) -> None:
    instance = leaving(aws)
    aws.autoscaling.delete_lifecycle_hook(AutoScalingGroupName="nodes", LifecycleHookName="drain")
    until(lambda: instance not in aws.members())


def test_terminating_the_instance_itself_passes_every_hook_and_the_group_replaces_it(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    aws.hook()
    instance = aws.in_service()[0]
    aws.ec2.terminate_instances(InstanceIds=[instance])
    until(lambda: instance not in aws.members())
    until(lambda: len(aws.in_service()) == 1)
    assert aws.state(instance) == "terminated"


def test_terminating_a_waiting_instance_ends_its_wait(aws: Aws) -> None:
    instance = leaving(aws)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    until(lambda: instance not in aws.members())
    with pytest.raises(ClientError, match="No active Lifecycle Action found"):
        aws.complete(instance)


def test_the_terminate_event_and_its_completion_have_awss_shape(aws: Aws) -> None:
    events = aws.listen("aws.autoscaling")
    aws.group(DesiredCapacity=1)
    aws.hook(NotificationMetadata="for the drain")
    instance = aws.in_service()[0]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    found = until(lambda: [e for e in events() if e["detail-type"] == "EC2 Instance-terminate Lifecycle Action"])
    event, detail = found[0], found[0]["detail"]
    assert event["resources"] == [aws.shown()["AutoScalingGroupARN"]]
    assert detail.pop("LifecycleActionToken")
    assert detail == {
        "AutoScalingGroupName": "nodes",
        "LifecycleHookName": "drain",
        "EC2InstanceId": instance,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": "for the drain",
        "Origin": "AutoScalingGroup",
        "Destination": "EC2",
    }
    aws.complete(instance)
    done = until(lambda: [e for e in events() if e["detail-type"] == "EC2 Instance Terminate Successful"])[0]
    assert done["detail"]["EC2InstanceId"] == instance
    assert done["detail"]["Details"]["Availability Zone"] == "us-east-1a"
    assert (done["detail"]["Origin"], done["detail"]["Destination"]) == ("AutoScalingGroup", "EC2")


def test_launch_events_say_what_was_launched_or_why_not(aws: Aws) -> None:
    events = aws.listen("aws.autoscaling")
    aws.group(DesiredCapacity=1)
    good = until(lambda: [e for e in events() if e["detail-type"] == "EC2 Instance Launch Successful"])[0]["detail"]
    assert good["EC2InstanceId"] == aws.in_service()[0]
    assert set(good) >= {"ActivityId", "RequestId", "StartTime", "EndTime", "Cause", "Description", "Details"}
    aws.ec2.delete_launch_template(LaunchTemplateName="nodes")
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=2)
    bad = until(lambda: [e for e in events() if e["detail-type"] == "EC2 Instance Launch Unsuccessful"])[0]["detail"]
    assert (bad["EC2InstanceId"], bad["StatusCode"]) == ("", "Failed")
    assert "launch template" in bad["StatusMessage"]
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)


def test_the_launch_hooks_event(aws: Aws) -> None:
    events = aws.listen("aws.autoscaling")
    aws.group(DesiredCapacity=0)
    aws.hook(name="join", going=False)
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=1)
    detail = until(lambda: [e for e in events() if e["detail-type"] == "EC2 Instance-launch Lifecycle Action"])[0][
        "detail"
    ]
    assert detail["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert (detail["Origin"], detail["Destination"]) == ("EC2", "AutoScalingGroup")
    # the token answers as well as the instance id does
    aws.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="nodes",
        LifecycleHookName="join",
        LifecycleActionToken=detail["LifecycleActionToken"],
        LifecycleActionResult="CONTINUE",
    )
    assert aws.members() == {detail["EC2InstanceId"]: "InService"}


def test_the_activity_of_a_waiting_termination_tells_its_start(aws: Aws) -> None:
    instance = leaving(aws)
    activity = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName="nodes")["Activities"][0]
    assert activity["Description"] == f"Terminating EC2 instance: {instance}"
    assert activity["StatusCode"] == "MidLifecycleAction"
    assert "EndTime" not in activity
    aws.complete(instance)
    until(lambda: instance not in aws.members())
    ended = aws.autoscaling.describe_scaling_activities(
        AutoScalingGroupName="nodes", ActivityIds=[activity["ActivityId"]]
    )["Activities"][0]
    assert (ended["StartTime"], ended["StatusCode"]) == (activity["StartTime"], "Successful")
    assert ended["EndTime"] >= ended["StartTime"]
