"""Stages about the nodes in hand: told to restart, awaited, and given their allocation back."""

from collections.abc import Iterable, Mapping

from vagus.cluster import Awaited
from vagus.intent import AllocationPrimaries, AnyPreference
from vagus.owned_values import VALUES
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.looking import LINGERING_SECONDS, LISTED_SECONDS, TOLD_ENOUGH, Look, overdue, soon, waited
from vagus.rolling_upgrade.observed import step_id
from vagus.rolling_upgrade.on_the_way import replaced_by_hand
from vagus.steps import AllowAllocation, KeepReplicas, LeadSearchesBack, Process, RestartNodes
from vagus.weights import STRICT, Weights, led_away, ours, taken_away

OURS = tuple(value.mark for value in VALUES if value.demand in (AllocationPrimaries, AnyPreference))
"""The marks of what nodes in hand demand; one that an update takes away (`None`) is given back."""
SILENT = "none, so that its SSM agent may be dead (on it: `systemctl restart amazon-ssm-agent`)"


def restart(look: Look) -> Plan | None:
    """Nodes in hand that run as before are told to restart; or let be, if anything has come between."""
    if not look.holding or look.away or not look.to_tell:
        return None
    names = [node.name for node in look.to_tell]
    waiting = [one for one in look.told(names) if not look.ended(one)]
    enough = any(look.in_vain(node) >= TOLD_ENOUGH for node in look.to_tell)
    just_sent = look.since(look.wanted.sent_at) < LISTED_SECONDS
    if enough or (not waiting and not just_sent and _let_be(look)):
        return give_back(look, f"{', '.join(names)} is let be")
    if waiting or just_sent:
        return _awaited(look, names, f"{', '.join(names)} was told to restart")
    converged = look.converged(look.intent.demands if look.intent else ())
    if converged.by_hand:
        return Blocked(
            reason=Reason.REMOVED_BY_HAND,
            message=f"{converged.by_hand} while nodes were to be restarted; `vagus abort` ends the restart",
            open_deadline=True,
        )
    kept = keep(look, tuple(names))
    again = (kept,) if converged.update or _unled(look, kept) else ()
    return Steps(steps=(*again, told(look)), reason=_reason(look), message=_story(look))


def _unled(look: Look, kept: KeepReplicas) -> bool:
    """Whether a function died before it led searches away from these nodes. That is tried once more."""
    return kept.weighing is not None and look.wanted.led == 1 and not look.wanted.unled


def _let_be(look: Look) -> bool:
    """Whether nobody wants them restarted just now: they are not even begun with."""
    stopped = look.observed.paused or look.wanted.aborted or rules.urgent(look.observed, look.cluster)
    tripped = rules.before(look.question(look.wanted.taken))
    return bool(stopped or tripped) or look.since(max(look.wanted.taken_at, look.wanted.sent_at)) > LINGERING_SECONDS


def keep(look: Look, names: tuple[str, ...]) -> KeepReplicas:
    """The step that takes nodes in hand."""
    intent = look.intent.id if look.intent else ""
    demands = look.demands(names)
    return KeepReplicas(
        intent=intent,
        wanted=look.wanted.version,
        nodes=names,
        update=look.converged(demands).update,
        demands=demands,
        weighing=led_away(look.cluster, look.observed.weights, names),
    )


def told(look: Look) -> RestartNodes:
    """The step that restarts the nodes in hand which run as before, and can be told to."""
    intent = look.intent
    assert intent is not None  # noqa: S101  (stages about nodes in hand have an intent)
    processes = tuple(
        Process(node=one.name, ephemeral_id=one.ephemeral_id, started=one.started, step=step_id(intent, one))
        for one in look.to_tell
    )
    return RestartNodes(intent=intent.id, wanted=look.wanted.version, processes=processes)


def back(look: Look) -> Plan | None:
    """All that were in hand have joined again with what is wanted, or are gone for good: allocation is given back.

    Before they serve: shards recover while a node's security gets ready, and the next node waits for both. One that
    could not be told to restart is let be.
    """
    if not look.holding or look.absent or look.to_tell:
        return None
    let_be = [node.name for node in look.to_restart]
    found = [name for name in look.wanted.taken if name not in let_be]
    ends = [f"{', '.join(found)} is back"] if found else []
    return give_back(look, "; ".join([*ends, *(f"{name} could not be told to restart" for name in let_be)]))


def searched_again(look: Look) -> Plan | None:
    """No node in hand is about to stop: each has left the cluster, for now or for good, is back, or was told in vain.
    Their zone is searched again, whatever is waited for."""
    weights, demands = look.observed.weights, (AllocationPrimaries(),)
    tried = look.wanted.led_back or not isinstance(weights, Weights)
    if not look.holding or tried or any(look.expected(node.name) for node in look.to_tell):
        return None
    update = look.converged(demands).update
    if not ours(weights) and STRICT.mark not in update.persistent:
        return None
    step = LeadSearchesBack(
        intent=look.intent.id if look.intent else "",
        nodes=look.wanted.taken,
        demands=demands,
        update=update,
        weighing=taken_away(weights),
    )
    return Steps(steps=(step,), reason=_reason(look), message=f"{step.sentence}; {_story(look)}")


def joining(look: Look) -> Plan | None:
    """A node in hand is away. When it takes too long, or its start failed, replicas are allocated elsewhere first.

    How long is told by the intent's row: a run's progress ends with the run, and a sweep has none.
    """
    if not look.holding:
        return None
    away = look.since(look.wanted.sent_at or look.wanted.taken_at)
    failure = _failure(look, [name for name in look.away if not look.expected(name)])
    if away >= look.spec.rolling_upgrade.rejoin_seconds or failure:
        return give_back(look, f"{', '.join(look.away)} did not come back: {failure or 'it takes too long'}")
    return _coming(look)


def _coming(look: Look) -> Plan:
    return _awaited(look, look.away, f"{', '.join(look.away)} restarts, and does not serve again yet")


def _awaited(look: Look, names: tuple[str, ...] | list[str], message: str) -> Plan:
    progress = waited(look.observed.progress, f"{Reason.NODE_AWAY} {','.join(names)}", look.now)
    absent, message = len(look.absent), f"{message}; {_story(look)}"
    awaits = Awaited(nodes=len(look.cluster.nodes) + absent) if absent else None
    return Wait(seconds=soon(progress), reason=Reason.NODE_AWAY, message=message, progress=progress, awaits=awaits)


def give_back(look: Look, why: str) -> Steps:
    """The step that ends what was in hand, whatever became of it."""
    intent = look.intent.id if look.intent else ""
    update, weighing = look.converged().update, taken_away(look.observed.weights)
    step = AllowAllocation(intent=intent, nodes=look.wanted.taken, update=update, weighing=weighing)
    return Steps(steps=(step,), reason=_reason(look), message=f"{why}: allocation is given back")


def unreturned(look: Look) -> Plan | None:
    """No node is in hand, and what was set for one stands still: a function died between the two. It is given back
    before shards are waited for, of which replicas could not be assigned for it, and before the row is closed."""
    update = look.converged().update.persistent
    stands = ours(look.observed.weights) or None in [update.get(mark, "") for mark in OURS]
    if look.holding or look.intent is None or not stands:
        return None
    return give_back(look, "replicas are still kept from being allocated, or searches led away")


def _failure(look: Look, names: Iterable[str]) -> str:
    """The last word of a restart that failed, of nodes that are away or don't serve."""
    failed = [one for one in look.told(names) if one.outcome in ("failed", "not-serving")]
    return failed[-1].said or "its command failed" if failed else ""


# -- afterwards ------------------------------------------------------------------------------------------------------


def not_back(look: Look) -> Plan | None:
    """A node that was in hand is away, and allocation was given back. It may only have to open its port; else a person
    is called, and the others serve."""
    if not look.away:
        return None
    if look.coming:
        return _coming(look)
    said = _failure(look, look.away)
    return Blocked(
        reason=Reason.NODE_NOT_BACK,
        message=f"{', '.join(look.away)} was restarted and does not serve again{': ' + said if said else ''}. The rest "
        f"of the cluster serves ({look.cluster.status}). Restart its service (`systemctl restart vagus-search` on it), "
        f"or {replaced_by_hand(look.away[0])}, and the rest goes on by itself; or `vagus abort`",
        open_deadline=True,
    )


def not_restarted(look: Look) -> Plan | None:
    """A node could not be told, or was told often enough, and runs as before."""
    if refused := {node.name: look.refused[node.name] for node in look.to_restart if node.name in look.refused}:
        return _not_told(refused)
    for node in look.to_restart:
        if look.in_vain(node) >= TOLD_ENOUGH:
            said = look.told([node.name])[-1]
            return Blocked(
                reason=Reason.NOT_RESTARTED,
                message=f"{node.name} was told {TOLD_ENOUGH} times to restart and runs as before "
                f"({node.version}); the last answer: {said.said or SILENT}. See why, or "
                f"{replaced_by_hand(node.name)}: it is tried again half an hour after the last time, and the rest goes "
                "on; or `vagus abort`",
                open_deadline=True,
            )
    return None


def _not_told(refused: Mapping[str, str]) -> Blocked:
    said = "; ".join(f"{name} could not be told to restart, and runs as before: {why}" for name, why in refused.items())
    return Blocked(
        reason=Reason.NOT_RESTARTED,
        message=f"{said}. See why SSM does not reach it (on it: `systemctl restart amazon-ssm-agent`), or "
        f"{replaced_by_hand(next(iter(refused)))}: it is tried again half an hour after the last time, and the "
        "rest goes on; or `vagus abort`",
        open_deadline=True,
    )


def recovering(look: Look) -> Plan | None:
    """Shards still recover from the last batch, or from something else: nothing is taken before that."""
    what = rules.recovering(look.cluster)
    if not what or look.cluster.status == "red":
        return None
    progress = waited(look.observed.progress, f"{Reason.RECOVERING} {what}", look.now)
    return Wait(
        seconds=soon(progress),
        page=overdue(progress, look.spec.rolling_upgrade.recovery_seconds),
        reason=Reason.RECOVERING,
        message=f"{what}; {_story(look)}",
        progress=progress,
        awaits=Awaited(green=True),
    )


def _reason(look: Look) -> Reason:
    return Reason.UPGRADING if look.wanted.version else Reason.RESTARTING


def _story(look: Look) -> str:
    what = f"upgrade to {look.wanted.version}" if look.wanted.version else "restart"
    return f"{what}: {len(look.left)} of {len(look.cluster.nodes)} nodes to go"
