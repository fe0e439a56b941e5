"""Where a cluster's nodes answer: its running instances by tag, zones in turn."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from vagus.aws.clients import Clients
from vagus.aws.errors import read

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import InstanceTypeDef


def by_instance(clients: Clients, cluster: str) -> dict[str, str]:
    """Private address by instance id, of a cluster's running instances."""
    return {
        one["InstanceId"]: one["PrivateIpAddress"] for one in _running(clients, cluster) if "PrivateIpAddress" in one
    }


def addresses(clients: Clients, cluster: str) -> tuple[str, ...]:
    """Private addresses, one zone after the other, so that a lost zone costs every second try at most."""
    found = _running(clients, cluster)
    zones: dict[str, list[str]] = {}
    for instance in sorted(found, key=lambda one: one["InstanceId"]):
        if address := instance.get("PrivateIpAddress"):
            zones.setdefault(instance["Placement"]["AvailabilityZone"], []).append(address)
    turns = zip_longest(*(zones[zone] for zone in sorted(zones)))
    return tuple(address for address in chain.from_iterable(turns) if address is not None)


def _running(clients: Clients, cluster: str) -> list[InstanceTypeDef]:
    pages = clients.ec2.get_paginator("describe_instances")
    return read(
        "ec2",
        lambda: [
            instance
            for page in pages.paginate(
                Filters=[
                    {"Name": "tag:vagus:cluster", "Values": [cluster]},
                    {"Name": "instance-state-name", "Values": ["running"]},
                ]
            )
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ],
    )
