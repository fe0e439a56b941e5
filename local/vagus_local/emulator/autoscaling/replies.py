"""What Describe... shows of the store, as dicts in the shapes of botocore's model."""

from typing import Any

from vagus_local.emulator.autoscaling.model import Activity, Group, Hook, Member
from vagus_local.emulator.autoscaling.refresh import Refresh, left, percentage


def group(shown: Group) -> dict[str, Any]:
    return {
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "DefaultCooldown": 300,
        **shown.extra,
        "AutoScalingGroupName": shown.name,
        "AutoScalingGroupARN": shown.arn,
        "MinSize": shown.minimum,
        "MaxSize": shown.maximum,
        "DesiredCapacity": shown.desired,
        "AvailabilityZones": shown.zones,
        "VPCZoneIdentifier": ",".join(shown.subnets),
        "LaunchTemplate": shown.template or None,
        "TerminationPolicies": shown.policies,
        "NewInstancesProtectedFromScaleIn": shown.protect_new,
        "CreatedTime": shown.created,
        "Instances": [instance(m) for m in shown.members.values()],
        "SuspendedProcesses": [{"ProcessName": k, "SuspensionReason": v} for k, v in shown.suspended.items()],
        "Tags": shown.tags,
        "InstanceLifecyclePolicy": _lifecycle_policy(shown),
        "DeletionProtection": shown.deletion_protection,
    }


def _lifecycle_policy(shown: Group) -> dict[str, Any] | None:
    return {"RetentionTriggers": {"TerminateHookAbandon": "retain"}} if shown.retain else None


def instance(member: Member) -> dict[str, Any]:
    return {
        "InstanceId": member.instance,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": member.state,
        "HealthStatus": member.health,
        "LaunchTemplate": member.template or None,
        "ProtectedFromScaleIn": member.protected,
    }


def instance_details(of: Group, member: Member) -> dict[str, Any]:
    # DescribeAutoScalingInstances writes the health in capitals, DescribeAutoScalingGroups does not
    return instance(member) | {"AutoScalingGroupName": of.name, "HealthStatus": member.health.upper()}


def activity(of: Group, shown: Activity) -> dict[str, Any]:
    details = ",".join(f'"{key}":"{value}"' for key, value in shown.details.items())
    return {
        "ActivityId": shown.id,
        "AutoScalingGroupName": of.name,
        "AutoScalingGroupARN": of.arn,
        "Description": shown.description,
        "Cause": shown.cause,
        "StartTime": shown.started,
        "EndTime": shown.ended,
        "StatusCode": shown.status,
        "StatusMessage": shown.message or None,
        "Progress": shown.progress,
        "Details": "{" + details + "}",
    }


def refresh(of: Group, shown: Refresh) -> dict[str, Any]:
    return {
        "InstanceRefreshId": shown.id,
        "AutoScalingGroupName": of.name,
        "Status": shown.status,
        "StartTime": shown.started,
        "EndTime": shown.ended,
        "PercentageComplete": percentage(of, shown),
        "InstancesToUpdate": left(of, shown),
    }


def hook(of: Group, shown: Hook) -> dict[str, Any]:
    return {
        "LifecycleHookName": shown.name,
        "AutoScalingGroupName": of.name,
        "LifecycleTransition": shown.transition,
        "HeartbeatTimeout": shown.timeout,
        "GlobalTimeout": shown.longest,
        "DefaultResult": shown.default,
        "NotificationMetadata": shown.metadata or None,
        "NotificationTargetARN": shown.target or None,
        "RoleARN": shown.role or None,
    }
