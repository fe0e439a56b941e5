"""A cluster's status: what of its rows and groups is shown, and what becomes of what can't be read."""

from datetime import UTC, datetime

import msgspec
from tests.unit.frame.parts import NOW, put
from tests.unit.simulation.happenings import FIRST
from tests.unit.simulation.world import World

from vagus.errors import Denied
from vagus.intent import leave
from vagus.procedure import noted_status, records, standing
from vagus.procedure.room import Reads
from vagus.procedure.rows import Lease
from vagus.rooms import ROOMS
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.status import Shown, Status


def of(world: World) -> Status:
    shows = standing.Shows(
        reads=Reads(
            groups=world.groups,
            search=lambda _: world.engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        rooms={"zone_balance": ROOMS["zone_balance"]},
        executions=dict.fromkeys(ROOMS, world.machines),
    )
    return standing.of(shows, world.spec, world.clock.now)


def test_a_lease_counts_while_it_is_in_force() -> None:
    world = World().known()
    now = world.clock.now
    held = Lease(holder="claims-zone_balance-1", token=3, expires=now + 60, since=now - 4000)
    put(world.table, lease__topology=held)
    assert [(one.holder, one.seconds) for one in of(world).leases] == [("claims-zone_balance-1", 4000)]
    world.clock.now += 61
    assert of(world).leases == ()


def test_a_hook_has_what_is_left_of_48_hours() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    world.clock.now += 1800
    (hook,) = of(world).hooks
    assert (hook.instance, hook.seconds_left) == (FIRST, 48 * 3600 - 1800)
    assert hook.since == records.iso(world.clock.now - 1800)


def test_an_intent_is_late_from_its_deadline_on() -> None:
    world = World().known()
    due = datetime.fromtimestamp(world.clock.now + 120, UTC).isoformat()
    put(world.table, **{"intent__leave-i-9": msgspec.structs.replace(leave("i-9", "g", "t", "event"), deadline=due)})
    assert [one.late for one in of(world).intents] == [False]
    world.clock.now += 121
    assert [one.late for one in of(world).intents] == [True]


def test_another_cluster_than_the_noted_one_is_named() -> None:
    world = World().known()
    assert of(world).wrong_cluster == ""
    world.engine.uuid = "uuid-2"
    assert of(world).wrong_cluster == "uuid-2"


def test_an_unreachable_cluster_is_shown_with_its_groups_and_instances() -> None:
    world = World().known()
    world.engine.unreachable = True
    found = of(world)
    assert found.health.unseen.startswith("Unreachable: ")
    assert found.fault == ""
    assert {one.version for one in found.nodes} == {""}
    assert len(found.nodes) == sum(len(group.instances) for group in world.groups.describe())


def test_what_can_not_be_read_is_a_fault() -> None:
    world = World().known()

    def denied(*_: object) -> object:
        raise Denied("dynamodb:Query", "no")

    world.table.read = denied  # type: ignore[method-assign, assignment]
    assert of(world).fault.startswith("Denied: ")


def test_what_was_noted_is_read_again() -> None:
    world = World().known()
    noted_status.note_lines(world.table, world.spec.name, "watch", [Shown(title="last snapshot", says="an hour ago")])
    found = of(world)
    noted_status.note(world.table, found)
    noted_status.note(world.table, found)
    assert noted_status.last(world.table, world.spec.name) == found
    assert [line.title for line in found.lines] == ["last snapshot"]


def test_the_status_of_a_very_large_cluster_fits_into_its_row() -> None:
    world = World().known()
    found = of(world)
    node = msgspec.structs.replace(found.nodes[0], roles=("cluster_manager", "data", "ingest"), event="e" * 80)
    many = tuple(msgspec.structs.replace(node, name=f"i-{number:017x}") for number in range(1000))
    noted_status.note(world.table, msgspec.structs.replace(found, nodes=many))
    noted = noted_status.last(world.table, world.spec.name)
    assert noted is not None
    assert len(noted.nodes) == noted_status.MOST_NODES
    assert len(msgspec.json.encode(noted)) < 300_000


def test_the_last_event_of_an_instance_goes_after_a_month() -> None:
    world = World().known()
    noted_status.note_event(world.table, "claims", "i-1", "EC2 Instance Launch Successful", records.iso(NOW))
    assert world.table.expiries == {("status#claims", "event#i-1"): int(NOW) + 30 * 86400}


def test_whoever_may_not_ask_since_when_an_instance_waits_sees_that_it_does() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)

    def denied(*_: object) -> None:
        raise Denied("autoscaling:DescribeScalingActivities", "no")

    world.groups.waiting_since = denied  # type: ignore[method-assign, assignment]
    found = of(world)
    assert found.fault == ""
    assert [(one.instance, one.since, one.seconds_left) for one in found.hooks] == [(FIRST, "", None)]
