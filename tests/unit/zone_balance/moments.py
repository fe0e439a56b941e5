"""Worlds at the moment when a step of zone_balance is decided, and the two questions that are asked of it."""

import msgspec
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import DRAIN, FIRST
from tests.unit.simulation.world import World

from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.procedure import rows
from vagus.procedure.room import Writes
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import Step
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed
from vagus.zone_balance.room import HANDLERS

GROUP, HOOK = "claims-data-eu-west-1a", "vagus-terminate"
TOKEN = 5


def six() -> World:
    world = World().known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    return world


def leaving() -> World:
    world = six()
    world.groups.scale_in(FIRST)
    return world


def emptied() -> World:
    world = leaving()
    do(world, decided(world))
    world.clock.now += 120
    return world


def drained() -> World:
    world = emptied()
    do(world, decided(world))
    return world


def retained() -> World:
    world = drained()
    world.groups.complete(GROUP, HOOK, FIRST, "ABANDON")
    return world


def lost() -> World:
    world = six()
    world.engine.crash(FIRST)
    world.groups.scale_in(FIRST)
    return world


def one_zone() -> World:
    world = World(spec=spec(per_zone=1, nowhere="one_zone_at_a_time"), replaces="when_gone").known()
    world.engine.create_index("notes", shards=1, replicas=2, size=DRAIN)
    world.groups.scale_in(FIRST, decrement=False)
    do(world, decided(world))
    return world


def voted_out() -> World:
    """Its vote was taken, and its node is gone."""
    world = drained()
    world.groups.lose(FIRST)
    world.sync()
    return world


def stuck() -> World:
    world = World(spec=spec(per_zone=1), replaces="when_gone").known()
    world.engine.create_index("notes", shards=1, replicas=2, size=DRAIN)
    world.groups.scale_in(FIRST, decrement=False)
    return world


def over() -> World:
    world = leaving()
    do(world, decided(world))
    let_go(world, FIRST)
    return world


def let_go(world: World, *instances: str) -> None:
    """They were let go, and are gone."""
    for instance in instances:
        seen = world.seen()
        intent = next(one for one in seen.intents if one.instance == instance)
        noted = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, let_go=world.iso()))
        world.table.write(rows.partition("claims"), noted)
        world.groups.lose(instance)
    world.sync()


def departed() -> World:
    """Somebody ended it while it was drained."""
    world = leaving()
    do(world, decided(world))
    world.groups.lose(FIRST)
    world.sync()
    return world


def unknown() -> World:
    return World()


def writes(world: World) -> Writes:
    return Writes(
        spec=world.spec,
        groups=world.groups,
        search=world.engine,
        parameters=world.parameters,
        commands=world.commands,
        handshakes=FakeHandshakes(),
        authority_keys=FakeAuthorityKeys(),
        secrets=FakeSecrets(),
        imported=FakeImported(lambda: world.clock.now),
        table=world.table,
        now=world.clock.now,
        iso=world.iso(),
    )


def decided(world: World) -> Step:
    """The step that decide would do now."""
    seen = world.seen()
    observed = Observed(
        cluster=world.engine.look(),
        groups=world.groups.describe(),
        intents=seen.intents,
        identity=seen.identity,
        sizes=seen.sizes,
    )
    plan = decide(observed, world.spec, world.clock.now)
    step: Step = plan.steps[0]  # type: ignore[union-attr]  # a plan without steps is an error here
    return step


def checked(world: World, step: Step, token: int = TOKEN) -> str | None:
    return HANDLERS[type(step)].check(writes(world), world.seen(), step, token)


def do(world: World, step: Step) -> None:
    HANDLERS[type(step)].do(writes(world), world.seen(), step, TOKEN)
