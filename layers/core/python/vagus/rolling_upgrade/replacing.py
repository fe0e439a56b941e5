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

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from vagus.allocation import LOW, reserve
from vagus.cluster import Cluster, Node
from vagus.fleet import ClusterSpec
from vagus.instances import Group, Instance
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.looking import Look, overdue, waited
from vagus.rolling_upgrade.observed import Observed
from vagus.rolling_upgrade.on_the_way import forbidden, moving, replaced_by_hand, suspended, under_way
from vagus.rolling_upgrade.order import in_order
from vagus.rolling_upgrade.rules import Violation
from vagus.steps import PutSettingsRight, ReplaceNext

SHOWN_SECONDS = 120
"""How long Auto Scaling may show an instance as before once it was asked for. Nothing is asked for meanwhile."""
IN_VAIN_SECONDS = 600
"""Asked for again and again for so long, a person is called."""
AGAIN_SECONDS = 1800
"""So long after it was last asked for in vain it is tried again."""
LOOK_SECONDS = 5
SNAPSHOT_SECONDS = 30
GIB = 1 << 30
NEEDED = ("Launch", "Terminate")
"""Processes of a group without which nothing is replaced."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that is to be replaced. `node`: its node, if that is in the cluster; `bytes`: what that holds."""

    instance: Instance
    group: Group
    node: Node | None
    bytes: int

    @property
    def id(self) -> str:
        """The instance's id, and its node's name."""
        return self.instance.id


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a check is asked about: the one that would be next."""

    observed: Observed
    cluster: Cluster
    spec: ClusterSpec
    one: Candidate

    @property
    def of_a_stop(self) -> rules.Question:
        """The same, as the checks of a restart are asked."""
        names = frozenset({self.one.id} & self.cluster.names())
        return rules.Question(observed=self.observed, cluster=self.cluster, spec=self.spec, names=names)


# -- which -----------------------------------------------------------------------------------------------------------


def candidates(observed: Observed, cluster: Cluster, named: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """Every instance that is to be replaced, in order: those whose node is away, then as nodes are restarted; last
    those that somebody has to set right first. `named`: these alone, whatever they were launched from."""
    wanted = {
        one.id: (one, group)
        for group in observed.groups
        for one in group.instances
        if (one.id in named if named else group.behind(one))
    }
    if not wanted:
        return ()
    nodes, held = {node.name: node for node in cluster.nodes}, _bytes(cluster)
    found = {
        name: Candidate(instance=one, group=group, node=nodes.get(name), bytes=held[name])
        for name, (one, group) in wanted.items()
    }
    away = [name for name in sorted(found) if found[name].node is None]
    present = in_order(cluster, [one.node for one in found.values() if one.node])
    ordered = [found[name] for name in (*away, *(node.name for node in present))]
    return tuple(sorted(ordered, key=lambda one: _set_aside(observed, one) is not None))


def unknown(observed: Observed) -> tuple[str, ...]:
    """Groups of which nobody knows who is behind: their launch template's version is no number."""
    return tuple(sorted(group.name for group in observed.groups if group.instances and not group.template))


def _bytes(cluster: Cluster) -> Counter[str]:
    """What each node holds: one pass, for there may be 100,000 copies."""
    held: Counter[str] = Counter()
    for copy in cluster.copies:
        if copy.node:
            held[copy.node] += copy.bytes
    return held


# -- checks ----------------------------------------------------------------------------------------------------------


def held_by_nobody(asked: Question) -> Violation | None:
    """Our terminate hook, or the policy that retains, is missing: the instance would end with its data."""
    return _unheld(asked.observed, asked.one.group)


def set_aside(asked: Question) -> Violation | None:
    """A person protects it, has set it aside, or has suspended what its group needs."""
    return _by_people(asked.observed, asked.one)


def nobody_drains(asked: Question) -> Violation | None:
    """zone_balance would not drain it: it would wait for ever."""
    why = asked.observed.undrained
    message = f"{asked.one.id} would wait to leave for ever: {why}"
    return Violation(Reason.NOT_REPLACEABLE, message, about=(why,)) if why else None


def another_version(asked: Question) -> Violation | None:
    """A node runs another version than the replacement is to bring: that is an upgrade, asked for as one. Any node is
    asked: an instance of an adopted group brings what its own image holds, which only its node tells."""
    brings = asked.observed.version or (asked.one.node.version if asked.one.node else "")
    other = next((node for node in asked.cluster.nodes if brings and node.version != brings), None)
    if other is None:
        return None
    return Violation(
        Reason.VERSION_PATH,
        f"{other.name} runs {other.version}, and the replacement of {asked.one.id} is to bring {brings}: no further "
        f"instance is replaced. If {other.name} came by a replacement, the launch template of its group brings another "
        f"engine than the cluster runs: put that right first. `vagus abort {asked.spec.name}`, bring the cluster to "
        "one version (`vagus upgrade`), then ask anew",
        about=(f"{other.name} to {brings}",),
    )


def volume_too_small(asked: Question) -> Violation | None:
    """The declared volume can't hold what the node holds now: the shards would find no room to come back to."""
    one, volume = asked.one, _volume(asked.spec, asked.one.group.name)
    if not volume or one.bytes <= volume - reserve(asked.cluster.setting(LOW, "85%"), volume):
        return None
    return Violation(
        Reason.NO_ROOM,
        f"{one.id} holds {one.bytes / 1e9:,.1f} GB, and a volume of {volume // GIB} GiB, which its group gives to new "
        "instances, is above its low watermark with that: declare a larger `data_volume`",
        about=(f"the volume of {one.id}",),
    )


def quorum(asked: Question) -> Violation | None:
    """No majority of the voters would stay."""
    return rules.quorum(asked.cluster, asked.of_a_stop.names)


def _red(asked: Question) -> Violation | None:
    return rules.red(asked.of_a_stop)


def _disk_full(asked: Question) -> Violation | None:
    return rules.disk_full(asked.of_a_stop)


def _snapshot_running(asked: Question) -> Violation | None:
    return rules.snapshot_running(asked.of_a_stop)


Rule = Callable[[Question], Violation | None]
RULES: tuple[Rule, ...] = (
    nobody_drains,
    held_by_nobody,
    set_aside,
    another_version,
    volume_too_small,
    quorum,
    _red,
    _disk_full,
    _snapshot_running,
)


def against(asked: Question) -> Violation | None:
    """The first check that stands against replacing this one now."""
    return next((found for rule in RULES if (found := rule(asked))), None)


def _results(asked: Question) -> str:
    found = ((rule.__name__.strip("_").replace("_", " "), rule(asked)) for rule in RULES)
    return "; ".join(f"{name}: {violation.message if violation else 'passed'}" for name, violation in found)


def _set_aside(observed: Observed, one: Candidate) -> Violation | None:
    """What stands against this one, and may not stand against another."""
    return _unheld(observed, one.group) or _by_people(observed, one)


def _unheld(observed: Observed, group: Group) -> Violation | None:
    name = group.name
    if not group.retains:
        return _no(
            f"{name} retains",
            f"{name} does not retain what is abandoned, so that its instance could not be held: `vagus doctor`",
        )
    if group.hook is None or name in observed.unhooked:
        return _no(
            f"{name} holds",
            f"{name} has no terminate hook of ours, and its instance would end with its data: `vagus doctor`",
        )
    return None


def _by_people(observed: Observed, one: Candidate) -> Violation | None:
    group = one.group.name
    if one.instance.lifecycle.endswith("Standby"):
        way = "return it to service (`aws autoscaling exit-standby`), or end it by hand"
        return _no(f"{one.id} on standby", f"{one.id} is on standby: {way}")
    if one.instance.protected:
        return _no(
            f"{one.id} protected",
            f"{one.id} is protected from scale-in: take that back (`aws autoscaling set-instance-protection "
            f"--auto-scaling-group-name {group} --instance-ids {one.id} --no-protected-from-scale-in`)",
        )
    halted = next((name for name in NEEDED if name in one.group.suspended), None)
    return _no(f"{halted} in {group}", suspended(observed, one.group, halted)) if halted else None


def _no(about: str, message: str) -> Violation:
    """Each for itself: when one cause is put right, another is told, under the same reason."""
    return Violation(Reason.NOT_REPLACEABLE, message, about=(about,))


def _volume(spec: ClusterSpec, group: str) -> int:
    """Bytes of the data volume that a new instance of a group gets; 0 where others made the group."""
    for name, declared in spec.groups.items():
        if group in (spec.group_name(name, zone) for zone in spec.zones):
            return 0 if declared.adopted else declared.data_volume * GIB
    return 0


# -- stages ----------------------------------------------------------------------------------------------------------


def replaced(look: Look) -> Plan | None:
    """The whole plan of a replacement; nothing where none is worked on."""
    if look.intent is None or look.intent.kind != "replace":
        return None
    return next((plan for stage in STAGES if (plan := stage(look))), None) or _take(look)


def left(look: Look) -> tuple[Candidate, ...]:
    """Who is still to be replaced, in order; one that was asked for in vain stays the first."""
    found = candidates(look.observed, look.cluster, look.wanted.instances)
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
    dark = unknown(look.observed)
    but = f"; of {', '.join(dark)} nobody knows, for the version of its launch template is no number" if dark else ""
    return _closing(look, f"every instance is of its group's launch template{but}")


def _closing(look: Look, why: str) -> Plan:
    name = look.intent.id if look.intent else ""
    step = PutSettingsRight(closes=(name,), update=look.converged(holding=False).update)
    return Steps(steps=(step,), reason=Reason.TIDYING, message=f"{name}: {why}")


def held_back(look: Look) -> Plan | None:
    """A check stands against the next one; and then against every one that is left."""
    if (violation := against(question(look, left(look)[0]))) is None:
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
        f"of the first: {_results(question(look, found[0]))}"
    )


def _unseen(found: Iterable[Candidate]) -> str:
    """What nobody can tell beforehand: the engine in the image of an adopted group."""
    adopted = ", ".join(sorted({one.group.name for one in found if one.group.mode == "adopted"}))
    return f"which engine the launch template of {adopted} brings is not known, for it was adopted; " if adopted else ""
