"""Makes and changes groups and hooks from what the API or a template says (both use the same names)."""

import uuid
from typing import Any

from ministack.core import responses
from ministack.services import ec2 as rows

from vagus_local.emulator.autoscaling import lifecycle, model
from vagus_local.emulator.autoscaling.model import Group, Hook
from vagus_local.emulator.autoscaling.query import Refusal, invalid
from vagus_local.emulator.eventbridge import region_arn
from vagus_local.emulator.seams import truth

_SHOWN = (
    "CapacityRebalance",
    "Context",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "InstanceMaintenancePolicy",
    "MaxInstanceLifetime",
    "ServiceLinkedRoleARN",
    "TargetGroupARNs",
)
"""Kept and shown, without behaviour (the maintenance policy also decides the order of a replacement)."""


def create(said: dict[str, Any]) -> Group:
    """A new group, its instances launched. A group made without DesiredCapacity starts at MinSize."""
    name = str(said["AutoScalingGroupName"])
    if model.find(name):
        raise Refusal(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    arn = region_arn("autoscaling", f"autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{name}")
    minimum, maximum = int(said["MinSize"]), int(said["MaxSize"])
    group = Group(name, arn, minimum, maximum, int(said.get("DesiredCapacity", minimum)))
    _check_size(group)
    _apply(group, said)
    put_tags(group, said.get("Tags", []))
    for hook in said.get("LifecycleHookSpecificationList", []):
        put_hook(group, hook)
    model.groups[name] = group
    lifecycle.reconcile(group)
    return group


def change(group: Group, said: dict[str, Any]) -> None:
    """A desired size that nobody mentions stays, except that it is kept between the bounds."""
    group.minimum = int(said.get("MinSize", group.minimum))
    group.maximum = int(said.get("MaxSize", group.maximum))
    wanted = int(said.get("DesiredCapacity", group.desired))
    if "DesiredCapacity" not in said:
        wanted = min(max(wanted, group.minimum), group.maximum)
    group.desired = wanted
    _check_size(group)
    _apply(group, said)
    lifecycle.reconcile(group)


def _check_size(group: Group) -> None:
    if group.minimum > group.maximum:
        raise invalid("Max bound, must be greater than or equal to min bound.")
    if not group.minimum <= group.desired <= group.maximum:
        raise invalid("Desired capacity must be between the specified min size and max size.")


def _apply(group: Group, said: dict[str, Any]) -> None:
    group.extra |= {key: _plain(said[key]) for key in _SHOWN if key in said}
    if "LaunchTemplate" in said:
        group.template = launch_template(said["LaunchTemplate"])
    if "TerminationPolicies" in said:
        group.policies = list(said["TerminationPolicies"])
    if "NewInstancesProtectedFromScaleIn" in said:
        group.protect_new = truth(said["NewInstancesProtectedFromScaleIn"])
    if "InstanceLifecyclePolicy" in said:
        triggers = (said["InstanceLifecyclePolicy"] or {}).get("RetentionTriggers", {})
        group.retain = triggers.get("TerminateHookAbandon") == "retain"
    if "DeletionProtection" in said:
        group.deletion_protection = said["DeletionProtection"]
    policy = group.extra.get("InstanceMaintenancePolicy") or {}
    group.launch_before_terminate = int(policy.get("MinHealthyPercentage", -1)) >= 100
    _place(group, said)


def _plain(value: Any) -> Any:
    """Numbers arrive from templates as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _place(group: Group, said: dict[str, Any]) -> None:
    subnets = said.get("VPCZoneIdentifier")
    if subnets:
        group.subnets = subnets if isinstance(subnets, list) else [s.strip() for s in subnets.split(",")]
        if unknown := [s for s in group.subnets if s not in rows._subnets]:
            raise invalid(f"The subnet ID '{unknown[0]}' does not exist")
        group.zones = list(dict.fromkeys(rows._subnets[s]["AvailabilityZone"] for s in group.subnets))
    elif said.get("AvailabilityZones"):
        group.zones = list(said["AvailabilityZones"])
    group.zones = group.zones or [f"{responses.get_region()}a"]


def launch_template(spec: dict[str, Any]) -> dict[str, str]:
    """Id, name and version of a template given by id or by name; refused when there is none such."""
    by_name = spec.get("LaunchTemplateName")
    for record in rows._launch_templates.values():
        if spec.get("LaunchTemplateId") == record["LaunchTemplateId"] or by_name == record["LaunchTemplateName"]:
            return {
                "LaunchTemplateId": record["LaunchTemplateId"],
                "LaunchTemplateName": record["LaunchTemplateName"],
                "Version": str(spec.get("Version") or "$Default"),
            }
    raise invalid("The specified launch template, with template ID or name, does not exist.")


def put_tags(group: Group, tags: list[dict[str, Any]]) -> None:
    """Set these tags, keeping the others."""
    new = [
        {
            "Key": str(tag["Key"]),
            "Value": str(tag.get("Value", "")),
            "PropagateAtLaunch": truth(tag.get("PropagateAtLaunch", False)),
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
        }
        for tag in tags
    ]
    keys = {tag["Key"] for tag in new}
    group.tags = [tag for tag in group.tags if tag["Key"] not in keys] + new


def drop_tags(group: Group, keys: set[str]) -> None:
    group.tags = [tag for tag in group.tags if tag["Key"] not in keys]


def put_hook(group: Group, said: dict[str, Any]) -> None:
    """Create a hook, or change the members that are said. Instances that wait keep the hook they met."""
    name = said["LifecycleHookName"]
    old = group.hooks.get(name)
    timeout = int(said.get("HeartbeatTimeout", old.timeout if old else 3600))
    if not 30 <= timeout <= 7200:
        raise invalid("HeartbeatTimeout must be between 30 and 7200 seconds.")
    if old is None and "LifecycleTransition" not in said:
        raise invalid("LifecycleTransition is required for a new lifecycle hook.")
    group.hooks[name] = Hook(
        name=name,
        transition=said.get("LifecycleTransition", old.transition if old else ""),
        timeout=timeout,
        default=said.get("DefaultResult", old.default if old else "ABANDON"),
        metadata=said.get("NotificationMetadata", old.metadata if old else ""),
        target=said.get("NotificationTargetARN", old.target if old else ""),
        role=said.get("RoleARN", old.role if old else ""),
    )


def delete(group: Group, *, force: bool) -> None:
    """Refused while it has instances, unless forced: they are then terminated without hooks."""
    if group.deletion_protection == "prevent-all-deletion" or (force and group.deletion_protection != "none"):
        raise invalid(f"The group {group.name} is protected from deletion ({group.deletion_protection}).")
    if group.members and not force:
        raise Refusal(
            "ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances still in the group."
        )
    model.groups.pop(group.name)
    for member in list(group.members.values()):
        lifecycle.take_away(member)
