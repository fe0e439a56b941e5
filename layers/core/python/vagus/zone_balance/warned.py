"""Stages for instances that EC2 takes away by itself: a Spot warning, a rebalance recommendation, a retirement. Pure.

Two minutes promise nothing: what has no other started copy is moved first, smallest first, by commands that no throttle
holds back; at once after that the node is excluded like any other, or the engine would send it other shards for those
(seen on 3.4.0). What was safe in the end and what was not is noted (`departed`).
"""

from datetime import datetime

from vagus.cluster import Copy, ShardMove
from vagus.intent import Intent
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.steps import ReplaceInstance, SaveLastCopies
from vagus.zone_balance.looking import ANSWERED_SECONDS, Look
from vagus.zone_balance.placement import places

SAVE_AGAIN_SECONDS = 10
"""After which the last copies that still do not move are told to once more."""
SAVING_SECONDS = 2
"""Between two looks while they move."""
WARNED_SECONDS = 15
"""Between two looks while an instance that was drained waits for its end."""
RETIRES_SECONDS = 60
"""Between two looks while a retirement can't be acted on yet."""
RETIRES_SOON_SECONDS = 24 * 3600
"""A retirement so near that could not be acted on yet is told to a person."""


def last_copies(look: Look, instance: str) -> tuple[Copy, ...]:
    """The copies on a node that have no started twin on a node that stays, and that no restart has in hand."""
    cluster = look.cluster
    staying = {node.name for node in look.firm.nodes} - {instance}
    safe = {copy.id for copy in cluster.copies if copy.active and copy.node in staying}
    return tuple(copy for copy in cluster.on(instance) if copy.node == instance and copy.active and copy.id not in safe)


def moves(look: Look, instance: str) -> tuple[ShardMove, ...]:
    """Where the last copies that stand still may go, smallest first: so most of them arrive in time."""
    still = [copy for copy in last_copies(look, instance) if copy.target is None]
    away = (look.cluster.names() - look.firm.names()) | {instance}
    return tuple(
        ShardMove(
            index=copy.index,
            shard=copy.shard,
            primary=copy.primary,
            source=instance,
            target=target,
            bytes=copy.bytes,
            why="it has no other started copy",
        )
        for copy, target in places(look.cluster, away, still)
    )


def save(look: Look) -> Plan | None:
    """Flush, and move what has no other started copy."""
    for intent in _spots(look):
        moving = moves(look, intent.instance)
        acted = _seconds_since(intent.acted, look.now)
        if acted is not None and not (moving and acted >= SAVE_AGAIN_SECONDS):
            continue
        indices = tuple(sorted({copy.index for copy in look.cluster.on(intent.instance)}))
        step = SaveLastCopies(intent=intent.id, instance=intent.instance, indices=indices, copies=moving)
        return Steps(steps=(step,), reason=Reason.SAVING, message=step.sentence)
    return None


def saving(look: Look) -> Plan | None:
    """The last copies are on their way. Those that came first take the node's hands, so that others wait for them."""
    found = {one.instance: last_copies(look, one.instance) for one in _spots(look)}
    left = {name: copies for name, copies in found.items() if any(copy.target for copy in copies)}
    if not left:
        return None
    said = ", ".join(f"{name}: {len(copies)} ({sum(c.bytes for c in copies)} bytes)" for name, copies in left.items())
    return Wait(
        seconds=SAVING_SECONDS,
        reason=Reason.SAVING,
        message=f"EC2 takes the instance back within minutes; shards without another started copy move first: {said}",
    )


def _spots(look: Look) -> list[Intent]:
    """Spot warnings whose node is still there."""
    return [one for one in look.observed.intents if one.kind == "spot" and look.cluster.node(one.instance)]


def waits(look: Look) -> Plan | None:
    """Drained as far as can be, and EC2 has not come yet."""
    names = sorted({one.id for one in look.leavers if not one.instance.leaving})
    if not names:
        return None
    return Wait(
        seconds=WARNED_SECONDS,
        reason=Reason.WARNED,
        message=f"EC2 has warned of the end of {', '.join(names)}: what could be moved has been",
    )


# -- retirement ------------------------------------------------------------------------------------------------------


def retire(look: Look) -> Plan | None:
    """Replace an instance that EC2 is going to end, one at a time, long before: its terminate hook has it drained."""
    due = sorted((one for one in look.observed.intents if one.kind == "retire"), key=lambda one: one.deadline or "")
    if not due:
        return None
    intent = due[0]
    told = f"EC2 ends instance {intent.instance} at {intent.deadline}"
    soon = (left := _seconds_since(intent.deadline, look.now)) is not None and -left < RETIRES_SOON_SECONDS
    why = may_not_replace(look, intent)
    if why is None:
        step = ReplaceInstance(
            intent=intent.id, instance=intent.instance, group=intent.group, deadline=intent.deadline or ""
        )
        return Steps(steps=(step,), reason=Reason.RETIRING, message=f"{told}: {step.sentence}")
    if _unprotected(look, intent) or _on_standby(look, intent):
        return Blocked(reason=Reason.RETIRING, message=f"{told}, and {why}")
    return Wait(seconds=RETIRES_SECONDS, page=soon, reason=Reason.RETIRING, message=f"{told}; not yet replaced: {why}")


def may_not_replace(look: Look, intent: Intent) -> str | None:
    """Why an instance that retires can't be replaced now."""
    if _unprotected(look, intent):
        return f"{intent.group} has no terminate hook that retains: it would go with its data. Drain it by hand"
    if _on_standby(look, intent):
        return "it is on standby: return it to service, and it is replaced; or end it by hand"
    if look.cluster.status != "green":
        return f"the cluster is {look.cluster.status}"
    if look.leavers or look.in_transit:
        return "another instance is on its way"
    if asked := _asked_for(look):
        return f"{asked} was asked to be replaced just now"
    acted = _seconds_since(intent.acted, look.now)
    return "it was asked for just now" if acted is not None and acted < ANSWERED_SECONDS else None


def _asked_for(look: Look) -> str:
    """Whom `vagus replace` has asked for, while Auto Scaling shows it as before: the row tells earlier."""
    serving = {one.id for group in look.observed.groups for one in group.instances if one.lifecycle == "InService"}
    wishes = [one.rolling for one in look.observed.others if one.kind == "replace" and one.rolling]
    asked = [
        name
        for one in wishes
        for name in one.taken
        if name in serving
        and (since := _seconds_since(one.sent_at or None, look.now)) is not None
        and since < ANSWERED_SECONDS
    ]
    return ", ".join(asked)


def _unprotected(look: Look, intent: Intent) -> bool:
    return any(group.unprotected for group in look.observed.groups if group.name == intent.group)


def _on_standby(look: Look, intent: Intent) -> bool:
    found = (one for group in look.observed.groups for one in group.instances if one.id == intent.instance)
    return any(one.lifecycle.endswith("Standby") for one in found)


def _seconds_since(when: str | None, now: float) -> float | None:
    """Negative for what is still to come; `None` for what never was."""
    return None if when is None else now - datetime.fromisoformat(when).timestamp()
