"""What may befall a cluster while its instances leave. Each makes a fresh world; `crashes` and the like are its own."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.unit.simulation.declared import spec
from tests.unit.simulation.world import World

from vagus import owned
from vagus.owned import SettingsUpdate
from vagus.plan import Ask
from vagus.policy import Shards
from vagus.ports import Put
from vagus.procedure import records, rows
from vagus.procedure.rows import Lease
from vagus.zone_balance.layout import skews

FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH = (f"i-{number:017x}" for number in range(1, 7))
"""Two per zone: FIRST and SECOND in the first, and so on. (One per zone where `per_zone` is 1.)"""
DRAIN = 20_000
"""Bytes of a shard: 20 seconds at the world's speed."""

Scenario = Callable[..., World]


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


# -- scenarios -------------------------------------------------------------------------------------------------------


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


def gone_red(world: World) -> bool:
    return world.engine.shards.status() == "red"


def restart(node: str) -> Callable[[World], None]:
    def do(world: World) -> None:
        machine = world.engine.machines[node]
        world.engine.start_node(node, machine.zone)

    return do


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


# -- instances that go by themselves ---------------------------------------------------------------------------------


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


def a_spot_instance_is_reclaimed(**options: Any) -> World:
    """Each shard has another copy: nothing has to be saved, and nothing is lost."""
    world = six(**options).when("warned", always, spot_warning(FIRST))
    return world.when("reclaimed", later(120), reclaimed(FIRST))


def a_spot_instance_holds_last_copies(**options: Any) -> World:
    """They are moved first, and arrive in time: EC2 is late enough for a run that dies and is started again."""
    world = World(**options).known()
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.when("warned", always, spot_warning(FIRST))
    return world.when("reclaimed", later(400), reclaimed(FIRST))


def a_spot_instance_is_reclaimed_before_its_last_copy_has_moved(**options: Any) -> World:
    """What is lost is noted and told; a person gives the index up."""
    world = World(**options).known()
    world.engine.create_index("huge", shards=6, replicas=0, size=10 * DRAIN)
    world.when("warned", always, spot_warning(FIRST))
    world.when("reclaimed", later(120), reclaimed(FIRST))
    return world.when("given up", later(300, paged("LOST_WITH_DATA")), lambda world: world.engine.delete_index("huge"))


def a_spot_warning_comes_true_while_its_hook_waits(**options: Any) -> World:
    world = one_leaves(**options).when("warned", excluded_is(FIRST), spot_warning(FIRST))
    return world.when("reclaimed", later(20), reclaimed(FIRST))


def a_spot_instance_is_spared(**options: Any) -> World:
    """EC2 does not come: it is kept free for half an hour, and then serves again."""
    return six(**options).when("warned", always, spot_warning(FIRST))


def a_rebalance_recommendation_is_acted_on(**options: Any) -> World:
    """Its group launches a replacement, and ends the instance by its hook."""
    world = six(**options, replaces_early=True).when("recommended", always, rebalance(FIRST))
    return world.when("ended by its group", later(60, excluded_is(FIRST)), leave(FIRST, decrement=False))


def a_rebalance_recommendation_expires(**options: Any) -> World:
    return six(**options, replaces_early=True).when("recommended", always, rebalance(FIRST))


def a_rebalance_recommendation_means_nothing_to_its_group(**options: Any) -> World:
    return six(**options).when("recommended", always, rebalance(FIRST))


def ended_without_us(**options: Any) -> World:
    """By force, with its group's hooks passed over: every shard has another copy."""
    return six(**options).when("ended", always, reclaimed(FIRST))


def ended_without_us_with_the_only_copy(**options: Any) -> World:
    world = six(**options)
    world.engine.create_index("alone", shards=6, replicas=0, size=DRAIN)
    world.when("ended", always, reclaimed(FIRST))
    return world.when("given up", later(300, paged("LOST_WITH_DATA")), lambda world: world.engine.delete_index("alone"))


def ended_without_us_with_the_only_copy_and_no_event_comes(**options: Any) -> World:
    """The sweep finds what is missing, and that nobody is."""
    return ended_without_us_with_the_only_copy(**options, events="never")


def detached_and_attached_again(**options: Any) -> World:
    world = six(**options).when("detached", always, lambda world: world.groups.detach(FIRST))
    return world.when("attached", later(300, paged("DETACHED")), lambda world: world.groups.attach(FIRST))


def set_aside_while_a_recommendation_stands(**options: Any) -> World:
    """What was kept off it for that is given back."""
    world = a_rebalance_recommendation_expires(**options)
    world.when("standby", excluded_is(FIRST), lambda world: world.groups.stand_by(FIRST))
    return world.when("back", later(600), lambda world: world.groups.stand_by(FIRST, back=True))


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


def two_instances_retire(**options: Any) -> World:
    """Replaced one after the other, each drained by its hook."""

    def both(world: World) -> None:
        retires(FIRST)(world)
        retires(THIRD, days=7)(world)

    return six(**options).when("scheduled", always, both)


def an_instance_retires_and_a_person_approves(**options: Any) -> World:
    world = World(spec=spec(mode="approve"), **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.when("scheduled", always, retires(FIRST))
    world.when("approved", noticed(), lambda world: world.approve(4 * 3600))
    return world.when("its drain too", noticed(), lambda world: world.approve(4 * 3600))


def its_hook_runs_out(**options: Any) -> World:
    """The keeper is dead: the hook ends with ABANDON, the group retains it, and it is drained all the same."""

    def unkept(world: World) -> None:
        world.unkept = True
        leave(FIRST)(world)

    world = World(speed=1.0, **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=6000)
    return world.when("scale in", always, unkept)


def two_managers_leave_and_a_person_excludes_a_vote(**options: Any) -> World:
    """Nobody goes until that exclusion is cleared: clearing ours would clear it."""
    world = World(spec=spec(per_zone=1, managers=1), **options).known()
    managers = [name for name, machine in world.engine.machines.items() if machine.manager]
    world.engine.take_vote(managers[2])
    world.when("refresh", always, leave(*managers[:2], decrement=False))
    return world.when(
        "cleared", later(300, paged("VOTES_EXCLUDED")), lambda world: world.engine.clear_votes_taken(gone=False)
    )


# -- people ----------------------------------------------------------------------------------------------------------


def stopped(world: World) -> bool:
    return world.head().paused


def asked(world: World) -> bool:
    return isinstance(world.shown(), Ask)


def noticed() -> Callable[[World], bool]:
    """A person has seen that something is to be approved, and it still is."""
    since_a_while = later(90, asked)
    return lambda world: since_a_while(world) and asked(world)


def to_be_approved(**options: Any) -> World:
    world = World(spec=spec(mode="approve"), **options).known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    return world.when("scale in", always, leave(FIRST))


def a_person_approves(**options: Any) -> World:
    return to_be_approved(**options).when("approved", noticed(), lambda world: world.approve(4 * 3600))


def an_approval_expires_before_the_instance_is_let_go(**options: Any) -> World:
    world = a_short_approval(**options)
    return world.when("approved again", noticed(), lambda world: world.approve(4 * 3600))


def a_short_approval(**options: Any) -> World:
    """Long enough to begin, too short to end."""
    return to_be_approved(**options).when("approved", noticed(), lambda world: world.approve(18))


def another_leaves_than_was_approved(**options: Any) -> World:
    world = a_person_approves(**options)
    world.when("scale in", excluded_is(FIRST), leave(FOURTH))
    return world.when("approved too", noticed(), lambda world: world.approve(4 * 3600))


def a_held_instance_is_approved(**options: Any) -> World:
    """Holding it asks nobody; to drain and end it does."""
    world = World(spec=spec(per_zone=1, mode="approve"), replaces="when_gone", **options).known()
    world.engine.create_index("notes", shards=2, replicas=2, size=DRAIN)
    world.when("refresh", always, leave(FIRST, decrement=False))
    return world.when("approved", noticed(), lambda world: world.approve(4 * 3600))


def a_person_stops_and_resumes_halfway(**options: Any) -> World:
    world = one_leaves(**options).when("stop", excluded_is(FIRST), World.halt)
    return world.when("resume", later(400, stopped), World.resume)


def _runs(world: World) -> list[str]:
    return [name for name, one in world.executions.items() if not one.ended]


def _abort(world: World) -> None:
    for name in _runs(world):
        world.stop(name)


def a_stop_in_the_console_and_a_resume(**options: Any) -> World:
    world = one_leaves(**options)
    world.when("abort", lambda world: excluded_is(FIRST)(world) and bool(_runs(world)), _abort)
    return world.when("resume", later(400, stopped), World.resume)


EVEN = Shards(mode="on", every_minutes=5, least_bytes=0)
UNEVEN = (16_000, 9_000, 6_000, 4_000, 2_500, 1_600, 1_000, 600, 400, 250, 150, 100)


def _uneven(**options: Any) -> World:
    """Counts are even, bytes are not; zones are evened one wave at a time."""
    world = World(spec=spec(shards=EVEN), **options).known()
    for number, size in enumerate(UNEVEN):
        world.engine.create_index(f"notes-{number:02}", shards=1, replicas=1, size=size)
    assert max(skews(world.engine.look()).values()) > EVEN.skew + EVEN.margin
    return world


def moved(world: World) -> bool:
    """A wave was sent."""
    return bool(world.engine.reroutes)


def bytes_are_uneven(**options: Any) -> World:
    return _uneven(**options).when("a wave is sent", moved, lambda _: None)


def one_leaves_while_bytes_are_evened(**options: Any) -> World:
    return _uneven(**options).when("scale in", moved, leave(FIRST))


LONG: Mapping[str, Scenario] = {
    make.__name__: make
    for make in (
        a_spot_instance_is_spared,
        a_rebalance_recommendation_expires,
        set_aside_while_a_recommendation_stands,
        its_hook_runs_out,
    )
}
"""Scenarios of half an hour and more: not interrupted at each of their thousands of calls."""

SCENARIOS: Mapping[str, Scenario] = {
    make.__name__: make
    for make in (
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
        a_spot_instance_is_reclaimed,
        a_spot_instance_holds_last_copies,
        a_spot_instance_is_reclaimed_before_its_last_copy_has_moved,
        a_spot_warning_comes_true_while_its_hook_waits,
        a_rebalance_recommendation_is_acted_on,
        a_rebalance_recommendation_means_nothing_to_its_group,
        ended_without_us,
        ended_without_us_with_the_only_copy,
        ended_without_us_with_the_only_copy_and_no_event_comes,
        detached_and_attached_again,
        two_instances_retire,
        an_instance_retires_and_a_person_approves,
        two_managers_leave_and_a_person_excludes_a_vote,
        a_person_approves,
        an_approval_expires_before_the_instance_is_let_go,
        another_leaves_than_was_approved,
        a_held_instance_is_approved,
        a_person_stops_and_resumes_halfway,
        a_stop_in_the_console_and_a_resume,
        bytes_are_uneven,
        one_leaves_while_bytes_are_evened,
    )
}
