"""Auto Scaling groups as `ports.GroupsWrite`.

Groups bear tags: `vagus:cluster` (which cluster), `vagus:group` (which kind of node; our templates set it, so a group
without it was adopted), `vagus:roles` (comma list), `vagus:cell`.

Hooks: describing groups tells nothing of their hooks, and asking group by group is too much for 500 clusters. So a
group is asked only where the answer matters or isn't known: while an instance waits, and when it was adopted. Else a
declared group is taken to have the hooks that its template gives it together with the tag. Where both were found that
is remembered for ten minutes; a missing one never is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Literal

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused, VagusError
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK, Group, Instance, Launch

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import (
        ActivityTypeDef,
        AutoScalingGroupTypeDef,
        AutoScalingInstanceDetailsTypeDef,
        FilterTypeDef,
        InstanceTypeDef,
        LaunchTemplateSpecificationTypeDef,
    )

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
OURS = ((TERMINATE_HOOK, TERMINATING), (LAUNCH_HOOK, LAUNCHING))
ABANDONED = "ABANDON"
"""In the words of a launch that its hook ended; one that was cancelled for a smaller size is no failure."""
INSTANCE_ID = re.compile(r"\bi-[0-9a-f]+")
FILTER_VALUES = 5
"""More clusters than this are picked out here: a filter of AWS takes few values."""
INSTANCES_A_CALL = 50
HOOK_MEMORY_SECONDS = 600.0
NO_ACTION = "No active Lifecycle Action"
GONE = ("InvalidInstanceID.NotFound",)


class AutoScalingGroups:
    """The groups of one cell (`None`: of the whole account and Region)."""

    def __init__(self, clients: Clients, cell: str | None = None) -> None:
        self._clients = clients
        self._cell = cell
        self._hooks: dict[str, float] = {}

    # -- reads -----------------------------------------------------------------------------------------------------

    def describe(self, clusters: Sequence[str] | None = None) -> tuple[Group, ...]:
        """The groups of these clusters, or of all, by name."""
        pages = self._clients.autoscaling.get_paginator("describe_auto_scaling_groups")
        found = read(
            "autoscaling",
            lambda: [
                group
                for page in pages.paginate(Filters=self._filters(clusters), PaginationConfig={"PageSize": 100})
                for group in page["AutoScalingGroups"]
            ],
        )
        groups = (self._group(group) for group in sorted(found, key=lambda group: group["AutoScalingGroupName"]))
        return tuple(group for group in groups if clusters is None or group.cluster in clusters)

    def groups_of(self, instances: Sequence[str]) -> dict[str, str]:
        """The group of each of these instances that is in one; AWS leaves out those that it does not know."""
        found: dict[str, str] = {}
        for first in range(0, len(instances), INSTANCES_A_CALL):
            asked = list(instances[first : first + INSTANCES_A_CALL])
            found |= {one["InstanceId"]: one["AutoScalingGroupName"] for one in self._members(asked)}
        return found

    def _members(self, instances: list[str]) -> list[AutoScalingInstanceDetailsTypeDef]:
        told = read(
            "autoscaling", lambda: self._clients.autoscaling.describe_auto_scaling_instances(InstanceIds=instances)
        )
        return told["AutoScalingInstances"]

    def waiting_since(self, group: str, instance: str) -> datetime | None:
        """When its terminating activity began; `None` if none is under way (AWS keeps activities for six weeks)."""
        pages = self._clients.autoscaling.get_paginator("describe_scaling_activities")

        def find() -> datetime | None:
            for page in pages.paginate(AutoScalingGroupName=group):  # newest first
                for activity in page["Activities"]:
                    said = activity.get("Description", "")
                    if said.startswith("Terminating") and instance in said and "EndTime" not in activity:
                        return activity["StartTime"]
            return None

        return read("autoscaling", find)

    def launches(self, group: str, since: datetime) -> tuple[Launch, ...]:
        """Every try to launch an instance that began since then, newest first."""
        pages = self._clients.autoscaling.get_paginator("describe_scaling_activities")

        def find() -> tuple[Launch, ...]:
            found: list[Launch] = []
            for page in pages.paginate(AutoScalingGroupName=group):  # newest first
                for activity in page["Activities"]:
                    if activity["StartTime"] < since:
                        return tuple(found)
                    if activity.get("Description", "").startswith("Launching"):
                        found.append(_launch(activity))
            return tuple(found)

        return read("autoscaling", find)

    def _filters(self, clusters: Sequence[str] | None) -> list[FilterTypeDef]:
        filters: list[FilterTypeDef] = [{"Name": "tag-key", "Values": ["vagus:cluster"]}]
        if clusters is not None and len(clusters) <= FILTER_VALUES:
            filters = [{"Name": "tag:vagus:cluster", "Values": list(clusters)}]
        if self._cell is not None:
            filters.append({"Name": "tag:vagus:cell", "Values": [self._cell]})
        return filters

    def _group(self, group: AutoScalingGroupTypeDef) -> Group:
        tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", []) if "Key" in tag}
        instances = tuple(_instance(one) for one in group.get("Instances", []))
        declared = "vagus:group" in tags
        waits = any(one.waits_to_leave or one.waits_to_serve for one in instances)
        name = group["AutoScalingGroupName"]
        terminate, launch = self._hooks_of(name) if waits or not declared else (TERMINATE_HOOK, LAUNCH_HOOK)
        return Group(
            name=name,
            cluster=tags["vagus:cluster"],
            zone=group["AvailabilityZones"][0],
            roles=tuple(role for role in tags.get("vagus:roles", "").split(",") if role),
            desired=group["DesiredCapacity"],
            instances=tuple(sorted(instances, key=lambda one: one.id)),
            retains=retains(group),
            hook=terminate,
            launch_hook=launch,
            suspended=tuple(sorted(one["ProcessName"] for one in group.get("SuspendedProcesses", []))),
            mode="declared" if declared else "adopted",
            least=group["MinSize"],
            most=group["MaxSize"],
            replaces_early=group.get("CapacityRebalance", False),
            template=_template(_launched_from(group)),
        )

    def hooks(self, group: str) -> tuple[str | None, str | None]:
        """Our terminate hook and our launch hook, asked anew."""
        found = read(
            "autoscaling", lambda: self._clients.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)
        )
        there = {(hook["LifecycleHookName"], hook["LifecycleTransition"]) for hook in found["LifecycleHooks"]}
        terminate, launch = (name if (name, transition) in there else None for name, transition in OURS)
        return terminate, launch

    def _hooks_of(self, group: str) -> tuple[str | None, str | None]:
        """Our terminate hook and our launch hook, as far as the group has them."""
        if monotonic() < self._hooks.get(group, 0.0):
            return TERMINATE_HOOK, LAUNCH_HOOK
        try:
            found = self.hooks(group)
        except (
            VagusError
        ):  # one group that can't be asked must cost no other its heartbeat; a wrong name answers "none"
            return TERMINATE_HOOK, LAUNCH_HOOK
        if None not in found:
            self._hooks[group] = monotonic() + HOOK_MEMORY_SECONDS
        return found

    # -- writes ----------------------------------------------------------------------------------------------------

    def complete(self, group: str, hook: str, instance: str, result: Literal["CONTINUE", "ABANDON"]) -> bool:
        """End a waiting hook, by the instance: AWS tells nobody its token again. `False`: none waits."""
        try:
            with translated("autoscaling"):
                self._clients.autoscaling.complete_lifecycle_action(
                    AutoScalingGroupName=group,
                    LifecycleHookName=hook,
                    InstanceId=instance,
                    LifecycleActionResult=result,
                )
        except Refused as error:
            return _unless_none_waits(error)
        return True

    def heartbeat(self, group: str, hook: str, instance: str) -> bool:
        """Start a waiting hook's time-out anew. `False`: none waits."""
        try:
            with translated("autoscaling"):
                self._clients.autoscaling.record_lifecycle_action_heartbeat(
                    AutoScalingGroupName=group, LifecycleHookName=hook, InstanceId=instance
                )
        except Refused as error:
            return _unless_none_waits(error)
        return True

    def set_desired(self, group: str, desired: int) -> None:
        """Give a group a size, whatever its cooldown says. Raises `Refused` outside its bounds."""
        with translated("autoscaling"):
            self._clients.autoscaling.set_desired_capacity(
                AutoScalingGroupName=group, DesiredCapacity=desired, HonorCooldown=False
            )

    def suspend_launching(self, group: str) -> None:
        """Suspend the process `Launch`; twice is as once."""
        with translated("autoscaling"):
            self._clients.autoscaling.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])

    def resume_launching(self, group: str) -> None:
        """Resume it; harmless where it is not suspended."""
        with translated("autoscaling"):
            self._clients.autoscaling.resume_processes(AutoScalingGroupName=group, ScalingProcesses=["Launch"])

    def replace(self, instance: str) -> None:
        """`TerminateInstanceInAutoScalingGroup` without decrement; one that is in no group is as good as done."""
        try:
            with translated("autoscaling"):
                self._clients.autoscaling.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance, ShouldDecrementDesiredCapacity=False
                )
        except Refused as error:
            if "not found" not in str(error).lower():
                raise

    def terminate(self, instance: str) -> None:
        """`ec2:TerminateInstances`; an instance that is gone is as good as done."""
        try:
            with translated("ec2"):
                self._clients.ec2.terminate_instances(InstanceIds=[instance])
        except Refused as error:
            if code_of(error.__cause__) not in GONE:
                raise


def _instance(one: InstanceTypeDef) -> Instance:
    return Instance(
        id=one["InstanceId"],
        zone=one["AvailabilityZone"],
        lifecycle=one["LifecycleState"],
        healthy=one["HealthStatus"].lower() == "healthy",
        template=_template(one.get("LaunchTemplate", {})),
        protected=one.get("ProtectedFromScaleIn", False),
    )


def _launched_from(group: AutoScalingGroupTypeDef) -> LaunchTemplateSpecificationTypeDef:
    """The one launch template of a group; nothing where some of its instances get another."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    if any("LaunchTemplateSpecification" in one for one in mixed.get("Overrides", [])):
        return {}
    return group.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification", {})


def _template(said: LaunchTemplateSpecificationTypeDef) -> str:
    """As `lt-0abc:3`; "" where the version is no number. AWS tells ids wherever it tells names."""
    version, known = said.get("Version", ""), said.get("LaunchTemplateId", "")
    return f"{known}:{version}" if known and version.isdecimal() else ""


def _launch(activity: ActivityTypeDef) -> Launch:
    """A launch that a hook still holds has no end; one that failed says why in `StatusMessage`."""
    named = INSTANCE_ID.search(activity.get("Description", ""))
    ended = activity.get("EndTime")
    why = activity.get("StatusMessage", "")
    return Launch(
        instance=named.group() if named else "",
        started=activity["StartTime"].timestamp(),
        ended=ended.timestamp() if ended else None,
        failed=activity["StatusCode"] == "Failed" or (activity["StatusCode"] == "Cancelled" and ABANDONED in why),
        why=why,
    )


def retains(group: AutoScalingGroupTypeDef) -> bool:
    """Whether an ABANDON keeps the instance: the group's own policy says so."""
    triggers = group.get("InstanceLifecyclePolicy", {}).get("RetentionTriggers", {})
    return triggers.get("TerminateHookAbandon") == "retain"


def _unless_none_waits(error: Refused) -> bool:
    if NO_ACTION.lower() in str(error).lower():
        return False
    raise error
