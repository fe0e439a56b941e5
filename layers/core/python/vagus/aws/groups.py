"""Auto Scaling groups as `ports.GroupsWrite`.

Groups bear tags: `vagus:cluster` (which cluster), `vagus:group` (which kind of node; our templates set it, so a group
without it was adopted), `vagus:roles` (comma list), `vagus:cell`.

Hooks: describing groups tells nothing of their hooks, and asking group by group is too much for 500 clusters. So a
group is asked only where the answer matters or isn't known: while an instance waits, and when it was adopted. Else a
declared group is taken to have the hook that its template gives it together with the tag. Found hooks are remembered
for ten minutes; a missing one never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Literal

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused, VagusError
from vagus.instances import TERMINATE_HOOK, Group, Instance

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import (
        AutoScalingGroupTypeDef,
        AutoScalingInstanceDetailsTypeDef,
        FilterTypeDef,
        InstanceTypeDef,
    )

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
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
        waits = any(one.waits_to_leave for one in instances)
        name = group["AutoScalingGroupName"]
        return Group(
            name=name,
            cluster=tags["vagus:cluster"],
            zone=group["AvailabilityZones"][0],
            roles=tuple(role for role in tags.get("vagus:roles", "").split(",") if role),
            desired=group["DesiredCapacity"],
            instances=tuple(sorted(instances, key=lambda one: one.id)),
            retains=retains(group),
            hook=self._hook(name) if waits or not declared else TERMINATE_HOOK,
            suspended=tuple(sorted(one["ProcessName"] for one in group.get("SuspendedProcesses", []))),
            mode="declared" if declared else "adopted",
            least=group["MinSize"],
            most=group["MaxSize"],
            replaces_early=group.get("CapacityRebalance", False),
        )

    def _hook(self, group: str) -> str | None:
        if monotonic() < self._hooks.get(group, 0.0):
            return TERMINATE_HOOK
        try:
            found = read(
                "autoscaling", lambda: self._clients.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)
            )
        except (
            VagusError
        ):  # one group that can't be asked must cost no other its heartbeat; a wrong name answers "none"
            return TERMINATE_HOOK
        for hook in found["LifecycleHooks"]:
            if hook["LifecycleHookName"] == TERMINATE_HOOK and hook["LifecycleTransition"] == TERMINATING:
                self._hooks[group] = monotonic() + HOOK_MEMORY_SECONDS
                return TERMINATE_HOOK
        return None

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
    )


def retains(group: AutoScalingGroupTypeDef) -> bool:
    """Whether an ABANDON keeps the instance: the group's own policy says so."""
    triggers = group.get("InstanceLifecyclePolicy", {}).get("RetentionTriggers", {})
    return triggers.get("TerminateHookAbandon") == "retain"


def _unless_none_waits(error: Refused) -> bool:
    if NO_ACTION.lower() in str(error).lower():
        return False
    raise error
