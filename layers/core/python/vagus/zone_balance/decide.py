"""decide(observed, spec, now) -> Plan: pure, the same for a run, a sweep and a dry run.

Safety: no instance is let go unless its node is in the cluster, shielded from allocation and holds nothing; or is lost
while every shard has an active copy on a node that stays; or, by policy, every copy on it has an active twin on a node
that stays, the cluster is green and no other instance is on its way out. "A node that stays" is in the cluster and its
instance has not been let go. What people excluded stays excluded; what we excluded is marked as ours in the same
cluster-state update.

Convergence: if the engine moves what may be moved, instances that were let go end, and people set right what Blocked
names, then every run ends in Done, and by then no hook waits, and no exclusion, mark, open intent or lease of ours is
left (but a balance threshold that the fleet file wants). Each plan depends on what is seen alone, so that a crash
between any two calls changes when that is, not what.

The stages are asked in order; the first that has something to say makes the plan. Letting go comes before taking
more, tidying before waiting: what frees something goes first.
"""

from collections.abc import Callable

import msgspec

from vagus import owned
from vagus.cluster import Unseen
from vagus.fleet import ClusterSpec
from vagus.plan import Done, Plan, Progress, Steps, Wait
from vagus.reasons import Reason
from vagus.zone_balance import (
    balancing,
    departed,
    draining,
    farewell,
    launching,
    replicas,
    sight,
    sizing,
    voting,
    waiting,
    warned,
    zones,
)
from vagus.zone_balance.looking import Look, looked
from vagus.zone_balance.observed import Observed

STAGES: tuple[Callable[[Look], Plan | None], ...] = (
    sight.identity,
    sight.blind,
    warned.save,
    farewell.let_go,
    voting.give_back,
    departed.judge,
    farewell.tidy,
    draining.take,
    draining.release,
    sizing.grow,
    launching.heed,
    launching.admit,
    launching.note,
    launching.give_up,
    draining.by_hand,
    draining.paused,
    draining.nowhere,
    warned.saving,
    waiting.moving,
    waiting.voting_still,
    waiting.refused,
    waiting.going,
    departed.missing,
    departed.unexplained,
    warned.waits,
    launching.awaited,
    launching.tell,
    warned.retire,
    zones.force,
    replicas.follow,
    replicas.lower,
    zones.cannot_leave,
    sizing.shrink,
    sizing.out_of_bounds,
    voting.entangled,
    zones.undeclared,
    departed.detached,
    balancing.disagreed,
    balancing.moving,
    balancing.later,
    balancing.even,
)


def decide(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    """The next act, and what is foreseen after it. `now`: epoch seconds."""
    if isinstance(observed.cluster, Unseen):
        return launching.suspension(observed, now) or sight.unseen(observed, observed.cluster, spec, now)
    look = looked(observed, observed.cluster, spec, now)
    plan = next((plan for stage in STAGES if (plan := stage(look))), _nothing_leaves(look))
    return _carrying(launching.beside(look, _if_held_back(plan, look)), observed.progress)


def _if_held_back(plan: Plan, look: Look) -> Plan:
    """What a person has to know who is asked: who waits with a deadline, and how drains get on that began before."""
    if not isinstance(plan, Steps) or plan.steps[0].protective:
        return plan
    drains = waiting.moving(look)
    return msgspec.structs.replace(
        plan,
        open_deadline=look.observed.deadline() or any(intent.deadline for intent in look.observed.intents),
        meanwhile=msgspec.structs.replace(drains, foreseen=()) if isinstance(drains, Wait) else None,
    )


def _carrying(plan: Plan, before: Progress | None) -> Plan:
    """A plan that says nothing of progress carries it on: a step in between sets no clock back."""
    if plan.progress is not None or before is None:
        return plan
    return msgspec.structs.replace(plan, progress=msgspec.structs.replace(before, unseen=0))


def _nothing_leaves(look: Look) -> Plan:
    """What is still ours then stands for as long as the fleet file wants it, or another capability does."""
    left = "no setting of ours is left"
    if marks := owned.marked(look.cluster):
        left = f"of ours is left what is still wanted ({', '.join(marks)})"
    return Done(reason=Reason.NOTHING_LEAVES, message=f"no instance leaves, and {left}{departed.set_aside(look)}")
