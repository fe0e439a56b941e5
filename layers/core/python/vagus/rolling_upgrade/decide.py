"""decide(observed, spec, now) -> Plan: pure, the same for a run, a sweep and a dry run.

Safety: nodes are restarted only while every shard that they hold has another active copy on a node that stays (or a
person let its index be away), a majority of the voters stays, nothing recovers, no snapshot runs and nobody else is in
hand; nodes of one zone alone are in hand at a time.

Convergence: if nodes that are told to restart join again and shards recover, every run ends in Done with every node on
what was wanted, and nothing of ours is left. If not, allocation is given back and a person is called: what is left of
the cluster serves.

The stages are asked in order; the first that has something to say makes the plan. What is in hand comes before what is
next, giving back before waiting.
"""

from collections.abc import Callable

from vagus.cluster import Unseen
from vagus.fleet import ClusterSpec
from vagus.plan import Plan
from vagus.rolling_upgrade import in_hand, replacing, sight, staging, taking
from vagus.rolling_upgrade.looking import Look, looked
from vagus.rolling_upgrade.observed import Observed

STAGES: tuple[Callable[[Look], Plan | None], ...] = (
    sight.identity,
    sight.blind,
    sight.version_unnoted,
    sight.nothing_wanted,
    replacing.replaced,
    in_hand.restart,
    in_hand.back,
    in_hand.searched_again,
    in_hand.joining,
    in_hand.unreturned,
    taking.aborted,
    in_hand.not_back,
    in_hand.not_restarted,
    in_hand.recovering,
    taking.over,
    taking.yields,
    taking.held_back,
    staging.stage,
    taking.begin,
)


def decide(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    """The next act, and what is foreseen after it. `now`: epoch seconds."""
    if isinstance(observed.cluster, Unseen):
        return sight.unseen(observed, observed.cluster, now)
    look = looked(observed, observed.cluster, spec, now)
    for stage in STAGES:
        if plan := stage(look):
            return plan
    return taking.take(look)
