"""Stages that keep shards off leaving nodes, and what follows where that can't be."""

from collections.abc import Iterator, Mapping

import msgspec

from vagus import owned
from vagus.intent import ExcludeNode, leave
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import (
    AnyStep,
    EndRetainedInstance,
    ExcludeNodes,
    HoldInstance,
    LetEmptyInstanceGo,
    LetReplaceableInstanceGo,
    TakeVote,
)
from vagus.zone_balance import rules, voting
from vagus.zone_balance.farewell import tidying
from vagus.zone_balance.looking import MOST_INTENTS, Look, blocked, demands, ids, iso, undone_by_hand
from vagus.zone_balance.observed import Leaver
from vagus.zone_balance.placement import started_elsewhere
from vagus.zone_balance.waiting import awaited


def by_hand(look: Look) -> Plan | None:
    """A person took away what we had set: it is theirs to say what follows."""
    if not (undone := undone_by_hand(look)):
        return None
    return Blocked(
        reason=Reason.REMOVED_BY_HAND,
        message=f"{undone}; set it again by hand to go on",
        open_deadline=look.observed.deadline(),
    )


def paused(look: Look) -> Plan | None:
    """A rule tripped: keep what is set, take nothing new, tell a person; the keeper keeps the instances."""
    violation = rules.pause(look.cluster)
    if violation is None or not look.leavers:
        return None
    before = look.observed.progress  # a pause is no stall: the clock of silence starts anew after it
    progress = before and msgspec.structs.replace(before, at=look.now, changed_at=look.now, unseen=0)
    return Blocked(reason=violation.reason, message=violation.message, open_deadline=True, progress=progress)


def take(look: Look) -> Plan | None:
    """Exclude as many of the waiting as the admission rules let in beside each other, and one transaction holds."""
    if held_back(look):
        return None
    admitted: list[Leaver] = []
    for one in look.waiting:
        if look.let_go_before(one):
            continue  # it is answered once more, not drained: by policy it had nowhere to go
        if len(admitted) < MOST_INTENTS and not rules.admission(look.rest, (*look.taken, *admitted), one):
            admitted.append(one)
    if not admitted:
        return None
    moves = {one.id: one.bytes_left for one in admitted}
    step = exclusion(look, {one.id: one.group.name for one in admitted}, moves)
    if not step.update:
        return None
    message = f"{ids(admitted)} must be drained: {sum(len(one.copies) for one in admitted)} shards have to move"
    farewells = tuple(step for one in admitted for step in _farewell(one))
    return Steps(steps=(step, *farewells, *tidying(look)), reason=Reason.DRAINING, message=message)


def _farewell(one: Leaver) -> Iterator[AnyStep]:
    """What is foreseen, and so asked for in mode `approve`: a retained instance has no hook to let it go."""
    if not one.instance.leaving:
        return  # EC2 ends it, not we
    if one.node and one.node.may_be_manager:
        yield TakeVote(node=one.id)
    if one.instance.retained:
        yield EndRetainedInstance(instance=one.id, group=one.group.name, node=one.id)
    else:
        yield LetEmptyInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id)


def exclusion(look: Look, nodes: Mapping[str, str], moves: Mapping[str, int]) -> ExcludeNodes:
    """Keep shards off these nodes (instance: its group), from which so many bytes have to move."""
    warned = {intent.instance: intent for intent in look.observed.intents if intent.kind in ("spot", "rebalance")}
    known = warned | {intent.instance: intent for intent in look.observed.intents if intent.kind == "leave"}
    opened = iso(look.now)
    intents = tuple(
        msgspec.structs.replace(
            known.get(name) or leave(name, group, opened, "sweep"), demands=(ExcludeNode(node=name),)
        )
        for name, group in nodes.items()
    )
    begun = {new.id for new in intents}
    others = [intent for intent in (*look.observed.intents, *look.observed.others) if intent.id not in begun]
    standing = owned.standing(look.cluster, demands(others))
    update = owned.converge(look.cluster, [*standing, *demands(intents)]).update
    return ExcludeNodes(intents=intents, nodes=tuple(nodes), update=update, moves=moves)


def held_back(look: Look) -> bool:
    """Whether nothing new may be begun."""
    return bool(by_hand(look) or paused(look))


# -- nowhere to go ---------------------------------------------------------------------------------------------------


def nowhere(look: Look) -> Plan | None:
    """Nothing may take a waiting node's shards: by policy let one zone go, else hold it until its replacement is in."""
    if any(not look.just_let_go(one) for one in look.taken):
        return None
    stuck = [one for one in look.waiting if one.instance.leaving]
    stuck = [one for one in stuck if look.let_go_before(one) or rules.nowhere_to_go(look.rest, (), one)]
    if not stuck:
        return None
    by_policy = look.spec.zone_balance.nowhere_to_go == "one_zone_at_a_time"
    may_go = [one for one in stuck if one.instance.waits_to_leave and one.group.hook]
    if by_policy and may_go:
        return _one_zone(look, may_go)
    return _hold(look, stuck)


def release(look: Look) -> Plan | None:
    """What `nowhere` would do, where it does something."""
    plan = None if held_back(look) else nowhere(look)
    return plan if isinstance(plan, Steps) else None


def _one_zone(look: Look, stuck: list[Leaver]) -> Plan:
    """One that was noted as let go comes first: whether AWS was told too, before something died, nobody knows."""
    again = next((one for one in stuck if look.let_go_before(one)), None)
    others = (look.still_go | look.observed.in_hand()) - ({again.id} if again else set())
    if others or look.cluster.status != "green" or any(c.state != "STARTED" for c in look.cluster.copies):
        message = f"{ids(stuck)} must wait: one zone at a time, and the cluster is {look.cluster.status}"
        return awaited(look, ids(stuck), message)
    asked = [again] if again else stuck
    one = next((one for one in asked if started_elsewhere(look.rest, one.copies, one.id)), None)
    if one is None:
        return _hold(look, stuck)
    if violation := rules.manager_may_not_go(look.cluster, look.rest, one) or voting.stands(look.cluster, one.id):
        return blocked(violation)
    indices = tuple(sorted({copy.index for copy in one.copies}))
    step = LetReplaceableInstanceGo(
        instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id, indices=indices
    )
    vote = voting.to_take(look.cluster, one.id)
    steps = (vote, step) if vote else (step,)
    return Steps(steps=(*steps, *tidying(look)), reason=Reason.LETTING_GO, message=step.sentence)


def _hold(look: Look, stuck: list[Leaver]) -> Plan:
    kept = [one for one in stuck if one.instance.retained or look.just_held(one)]
    holdable = [one for one in stuck if one not in kept and one.instance.waits_to_leave and not one.group.unprotected]
    if holdable:
        steps = tuple(
            HoldInstance(instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id)
            for one in holdable
        )
        return Steps(steps=steps, reason=Reason.HOLDING, message=steps[0].sentence)
    violation = rules.nowhere_to_go(look.rest, (), stuck[0])
    why = violation.message if violation else ""
    unheld = [one for one in stuck if one not in kept]
    if unheld:
        return Blocked(
            reason=Reason.NOWHERE_TO_GO,
            message=f"{why}; {unheld[0].group.name} would not retain it: only heartbeats keep it",
            open_deadline=True,
        )
    # told at once: it is billed, and a group that was scaled in launches no replacement
    return awaited(look, ids(stuck), f"{ids(stuck)} is retained until a replacement has joined: {why}", at_once=True)
