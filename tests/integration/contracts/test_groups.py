"""Groups: what waits, what is retained, what is gone; the same in Auto Scaling and in the fake."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.contracts.aws_world import ROLES, ZONE, AwsGroups, GroupsWorld, lifecycle_of, members
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.groups import AutoScalingGroups
from vagus.aws.nodes import addresses
from vagus.errors import Refused
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK, Launch

GROUP = "one-core-b"


def leaving(groups: GroupsWorld, retains: bool = True, hook: str | None = TERMINATE_HOOK) -> str:
    """An instance of a group of two that begins to leave."""
    groups.create(GROUP, "one", desired=2, retains=retains, hook=hook)
    instance = members(groups.port, GROUP)[0].id
    groups.scale_in(instance)
    return instance


def test_a_group_is_told_with_its_cluster_zone_roles_and_size(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=2)
    (group,) = groups.port.describe()
    assert (group.name, group.cluster, group.zone, group.roles) == (GROUP, "one", ZONE, ROLES)
    assert (group.desired, group.retains, group.hook, group.unprotected) == (2, True, TERMINATE_HOOK, False)
    assert [(one.lifecycle, one.zone, one.healthy, one.leaving) for one in group.instances] == [
        ("InService", ZONE, True, False)
    ] * 2


def test_clusters_are_picked_by_name(groups: GroupsWorld) -> None:
    for cluster in ("one", "two", "three"):
        groups.create(f"{cluster}-core-b", cluster, desired=0)
    assert [group.cluster for group in groups.port.describe(["two", "none"])] == ["two"]
    assert {group.cluster for group in groups.port.describe()} == {"one", "two", "three"}
    assert groups.port.describe([]) == ()
    assert len(groups.port.describe(["one", "two", "three", "four", "five", "six", "seven"])) == 3


def test_a_leaving_instance_waits_and_its_start_is_known(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    (group,) = groups.port.describe(["one"])
    assert lifecycle_of(groups.port, GROUP, instance) == "Terminating:Wait"
    assert (group.desired, group.hook) == (1, TERMINATE_HOOK)
    since = groups.port.waiting_since(GROUP, instance)
    assert since is not None
    assert since.tzinfo is not None


def test_an_instance_tells_its_group_and_one_of_no_group_is_left_out(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=2)
    groups.create("other", "two", desired=1)
    ids = [*(one.id for one in members(groups.port, GROUP)), *(one.id for one in members(groups.port, "other"))]
    told = groups.port.groups_of([*ids, "i-0123456789abcdef0"])
    assert told == dict(zip(ids, (GROUP, GROUP, "other"), strict=True))


def test_one_that_does_not_leave_has_no_start(groups: GroupsWorld) -> None:
    leaving(groups)
    staying = next(one for one in members(groups.port, GROUP) if not one.leaving)
    assert groups.port.waiting_since(GROUP, staying.id) is None


def test_continue_ends_it(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is True
    groups.await_lifecycle(GROUP, instance, None)
    assert len(members(groups.port, GROUP)) == 1


def test_abandon_retains_where_the_group_says_so(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "ABANDON") is True
    groups.await_lifecycle(GROUP, instance, "Terminating:Retained")
    assert next(one for one in members(groups.port, GROUP) if one.id == instance).retained


def test_abandon_ends_it_where_the_group_does_not_retain(groups: GroupsWorld) -> None:
    instance = leaving(groups, retains=False)
    assert groups.port.describe()[0].unprotected
    groups.port.complete(GROUP, TERMINATE_HOOK, instance, "ABANDON")
    groups.await_lifecycle(GROUP, instance, None)


def test_without_a_hook_nothing_waits(groups: GroupsWorld) -> None:
    instance = leaving(groups, hook=None)
    groups.await_lifecycle(GROUP, instance, None)


def test_completing_twice_finds_no_hook_and_is_as_good_as_done(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is True
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is False


def test_an_instance_that_does_not_wait_has_no_hook_to_complete_or_to_beat(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    instance = members(groups.port, GROUP)[0].id
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is False
    assert groups.port.heartbeat(GROUP, TERMINATE_HOOK, instance) is False
    assert lifecycle_of(groups.port, GROUP, instance) == "InService"


def test_a_heartbeat_reaches_a_waiting_instance(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    assert groups.port.heartbeat(GROUP, TERMINATE_HOOK, instance) is True
    assert lifecycle_of(groups.port, GROUP, instance) == "Terminating:Wait"


def test_a_retained_instance_goes_by_termination_only(groups: GroupsWorld) -> None:
    instance = leaving(groups)
    groups.port.complete(GROUP, TERMINATE_HOOK, instance, "ABANDON")
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is False
    groups.port.terminate(instance)
    groups.await_lifecycle(GROUP, instance, None)


def test_terminating_one_that_is_gone_is_as_good_as_done(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=0)
    groups.port.terminate("i-0123456789abcdef0")
    groups.port.terminate("i-0123456789abcdef0")
    assert members(groups.port, GROUP) == ()


def test_a_size_is_set_and_kept(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=0)
    groups.port.set_desired(GROUP, 3)
    groups.port.set_desired(GROUP, 3)
    assert groups.port.describe()[0].desired == 3
    assert len(members(groups.port, GROUP)) == 3


def test_a_size_outside_the_bounds_is_refused(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    with pytest.raises(Refused):
        groups.port.set_desired(GROUP, 10)
    assert groups.port.describe()[0].desired == 1


# -- launches ------------------------------------------------------------------------------------------------------


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def coming(groups: GroupsWorld) -> str:
    """An instance that meets our launch hook, in a group of one that serves."""
    groups.create(GROUP, "one", desired=1)
    groups.hold_launches(GROUP)
    serving = {one.id for one in members(groups.port, GROUP)}
    groups.port.set_desired(GROUP, 2)
    (instance,) = {one.id for one in members(groups.port, GROUP)} - serving
    groups.await_lifecycle(GROUP, instance, "Pending:Wait")
    return instance


def tried(groups: GroupsWorld, instance: str = "") -> Launch:
    """The newest try to launch, of this instance if it is given."""
    found = groups.port.launches(GROUP, LONG_AGO)
    return next(one for one in found if not instance or one.instance == instance)


def test_a_launch_waits_and_is_told_as_under_way(groups: GroupsWorld) -> None:
    instance = coming(groups)
    (group,) = groups.port.describe(["one"])
    held = next(one for one in group.instances if one.id == instance)
    assert (held.launching, held.waits_to_serve, held.leaving, held.let_go) == (True, True, False, False)
    assert (group.launch_hook, group.short) == (LAUNCH_HOOK, False)
    assert (tried(groups).instance, tried(groups).ended, tried(groups).failed) == (instance, None, False)
    assert groups.port.waiting_since(GROUP, instance) is None
    assert len(groups.port.launches(GROUP, LONG_AGO)) == 2
    assert groups.port.launches(GROUP, datetime(2100, 1, 1, tzinfo=UTC)) == ()


def test_a_launch_is_kept_by_heartbeats_and_answered_by_its_own_hook_alone(groups: GroupsWorld) -> None:
    instance = coming(groups)
    assert groups.port.heartbeat(GROUP, LAUNCH_HOOK, instance) is True
    assert groups.port.heartbeat(GROUP, TERMINATE_HOOK, instance) is False
    assert groups.port.complete(GROUP, TERMINATE_HOOK, instance, "CONTINUE") is False
    assert groups.port.complete(GROUP, LAUNCH_HOOK, instance, "CONTINUE") is True
    groups.await_lifecycle(GROUP, instance, "InService")
    assert groups.port.complete(GROUP, LAUNCH_HOOK, instance, "CONTINUE") is False
    assert tried(groups, instance).ended is not None
    assert not tried(groups, instance).failed


def test_an_abandoned_launch_ends_without_a_terminate_hook_and_has_failed(groups: GroupsWorld) -> None:
    instance = coming(groups)
    assert groups.port.complete(GROUP, LAUNCH_HOOK, instance, "ABANDON") is True
    groups.await_lifecycle(GROUP, instance, None)
    assert tried(groups, instance).failed
    assert "ABANDON" in tried(groups, instance).why


def test_a_launch_that_ec2_refuses_has_failed_without_an_instance(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=0)
    groups.refuse_launches(GROUP)
    groups.port.set_desired(GROUP, 1)
    assert (tried(groups).instance, tried(groups).failed) == ("", True)
    assert tried(groups).why
    assert tried(groups).ended is not None
    assert groups.port.describe(["one"])[0].short


def test_one_that_comes_back_from_standby_has_no_launch_under_way(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    (instance,) = (one.id for one in members(groups.port, GROUP))
    groups.stand_by(instance)
    assert lifecycle_of(groups.port, GROUP, instance) == "Standby"
    assert groups.port.describe(["one"])[0].desired == 0
    groups.serve_again(instance)
    groups.await_lifecycle(GROUP, instance, "InService")
    assert groups.port.describe(["one"])[0].desired == 1
    (told,) = groups.port.launches(GROUP, LONG_AGO)
    assert (told.instance, told.ended is None) == (instance, False), "its first launch, which has ended"


def test_nothing_is_launched_while_launching_is_suspended(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=0)
    groups.port.suspend_launching(GROUP)
    groups.port.suspend_launching(GROUP)
    groups.port.set_desired(GROUP, 1)
    (group,) = groups.port.describe(["one"])
    assert (group.suspended, group.short, group.instances) == (("Launch",), True, ())
    groups.port.resume_launching(GROUP)
    groups.port.resume_launching(GROUP)
    assert groups.port.describe(["one"])[0].suspended == ()
    assert len(members(groups.port, GROUP)) == 1


# -- replaced --------------------------------------------------------------------------------------------------------


def test_what_an_instance_was_launched_from_stays_and_what_its_group_launches_from_changes(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    (group,) = groups.port.describe(["one"])
    assert group.template.endswith(":1")
    assert [(one.template, group.behind(one), one.protected) for one in group.instances] == [
        (group.template, False, False)
    ]
    groups.renew_template(GROUP)
    (after,) = groups.port.describe(["one"])
    assert after.template == group.template.removesuffix("1") + "2"
    assert [(one.template, after.behind(one)) for one in after.instances] == [(group.template, True)]


def test_one_that_is_replaced_waits_to_leave_and_another_comes_from_the_new_template(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    groups.renew_template(GROUP)
    (old,) = (one.id for one in members(groups.port, GROUP))
    groups.port.replace(old)
    groups.await_lifecycle(GROUP, old, "Terminating:Wait")
    (group,) = groups.port.describe(["one"])
    assert group.desired == 1
    assert [group.behind(one) for one in group.instances if one.id != old] == [False]


def test_asked_twice_it_is_replaced_once(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=2)
    old = members(groups.port, GROUP)[0].id
    groups.port.replace(old)
    groups.port.replace(old)
    groups.await_lifecycle(GROUP, old, "Terminating:Wait")
    assert len(members(groups.port, GROUP)) == 3
    assert groups.port.describe(["one"])[0].desired == 2


def test_replacing_one_of_no_group_is_as_good_as_done(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    groups.port.replace("i-0123456789abcdef0")
    assert [one.lifecycle for one in members(groups.port, GROUP)] == ["InService"]


def test_a_protected_instance_is_told(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=1)
    (one,) = members(groups.port, GROUP)
    groups.protect(one.id)
    assert [one.protected for one in members(groups.port, GROUP)] == [True]


def test_hooks_are_asked_for_anew(groups: GroupsWorld) -> None:
    groups.create(GROUP, "one", desired=0)
    assert groups.port.hooks(GROUP) == (TERMINATE_HOOK, None)
    groups.hold_launches(GROUP)
    assert groups.port.hooks(GROUP) == (TERMINATE_HOOK, LAUNCH_HOOK)
    groups.create("one-core-c", "one", desired=0, hook="somebody-elses")
    assert groups.port.hooks("one-core-c") == (None, None)


# -- AWS alone -----------------------------------------------------------------------------------------------------


def test_the_start_is_that_of_the_activity(aws: Aws, clients: Clients) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)  # AWS tells whole seconds in places
    world = AwsGroups(aws, clients)
    instance = leaving(world)
    since = world.port.waiting_since(GROUP, instance)
    assert since is not None
    assert before <= since <= datetime.now(UTC) + timedelta(seconds=2)


def test_more_groups_than_a_page_are_all_told(aws: Aws, clients: Clients) -> None:
    world = AwsGroups(aws, clients)
    subnets = aws.subnets("a")
    tags = [{"Key": "vagus:cluster", "Value": "one"}, {"Key": "vagus:cell", "Value": "local"}]
    tags.append({"Key": "vagus:group", "Value": "core"})
    for n in range(103):
        aws.group(f"one-core-{n}", subnets=subnets, Tags=tags)
    assert len(world.port.describe()) == 103


def test_another_cells_groups_are_not_ours(aws: Aws, clients: Clients) -> None:
    AwsGroups(aws, clients).create(GROUP, "one", desired=0)
    assert AutoScalingGroups(clients, "other").describe() == ()
    assert len(AutoScalingGroups(clients).describe()) == 1


def test_a_declared_group_whose_hook_was_deleted_is_found_out_while_it_waits(aws: Aws, clients: Clients) -> None:
    world = AwsGroups(aws, clients)
    leaving(world, hook="somebody-elses")
    (group,) = world.port.describe()
    assert group.hook is None
    assert group.unprotected


def test_an_adopted_group_without_our_hook_is_unprotected(aws: Aws, clients: Clients) -> None:
    aws.group("theirs", Tags=[{"Key": "vagus:cluster", "Value": "one"}])
    (group,) = AutoScalingGroups(clients).describe()
    assert (group.mode, group.hook, group.unprotected) == ("adopted", None, True)


def test_of_a_template_whose_version_is_no_number_nobody_knows_who_is_behind(aws: Aws, clients: Clients) -> None:
    world = AwsGroups(aws, clients)
    world.create(GROUP, "one", desired=1)
    shown = aws.shown(GROUP)["LaunchTemplate"]
    latest = {"LaunchTemplateId": shown["LaunchTemplateId"], "Version": "$Latest"}
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, LaunchTemplate=latest)
    (group,) = world.port.describe()
    assert (group.template, [group.behind(one) for one in group.instances]) == ("", [False])
    assert [one.template for one in group.instances] == [f"{shown['LaunchTemplateId']}:1"]


def test_suspended_processes_are_told(aws: Aws, clients: Clients) -> None:
    world = AwsGroups(aws, clients)
    world.create(GROUP, "one", desired=0)
    aws.autoscaling.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["ReplaceUnhealthy", "AZRebalance"])
    assert world.port.describe()[0].suspended == ("AZRebalance", "ReplaceUnhealthy")


def test_the_nodes_of_a_cluster_answer_zones_in_turn(aws: Aws, clients: Clients) -> None:
    subnets = aws.subnets("ab")
    tags = [{"Key": "vagus:cluster", "Value": "one", "PropagateAtLaunch": True}]
    for name, subnet, size in (("a", subnets[0], 2), ("b", subnets[1], 1)):
        aws.group(name, DesiredCapacity=size, subnets=[subnet], Tags=tags)
    told = addresses(clients, "one")
    shown = aws.ec2.describe_instances()["Reservations"]
    zones = {i["PrivateIpAddress"]: i["Placement"]["AvailabilityZone"][-1] for r in shown for i in r["Instances"]}
    assert [zones[address] for address in told] == ["a", "b", "a"]
    assert addresses(clients, "none") == ()
