"""Where a cluster's nodes answer: its running instances by tag, zones in turn."""

from itertools import chain, zip_longest

from vagus.aws.clients import Clients
from vagus.aws.errors import read


def addresses(clients: Clients, cluster: str) -> tuple[str, ...]:
    """Private addresses, one zone after the other, so that a lost zone costs every second try at most."""
    pages = clients.ec2.get_paginator("describe_instances")
    found = read(
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
    zones: dict[str, list[str]] = {}
    for instance in sorted(found, key=lambda one: one["InstanceId"]):
        if address := instance.get("PrivateIpAddress"):
            zones.setdefault(instance["Placement"]["AvailabilityZone"], []).append(address)
    turns = zip_longest(*(zones[zone] for zone in sorted(zones)))
    return tuple(address for address in chain.from_iterable(turns) if address is not None)
