"""Stages of a replacement: instances that are behind their group's launch template (or were named) go one after
another, each by its group, which launches another. Pure.

Here is decided only when the next one is asked for. How it is drained, how its vote is taken, when it is let go and
when the new one serves is zone_balance's, as of any instance that leaves and comes: its hooks hold both.

Safety: the next one is asked for only while no instance leaves or comes, no group lacks one, every node is in the
cluster, nothing recovers, no snapshot runs and a majority of the voters stays; and only if our terminate hook, asked
for anew, would hold it. What was asked for is noted before, so that an answer that is lost, or a description that is
late, never costs a second one.

Convergence: what an instance was launched from says whether it is done. Nothing of the procedure is left on cluster or
groups: an abort in mid-way leaves one that leaves as any other.
"""

from collections.abc import Callable, Iterable

from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import replaceable, rules
from vagus.rolling_upgrade.looking import Look, overdue, waited
from vagus.rolling_upgrade.on_the_way import forbidden, moving, replaced_by_hand, suspended, under_way
from vagus.rolling_upgrade.replaceable import Candidate, Question
from vagus.steps import PutSettingsRight, ReplaceNext

SHOWN_SECONDS = 120
"""How long Auto Scaling may show an instance as before once it was asked for. Nothing is asked for meanwhile."""
IN_VAIN_SECONDS = 600
"""Asked for again and again for so long, a person is called."""
AGAIN_SECONDS = 1800
"""So long after it was last asked for in vain it is tried again."""
LOOK_SECONDS = 5
SNAPSHOT_SECONDS = 30


def replaced(look: Look) -> Plan | None:
    """The whole plan of a replacement; nothing where none is worked on."""
    if look.intent is None or look.intent.kind != "replace":
        return None
    return next((plan for stage in STAGES if (plan := stage(look))), None) or _take(look)


def left(look: Look) -> tuple[Candidate, ...]:
    """Who is still to be replaced, in order; one that was asked for in vain stays the first."""
    found = replaceable.candidates(look.observed, look.cluster, look.wanted.instances)
    tried = look.wanted.taken if look.since(look.wanted.sent_at) < AGAIN_SECONDS else ()
    return tuple(sorted(found, key=lambda one: one.id not in tried))


def aborted(look: Look) -> Plan | None:
    """A person wants no further one replaced."""
    by = look.wanted.aborted
    return _closing(look, f"aborted by {by}, with {len(left(look))} instances to go") if by else None


def on_the_way(look: Look) -> Plan | None:
    """One leaves or comes, or a group lacks one, and goes first. The run ends: the sweep goes on when that is over."""
    if not (why := under_way(look.observed, look.cluster)):
        return None
    if not moving(look.observed, look.cluster) and (by_people := forbidden(look.observed)):
        about = (f"{by_people.name} launches",)
        message = f"{by_people.name} lacks an instance, and {suspended(look.observed, by_people, 'Launch')}"
        return Blocked(reason=Reason.NOT_REPLACEABLE, message=message, about=about, foreseen=foreseen(look))
    message = f"{why}; {len(left(look))} instances are to be replaced, one after another"
    return Done(reason=Reason.YIELDING, message=message, foreseen=foreseen(look))


def asked_for(look: Look) -> Plan | None:
    """One was asked for a moment ago, and is shown as before: nothing else is done until it shows, or was in vain."""
    names = [one.id for one in left(look) if one.id in look.wanted.taken]
    since = look.since(look.wanted.sent_at)
    if not names or since >= AGAIN_SECONDS:
        return None
    name = names[0]
    if since < SHOWN_SECONDS:
        return Wait(seconds=LOOK_SECONDS, reason=Reason.REPLACING, message=f"{name} was asked to be replaced just now")
    if look.since(look.wanted.taken_at) < IN_VAIN_SECONDS:
        return None
    return Blocked(
        reason=Reason.NOT_REPLACEABLE,
        message=f"{name} was asked to be replaced since {look.wanted.taken_at}, and serves as before: the scaling "
        "activities of its group say why. It is tried again half an hour after the last time; or `vagus abort "
        f"{look.spec.name}`",
        about=(f"asked for {name}",),
        open_deadline=True,
    )


def absent(look: Look) -> Plan | None:
    """An instance serves, and its node is not in the cluster: it has still to join, or has failed."""
    going = {one.id for one in left(look)}
    members = (one for group in look.observed.groups for one in group.instances)
    names = sorted(
        one.id
        for one in members
        if one.lifecycle == "InService" and look.cluster.node(one.id) is None and one.id not in going
    )
    if not names:
        return None
    about = f"{Reason.NODE_AWAY} {','.join(names)}"
    progress = waited(look.observed.progress, about, look.now)
    return Wait(
        seconds=LOOK_SECONDS,
        page=overdue(progress, look.spec.rolling_upgrade.rejoin_seconds),
        reason=Reason.NODE_AWAY,
        message=f"{', '.join(names)} serves in its group, and its node is not in the cluster: start it, or "
        f"{replaced_by_hand(names[0])}",
        progress=progress,
    )


def recovering(look: Look) -> Plan | None:
    """Shards recover: the next one is asked for when the cluster is whole. One whose node is away waits for those alone
    that move: what it held may have no other node to go to, so that only its replacement makes the cluster whole."""
    away = any(one.node is None for one in left(look)[:1])
    what = rules.moving(look.cluster) if away else rules.recovering(look.cluster)
    if not what or look.cluster.status == "red":
        return None
    progress = waited(look.observed.progress, f"{Reason.RECOVERING} {what}", look.now)
    return Wait(
        seconds=LOOK_SECONDS,
        page=overdue(progress, look.spec.rolling_upgrade.recovery_seconds),
        reason=Reason.RECOVERING,
        message=f"{what}; {len(left(look))} instances are to be replaced",
        progress=progress,
    )


def over(look: Look) -> Plan | None:
    """Nobody is left."""
    if left(look):
        return None
    if look.wanted.instances:
        return _closing(look, "every instance that was named is gone")
    dark = replaceable.unknown(look.observed)
    but = f"; of {', '.join(dark)} nobody knows, for the version of its launch template is no number" if dark else ""
    return _closing(look, f"every instance is of its group's launch template{but}")


def _closing(look: Look, why: str) -> Plan:
    name = look.intent.id if look.intent else ""
    step = PutSettingsRight(closes=(name,), update=look.converged().update)
    return Steps(steps=(step,), reason=Reason.TIDYING, message=f"{name}: {why}")


def held_back(look: Look) -> Plan | None:
    """A check stands against the next one; and then against every one that is left."""
    if (violation := replaceable.against(question(look, left(look)[0]))) is None:
        return None
    if violation.reason is Reason.SNAPSHOT_RUNNING:
        progress = waited(look.observed.progress, f"{violation.reason} {violation.message}", look.now)
        unlisted = look.observed.snapshots is None
        return Wait(
            seconds=SNAPSHOT_SECONDS,
            page=unlisted and overdue(progress, look.spec.rolling_upgrade.recovery_seconds),
            reason=violation.reason,
            message=violation.message,
            foreseen=foreseen(look),
            progress=progress,
        )
    return Blocked(reason=violation.reason, message=violation.message, about=violation.about, foreseen=foreseen(look))


STAGES: tuple[Callable[[Look], Plan | None], ...] = (
    aborted,
    on_the_way,
    asked_for,
    absent,
    recovering,
    over,
    held_back,
)


def _take(look: Look) -> Plan:
    """Ask for the next one."""
    first, *others = foreseen(look)
    return Steps(steps=(first,), foreseen=tuple(others), reason=Reason.REPLACING, message=_told_to_people(look))


def question(look: Look, one: Candidate) -> Question:
    """What the checks are asked about one."""
    return Question(observed=look.observed, cluster=look.cluster, spec=look.spec, one=one)


def foreseen(look: Look) -> tuple[ReplaceNext, ...]:
    """A step for each that is left, in order."""
    return steps(left(look), look.intent.id if look.intent else "")


def steps(found: Iterable[Candidate], intent: str = "") -> tuple[ReplaceNext, ...]:
    """A step for each, in their order."""
    return tuple(
        ReplaceNext(
            intent=intent,
            instance=one.id,
            group=one.group.name,
            launched_from=one.instance.template,
            template=one.group.template,
            bytes=one.bytes,
        )
        for one in found
    )


def _told_to_people(look: Look) -> str:
    """What a person approves: who, in order, what has to move, what will be unavailable, each check's result."""
    found = left(look)
    names = "; then ".join(one.id for one in found)
    moved = sum(one.bytes for one in found) / 1e9
    return (
        f"replacement of {names}; each is drained first ({moved:,.1f} GB in all), ended by its group, and the next one "
        f"asked for when its replacement serves; unavailable meanwhile: nothing; {_unseen(found)}found by the checks "
        f"of the first: {replaceable.results(question(look, found[0]))}"
    )


def _unseen(found: Iterable[Candidate]) -> str:
    """What nobody can tell beforehand: the engine in the image of an adopted group."""
    adopted = ", ".join(sorted({one.group.name for one in found if one.group.mode == "adopted"}))
    return f"which engine the launch template of {adopted} brings is not known, for it was adopted; " if adopted else ""
