"""Instances that come, on real nodes: none serves before the cluster is whole, an instance refresh goes no faster than
that, and a group whose launches fail again and again stops."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.test_drain import held, indices

from vagus.procedure import people
from vagus_local.scene import Scene
from vagus_local.waiting import until
from vagus_local.workload import at_work

GROUP = "ward-data-us-east-1a"
OTHER = "ward-data-us-east-1c"


@contextmanager
def unwhole(scene: Scene, index: str) -> Iterator[None]:
    """An index whose own filter leaves one copy nowhere to go, which we can't see: the cluster is yellow meanwhile."""
    only = {"index.routing.allocation.require._name": scene.names()[0]}
    body = {"settings": {"number_of_shards": 1, "number_of_replicas": 1, **only}}
    scene.admin.try_call("DELETE", f"/{index}")
    scene.admin.call("PUT", f"/{index}?wait_for_active_shards=1", body)
    try:
        yield
    finally:
        scene.admin.call("DELETE", f"/{index}")


def test_what_comes_serves_when_the_cluster_is_whole_and_a_refresh_goes_no_faster(ward: Scene) -> None:
    """Two come at once to a zone that has three nodes of seven: the security plugin wants a copy of its index on each
    of nine nodes, and awareness lets five of them, in one zone, have three. That is as whole as it gets."""
    names = indices(ward, "coming")
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        with unwhole(ward, "unwhole"):
            new, _ = ward.scale_out(GROUP)
            until(lambda: f"{new} has joined, and serves when" in ward.plan_in_words(), 180, "Vagus has seen it join")
            assert ward.state_of(new) == "Pending:Wait"
            assert new in ward.rows().launches.joined
        until(lambda: ward.state_of(new) == "InService", 120, f"{new} serves")
        old, asked = ward.refresh(GROUP)
        ward.wait_until_settled(*old, seconds=400)
        until(lambda: ward.refreshed(GROUP) == "Successful", 60, "the refresh is done")
        held(work.stop())
    steps = [(record.step, set(record.subject.split(","))) for record in ward.records_since(asked)]
    admitted = [n for n, (step, _) in enumerate(steps) if step == "ContinueLaunch"]
    drained = [n for n, (step, who) in enumerate(steps) if step == "ExcludeNodes" and who & old]
    assert len(admitted) == len(old) == 2
    assert admitted[0] < drained[0], "none goes before one that replaces it serves"
    assert not ward.without_outcome()
    assert not ward.rows().launches.joined
    leaving, _ = ward.scale_in(GROUP)
    ward.wait_until_settled(leaving)


def test_three_launches_that_fail_stop_the_group_until_a_person_says_so(ward: Scene) -> None:
    ward.pages()
    with no_template(ward, OTHER):
        asked = time.time()
        ward.set_size(OTHER, 2)
        ward.await_step("SuspendLaunching", asked, seconds=180)
        ward.await_reason("LAUNCHES_FAIL")
        assert [one["ProcessName"] for one in ward.group(OTHER)["SuspendedProcesses"]] == ["Launch"]
        assert OTHER in ward.rows().launches.marks
    until(lambda: any("LAUNCHES_FAIL" in one for one in ward.pages()), 60, "a person is told")
    ward.set_size(OTHER, 1)
    people.resume(ward.state_table(), "ward", "zone_balance", now=time.time())
    until(lambda: not ward.group(OTHER)["SuspendedProcesses"], 180, "it launches again")
    until(lambda: not ward.rows().launches.marks, 60, "the mark is gone")
    ward.wait_until_settled()


@contextmanager
def no_template(scene: Scene, group: str) -> Iterator[None]:
    """What the group launches from is gone."""
    autoscaling, ec2 = scene.stack.client("autoscaling"), scene.stack.client("ec2")
    kept = scene.group(group)["LaunchTemplate"]
    name = f"{group}-broken"
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.micro"})
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=group, LaunchTemplate={"LaunchTemplateName": name})
    ec2.delete_launch_template(LaunchTemplateName=name)
    try:
        yield
    finally:
        template = {"LaunchTemplateId": kept["LaunchTemplateId"], "Version": kept["Version"]}
        autoscaling.update_auto_scaling_group(AutoScalingGroupName=group, LaunchTemplate=template)
