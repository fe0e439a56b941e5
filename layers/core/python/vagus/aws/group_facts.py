"""Auto Scaling groups as `vagus.group_safety` judges them: with hooks, launch templates and instances. Reads only.

It costs a call for each group's hooks and template, so it is asked now and then, not at each look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from vagus.aws.clients import Clients
from vagus.aws.errors import read
from vagus.aws.groups import retains
from vagus.errors import Refused
from vagus.group_safety import GroupFacts, Hook, Machine

if TYPE_CHECKING:
    from types_boto3_autoscaling.type_defs import (
        AutoScalingGroupTypeDef,
        FilterTypeDef,
        LaunchTemplateSpecificationTypeDef,
    )

AT_ONCE = 100
"""Names in one call: AWS takes 100 groups and 200 values of a filter."""
GOING = ("shutting-down", "terminated")
TEMPLATE = "its launch template"


class GroupFactsReader:
    """The groups of one account and Region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of_cluster(self, cluster: str) -> tuple[GroupFacts, ...]:
        """Every group that bears the cluster's tag, by name."""
        return self._facts([{"Name": "tag:vagus:cluster", "Values": [cluster]}], None)

    def named(self, names: Sequence[str]) -> tuple[GroupFacts, ...]:
        """Groups by their names; those that there are not are left out."""
        return tuple(one for some in batched(names, AT_ONCE, strict=False) for one in self._facts([], some))

    def _facts(self, filters: list[FilterTypeDef], names: Sequence[str] | None) -> tuple[GroupFacts, ...]:
        asked: dict[str, Any] = {"Filters": filters} if names is None else {"AutoScalingGroupNames": list(names)}
        pages = self._clients.autoscaling.get_paginator("describe_auto_scaling_groups")
        found = _all("autoscaling", lambda: pages.paginate(**asked), "AutoScalingGroups")
        instances = self._instances([one["InstanceId"] for group in found for one in group.get("Instances", [])])
        return tuple(
            self._one(group, instances) for group in sorted(found, key=lambda one: one["AutoScalingGroupName"])
        )

    def _one(self, group: AutoScalingGroupTypeDef, instances: Mapping[str, Machine]) -> GroupFacts:
        tags = {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", []) if "Key" in tag}
        made, unread = self._templates(group)
        members = (instances.get(one["InstanceId"]) for one in group.get("Instances", []))
        return GroupFacts(
            name=group["AutoScalingGroupName"],
            zones=tuple(sorted(group["AvailabilityZones"])),
            roles=tuple(role for role in tags.get("vagus:roles", "").split(",") if role),
            health_checks=tuple(sorted(group["HealthCheckType"].split(","))),
            hooks=self._hooks(group["AutoScalingGroupName"]),
            retains=retains(group),
            warm_pool="WarmPoolConfiguration" in group,
            longest_life=group.get("MaxInstanceLifetime", 0),
            healthy=_healthy(group),
            suspended=tuple(sorted(one["ProcessName"] for one in group.get("SuspendedProcesses", []))),
            machines=(*made, *(one for one in members if one is not None)),
            unread=unread,
        )

    def _hooks(self, group: str) -> tuple[Hook, ...]:
        call = self._clients.autoscaling.describe_lifecycle_hooks
        found = read("autoscaling", lambda: call(AutoScalingGroupName=group))["LifecycleHooks"]
        return tuple(
            Hook(
                name=hook["LifecycleHookName"],
                transition=hook["LifecycleTransition"],
                timeout=hook["HeartbeatTimeout"],
                default_result=hook["DefaultResult"],
            )
            for hook in found
        )

    # -- how instances are made ------------------------------------------------------------------------------------

    def _templates(self, group: AutoScalingGroupTypeDef) -> tuple[list[Machine], tuple[str, ...]]:
        """A machine for each template that may be used; and what could not be described."""
        mixed = group.get("MixedInstancesPolicy", {})
        some_spot = mixed.get("InstancesDistribution", {}).get("OnDemandPercentageAboveBaseCapacity", 100) < 100
        made: list[Machine] = []
        unread: list[str] = []
        for template in _specifications(group):
            try:
                made.append(_machine(TEMPLATE, self._template(template), spot=some_spot))
            except Refused:  # deleted, or a version that is gone: what it says can't be known
                unread.append(TEMPLATE)
        if "LaunchConfigurationName" in group:
            unread.append("its launch configuration")
        return made, tuple(unread)

    def _template(self, template: LaunchTemplateSpecificationTypeDef) -> Mapping[str, Any]:
        asked: dict[str, Any] = {"Versions": [template.get("Version", "$Default")]}
        for key in ("LaunchTemplateId", "LaunchTemplateName"):
            if key in template:
                asked[key] = template[key]
                break
        found = read("ec2", lambda: self._clients.ec2.describe_launch_template_versions(**asked))
        for version in found["LaunchTemplateVersions"]:
            return version["LaunchTemplateData"]
        raise Refused(f"launch template {asked}: no such version")

    def _instances(self, ids: Sequence[str]) -> dict[str, Machine]:
        pages = self._clients.ec2.get_paginator("describe_instances")
        found: list[Mapping[str, Any]] = []
        for some in batched(ids, AT_ONCE, strict=False):
            asked = partial(pages.paginate, Filters=[{"Name": "instance-id", "Values": list(some)}])
            reservations = _all("ec2", asked, "Reservations")
            found += [instance for one in reservations for instance in one["Instances"]]
        return {
            one["InstanceId"]: _machine(f"instance {one['InstanceId']}", one, spot=_is_spot(one))
            for one in found
            if one.get("State", {}).get("Name") not in GOING
        }


def _all(service: str, pages: Callable[[], Iterable[Any]], key: str) -> list[Any]:
    return read(service, lambda: [one for page in pages() for one in page[key]])


def _specifications(group: AutoScalingGroupTypeDef) -> Iterator[LaunchTemplateSpecificationTypeDef]:
    """Every launch template that the group may use."""
    if "LaunchTemplate" in group:
        yield group["LaunchTemplate"]
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    if "LaunchTemplateSpecification" in mixed:
        yield mixed["LaunchTemplateSpecification"]
    for override in mixed.get("Overrides", []):
        if "LaunchTemplateSpecification" in override:
            yield override["LaunchTemplateSpecification"]


def _machine(what: str, said: Mapping[str, Any], *, spot: bool) -> Machine:
    """Of LaunchTemplateData, or of an instance: both name these fields alike."""
    metadata = said.get("MetadataOptions", {})
    return Machine(
        what=what,
        spot=spot or said.get("InstanceMarketOptions", {}).get("MarketType") == "spot",
        tokens_required=metadata.get("HttpTokens") == "required" or metadata.get("HttpEndpoint") == "disabled",
        kept_volumes=tuple(
            mapping["DeviceName"]
            for mapping in said.get("BlockDeviceMappings", [])
            if mapping.get("Ebs", {}).get("DeleteOnTermination") is False
        ),
    )


def _is_spot(instance: Mapping[str, Any]) -> bool:
    return instance.get("InstanceLifecycle") == "spot"


def _healthy(group: AutoScalingGroupTypeDef) -> tuple[int, int] | None:
    policy = group.get("InstanceMaintenancePolicy", {})
    if "MinHealthyPercentage" not in policy or "MaxHealthyPercentage" not in policy:
        return None
    return policy["MinHealthyPercentage"], policy["MaxHealthyPercentage"]
