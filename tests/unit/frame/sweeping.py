"""A sweep over a simulated world, with zone_balance alone."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.simulation.world import World

from vagus.fleet import ClusterSpec
from vagus.procedure.room import Reads
from vagus.procedure.sweep import Sweep
from vagus.rooms import ROOMS
from vagus.search.fake_handshakes import FakeHandshakes

ALONE = {"zone_balance": ROOMS["zone_balance"]}


def sweep_of(
    world: World,
    fleet: Mapping[str, ClusterSpec] | None = None,
    search: Callable[[ClusterSpec], Any] | None = None,
    **more: Any,
) -> Sweep:
    """Of its cluster, or of a whole fleet; `search`: what of a cluster is found by its fleet file."""
    return Sweep(
        reads=Reads(
            groups=world.groups,
            search=search or (lambda _: world.engine),
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        fleet=fleet or {world.spec.name: world.spec},
        rooms=ALONE,
        executions={"zone_balance": world.machines},
        **more,
    )
