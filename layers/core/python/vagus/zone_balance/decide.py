"""decide(observed, spec, now) -> Plan: pure, the same for a run, a sweep and a dry run.

The stages are asked in order; the first that has something to say makes the plan. Letting go comes before taking
more, tidying before waiting: what frees something goes first.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from vagus import owned
from vagus.cluster import Cluster, Unseen
from vagus.fleet import ClusterSpec
from vagus.intent import ExcludeNode, Intent, leave
from vagus.plan import Blocked, Done, Plan, Progress, Steps, Wait
from vagus.reasons import Reason
from vagus.steps import (
    AnyStep,
    EndRetainedInstance,
    ExcludeNodes,
    HoldInstance,
    LetEmptyInstanceGo,
    LetLostInstanceGo,
    LetReplaceableInstanceGo,
    NoteIdentity,
    PutSettingsRight,
    SetGroupSize,
)
from vagus.zone_balance import rules
from vagus.zone_balance.observed import Leaver, Observed, leavers
from vagus.zone_balance.placement import shielded, started_elsewhere
from vagus.zone_balance.rules import Violation


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """What every stage is asked about."""

    observed: Observed
    cluster: Cluster
    spec: ClusterSpec
    now: float
    leavers: tuple[Leaver, ...]

    @property
    def taken(self) -> tuple[Leaver, ...]:
        """Leavers that are kept free of new shards already, or have nothing to be freed of."""
        return tuple(one for one in self.leavers if one.node is not None and one.shielded)

    @property
    def waiting(self) -> tuple[Leaver, ...]:
        """Leavers that hold data and have not been taken yet."""
        return tuple(one for one in self.leavers if one.node is not None and not one.shielded)

    @property
    def removed_by_hand(self) -> tuple[str, ...]:
        """Nodes whose exclusion a person took away while it was wanted."""
        return owned.converge(self.cluster, _demands(self.observed.intents)).removed_by_hand


def decide(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    """The next act, and what is foreseen after it."""
    if isinstance(observed.cluster, Unseen):
        return _unseen(observed, observed.cluster, spec)
    look = _Look(
        observed=observed,
        cluster=observed.cluster,
        spec=spec,
        now=now,
        leavers=leavers(observed, observed.cluster, shielded(observed.cluster)),
    )
    return next((plan for stage in STAGES if (plan := stage(look))), _nothing_leaves())


def _unseen(observed: Observed, unseen: Unseen, spec: ClusterSpec) -> Plan:
    """The cluster does not answer. A cluster that never formed is given its nodes; any other is a case for a person."""
    if observed.identity is None and unseen.reason == "UNREACHABLE":
        return _sizes(observed, spec, green=False) or Done(
            reason=Reason.FORMING, message=f"the cluster has not formed yet: {unseen.message}"
        )
    reason = Reason.DENIED if unseen.reason == "DENIED" else Reason.UNREACHABLE
    return Blocked(reason=reason, message=unseen.message, open_deadline=observed.deadline())


# -- identity and sight ----------------------------------------------------------------------------------------------


def _identity(look: _Look) -> Plan | None:
    uuid, noted = look.cluster.uuid, look.observed.identity
    if noted is None:
        if not _has_formed(look):
            return _sizes(look.observed, look.spec, green=False) or Done(
                reason=Reason.FORMING, message="fewer than half of the declared managers have joined"
            )
        step = NoteIdentity(uuid=uuid)
        return Steps(steps=(step,), reason=Reason.NOTING, message=step.sentence)
    if noted != uuid:
        return Blocked(
            reason=Reason.WRONG_CLUSTER,
            message=f"cluster {uuid} answers, but {look.spec.name} is {noted}: nothing is written",
            open_deadline=look.observed.deadline(),
        )
    return None


def _has_formed(look: _Look) -> bool:
    declared = sum(
        group.per_zone * len(look.spec.zones) for group in look.spec.groups.values() if "cluster_manager" in group.roles
    )
    present = sum(node.may_be_manager for node in look.cluster.nodes)
    return bool(look.cluster.uuid.strip("_na")) and present * 2 > declared


def _blind(look: _Look) -> Plan | None:
    visible, counted = look.cluster.visible_indices, look.cluster.counted_indices
    if visible >= counted:
        return None
    return Blocked(
        reason=Reason.CANNOT_SEE_ALL,
        message=f"{visible} of {counted} indices are visible: give the read role `indices:monitor/*` on all of them",
        open_deadline=look.observed.deadline(),
    )


# -- letting go ------------------------------------------------------------------------------------------------------


def _let_go(look: _Look) -> Plan | None:
    """Instances whose data is safe. While a pause rule trips, nobody goes."""
    if rules.pause(look.cluster):
        return None
    steps = [step for one in look.leavers for step in _goodbye(look, one)]
    if not steps:
        return None
    names = ", ".join(step.subject for step in steps)
    return Steps(
        steps=(*steps, *_tidying(look)), reason=Reason.LETTING_GO, message=f"the data of {names} is safe elsewhere"
    )


def _goodbye(look: _Look, one: Leaver) -> Iterable[AnyStep]:
    if one.empty and one.instance.retained:
        yield EndRetainedInstance(instance=one.id, group=one.group.name, node=one.id)
    elif one.empty and one.group.hook and not rules.quorum_would_break(look.cluster, (), one):
        yield LetEmptyInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook, node=one.id)
    elif one.lost and not rules.some_shard_has_no_active_copy(look.cluster):
        if one.instance.retained:
            yield EndRetainedInstance(instance=one.id, group=one.group.name)
        elif one.group.hook:
            yield LetLostInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook)


# -- tidying ---------------------------------------------------------------------------------------------------------


def _tidy(look: _Look) -> Plan | None:
    """Close what is over, and give back what nobody demands any more."""
    over = tuple(intent for intent in look.observed.intents if _over(look, intent))
    still = [intent for intent in look.observed.intents if intent not in over]
    update = owned.converge(look.cluster, _demands(still)).update
    if not over and not update:
        return None
    step = PutSettingsRight(closes=tuple(intent.id for intent in over), update=update)
    return Steps(steps=(step,), reason=Reason.TIDYING, message=step.sentence)


def _over(look: _Look, intent: Intent) -> bool:
    """Its instance no longer leaves: it is gone with its node, or it is back in service."""
    found = [one for group in look.observed.groups for one in group.instances if one.id == intent.instance]
    if found:
        return found[0].lifecycle in ("InService", "Standby", "Detached")
    return look.cluster.node(intent.instance) is None


def _tidying(look: _Look) -> tuple[AnyStep, ...]:
    """What is foreseen once everyone has gone."""
    closes = tuple(f"leave-{one.id}" for one in look.leavers)
    clears = owned.SettingsUpdate(persistent={owned.MARK: None})
    return (PutSettingsRight(closes=closes, update=clears),)


# -- taking ----------------------------------------------------------------------------------------------------------


def _paused(look: _Look) -> Plan | None:
    """A rule tripped: keep what is set, take nothing new, tell a person; the keeper keeps the instances."""
    violation = rules.pause(look.cluster)
    if violation is None or not look.leavers:
        return None
    return Blocked(
        reason=violation.reason,
        message=violation.message,
        open_deadline=True,
        progress=look.observed.progress,
    )


def _by_hand(look: _Look) -> Plan | None:
    """A person took away what we had set: it is theirs to say what follows."""
    if not look.removed_by_hand:
        return None
    nodes = ", ".join(look.removed_by_hand)
    return Blocked(
        reason=Reason.REMOVED_BY_HAND,
        message=f"the exclusion of {nodes} was removed by hand; set it again by hand to go on",
        open_deadline=look.observed.deadline(),
    )


def _take(look: _Look) -> Plan | None:
    """Exclude as many of the waiting as the admission rules let in beside each other."""
    admitted: list[Leaver] = []
    for one in look.waiting:
        if not rules.admission(look.cluster, (*look.taken, *admitted), one):
            admitted.append(one)
    if not admitted:
        return None
    step = _exclusion(look, admitted)
    if not step.update:
        return None
    message = f"{_list(admitted)} must be drained: {sum(len(one.copies) for one in admitted)} shards have to move"
    farewells = tuple(
        LetEmptyInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id)
        for one in admitted
    )
    return Steps(steps=(step, *farewells, *_tidying(look)), reason=Reason.DRAINING, message=message)


def _exclusion(look: _Look, admitted: list[Leaver]) -> ExcludeNodes:
    known = {intent.instance: intent for intent in look.observed.intents if intent.kind == "leave"}
    opened = datetime.fromtimestamp(look.now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    intents = tuple(
        msgspec.structs.replace(
            known.get(one.id) or leave(one.id, one.group.name, opened, "sweep"), demands=(ExcludeNode(node=one.id),)
        )
        for one in admitted
    )
    others = [intent for intent in look.observed.intents if intent.id not in {new.id for new in intents}]
    update = owned.converge(look.cluster, _demands([*others, *intents])).update
    return ExcludeNodes(intents=intents, nodes=tuple(one.id for one in admitted), update=update)


def _nowhere(look: _Look) -> Plan | None:
    """Nothing may take a waiting node's shards: by policy let one zone go, else hold it until its replacement is in."""
    if look.taken:
        return None
    stuck = [one for one in look.waiting if rules.nowhere_to_go(look.cluster, (), one)]
    if not stuck:
        return None
    by_policy = look.spec.zone_balance.nowhere_to_go == "one_zone_at_a_time"
    if by_policy and any(not one.instance.retained for one in stuck):
        return _one_zone(look, [one for one in stuck if not one.instance.retained])
    return _hold(look, stuck)


def _one_zone(look: _Look, stuck: list[Leaver]) -> Plan | None:
    one = next((one for one in stuck if started_elsewhere(look.cluster, one.copies, one.id)), None)
    if one is None:
        return _hold(look, stuck)
    if look.cluster.status != "green" or any(copy.state != "STARTED" for copy in look.cluster.copies):
        return Wait(
            seconds=10,
            reason=Reason.REPLACEMENT_AWAITED,
            message=f"{_list(stuck)} must wait: one zone at a time, and the cluster is {look.cluster.status}",
        )
    if violation := rules.quorum_would_break(look.cluster, (), one):
        return Blocked(reason=violation.reason, message=violation.message, open_deadline=True)
    indices = tuple(sorted({copy.index for copy in one.copies}))
    step = LetReplaceableInstanceGo(
        instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id, indices=indices
    )
    return Steps(steps=(step, *_tidying(look)), reason=Reason.LETTING_GO, message=step.sentence)


def _hold(look: _Look, stuck: list[Leaver]) -> Plan:
    holdable = [one for one in stuck if one.instance.waits_to_leave and not one.group.unprotected]
    if holdable:
        steps = tuple(
            HoldInstance(instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id)
            for one in holdable
        )
        return Steps(steps=steps, reason=Reason.HOLDING, message=steps[0].sentence)
    violation = rules.nowhere_to_go(look.cluster, (), stuck[0])
    why = violation.message if violation else ""
    if any(not one.instance.retained for one in stuck):
        return Blocked(
            reason=Reason.NOWHERE_TO_GO,
            message=f"{why}; {stuck[0].group.name} would not retain it: only heartbeats keep it",
            open_deadline=True,
        )
    return Wait(
        seconds=15,
        page=True,
        reason=Reason.REPLACEMENT_AWAITED,
        message=f"{_list(stuck)} is retained until a replacement has joined: {why}",
    )


# -- waiting ---------------------------------------------------------------------------------------------------------


def _moving(look: _Look) -> Plan | None:
    """Shards are on their way: wait in proportion to what is left, and say why when nothing moves."""
    busy = [one for one in look.taken if not one.empty]
    if not busy:
        return None
    left = sum(one.bytes_left for one in busy)
    progress = advanced(look.observed.progress, left, sum(len(one.copies) for one in busy), look.now)
    if look.now - progress.changed_at >= look.spec.zone_balance.stall_seconds:
        return Wait(
            seconds=min(30, look.spec.zone_balance.wait_cap_seconds),
            page=True,
            reason=Reason.STALLED,
            message=f"no shard has left {_list(busy)} for {look.now - progress.changed_at:.0f} s: "
            f"{look.observed.explanation or 'the engine gives no explanation'}",
            foreseen=_tidying(look),
            progress=progress,
        )
    moving = ", ".join(f"{one.id} has {len(one.copies)} shards and {one.bytes_left} bytes left" for one in busy)
    return Wait(
        seconds=wait_seconds(progress, look.spec.zone_balance.wait_cap_seconds),
        reason=Reason.SHARDS_MOVING,
        message=moving,
        foreseen=_tidying(look),
        progress=progress,
    )


def advanced(before: Progress | None, bytes_left: int, copies_left: int, now: float) -> Progress:
    """Progress since the last look. A shard that left, or a byte, is a change; speed is smoothed over two looks."""
    if before is None:
        return Progress(bytes_left=bytes_left, copies_left=copies_left, at=now, changed_at=now)
    moved = before.bytes_left - bytes_left
    same = moved == 0 and copies_left == before.copies_left
    seen = max(0.0, moved / (now - before.at)) if now > before.at else before.speed
    speed = seen if before.speed == 0 else (before.speed + seen) / 2
    return Progress(
        bytes_left=bytes_left,
        copies_left=copies_left,
        at=now,
        changed_at=before.changed_at if same else now,
        speed=speed,
    )


def wait_seconds(progress: Progress, cap: int) -> int:
    """A quarter of the time that the rest will take at the speed seen, from 1 s up to the cap."""
    if progress.speed <= 0:
        return 1 if progress.at == progress.changed_at else min(cap, 5)
    return int(max(1, min(cap, progress.bytes_left / progress.speed / 4)))


def _refused(look: _Look) -> Plan | None:
    """Nobody can be taken, and nobody is on the way: say which rule stands against the first."""
    for one in look.waiting:
        if violation := rules.admission(look.cluster, look.taken, one):
            return _blocked(violation)
    for one in look.leavers:
        if one.lost and (violation := rules.some_shard_has_no_active_copy(look.cluster)):
            return _blocked(violation)
        if one.empty and (violation := rules.quorum_would_break(look.cluster, (), one)):
            return _blocked(violation)
        if not one.group.hook:
            return _blocked(Violation(Reason.NOWHERE_TO_GO, f"{one.group.name} has no terminate hook that we know"))
    return None


def _blocked(violation: Violation) -> Plan:
    return Blocked(reason=violation.reason, message=violation.message, open_deadline=True)


def _going(look: _Look) -> Plan | None:
    """Let go, and not away yet."""
    if not look.observed.intents:
        return None
    names = ", ".join(sorted(intent.instance for intent in look.observed.intents))
    return Wait(seconds=2, reason=Reason.INSTANCE_GOING, message=f"{names} has still to leave the cluster")


# -- sizes -----------------------------------------------------------------------------------------------------------


def _declared_sizes(look: _Look) -> Plan | None:
    return _sizes(look.observed, look.spec, green=look.cluster.status == "green")


def _sizes(observed: Observed, spec: ClusterSpec, green: bool) -> Plan | None:
    """Give groups their declared size once per change; they grow at once and shrink one node at a time, when green."""
    steps = []
    for name, declared in spec.sizes().items():
        group = next((group for group in observed.groups if group.name == name), None)
        if group is None or observed.sizes.get(name) == declared:
            continue
        if declared >= group.desired:
            steps.append(SetGroupSize(group=name, desired=declared, declared=declared))
        elif green:
            steps.append(SetGroupSize(group=name, desired=group.desired - 1, declared=declared))
    if not steps:
        return None
    return Steps(steps=tuple(steps), reason=Reason.SIZING, message=steps[0].sentence)


def _nothing_leaves() -> Plan:
    return Done(reason=Reason.NOTHING_LEAVES, message="no instance leaves, and no setting of ours is left")


def _demands(intents: Iterable[Intent]) -> list[ExcludeNode]:
    return [demand for intent in intents for demand in intent.demands]


def _list(many: Iterable[Leaver]) -> str:
    return ", ".join(one.id for one in many)


STAGES: tuple[Callable[[_Look], Plan | None], ...] = (
    _identity,
    _blind,
    _let_go,
    _by_hand,
    _tidy,
    _paused,
    _take,
    _nowhere,
    _moving,
    _refused,
    _going,
    _declared_sizes,
)
