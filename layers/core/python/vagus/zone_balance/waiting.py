"""Stages that wait: while shards move, while a rule stands against everybody, while an instance has still to go."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from vagus.allocation import shielded
from vagus.cluster import Cluster
from vagus.plan import Plan, Progress, Wait
from vagus.reasons import Reason
from vagus.zone_balance import rules, voting
from vagus.zone_balance.farewell import tidying
from vagus.zone_balance.looking import Look, blocked, ids, unsure
from vagus.zone_balance.observed import Leaver, patience
from vagus.zone_balance.rules import Violation

GOING_SECONDS = (2, 15)
"""Between two looks while an instance that was let go has still to leave the cluster: at first, and at most."""
VOTE_SECONDS, VOTE_LATE_SECONDS = 3, 120
"""Between two looks while a vote that was taken is counted still, and how long until a person is told."""
QUORUM_SECONDS = 10
"""Between two looks while one manager waits for another to be gone."""
AWAITED_SECONDS = 10
"""Between two looks while a replacement has still to join."""
GONE_SECONDS = 15 * 60
"""How long an instance that was let go may be listed before a person is told."""
LAST_COPIES = 2
"""So many copies leave a node at a time, if nobody has set it otherwise: the last of a drain are all on their way."""
BUSY = "reached the limit of"
"""How the engine's throttling decider begins what it says: the node's hands are full for now."""
REPLACED_SECONDS = 25 * 60
"""How long a replacement may take to be launched, boot and join before a person is told."""


def moving(look: Look) -> Plan | None:
    """Shards are on their way: wait in proportion to what is left, and say why when nothing moves."""
    busy = [one for one in look.taken if not one.empty]
    if not busy:
        return None
    left = sum(one.bytes_left for one in busy)
    copies = sum(len(one.copies) for one in busy)
    progress = advanced(look.observed.progress, _layout(busy), look.now, bytes_left=left, copies_left=copies)
    stall = look.spec.zone_balance.stall_seconds
    stuck = overdue(progress, stall) and hopeless(look.observed.explanation, look.cluster)
    if stuck or overdue(progress, patience(busy, stall)):
        return _says_why(
            look,
            progress,
            f"no shard has begun or ended to leave {ids(busy)} for {look.now - progress.changed_at:.0f} s: "
            f"{look.observed.explanation or 'the engine gives no explanation'}",
        )
    return Wait(
        seconds=wait_seconds(progress, look.spec.zone_balance.wait_cap_seconds),
        reason=Reason.SHARDS_MOVING,
        message=", ".join(f"{one.id} has {len(one.copies)} shards and {one.bytes_left} bytes left" for one in busy),
        foreseen=tidying(look),
        progress=progress,
    )


def hopeless(explanation: str, cluster: Cluster) -> bool:
    """Whether no node would take the copy that was asked about, not even once those that are on their way have arrived.

    `explanation`: `index[shard]: ` and a line per node that objects, `node: objection; objection`.
    """
    lines = (line.partition(": ") for line in explanation.partition("]: ")[2].splitlines())
    objections = {name: said.split("; ") for name, _, said in lines}
    away = shielded(cluster)
    others = [node.name for node in cluster.nodes if node.holds_data and node.name not in away]
    return bool(others) and all(any(BUSY not in one for one in objections.get(name, [BUSY])) for name in others)


def _layout(busy: Iterable[Leaver]) -> str:
    """Which copies stand on the leavers, in short. Bytes are no part of it: an index that grows would hide a stall, and
    a large shard shows none of its own until it has arrived. Nor is where they go: a move that fails and begins again
    for ever would hide one too."""
    found = sorted((one.id, copy.index, copy.shard, copy.node) for one in busy for copy in one.copies)
    return sha256(msgspec.json.encode(found)).hexdigest()[:16]


def overdue(progress: Progress, seconds: int) -> bool:
    """Whether nothing has changed for so long."""
    return progress.at - progress.changed_at >= seconds


def _says_why(look: Look, progress: Progress, message: str) -> Plan:
    return Wait(
        seconds=min(30, look.spec.zone_balance.wait_cap_seconds),
        page=True,
        reason=Reason.STALLED,
        message=message,
        foreseen=tidying(look),
        progress=progress,
    )


def advanced(before: Progress | None, about: str, now: float, *, bytes_left: int = 0, copies_left: int = 0) -> Progress:
    """Progress since the last look. It changes when it is about something else; speed is smoothed over two looks."""
    if before is None:
        return Progress(bytes_left=bytes_left, copies_left=copies_left, about=about, at=now, changed_at=now)
    moved = before.bytes_left - bytes_left
    seen = max(0.0, moved / (now - before.at)) if now > before.at else before.speed
    speed = seen if before.speed == 0 else (before.speed + seen) / 2
    return Progress(
        bytes_left=bytes_left,
        copies_left=copies_left,
        about=about,
        at=now,
        changed_at=before.changed_at if about == before.about else now,
        speed=speed,
    )


def wait_seconds(progress: Progress, cap: int) -> int:
    """A quarter of the time that the rest will take at the speed seen, from 1 s up to the cap. That speed is of what
    has arrived: small shards, perhaps, or those of a drain before. While the last are on their way it is no longer than
    a quarter of the time since one arrived."""
    since = progress.at - progress.changed_at
    if progress.speed <= 0:
        return 1 if since == 0 else min(cap, 5)
    longest = since / 4 if 0 < progress.copies_left <= LAST_COPIES else cap
    return int(max(1, min(cap, longest, progress.bytes_left / progress.speed / 4)))


def voting_still(look: Look) -> Plan | None:
    """A vote that was taken is counted still: the engine changes its voters within a second or two."""
    voters = set(look.cluster.voters) & set(look.cluster.voting_exclusions)
    late = [one.id for one in look.leavers if one.empty and one.id in voters]
    if not late:
        return None
    progress = advanced(look.observed.progress, f"{Reason.VOTE_LEAVING} {', '.join(late)}", look.now)
    return Wait(
        seconds=VOTE_SECONDS,
        page=overdue(progress, VOTE_LATE_SECONDS),
        reason=Reason.VOTE_LEAVING,
        message=f"the vote of {', '.join(late)} was taken, and is counted still: too few other managers may be there",
        progress=progress,
    )


def refused(look: Look) -> Plan | None:
    """Nobody can be taken, and nobody is on the way: say which rule stands against the first."""
    violation = _first_violation(look)
    if violation is None:
        return None
    if violation.reason is Reason.NO_ROOM and _some_disk_is_unknown(look):
        return unsure(look.observed, look.spec, violation, look.now, open_deadline=True)
    passes = violation.reason in (Reason.QUORUM, Reason.NO_ROOM) or _only_restarts(look, violation)
    if not passes or not look.in_transit:
        return blocked(violation)
    progress = advanced(look.observed.progress, f"{violation.reason} {ids(look.leavers)}", look.now)
    if overdue(progress, REPLACED_SECONDS):
        return blocked(violation, progress)
    return Wait(seconds=QUORUM_SECONDS, reason=violation.reason, message=violation.message, progress=progress)


def _only_restarts(look: Look, violation: Violation) -> bool:
    """Whether the copies that it names stand on nodes that a restart has in hand, and nothing else is wrong."""
    lost = violation.reason is Reason.LOST_WITH_DATA
    return lost and rules.some_shard_has_no_active_copy(look.rest) is None


def _some_disk_is_unknown(look: Look) -> bool:
    """Whether a node did not tell its disk in time: it then counts as full."""
    return any(node.holds_data and not node.disk_total for node in look.rest.nodes)


def awaited(look: Look, names: str, message: str, *, at_once: bool = False) -> Plan:
    """A replacement has still to join. `at_once`: a person is told now, not only when it takes too long."""
    progress = advanced(look.observed.progress, f"{Reason.REPLACEMENT_AWAITED} {names}", look.now)
    return Wait(
        seconds=AWAITED_SECONDS,
        page=at_once or overdue(progress, REPLACED_SECONDS),
        reason=Reason.REPLACEMENT_AWAITED,
        message=message,
        progress=progress,
    )


def _first_violation(look: Look) -> Violation | None:
    for one in look.waiting:
        if not one.instance.leaving:
            continue  # EC2's warning asks for no more than what can be done
        if violation := rules.admission(look.rest, look.taken, one):
            return violation
    for one in look.leavers:
        if one.lost and (violation := rules.some_shard_has_no_active_copy(look.firm)):
            return violation
        if one.empty and (violation := rules.manager_may_not_go(look.cluster, look.firm, one)):
            return violation
        if one.empty and (violation := voting.stands(look.cluster, one.id)):
            return violation
        if one.instance.waits_to_leave and not one.group.hook:
            return Violation(Reason.NOWHERE_TO_GO, f"{one.group.name} has no terminate hook that we know")
    return None


def going(look: Look) -> Plan | None:
    """Let go, and not away yet; that takes minutes, so that much longer is told."""
    left = (one for one in look.observed.intents if one.kind == "leave" and not look.departed(one))
    names = ", ".join(sorted(intent.instance for intent in left))
    if not names:
        return None
    progress = advanced(look.observed.progress, f"{Reason.INSTANCE_GOING} {names}", look.now)
    if overdue(progress, GONE_SECONDS):
        waited = look.now - progress.changed_at
        return _says_why(look, progress, f"{names} was let go {waited:.0f} s ago and is still in its group or cluster")
    shortest, longest = GOING_SECONDS
    return Wait(
        seconds=int(max(shortest, min(longest, (look.now - progress.changed_at) / 4))),
        reason=Reason.INSTANCE_GOING,
        message=f"{names} has still to leave the cluster",
        progress=progress,
    )
