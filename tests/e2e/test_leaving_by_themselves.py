"""Ways to go other than a drained scale-in, on real nodes: a manager and its vote, a Spot instance, a detached one."""

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
