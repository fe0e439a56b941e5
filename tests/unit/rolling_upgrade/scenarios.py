"""What may befall a restart or an upgrade. Each makes a fresh world; `crashes` and the like are its own."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from tests.unit.rolling_upgrade.world import ROOM, VERSION, RollingWorld, declared, world
from tests.unit.simulation.world import World

from vagus.intent import Rolling, restart, upgrade
from vagus.procedure import rows
from vagus.reasons import Reason

Scenario = Callable[..., RollingWorld]
FIRST, SECOND, THIRD = (f"i-{number:017x}" for number in range(1, 4))


def always(_: World) -> bool:
    return True


def wants_restart(rolling: World) -> None:
    assert isinstance(rolling, RollingWorld)
    rolling.ask(restart(rolling.processes(), rolling.iso(), "ada"))


def wants_upgrade(rolling: World) -> None:
    assert isinstance(rolling, RollingWorld)
    rolling.ask(upgrade(rolling.spec.engine.version, rolling.iso(), "ada"))


def aborts(rolling: World) -> None:
    seen = rolling.seen()
    (intent,) = seen.intents_of(ROOM)
    noted = msgspec.structs.replace(intent.rolling or Rolling(), aborted="ada")
    row = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, rolling=noted))
    rolling.table.write(rows.partition(rolling.spec.name), row)


def asked(rolling: World) -> bool:
    """The run asks a person."""
    return any("APPROVAL_NEEDED" in page for page in rolling.pages)


def told(reason: str) -> Callable[[World], bool]:
    return lambda rolling: any(reason in page for page in rolling.pages)


def approves(rolling: World) -> None:
    rolling.approve(8 * 3600, ROOM)


def restarted(count: int) -> Callable[[World], bool]:
    return lambda rolling: isinstance(rolling, RollingWorld) and len(rolling.restarts) >= count


def all_restart(**options: Any) -> RollingWorld:
    rolling = world(**options)
    rolling.when("a person asks", always, wants_restart)
    return rolling


def all_are_upgraded(**options: Any) -> RollingWorld:
    rolling = world(runs="2.19.4", **options)
    rolling.when("a person asks", always, wants_upgrade)
    rolling.when("a person approves", asked, approves)
    return rolling


def one_was_upgraded_by_hand(**options: Any) -> RollingWorld:
    """And there is no snapshot: a person is told, takes one, and only then approves. That node counts as it is."""
    rolling = world(runs="2.19.4", **options)
    rolling.engine.machines[FIRST].version = "3.4.0"
    rolling.restarts.append(FIRST)
    rolling.engine.newest_snapshot = None

    def snapshot(one: World) -> None:
        one.engine.newest_snapshot = one.clock.now

    rolling.when("a person asks", always, wants_upgrade)
    rolling.when("a snapshot", lambda one: one.seen().head(ROOM).reason == Reason.NO_FRESH_SNAPSHOT, snapshot)
    rolling.when("a person approves", asked, approves)
    return rolling


def the_archive_is_spoilt_until_a_person_mends_it(**options: Any) -> RollingWorld:
    """The first node finds it while it serves: until then nobody is told to bring that version, nor is one stopped."""
    rolling = all_are_upgraded(**options)
    rolling.spoilt.add("3.4.0")

    def mend(one: World) -> None:
        assert (one.parameters.values[VERSION], rolling.restarts) == ("2.19.4", [])
        rolling.spoilt.clear()

    rolling.when("mended", lambda one: any("NOT_STAGED" in page for page in one.pages), mend)
    return rolling


def some_go_together(**options: Any) -> RollingWorld:
    rolling = world(spec=declared(per_zone=3, batch=2), **options)
    rolling.when("a person asks", always, wants_restart)
    return rolling


def an_instance_leaves_meanwhile(**options: Any) -> RollingWorld:
    rolling = all_restart(**options)
    rolling.when("scale in", restarted(2), lambda one: one.groups.scale_in(THIRD, decrement=True))
    return rolling


def a_person_stops_and_resumes(**options: Any) -> RollingWorld:
    rolling = all_restart(**options)
    rolling.when("vagus stop", restarted(2), lambda one: one.halt(ROOM))
    rolling.when("vagus resume", lambda one: "PAUSED" in one.seen().head(ROOM).reason, lambda one: one.resume(ROOM))
    return rolling


def a_person_aborts(**options: Any) -> RollingWorld:
    rolling = all_restart(**options)
    rolling.when("vagus abort", restarted(2), aborts)
    return rolling


def a_node_does_not_start_until_a_person_mends_it(**options: Any) -> RollingWorld:
    rolling = all_restart(**options)
    rolling.broken.add(SECOND)

    def mend(one: World) -> None:
        assert isinstance(one, RollingWorld)
        one.broken.discard(SECOND)
        one.start(SECOND)

    rolling.when("mended", lambda one: any("NODE_NOT_BACK" in page for page in one.pages), mend)
    return rolling


def a_node_does_not_start_until_a_person_ends_its_instance(**options: Any) -> RollingWorld:
    """As the page says: its group launches another."""
    rolling = all_restart(**options)
    rolling.broken.add(SECOND)
    rolling.when("ended", told("NODE_NOT_BACK"), lambda one: one.groups.scale_in(SECOND, decrement=False))
    return rolling


def an_agent_is_dead_until_a_person_ends_its_instance(**options: Any) -> RollingWorld:
    rolling = all_restart(**options)
    rolling.commands.deaf.add(SECOND)
    rolling.when("ended", told("NOT_RESTARTED"), lambda one: one.groups.scale_in(SECOND, decrement=False))
    return rolling


def an_agent_is_dead_until_a_person_restarts_it(**options: Any) -> RollingWorld:
    """What was sent to it happens at no other time; the node serves on; a person is called."""
    rolling = all_restart(**options)
    rolling.commands.deaf.add(SECOND)

    def mend(one: World) -> None:
        one.commands.deaf.discard(SECOND)

    rolling.when("mended", lambda one: any("NOT_RESTARTED" in page for page in one.pages), mend)
    return rolling


def ssm_refuses_one_of_two_until_a_person_mends_its_agent(**options: Any) -> RollingWorld:
    """Two of a zone are to be restarted, and go together: the other one is told, and awaited."""
    rolling = world(spec=declared(per_zone=3, batch=2), **options)
    both = {name: rolling.processes()[name] for name in (SECOND, THIRD)}
    rolling.when("a person asks", always, lambda _: rolling.ask(restart(both, rolling.iso(), "ada")))
    rolling.unregistered.add(THIRD)

    def mend(one: World) -> None:
        assert isinstance(one, RollingWorld)
        assert one.restarts == [SECOND]
        assert not [name for name in one.engine.look().persistent if "allocation.enable" in name]
        one.unregistered.clear()

    rolling.when("mended", told("NOT_RESTARTED"), mend)
    return rolling


SCENARIOS: Mapping[str, Scenario] = {
    make.__name__: make
    for make in (
        all_restart,
        all_are_upgraded,
        one_was_upgraded_by_hand,
        some_go_together,
        an_instance_leaves_meanwhile,
        a_person_stops_and_resumes,
        a_node_does_not_start_until_a_person_mends_it,
        an_agent_is_dead_until_a_person_restarts_it,
        the_archive_is_spoilt_until_a_person_mends_it,
    )
}
