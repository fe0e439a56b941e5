"""How good a plan is on the clusters of the benchmark, where nothing stands in its way: the bars without the clock."""

import pytest
from benchmarks._layouts import joined, layout

from vagus.zone_balance.planner import Plan, Policy, plan
from vagus.zone_balance.planner.model import skew

RAISED = Policy(highest_threshold=12.0)


def bound(made: Plan) -> float:
    """Bytes that nobody can help moving."""
    return sum(max(0.0, load.bytes - 1.02 * load.share) for load in made.before)


@pytest.mark.parametrize(("policy", "most"), [(RAISED, 1.10), (Policy(), 1.25)], ids=["raised", "engine's own"])
def test_two_per_cent_for_little_more_than_the_bound(policy: Policy, most: float) -> None:
    made = plan(layout(60, 50, 60, 1.0), policy)
    assert max(skew(made.before).values()) > 0.2
    assert max(skew(made.after).values()) <= 0.02
    assert made.bytes <= most * bound(made)
    assert made.at_rest
    assert made.robust
    assert made.findings == ()


@pytest.mark.parametrize(("policy", "most"), [(RAISED, 1.10), (Policy(), 1.25)], ids=["raised", "engine's own"])
def test_nodes_that_have_joined_are_no_reason_to_end_uneven_nor_to_send_more(policy: Policy, most: float) -> None:
    made = plan(joined(layout(60, 50, 60, 1.0)), policy)
    assert made.bytes <= most * bound(made)
    assert max(skew(made.after).values()) <= 0.02
    assert made.at_rest
    assert made.robust
