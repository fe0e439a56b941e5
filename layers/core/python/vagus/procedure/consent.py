"""Who lets a plan go on: the mode, a stop, an approval. Asked after each decision, and again before each step.

- `observe`  shows, tells a person that something waits, and touches nothing but what is ours (`Step.in_every_mode`)
- a stop     holds back all but protective steps; the run ends with a page, the keeper goes on
- `approve`  asks before a disturbing step that no approval in force covers; in `act` before one that is `always_asked`

Nothing here withdraws what is set.
"""

import msgspec

from vagus import approval
from vagus.fleet import ClusterSpec
from vagus.plan import Ask, Blocked, Done, Plan, Steps, Wait
from vagus.ports import Table
from vagus.procedure import rows
from vagus.procedure.room import Room
from vagus.procedure.rows import Head, Rows
from vagus.reasons import Reason
from vagus.steps import AnyStep, Step, kind

ASK_SECONDS = 60
"""The longest time between two looks for an approval; the first are sooner."""
MOST_SENTENCES = 20
"""How many steps a page tells; `vagus approve` shows all."""


def rows_for(room: Room, spec: ClusterSpec, table: Table) -> Rows:
    """The cluster's rows, with the approvals where anything asks for them: what `within` and `why_not` go by."""
    return rows.read(table, spec.name, approvals=room.asks or room.mode(spec) == "approve")


def within(plan: Plan, room: Room, spec: ClusterSpec, seen: Rows, now: float) -> Plan:
    """The plan, as far as people let it. `now`: epoch seconds."""
    if room.mode(spec) == "observe":
        return in_observe(plan, spec, seen)
    plan = _unless_stopped(plan, seen.head(room.name))
    asked = room.mode(spec) == "approve" or (isinstance(plan, Steps) and plan.steps[0].always_asked)
    return _if_approved(plan, room, spec, seen, now) if asked else plan


def why_not(step: Step, room: Room, spec: ClusterSpec, seen: Rows, now: float) -> str | None:
    """Why a step may not be done now, after all; `None` if it may. For the function that writes, with fresh rows."""
    mode, head = room.mode(spec), seen.head(room.name)
    if mode == "observe":
        return None if step.in_every_mode else f"the mode is observe: no {kind(step)} is done"
    if step.protective:
        return None
    if head.paused:
        return stopped(head)
    approvals = approval.in_force(seen.approvals, room.name, now)
    if (mode == "approve" or step.always_asked) and not approval.covers(approvals, step):
        return f"no approval in force covers it{approval.moved(step)}"
    return None


def stopped(head: Head) -> str:
    """By whom, since when and why a capability is stopped, for a person."""
    since = f" at {head.paused_at}" if head.paused_at else ""
    why = f" ({head.paused_why})" if head.paused_why else ""
    return f"stopped by {head.paused_by or 'a person'}{since}{why}"


def in_observe(plan: Plan, spec: ClusterSpec, seen: Rows) -> Plan:
    """What is left of a plan in mode `observe`: no step that touches what is not ours, and no silence on who waits.

    A node that finds no identity noted believes that its cluster has yet to form, so that one is noted in every mode.
    What was set before the mode became `observe` stays, and a person is told so once.
    """
    left = ", ".join(sorted(intent.id for intent in seen.intents if intent.demands))
    stays = f"; what Vagus had set for {left} stays set" if left else ""
    message = f"mode observe: {plan.message}{stays}"
    match plan:
        case Done():
            return plan
        case Steps(steps=(first, *_)) if first.in_every_mode:
            return plan
        case Wait(page=True) | Blocked(open_deadline=True):
            return msgspec.structs.replace(plan, message=message)
    if left:  # no number that changes from look to look: it is told once
        words = (
            f"mode observe: {plan.reason}, and nothing more is done about it{stays}, and whoever waits is kept waiting"
        )
        ways = f"set the mode to act or approve again, or `vagus takeover {spec.name}`"
        return Blocked(reason=Reason.OBSERVING, message=f"{words}: {ways}", foreseen=_foreseen(plan))
    return Done(reason=Reason.OBSERVING, message=message, foreseen=_foreseen(plan))


def _unless_stopped(plan: Plan, head: Head) -> Plan:
    """The message holds no number that changes from look to look: a person is told again when it changes."""
    if not head.paused or isinstance(plan, Done) or (isinstance(plan, Steps) and plan.steps[0].protective):
        return plan
    held = f"held back: {plan.steps[0].sentence}" if isinstance(plan, Steps) else f"meanwhile: {plan.reason}"
    return Blocked(reason=Reason.PAUSED, message=f"{stopped(head)}; {held}", foreseen=_foreseen(plan))


def _if_approved(plan: Plan, room: Room, spec: ClusterSpec, seen: Rows, now: float) -> Plan:
    approvals = approval.in_force(seen.approvals, room.name, now)
    if not isinstance(plan, Steps) or approval.covers(approvals, plan.steps[0]):
        return plan
    meanwhile = plan.meanwhile
    return Ask(
        reason=Reason.APPROVAL_NEEDED,
        message=f"{plan.message}. Asked for: {_asked(_foreseen(plan))}. Approve it with `vagus approve {spec.name}`; "
        "until then nothing is disturbed, and whoever waits is kept waiting",
        steps=plan.steps,
        foreseen=plan.foreseen,
        seconds=ASK_SECONDS,
        open_deadline=plan.open_deadline,
        meanwhile=meanwhile,
        progress=meanwhile.progress if meanwhile else plan.progress,
    )


def _asked(steps: tuple[AnyStep, ...]) -> str:
    """What a yes would allow, in sentences: a page has to be enough to decide by."""
    sentences = [f"{step.sentence}{approval.moved(step)}" for step in steps if not step.protective]
    more = f"; and {len(sentences) - MOST_SENTENCES} more" if len(sentences) > MOST_SENTENCES else ""
    return "; then ".join(sentences[:MOST_SENTENCES]) + more


def _foreseen(plan: Plan) -> tuple[AnyStep, ...]:
    return (*plan.steps, *plan.foreseen) if isinstance(plan, Steps) else plan.foreseen
