"""Parts of scenarios: instances by name, what people, EC2 and the weather do to them, and when."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.unit.simulation.world import World

from vagus import owned
from vagus.owned import SettingsUpdate
from vagus.plan import Ask
from vagus.procedure import records

FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = (f"i-{number:017x}" for number in range(1, 7))
"""Two per zone: FIRST and SECOND in the first, and so on. (One per zone where `per_zone` is 1.)"""
DRAIN = 20_000
"""Bytes of a shard: 20 seconds at the world's speed."""
Scenario = Callable[..., World]


def named(*scenarios: Scenario) -> Mapping[str, Scenario]:
    """Each by its name, as tests are called by it."""
    return {make.__name__: make for make in scenarios}


def always(_: World) -> bool:
    return True


def excluded_is(node: str) -> Callable[[World], bool]:
    """We have begun to keep shards off it."""
    return lambda world: node in world.excluded()


def gone(node: str) -> Callable[[World], bool]:
    return lambda world: node not in world.engine.machines


def paged(reason: str) -> Callable[[World], bool]:
    """A person was told."""
    return lambda world: any(reason in page for page in world.pages)


def leave(*nodes: str, decrement: bool = True) -> Callable[[World], None]:
    def do(world: World) -> None:
        for node in nodes:
            world.groups.scale_in(node, decrement=decrement)

    return do


def later(seconds: float, start: Callable[[World], bool] = always) -> Callable[[World], bool]:
    """So many seconds after `start` first held."""
    since: list[float] = []

    def due(world: World) -> bool:
        if not since and start(world):
            since.append(world.clock.now)
        return bool(since) and world.clock.now >= since[0] + seconds

    return due


def by_hand(*names: str, transient: bool = False) -> SettingsUpdate:
    value = {owned.EXCLUDE: ",".join(names) or None}
    return SettingsUpdate(transient=value) if transient else SettingsUpdate(persistent=value)


def gone_red(world: World) -> bool:
    return world.engine.shards.status() == "red"


def restart(node: str) -> Callable[[World], None]:
    def do(world: World) -> None:
        machine = world.engine.machines[node]
        world.engine.start_node(node, machine.zone)

    return do


def told_by_ec2(detail_type: str, node: str, source: str = "aws.ec2", **detail: Any) -> Callable[[World], None]:
    """EC2, or AWS Health, says something of an instance."""

    def do(world: World) -> None:
        world.groups.events.append(
            {
                "source": source,
                "detail-type": detail_type,
                "time": world.iso(),
                "detail": {"instance-id": node, **detail},
            }
        )

    return do


spot_warning = partial(told_by_ec2, "EC2 Spot Instance Interruption Warning")
rebalance = partial(told_by_ec2, "EC2 Instance Rebalance Recommendation")


def reclaimed(node: str) -> Callable[[World], None]:
    return lambda world: world.groups.lose(node)


def retires(node: str, days: float = 14) -> Callable[[World], None]:
    def do(world: World) -> None:
        told_by_ec2(
            "AWS Health Event",
            node,
            "aws.health",
            service="EC2",
            eventTypeCode="AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
            communicationId=f"{node}-1",
            startTime=records.iso(world.clock.now + days * 86_400),
            affectedEntities=[{"entityValue": node}],
        )(world)

    return do


def stopped(world: World) -> bool:
    return world.head().paused


def asked(world: World) -> bool:
    return isinstance(world.shown(), Ask)


def noticed() -> Callable[[World], bool]:
    """A person has seen that something is to be approved, and it still is."""
    since_a_while = later(90, asked)
    return lambda world: since_a_while(world) and asked(world)


def moved(world: World) -> bool:
    """A wave was sent."""
    return bool(world.engine.reroutes)
