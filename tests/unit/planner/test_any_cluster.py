"""What holds for every plan, whatever the cluster: judged by a checker that shares no code with the planner."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.planner.carried_out import carried_out
from tests.unit.planner.checker import Replay, faults
from tests.unit.planner.clusters import layouts, policies

from vagus.zone_balance.planner import Layout, Plan, Policy, plan
from vagus.zone_balance.planner.model import skew

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(layouts(), policies())
def test_every_prefix_is_legal_and_leaves_the_engine_at_rest(layout: Layout, policy: Policy) -> None:
    made = plan(layout, policy)
    assert faults(layout, policy, made) == []
    assert made.at_rest


@EXAMPLES
@given(layouts(), policies())
def test_a_plan_of_its_own_result_is_empty(layout: Layout, policy: Policy) -> None:
    after = carried_out(layout, plan(layout, policy))
    again = plan(after, policy)
    assert [move.sentence for move in again.moves] == []
    assert again.threshold is None


@EXAMPLES
@given(layouts(), policies(), st.data())
def test_a_plan_does_not_depend_on_the_order_of_the_rows(layout: Layout, policy: Policy, data: st.DataObject) -> None:
    copies, nodes = data.draw(st.permutations(layout.copies)), data.draw(st.permutations(layout.nodes))
    shuffled = msgspec.structs.replace(layout, copies=tuple(copies), nodes=tuple(nodes))
    assert plan(shuffled, policy) == plan(layout, policy)


@EXAMPLES
@given(layouts(), policies())
def test_bytes_are_never_more_uneven_than_before_where_the_engine_was_at_rest(layout: Layout, policy: Policy) -> None:
    settled = carried_out(layout, plan(layout, policy))
    heavier = _grown(settled)
    made = plan(heavier, policy)
    if any(move.purpose in ("leave", "count") for move in made.moves):
        return  # what the engine would do itself is not ours to refuse
    before, after = skew(made.before), skew(made.after)
    assert all(after[group] <= max(before[group], policy.skew + 0.001) + 0.001 for group in after)


def _grown(layout: Layout) -> Layout:
    """The shards of one index have grown tenfold, and the disks with them: a skew for an engine that is at rest."""
    first = min(copy.index for copy in layout.copies)
    more = {node.name: 0 for node in layout.nodes}
    copies = []
    for copy in layout.copies:
        grown = copy.bytes * 10 if copy.index == first and copy.shard % 2 == 0 else copy.bytes
        more[copy.node or ""] += grown - copy.bytes
        copies.append(msgspec.structs.replace(copy, bytes=grown))
    nodes = tuple(
        msgspec.structs.replace(
            node, disk_total=node.disk_total * 10, disk_free=node.disk_total * 9 + node.disk_free - more[node.name]
        )
        for node in layout.nodes
    )
    return msgspec.structs.replace(layout, copies=tuple(copies), nodes=nodes)


@EXAMPLES
@given(layouts(), policies())
def test_shards_of_which_a_copy_must_leave_are_named_where_they_stay(layout: Layout, policy: Policy) -> None:
    made = plan(layout, policy)
    replay = Replay(carried_out(layout, made))
    stay = any(replay.must_leave(copy) for copy in replay.copies)
    assert stay == _names(made, "StuckCopy")


def _names(made: Plan, reason: str) -> bool:
    return any(finding.reason == reason for finding in made.findings)
