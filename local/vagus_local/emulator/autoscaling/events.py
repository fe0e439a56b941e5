"""What EventBridge is told of: hooks that begin, and launches and terminations that end."""

import uuid

from vagus_local.emulator.autoscaling import model
from vagus_local.emulator.autoscaling.model import Activity, Group, Hook, Member, Wait
from vagus_local.emulator.eventbridge import emit, region_arn


def hook_event(group: Group, member: Member, hook: Hook, wait: Wait) -> None:
    """A lifecycle action: whoever answers the hook needs its token."""
    leaving = member.leaving
    detail = {
        "LifecycleActionToken": wait.token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": hook.name,
        "EC2InstanceId": member.instance,
        "LifecycleTransition": hook.transition,
        "Origin": "AutoScalingGroup" if leaving else "EC2",
        "Destination": "EC2" if leaving else "AutoScalingGroup",
    } | ({"NotificationMetadata": hook.metadata} if hook.metadata else {})
    name = "EC2 Instance-terminate Lifecycle Action" if leaving else "EC2 Instance-launch Lifecycle Action"
    emit("aws.autoscaling", name, [group.arn], detail)


def instance_event(name: str, group: Group, activity: Activity, instance: str, origin: str, destination: str) -> None:
    """A launch or a termination ended, well or not. `instance`: empty where none came of it."""
    ended = activity.ended or model.now()
    detail = {
        "StatusCode": "InProgress" if activity.status == "Successful" else activity.status,
        "StatusMessage": activity.message,
        "Description": activity.description,
        "Cause": activity.cause,
        "ActivityId": activity.id,
        "RequestId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "EC2InstanceId": instance,
        "StartTime": activity.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "EndTime": ended.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "Details": activity.details,
        "Origin": origin,
        "Destination": destination,
    }
    resources = [group.arn] + ([region_arn("ec2", f"instance/{instance}")] if instance else [])
    emit("aws.autoscaling", name, resources, detail)
