"""Stages about instances that come: a launch hook holds each until its node has joined and the cluster is whole.

Safety: a node that has joined may hold shards, so that its launch is never abandoned: in the end it is let into service
whatever stands, with a finding. One that never joined is abandoned only when no shard may go to it any more (it is
excluded first: it could join in the very moment) and every shard is served elsewhere. Convergence: each launch ends in
one or the other, and a group whose launches fail again and again stops, is told, and is tried again an hour later,
then two, then four, up to a day.

Nothing here waits for a drain, and no drain waits for a hook: it is the node's joining that helps one, not its service.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from vagus.fleet import ClusterSpec
from vagus.instances import Group, Instance, Launch, Suspended
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.steps import AbandonLaunch, AnyStep, ContinueLaunch, NoteJoined, ResumeLaunching, SuspendLaunching
from vagus.zone_balance import rules, whole
from vagus.zone_balance.draining import exclusion, held_back
from vagus.zone_balance.farewell import tidying
from vagus.zone_balance.looking import ANSWERED_SECONDS, Look
from vagus.zone_balance.observed import Observed
from vagus.zone_balance.waiting import advanced

JOIN_SECONDS = 15 * 60
"""How long a launched node may take to boot and join before its launch is abandoned: three of them fit in an hour."""
WHOLE_SECONDS = 3600
"""How long a node that has joined may wait for the cluster to be whole before a person is told."""
SERVED_SECONDS = 6 * 3600
"""How long it waits at all; then it is let into service all the same."""
LOOKED_BACK_SECONDS = SERVED_SECONDS + 3600
"""As far back as launches are asked for."""
FAILURES = 3
"""So many failed launches of a group in `FAILED_SECONDS` suspend its launching."""
FAILED_SECONDS = 3600
LONGEST_REST = 24 * 3600
"""A suspension lasts an hour, and twice as long each time that launches fail again: a quota or a key that nobody puts
right pages once a day in the end."""
AGAIN_SECONDS = 4 * 3600
"""Failures so soon after a suspension was over are the same trouble still."""
COMING_SECONDS = (2, 30)
"""Between two looks while an instance comes: at first, and at most."""


class Comer(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that comes, held by our launch hook or on its way there. `joined`: its node is in the cluster now;
    `noted`: when we first noted that (ISO 8601, "" if never). `launched`: whether a launch of it is under way; one
    that was attached, or left standby, has none. `seconds`: since it was launched, else since it was noted."""

    instance: Instance
    group: Group
    seconds: float
    joined: bool
    noted: str
    launched: bool

    @property
    def id(self) -> str:
        """The instance's id, which will be its node's name."""
        return self.instance.id


def comers(look: Look) -> tuple[Comer, ...]:
    """Every instance that comes to a group with our launch hook, by id."""
    found = [
        Comer(
            instance=one,
            group=group,
            seconds=_waited(look, group, one),
            joined=look.cluster.node(one.id) is not None,
            noted=look.observed.suspended.joined.get(one.id, ""),
            launched=_launch(look, group, one) is not None,
        )
        for group in look.observed.groups
        for one in group.instances
        if one.launching and group.launch_hook
    ]
    return tuple(sorted(found, key=lambda one: one.id))


def _waited(look: Look, group: Group, instance: Instance) -> float:
    """Seconds since it was launched. Where no launch is seen, for there was none, or it can't be asked for, or is older
    than we look back: since it was noted as joined. What is not known is never taken for a node that fails to join."""
    if found := _launch(look, group, instance):
        return look.now - found.started
    noted = look.observed.suspended.joined.get(instance.id)
    return look.now - datetime.fromisoformat(noted).timestamp() if noted else 0.0


def _launch(look: Look, group: Group, instance: Instance) -> Launch | None:
    """Its launch that is under way. One that ended long ago is not what is waited for: it left standby, or was attached
    again."""
    tries = look.observed.launches.get(group.name, ())
    return next((one for one in tries if one.instance == instance.id and one.ended is None), None)


def asked_for(observed: Observed) -> tuple[Group, ...]:
    """Groups of whose launches a decision wants to know: something comes, or does not, or we have stopped it."""
    marked = observed.suspended.marks
    return tuple(
        group
        for group in observed.groups
        if group.name in marked or group.short or any(one.launching for one in group.instances)
    )


# -- into service ----------------------------------------------------------------------------------------------------


def admit(look: Look) -> Plan | None:
    """Let those into service whose node has joined, if the cluster is whole, or has not been for too long."""
    ready = [one for one in comers(look) if one.joined and _to_be_answered(look, one)]
    if not ready:  # whether the cluster is whole costs a pass over every copy and node
        return None
    unwhole = whole.why_not(look)
    lasting = "" if unwhole else whole.lasting(look)
    steps = tuple(
        ContinueLaunch(
            instance=one.id,
            group=one.group.name,
            hook=one.group.launch_hook or "",
            node=one.id,
            finding=unwhole or lasting or _elsewhere(look, one),
        )
        for one in ready
        if not unwhole or one.seconds >= SERVED_SECONDS
    )
    return Steps(steps=steps, reason=Reason.ADMITTING, message=steps[0].sentence) if steps else None


def _to_be_answered(look: Look, one: Comer) -> bool:
    """Its hook waits, and was not answered moments ago."""
    at = look.observed.suspended.answered.get(one.id)
    return one.instance.waits_to_serve and not (
        at and look.now - datetime.fromisoformat(at).timestamp() < ANSWERED_SECONDS
    )


def _elsewhere(look: Look, one: Comer) -> str:
    """A finding of a node that has joined: it says another zone than its instance is in."""
    node = look.cluster.node(one.id)
    if node is None or node.zone == one.instance.zone:
        return ""
    return f"its node says zone {node.zone} and its instance is in {one.instance.zone}"


def note(look: Look) -> Plan | None:
    """Remember who has joined, where it can't be let into service yet: its process may be gone at the next look."""
    new = tuple(one.id for one in comers(look) if one.joined and not one.noted and one.instance.waits_to_serve)
    if not new:
        return None
    step = NoteJoined(instances=new)
    return Steps(steps=(step,), reason=Reason.LAUNCHING, message=step.sentence)


# -- never joined ----------------------------------------------------------------------------------------------------


def give_up(look: Look) -> Plan | None:
    """Abandon a launch whose node never joined: first no shard may go to it, then ABANDON."""
    if held_back(look):
        return None
    late = [one for one in comers(look) if overdue(look, one)]
    if not late:
        return None
    abandons = tuple(
        AbandonLaunch(instance=one.id, group=one.group.name, hook=one.group.launch_hook or "") for one in late
    )
    message = f"{late[0].id} was launched {late[0].seconds:.0f} s ago and its node has not joined"
    first = exclusion(look, {one.id: one.group.name for one in late}, {one.id: 0 for one in late})
    steps: tuple[AnyStep, ...] = (first, *abandons) if first.update else abandons
    return Steps(steps=(*steps, *tidying(look)), reason=Reason.GIVING_UP, message=message)


def overdue(look: Look, one: Comer) -> bool:
    """Whether it has not joined in time, nothing says that it ever had, and nothing is missing that it could have. What
    was attached, or left standby, may have joined long ago: no launch of it is seen, and it is never given up."""
    return (
        _to_be_answered(look, one)
        and not one.joined
        and not one.noted
        and one.launched
        and one.seconds >= JOIN_SECONDS
        and one.id not in look.cluster.voters
        and rules.some_shard_has_no_active_copy(look.rest) is None
    )


# -- again and again -------------------------------------------------------------------------------------------------


def failures(tries: tuple[Launch, ...], forgiven: str, now: float) -> tuple[Launch, ...]:
    """The failed launches that count: of the last hour, and after a person said to try again."""
    since = max(now - FAILED_SECONDS, datetime.fromisoformat(forgiven).timestamp() if forgiven else 0.0)
    return tuple(one for one in tries if one.failed and (one.ended or one.started) > since)


def failing(observed: Observed, group: str, now: float) -> tuple[Launch, ...]:
    """Those of one group, if they are so many that it should stop."""
    found = failures(observed.launches.get(group, ()), observed.suspended.forgiven.get(group, ""), now)
    return found if len(found) >= FAILURES else ()


def times(observed: Observed, group: str, now: float) -> int:
    """The how manieth suspension in a row one would be: it counts on from the last, unless a launch succeeded since."""
    before = observed.suspended.again.get(group)
    if before is None:
        return 1
    since = datetime.fromisoformat(before.at).timestamp()
    tries = observed.launches.get(group, ())
    mended = any(one.ended is not None and not one.failed and one.ended > since for one in tries)
    return 1 if mended or now - since > AGAIN_SECONDS else before.times + 1


def rest(mark: Suspended) -> int:
    """How long a suspension lasts, in seconds."""
    return min(LONGEST_REST, FAILED_SECONDS << min(mark.times - 1, 10))


def suspension(observed: Observed, now: float) -> Plan | None:
    """End a suspension of ours that is over, or begin one. It asks of AWS alone: launches fail most while a cluster has
    yet to form."""
    return _start(observed, now) or _stop(observed, now)


def _stop(observed: Observed, now: float) -> Plan | None:
    """Suspend launching where it fails again and again. What a person suspended is theirs."""
    steps = tuple(
        SuspendLaunching(
            group=group.name,
            failures=len(found),
            why=found[0].why[:200],
            times=times(observed, group.name, now),
        )
        for group in observed.groups
        if (found := failing(observed, group.name, now)) and not _stopped(observed, group)
    )
    return Steps(steps=steps, reason=Reason.LAUNCHING_STOPS, message=steps[0].sentence) if steps else None


def _stopped(observed: Observed, group: Group) -> bool:
    """By us and noted as done, or by a person."""
    mark = observed.suspended.marks.get(group.name)
    return mark.done is not None if mark else "Launch" in group.suspended


def _start(observed: Observed, now: float) -> Plan | None:
    """Resume what we suspended: its time is over, or a person says so (to us, or by resuming it)."""
    marked = sorted(observed.suspended.marks)
    steps = tuple(ResumeLaunching(group=name) for name in marked if over(observed, name, now))
    return Steps(steps=steps, reason=Reason.LAUNCHING_RESUMES, message=steps[0].sentence) if steps else None


def over(observed: Observed, group: str, now: float) -> bool:
    """Whether a suspension of ours is to end. A group that is gone has none any more; of one that could not be asked
    nobody knows whether it fails still."""
    if all(one.name != group for one in observed.groups):
        return True
    rested = group in observed.launches and not failing(observed, group, now) and _rested(observed, group, now)
    return rested or resumed_by_hand(observed, group, now)


def _rested(observed: Observed, group: str, now: float) -> bool:
    mark = observed.suspended.marks[group]
    return said_to_try(observed, group) or now - datetime.fromisoformat(mark.at).timestamp() >= rest(mark)


def said_to_try(observed: Observed, group: str) -> bool:
    """A person said so after it was suspended."""
    at = observed.suspended.forgiven.get(group, "")
    return bool(at) and datetime.fromisoformat(at) >= datetime.fromisoformat(observed.suspended.marks[group].at)


def resumed_by_hand(observed: Observed, group: str, now: float) -> bool:
    """We suspended it a while ago (AWS shows that late), and it is not suspended any more."""
    mark = observed.suspended.marks[group]
    found = next((one for one in observed.groups if one.name == group), None)
    if mark.done is None or (found is not None and "Launch" in found.suspended):
        return False
    return now - datetime.fromisoformat(mark.done).timestamp() >= ANSWERED_SECONDS


def stopped(observed: Observed, spec: ClusterSpec) -> Blocked | None:
    """What a person is told of a suspension. It ends the run: the sweep finds the hour over."""
    marks = {name: mark for name, mark in observed.suspended.marks.items() if mark.done}
    if not marks:
        return None
    words = "; ".join(
        f"{name}: for {rest(mark) // 3600} h since {mark.at}: {mark.why or 'no why'}"
        for name, mark in sorted(marks.items())
    )
    message = (
        f"launching is suspended, for it failed {FAILURES} times within an hour ({words}). It is tried again after "
        f"that; at once by `vagus resume {spec.name}`"
    )
    return Blocked(reason=Reason.LAUNCHES_FAIL, message=message, about=_each_suspension(marks))


def _each_suspension(marks: Mapping[str, Suspended]) -> tuple[str, ...]:
    """Each is told once, however many runs it outlasts and however other groups fare meanwhile."""
    return tuple(f"{name} since {mark.at}" for name, mark in sorted(marks.items()))


# -- the same, as stages ---------------------------------------------------------------------------------------------


def heed(look: Look) -> Plan | None:
    """`suspension`, of a cluster that is seen."""
    return suspension(look.observed, look.now)


def tell(look: Look) -> Plan | None:
    """`stopped`, where nobody comes or leaves."""
    return stopped(look.observed, look.spec)


def beside(look: Look, plan: Plan) -> Plan:
    """What is waited for, and a suspension told with it: it hides nothing of that, and sets none of its clocks back."""
    told = stopped(look.observed, look.spec)
    if told is None or plan.reason is told.reason or not isinstance(plan, Wait | Blocked):
        return plan
    if isinstance(plan, Wait) and not plan.page:
        message = f"{told.message}. Meanwhile: {plan.message}"
        return msgspec.structs.replace(plan, page=True, reason=told.reason, message=message, about=told.about)
    return msgspec.structs.replace(plan, message=f"{plan.message}. Beside that, {told.message}")


# -- waiting ---------------------------------------------------------------------------------------------------------


def awaited(look: Look) -> Plan | None:
    """An instance comes: its node has still to join, or the cluster to be whole. Much too long is told."""
    coming = comers(look)
    if not coming:
        return None
    progress = advanced(look.observed.progress, f"{Reason.LAUNCHING} {' '.join(one.id for one in coming)}", look.now)
    shortest, longest = COMING_SECONDS
    same = look.now - progress.changed_at
    return Wait(
        seconds=int(max(shortest, min(longest, same / 4))),
        page=any(_too_long(one, same) for one in coming),
        reason=Reason.LAUNCHING,
        message="; ".join(_sentences(look, coming)),
        progress=progress,
    )


def _too_long(one: Comer, same: float) -> bool:
    """`same`: for so many seconds nobody else comes, which tells of one whose launch is not seen."""
    waited = one.seconds if one.launched else max(one.seconds, same)
    return waited >= (WHOLE_SECONDS if one.joined or one.noted else 2 * JOIN_SECONDS)


def _sentences(look: Look, coming: tuple[Comer, ...]) -> Iterator[str]:
    unwhole = whole.why_not(look)
    for one in coming:
        if not one.joined:
            yield f"{one.id} {_absent(one)}"
        elif unwhole:
            yield f"{one.id} has joined, and serves when the cluster is whole: {unwhole}"
        else:
            yield f"{one.id} has joined and is about to serve"


def _absent(one: Comer) -> str:
    if one.noted:
        return f"was in the cluster at {one.noted} and is not now: start its node again; its launch is not given up"
    return f"{'was launched' if one.launched else 'comes'} and its node has not joined yet"
