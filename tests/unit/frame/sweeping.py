"""A sweep over a simulated world, with zone_balance alone."""

from tests.unit.simulation.world import World

from vagus.procedure.room import Reads
from vagus.procedure.sweep import Sweep
from vagus.rooms import ROOMS
from vagus.search.fake_handshakes import FakeHandshakes

ALONE = {"zone_balance": ROOMS["zone_balance"]}


def sweep_of(world: World) -> Sweep:
    return Sweep(
        reads=Reads(
            groups=world.groups,
            search=lambda _: world.engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        fleet={world.spec.name: world.spec},
        rooms=ALONE,
        executions={"zone_balance": world.machines},
    )
