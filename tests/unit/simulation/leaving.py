"""What may befall a cluster while its instances leave by their hook."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import (
    DRAIN,
    FIFTH,
    FIRST,
    FOURTH,
    SECOND,
    SIXTH,
    THIRD,
    Scenario,
    always,
    by_hand,
    excluded_is,
    gone_red,
    later,
    leave,
    named,
    paged,
    restart,
)
from tests.unit.simulation.world import World

from vagus import owned
from vagus.owned import SettingsUpdate
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.rows import Lease


def six(**options: Any) -> World:
    world = World(**options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    return world


def one_leaves(**options: Any) -> World:
    return six(**options).when("scale in", always, leave(FIRST))


def three_leave(**options: Any) -> World:
    return six(**options).when("scale in", always, leave(FIRST, THIRD, FIFTH))


def one_leaves_while_a_person_excludes_another(**options: Any) -> World:
    world = six(**options)
    world.engine.update_settings(by_hand(FOURTH))
    return world.when("scale in", always, leave(FIRST))


def one_leaves_while_a_person_excludes_it_and_another_transiently(**options: Any) -> World:
    world = six(**options)
    world.engine.update_settings(by_hand(FIRST, FOURTH, transient=True))
    return world.when("scale in", always, leave(FIRST))


def the_instance_is_gone_already(**options: Any) -> World:
    def vanish(world: World) -> None:
        leave(FIRST)(world)
        world.groups.lose(FIRST)

    return six(**options).when("scale in, and terminated by somebody", always, vanish)


def the_instance_vanishes_while_it_is_drained(**options: Any) -> World:
    world = one_leaves(**options)
    return world.when("terminated by somebody", excluded_is(FIRST), lambda world: world.groups.lose(FIRST))


def its_node_is_lost_and_all_it_held_stands_elsewhere(**options: Any) -> World:
    world = six(**options)
    world.when("crash", always, lambda world: world.engine.crash(FIRST))
    return world.when("scale in", always, leave(FIRST))


def its_node_crashes_with_the_only_copy(**options: Any) -> World:
    world = World(**options).known()
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.when("scale in", always, leave(FIRST))
    world.when("crash", excluded_is(FIRST), lambda world: world.engine.crash(FIRST))
    return world.when("restart", later(600, gone_red), restart(FIRST))


def the_cluster_is_red(**options: Any) -> World:
    world = six(**options)
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.when("crash", always, lambda world: world.engine.crash(SIXTH))
    world.when("scale in", always, leave(FIRST))
    return world.when("restart", later(400, gone_red), restart(SIXTH))


def the_cluster_turns_red_midway_and_recovers(**options: Any) -> World:
    world = six(**options)
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.when("scale in", always, leave(FIRST))
    world.when("crash", later(3, excluded_is(FIRST)), lambda world: world.engine.crash(SIXTH))
    return world.when("restart", later(200, gone_red), restart(SIXTH))


def the_lease_is_lost_halfway(**options: Any) -> World:
    """Another capability takes the lease as if ours had run out, writes, and gives it back."""

    def put(holder: str, expires: float) -> Callable[[World], None]:
        def do(world: World) -> None:
            seen = world.seen()
            lease = Lease(holder=holder, token=seen.lease("topology").token + bool(holder), expires=expires)
            row = seen.put("lease#topology", lease)
            world.table.write(rows.partition(world.spec.name), Put(key=row.key, data=row.data, expected=row.expected))
            if holder:
                note = SettingsUpdate(persistent={owned.TOKEN: str(lease.token)})
                world.engine.update_settings(note)

        return do

    world = one_leaves(**options)
    world.when("taken", excluded_is(FIRST), lambda world: put("claims-rolling_upgrade-1", world.clock.now + 90)(world))
    return world.when("given back", later(70), put("", 0.0))


def a_person_removes_our_exclusion_and_sets_it_again(**options: Any) -> World:
    world = one_leaves(**options)
    world.when("removed", excluded_is(FIRST), lambda world: world.engine.update_settings(by_hand()))
    return world.when(
        "set again",
        later(300, paged("REMOVED_BY_HAND")),
        lambda world: world.engine.update_settings(by_hand(FIRST)),
    )


def a_person_removes_our_exclusion_and_ends_the_instance(**options: Any) -> World:
    world = one_leaves(**options)
    world.when("removed", excluded_is(FIRST), lambda world: world.engine.update_settings(by_hand()))
    return world.when("ended", later(300, paged("REMOVED_BY_HAND")), lambda world: world.groups.lose(FIRST))


def three(nowhere: str, **options: Any) -> World:
    world = World(spec=spec(per_zone=1, nowhere=nowhere), **options).known()  # type: ignore[arg-type]  # a Literal
    world.engine.create_index("notes", shards=2, replicas=2, size=DRAIN)
    return world


def nowhere_to_go_is_held(**options: Any) -> World:
    return three("hold", replaces="when_gone", **options).when("refresh", always, leave(FIRST, decrement=False))


def nowhere_to_go_until_a_replacement_launched_at_once(**options: Any) -> World:
    return three("hold", replaces="at_once", **options).when("refresh", always, leave(FIRST, decrement=False))


def one_zone_at_a_time(**options: Any) -> World:
    world = three("one_zone_at_a_time", replaces="when_gone", **options)
    return world.when("refresh", always, leave(FIRST, SECOND, decrement=False))


def it_hands_over_every_third_round(**options: Any) -> World:
    return one_leaves(**options, round_limit=3)


def an_index_has_a_copy_on_every_node(**options: Any) -> World:
    """As the security plugin's own index has: its copies can't move, the engine takes them away."""
    world = World(**options).known()
    world.engine.create_index("security", replicas=0, size=DRAIN // 10, expands=True)
    world.engine.create_index("notes", shards=2, replicas=1, size=DRAIN)
    return world.when("scale in", always, leave(FIRST, FOURTH))


def another_hook_holds_it_too(**options: Any) -> World:
    """AWS shows it as waiting all the while; another one must not wait for that."""
    return six(**options, second_hook=40.0).when("scale in", always, leave(FIRST, THIRD))


def what_aws_shows_lags(**options: Any) -> World:
    return three("hold", replaces="when_gone", **options, lag=30.0).when(
        "refresh", always, leave(FIRST, decrement=False)
    )


def no_event_at_all(**options: Any) -> World:
    return one_leaves(**options, events="never")


def managers_of_their_own_leave(**options: Any) -> World:
    """All three are replaced: one at a time, each after the replacement of the one before has a vote."""
    world = World(spec=spec(per_zone=1, managers=1), **options).known()
    world.engine.create_index("notes", shards=2, replicas=1, size=DRAIN)
    managers = [name for name, machine in world.engine.machines.items() if machine.manager]
    return world.when("refresh", always, leave(*managers, decrement=False))


def a_group_grows_and_another_shrinks(**options: Any) -> World:
    world = six(**options)
    world.groups.set_desired("claims-data-eu-west-1a", 1)
    world.groups.set_desired("claims-data-eu-west-1b", 3)
    seen = world.seen()
    noted = seen.put("sizes", {"claims-data-eu-west-1c": 2})
    world.table.write(rows.partition(world.spec.name), noted)
    return world


def an_event_of_an_instance_that_nobody_knows(**options: Any) -> World:
    world = six(**options)
    world.groups.scale_in(FIRST)
    for event in world.groups.events:
        event["detail"]["EC2InstanceId"] = f"i-{0xBAD:017x}"
    return world


def stale_exclusions_of_an_earlier_life(**options: Any) -> World:
    world = six(**options)
    stale = {owned.EXCLUDE: f"{FIFTH},i-dead", owned.MARK: "i-dead", owned.TOKEN: "1"}
    world.engine.update_settings(SettingsUpdate(persistent=stale))
    seen = world.seen()
    lease = seen.put("lease#topology", Lease(token=3))
    world.table.write(rows.partition(world.spec.name), lease)
    return world


def a_cluster_that_nobody_noted_yet(**options: Any) -> World:
    return World(**options)


def its_hook_runs_out(**options: Any) -> World:
    """The keeper is dead: the hook ends with ABANDON, the group retains it, and it is drained all the same."""

    def unkept(world: World) -> None:
        world.unkept = True
        leave(FIRST)(world)

    world = World(speed=1.0, **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=6000)
    return world.when("scale in", always, unkept)


LEAVING: Mapping[str, Scenario] = named(
    one_leaves,
    three_leave,
    one_leaves_while_a_person_excludes_another,
    one_leaves_while_a_person_excludes_it_and_another_transiently,
    the_instance_is_gone_already,
    the_instance_vanishes_while_it_is_drained,
    its_node_is_lost_and_all_it_held_stands_elsewhere,
    its_node_crashes_with_the_only_copy,
    the_cluster_is_red,
    the_cluster_turns_red_midway_and_recovers,
    the_lease_is_lost_halfway,
    a_person_removes_our_exclusion_and_sets_it_again,
    a_person_removes_our_exclusion_and_ends_the_instance,
    nowhere_to_go_is_held,
    nowhere_to_go_until_a_replacement_launched_at_once,
    one_zone_at_a_time,
    it_hands_over_every_third_round,
    another_hook_holds_it_too,
    what_aws_shows_lags,
    no_event_at_all,
    an_index_has_a_copy_on_every_node,
    managers_of_their_own_leave,
    a_group_grows_and_another_shrinks,
    an_event_of_an_instance_that_nobody_knows,
    stale_exclusions_of_an_earlier_life,
    a_cluster_that_nobody_noted_yet,
)
