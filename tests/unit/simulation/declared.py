"""What a simulated world is given: its clock and its declared cluster."""

from dataclasses import dataclass
from typing import Literal

from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.policy import Mode, Shards, ZoneBalance

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
START = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


@dataclass
class Clock:
    """The only time there is (epoch seconds)."""

    now: float = START

    def __call__(self) -> float:
        return self.now


def spec(
    *,
    per_zone: int = 2,
    zones: tuple[str, ...] = ZONES,
    name: str = "claims",
    nowhere: Literal["hold", "one_zone_at_a_time"] = "hold",
    managers: int = 0,
    mode: Mode = "act",
    shards: Shards | None = None,
    replicas: Literal["kept", "with_zones"] = "kept",
) -> ClusterSpec:
    """A declared cluster: nodes of one kind, or `managers` of their own in each zone beside data nodes."""
    groups = {"data": NodeGroup(roles=("data",) if managers else ("cluster_manager", "data"), per_zone=per_zone)}
    if managers:
        groups["managers"] = NodeGroup(roles=("cluster_manager",), per_zone=managers)
    return ClusterSpec(
        name=name,
        cell="hospital-a",
        engine=Engine(version="3.4.0"),
        zones=zones,
        groups=groups,
        zone_balance=ZoneBalance(mode=mode, nowhere_to_go=nowhere, shards=shards or Shards(), replicas=replicas),
    )
