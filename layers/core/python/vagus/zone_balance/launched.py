"""How the steps of launching are done: each looks afresh at its own precondition, and refuses; it never chooses."""

from collections.abc import Mapping

import msgspec

from vagus import owned
from vagus.cluster import Cluster, Unseen
from vagus.instances import Launches, Suspended, TriedAgain
from vagus.procedure import rows
from vagus.procedure.foreign import foreign
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import AbandonLaunch, ContinueLaunch, NoteJoined, ResumeLaunching, Step, SuspendLaunching
from vagus.zone_balance import launching, whole
from vagus.zone_balance.launching import Comer
from vagus.zone_balance.looking import Look, looked
from vagus.zone_balance.observe import with_launches
from vagus.zone_balance.observed import Observed

ROW = "launches"
NOT_ASKED = Unseen(reason="UNREACHABLE", message="not asked")


def _observed(writes: Writes, seen: Rows, cluster: Cluster) -> Observed:
    observed = Observed(
        cluster=cluster,
        groups=writes.groups.describe([writes.spec.name]),
        intents=seen.intents_of("zone_balance"),
        identity=seen.identity,
        suspended=seen.launches,
    )
    return with_launches(observed, writes.groups, writes.now)


def _fresh(writes: Writes, seen: Rows, instance: str) -> tuple[Look, Comer] | None:
    """A fresh look, and an instance whose launch hook still waits."""
    cluster = writes.search.look()
    look = looked(_observed(writes, seen, cluster), cluster, writes.spec, writes.now)
    one = next((one for one in launching.comers(look) if one.id == instance and one.instance.waits_to_serve), None)
    return None if one is None else (look, one)


def _may_continue(writes: Writes, seen: Rows, step: ContinueLaunch, token: int) -> str | None:
    fresh = _fresh(writes, seen, step.instance)
    if fresh is None:
        return f"no launch hook waits for {step.instance} any more"
    look, one = fresh
    if not one.joined:
        return f"{one.id} is not in the cluster any more"
    unwhole = whole.why_not(look) if one.seconds < launching.SERVED_SECONDS else ""
    return foreign(look.cluster, seen, token) or unwhole or None


def _continue(writes: Writes, seen: Rows, step: ContinueLaunch, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "CONTINUE")
    _answered(writes, seen, step.instance)


def _may_note(writes: Writes, seen: Rows, step: NoteJoined, token: int) -> str | None:
    cluster = writes.search.look()
    if away := sorted(set(step.instances) - cluster.names()):
        return f"{', '.join(away)} is not in the cluster any more"
    return foreign(cluster, seen, token)


def _note(writes: Writes, seen: Rows, step: NoteJoined, _token: int) -> None:
    known = {**dict.fromkeys(step.instances, writes.iso), **seen.launches.joined}
    _put(writes, seen, _of_those_who_come(writes, msgspec.structs.replace(seen.launches, joined=known)))


def _may_abandon(writes: Writes, seen: Rows, step: AbandonLaunch, token: int) -> str | None:
    fresh = _fresh(writes, seen, step.instance)
    if fresh is None:
        return f"no launch hook waits for {step.instance} any more"
    look, one = fresh
    if not launching.overdue(look, one):
        return f"{one.id} has joined, or may yet, or a shard has no other copy"
    if one.id not in owned.excluded(look.cluster):
        return f"{one.id} is not excluded: it could join and take a shard in this very moment"
    return foreign(look.cluster, seen, token)


def _abandon(writes: Writes, seen: Rows, step: AbandonLaunch, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "ABANDON")
    _answered(writes, seen, step.instance)


def _answered(writes: Writes, seen: Rows, instance: str) -> None:
    """The row last: to answer twice is harmless."""
    kept = _of_those_who_come(writes, seen.launches)
    _put(writes, seen, msgspec.structs.replace(kept, answered={**kept.answered, instance: writes.iso}))


def _of_those_who_come(writes: Writes, launches: Launches) -> Launches:
    """Only those that still come are kept in the row."""
    groups = writes.groups.describe([writes.spec.name])
    coming = {one.id for group in groups for one in group.instances if one.launching}
    return msgspec.structs.replace(
        launches,
        answered={name: at for name, at in launches.answered.items() if name in coming},
        joined={name: at for name, at in launches.joined.items() if name in coming},
    )


def _put(writes: Writes, seen: Rows, launches: Launches) -> None:
    writes.table.write(rows.partition(writes.spec.name), seen.put(ROW, launches))


# -- again and again -------------------------------------------------------------------------------------------------


def _may_suspend(writes: Writes, seen: Rows, step: SuspendLaunching, _token: int) -> str | None:
    observed = _only_groups(writes, seen)
    group = next((one for one in observed.groups if one.name == step.group), None)
    if group is None:
        return f"there is no group {step.group}"
    if step.group not in seen.launches.marks and "Launch" in group.suspended:
        return f"somebody has suspended launching in {step.group}"
    return None if launching.failing(observed, step.group, writes.now) else f"{step.group} does not fail any more"


def _suspend(writes: Writes, seen: Rows, step: SuspendLaunching, _token: int) -> None:
    """Mark, act, note that it was done: a mark without that may be ours or not, and is acted on again."""
    mark = Suspended(at=writes.iso, why=step.why, times=step.times)
    _put(writes, seen, _marked(seen.launches, step.group, mark))
    writes.groups.suspend_launching(step.group)
    again = rows.read(writes.table, writes.spec.name)
    _put(writes, again, _marked(again.launches, step.group, msgspec.structs.replace(mark, done=writes.iso)))


def _marked(launches: Launches, group: str, mark: Suspended) -> Launches:
    return msgspec.structs.replace(launches, marks={**launches.marks, group: mark})


def _may_resume(writes: Writes, seen: Rows, step: ResumeLaunching, _token: int) -> str | None:
    if step.group not in seen.launches.marks:
        return f"we have not suspended launching in {step.group}"
    still = not launching.over(_only_groups(writes, seen), step.group, writes.now)
    return f"{step.group} fails still" if still else None


def _resume(writes: Writes, seen: Rows, step: ResumeLaunching, _token: int) -> None:
    """Undo, then unmark. Where a person was first, what failed before is forgiven, or it would be suspended anew; where
    a person said so, it counts no further."""
    observed = _only_groups(writes, seen)
    by_hand = launching.resumed_by_hand(observed, step.group, writes.now)
    there = any(group.name == step.group for group in observed.groups)
    if there:
        writes.groups.resume_launching(step.group)
    marks = {name: mark for name, mark in seen.launches.marks.items() if name != step.group}
    forgiven = {name: at for name, at in seen.launches.forgiven.items() if name in marks or name == step.group}
    again = {name: one for name, one in seen.launches.again.items() if name != step.group}
    if by_hand:
        forgiven[step.group] = writes.iso
    elif there and not launching.said_to_try(observed, step.group):
        again[step.group] = TriedAgain(at=writes.iso, times=seen.launches.marks[step.group].times)
    _put(writes, seen, msgspec.structs.replace(seen.launches, marks=marks, again=again, forgiven=forgiven))


def _only_groups(writes: Writes, seen: Rows) -> Observed:
    """Launching is a matter of AWS alone: the cluster need not even answer."""
    groups = writes.groups.describe([writes.spec.name])
    return with_launches(Observed(cluster=NOT_ASKED, groups=groups, suspended=seen.launches), writes.groups, writes.now)


HANDLERS: Mapping[type[Step], Handler] = {
    ContinueLaunch: Handler(_may_continue, _continue),
    NoteJoined: Handler(_may_note, _note),
    AbandonLaunch: Handler(_may_abandon, _abandon),
    SuspendLaunching: Handler(_may_suspend, _suspend),
    ResumeLaunching: Handler(_may_resume, _resume),
}
