"""Ways to go other than a drained scale-in, on real nodes: a manager and its vote, a Spot instance, a detached one."""

from collections.abc import Iterator

import pytest

from vagus_local.scene import Scene
from vagus_local.stack import wait_green
from vagus_local.waiting import until
from vagus_local.workload import at_work, create_indices


def voting(scene: Scene) -> tuple[set[str], set[str]]:
    """The names of those whose vote is excluded, and the ids of the voters."""
    found = scene.admin.call("GET", "/_cluster/state/metadata?filter_path=metadata.cluster_coordination")
    told = found["metadata"]["cluster_coordination"]
    return {one["node_name"] for one in told["voting_config_exclusions"]}, set(told["last_committed_config"])


def test_a_manager_leaves_without_its_vote_while_an_application_is_at_work(ward: Scene) -> None:
    """The elected one, which hands over before it goes; its replacement votes when all is over."""
    elected = ward.admin.call("GET", "/_cat/cluster_manager?format=json&h=node")[0]["node"]
    zone = ward.instances()[elected][0]
    create_indices(ward.stack.application("ward"), {"voted": (4, 1)}, documents=500, padding=200)
    with at_work(ward.stack.application("ward"), ["voted"]) as work:
        ward.await_writes(work, 50)
        leaving, asked = ward.replace(f"ward-core-{zone}")
        assert leaving == elected
        ward.wait_until_settled(leaving)
        result = work.stop()
    assert (result.failures, result.writes_lost, result.requests_failed) == ((), 0, 0)
    steps = [record.step for record in ward.records_since(asked)]
    order = [steps.index(step) for step in ("ExcludeNodes", "TakeVote", "LetEmptyInstanceGo", "GiveVotesBack")]
    assert order == sorted(order)
    wait_green(ward.stack, "ward")
    until(lambda: len(voting(ward)[1]) == 3, 120, "the replacement votes")
    assert voting(ward)[0] == set()


@pytest.fixture
def alone(ward: Scene) -> Iterator[str]:
    """An index without copies, beside one with: it is gone after the test, for whoever loses a node then."""
    for index in ("alone", "twice"):
        ward.admin.try_call("DELETE", f"/{index}")
    create_indices(ward.stack.application("ward"), {"alone": (6, 0), "twice": (3, 1)}, documents=500, padding=200)
    wait_green(ward.stack, "ward")
    until(lambda: ward.admin.call("GET", "/_cluster/health")["relocating_shards"] == 0, 120, "no shard moves by itself")
    yield "alone"
    ward.admin.try_call("DELETE", "/alone")


def test_what_only_a_spot_instance_holds_is_saved_before_ec2_takes_it(ward: Scene, alone: str) -> None:
    data = [one["InstanceId"] for zone in ward.spec().zones for one in ward.group(f"ward-data-{zone}")["Instances"]]
    spot = next(node for node in data if holding(ward, node, alone))  # it has something to lose
    asked = ward.happens(
        "EC2 Spot Instance Interruption Warning", {"instance-id": spot, "instance-action": "terminate"}
    )
    ward.await_step("ExcludeNodes", asked, seconds=180)  # from then on none comes instead
    until(lambda: not holding(ward, spot, alone), 120, "the last copies have moved")
    ward.stack.client("ec2").terminate_instances(InstanceIds=[spot])
    ward.wait_until_settled(spot)
    steps = [record.step for record in ward.records_since(asked)]
    assert steps[0] == "SaveLastCopies"
    assert steps.index("SaveLastCopies") < steps.index("ExcludeNodes") < steps.index("NoteDeparture")
    (outcome,) = (record for record in ward.records_since(asked) if record.step == "NoteDeparture")
    assert "every shard has a started copy elsewhere" in outcome.sentence
    wait_green(ward.stack, "ward")
    assert ward.admin.call("GET", f"/{alone}/_count")["count"] == 500


def holding(scene: Scene, node: str, index: str) -> list[str]:
    """The shards of an index that stand on a node, or are on their way from it or to it: the engine may send it one in
    place of those that left, until it is excluded."""
    rows = scene.admin.call("GET", f"/_cat/shards/{index}?format=json&h=shard,node")
    return [row["shard"] for row in rows if node in (row["node"] or "")]


def test_a_detached_node_is_kept_and_told(ward: Scene) -> None:
    group = "ward-data-us-east-1c"
    (loose,) = (one["InstanceId"] for one in ward.group(group)["Instances"])
    ward.stack.client("autoscaling").detach_instances(
        InstanceIds=[loose], AutoScalingGroupName=group, ShouldDecrementDesiredCapacity=True
    )
    activity = {"AutoScalingGroupName": group, "EC2InstanceId": loose}
    ward.happens("EC2 Instance Launch Successful", activity, source="aws.autoscaling")  # whatever wakes it
    ward.await_reason("DETACHED")
    assert loose in ward.names()
    assert ward.settings_of_ours() == {}
    ward.stack.client("ec2").terminate_instances(InstanceIds=[loose])
    until(lambda: loose not in ward.names(), 120, "its node is gone")
    ward.await_rest()
