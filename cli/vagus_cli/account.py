"""An account as `vagus adopt` looks at it: the groups that may belong to a cluster. Reads only; needs no tag of ours.

Beside `opening`, this is where the command line knows AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import Any

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import read
from vagus.aws.group_facts import GroupFactsReader
from vagus.cluster import Cluster
from vagus.group_safety import GroupFacts
from vagus.search.tls import Tls

AT_ONCE = 100


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An instance of a group. `volumes`: GiB by device; `root` is the device that it boots from."""

    id: str
    zone: str
    address: str
    type: str
    root: str
    volumes: Mapping[str, int]
    tags: Mapping[str, str]


class FoundGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it stands there. `most`: its MaxSize."""

    name: str
    zones: tuple[str, ...]
    most: int
    tags: Mapping[str, str]
    members: tuple[Member, ...]
    facts: GroupFacts


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """How a running cluster is reached. `tls=None`: with the secret `vagus/<cluster>/read`, if there is one."""

    addresses: tuple[str, ...]
    port: int = 9200
    tls: Tls | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What adopting has of the outside; `opening` makes it of AWS or of the local stack, tests make it of fakes."""

    where: str
    region: str
    groups: Callable[[str, Sequence[str]], tuple[FoundGroup, ...]]
    look: Callable[[str, Door], Cluster]


def belongs(name: str, tags: Mapping[str, str], cluster: str) -> bool:
    """Whether a group seems to be the cluster's: by any tag's value, or by the beginning of its name."""
    return cluster in tags.values() or name == cluster or name.startswith((f"{cluster}-", f"{cluster}_"))


def groups(clients: Clients, cluster: str, names: Sequence[str]) -> tuple[FoundGroup, ...]:
    """The groups that were named; unsaid, those that seem to be the cluster's."""
    pages = clients.autoscaling.get_paginator("describe_auto_scaling_groups")
    every = read("autoscaling", lambda: [group for page in pages.paginate() for group in page["AutoScalingGroups"]])
    wanted: list[Mapping[str, Any]] = [
        dict(group)
        for group in every
        if (
            group["AutoScalingGroupName"] in names
            if names
            else belongs(group["AutoScalingGroupName"], _tags(group.get("Tags", [])), cluster)
        )
    ]
    facts = {one.name: one for one in GroupFactsReader(clients).named([one["AutoScalingGroupName"] for one in wanted])}
    members = _members(clients, [member["InstanceId"] for one in wanted for member in one["Instances"]])
    return tuple(
        FoundGroup(
            name=one["AutoScalingGroupName"],
            zones=tuple(sorted(one["AvailabilityZones"])),
            most=one["MaxSize"],
            tags=_tags(one.get("Tags", [])),
            members=tuple(members[item["InstanceId"]] for item in one["Instances"] if item["InstanceId"] in members),
            facts=facts[one["AutoScalingGroupName"]],
        )
        for one in sorted(wanted, key=lambda one: one["AutoScalingGroupName"])
        if one["AutoScalingGroupName"] in facts  # one that was deleted meanwhile is not there
    )


def _members(clients: Clients, ids: Sequence[str]) -> dict[str, Member]:
    pages = clients.ec2.get_paginator("describe_instances")
    found: list[Mapping[str, Any]] = []
    for some in batched(ids, AT_ONCE, strict=False):
        asked = partial(pages.paginate, Filters=[{"Name": "instance-id", "Values": list(some)}])
        found += read("ec2", partial(_instances, asked))
    sizes = _sizes(clients, [volume for one in found for volume in _volumes(one).values()])
    return {one["InstanceId"]: _member(one, sizes) for one in found if one.get("PrivateIpAddress")}


def _instances(pages: Callable[[], Any]) -> list[Mapping[str, Any]]:
    return [one for page in pages() for reservation in page["Reservations"] for one in reservation["Instances"]]


def _sizes(clients: Clients, ids: Sequence[str]) -> dict[str, int]:
    """GiB by volume."""
    pages = clients.ec2.get_paginator("describe_volumes")
    sizes: dict[str, int] = {}
    for some in batched(ids, AT_ONCE, strict=False):
        asked = partial(pages.paginate, Filters=[{"Name": "volume-id", "Values": list(some)}])
        sizes |= read("ec2", partial(_size_of_each, asked))
    return sizes


def _size_of_each(pages: Callable[[], Any]) -> dict[str, int]:
    return {one["VolumeId"]: one["Size"] for page in pages() for one in page["Volumes"]}


def _member(said: Mapping[str, Any], sizes: Mapping[str, int]) -> Member:
    return Member(
        id=said["InstanceId"],
        zone=said["Placement"]["AvailabilityZone"],
        address=said["PrivateIpAddress"],
        type=said["InstanceType"],
        root=said.get("RootDeviceName", ""),
        volumes={device: sizes[volume] for device, volume in _volumes(said).items() if volume in sizes},
        tags=_tags(said.get("Tags", [])),
    )


def _volumes(said: Mapping[str, Any]) -> dict[str, str]:
    """Volume by device."""
    mappings = said.get("BlockDeviceMappings", [])
    return {one["DeviceName"]: one["Ebs"]["VolumeId"] for one in mappings if "VolumeId" in one.get("Ebs", {})}


def _tags(tags: Sequence[Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}
