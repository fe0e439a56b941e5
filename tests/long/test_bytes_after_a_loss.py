"""A node is lost, and replaced: its bytes are made anew from the copies elsewhere, and evened in its zone."""

from tests.e2e.test_bytes import BAR, GROUP, SIZES, ZONE, held, places, skew

from vagus_local.scene import Scene
from vagus_local.stack import wait_green
from vagus_local.waiting import until
from vagus_local.workload import create_uneven


def test_a_lost_node_is_replaced_and_its_zone_is_even_again(trio: Scene) -> None:
    create_uneven(trio.admin, SIZES)
    wait_green(trio.stack, "trio")
    fresh, _ = trio.scale_out(GROUP)
    even(trio)
    most = trio.spec().zone_balance.shards.skew + trio.spec().zone_balance.shards.margin
    documents = trio.admin.call("GET", "/uneven-*/_count")["count"]

    lost = next(name for name in held(trio) if name != fresh)
    assert held(trio)[lost] > 0
    trio.kill(lost)  # first its processes, as when a machine dies; EC2 notices, and the group replaces it
    trio.stack.client("ec2").terminate_instances(InstanceIds=[lost])
    until(lambda: lost not in trio.names() and lost not in trio.instances(), 180, f"{lost} is gone")
    until(lambda: len(held(trio)) == 2, 240, "its replacement has joined")
    until(lambda: trio.green() and skew(held(trio)) <= most, 400, lambda: f"even again ({held(trio)})", 1.0)
    trio.await_rest(300)
    assert trio.without_outcome() == []
    assert skew(held(trio)) <= most, held(trio)
    assert {state for _, _, state, _ in places(trio)} == {"STARTED"}
    assert trio.admin.call("GET", "/uneven-*/_count")["count"] == documents

    trio.admin.call("DELETE", "/uneven-*")
    leaving, _ = trio.scale_in(GROUP)
    trio.wait_until_settled(leaving)


def even(trio: Scene) -> None:
    """Two nodes in the zone, and their bytes within the bar."""
    until(lambda: len(held(trio)) == 2 and skew(held(trio)) <= BAR, 300, lambda: f"{ZONE} is even ({held(trio)})", 1.0)
    trio.await_rest()
