"""Stages that even the bytes: what the planner wants, as far as the policy lets it, one wave at a time. Pure.

Asked last: only of a cluster where nothing leaves, comes, is missing or is on its way. Only the first wave of a plan is
done; then everything is looked at again, and planned afresh. A drain or an outage that comes meanwhile is simply asked
about first: what is under way arrives, and nothing more is begun.

Nothing goes on for ever: a zone has to be skewed by more than the bar, by a margin, before anything is moved, and to
become less so by that margin; moves are counted by the hour; and what the engine moves on is planned anew a few times
only.
"""

import math
from collections.abc import Iterable
from zlib import crc32

import msgspec

from vagus import owned
from vagus.cluster import Cluster, ShardMove, Unseen
from vagus.fleet import ClusterSpec
from vagus.intent import BalanceThreshold, Intent, balance
from vagus.plan import Blocked, Done, Plan, Progress, Steps, Wait
from vagus.reasons import Reason
from vagus.status import SKEW, Shown
from vagus.steps import MoveShards, RaiseBalanceThreshold
from vagus.zone_balance import planner
from vagus.zone_balance.layout import layout_of, skews
from vagus.zone_balance.looking import Look, demands, iso
from vagus.zone_balance.observed import MOVE_SECONDS, Moved, Observed
from vagus.zone_balance.planner.model import WORDS, Load, skew
from vagus.zone_balance.waiting import advanced, overdue, wait_seconds

HOUR = 3600.0
DAY = 86_400.0
SLOW_SECONDS = 900.0
"""How long slow searches hold the next wave back; then it is tried again."""
WAVES_FORESEEN = 5
MEASURED_SECONDS = 12
"""How long after its arrival a copy may still show another size: the engine measures each store every 10 s (seen on
3.4.0, where a plan made at once moved twice the bytes)."""
ABOUT = "balance"
ARRIVED = f"{ABOUT} arrived"
"""What a run's progress is about while it evens bytes."""


def wanted(look: Look) -> bool:
    """Whether bytes may be evened now: the policy says so, and the cluster is whole and at rest."""
    return look.spec.zone_balance.shards.mode == "on" and not unrest(look) and not _on_the_way(look)


def unrest(look: Look) -> str:
    """Why no shard is moved for the bytes' sake, for a person; empty if nothing stands against it."""
    cluster, observed = look.cluster, look.observed
    if look.leavers or any(intent.kind != "balance" for intent in (*observed.intents, *observed.others)):
        return "something leaves, or another procedure is under way"
    if look.in_transit:
        return "an instance has still to go, or to come"
    if cluster.status != "green" or any(not copy.active for copy in cluster.copies):
        return f"the cluster is {cluster.status}"
    if any(node.holds_data and not node.disk_total for node in cluster.nodes):
        return "a node does not tell its disk"
    return _turned_off(look)


def _turned_off(look: Look) -> str:
    """A person who turned the engine's own rebalancing or allocation off wants no shard moved."""
    for name in ("cluster.routing.allocation.enable", "cluster.routing.rebalance.enable"):
        if (value := look.cluster.setting(name, "all")) != "all":
            return f"{name} is {value}"
    return ""


def _on_the_way(look: Look) -> list[tuple[str, int, str, str]]:
    return sorted(
        (copy.index, copy.shard, copy.node or "", copy.target or "") for copy in look.cluster.copies if copy.target
    )


# -- the stages, in the order in which they are asked ----------------------------------------------------------------


def moving(look: Look) -> Plan | None:
    """Shards are on their way, by our request or by the engine's own: in a run, wait for them."""
    going, before = _on_the_way(look), look.observed.progress
    if look.spec.zone_balance.shards.mode == "off" or before is None or unrest(look):
        return None
    if not going:
        return _measured(look, before)
    left = sum(copy.bytes for copy in look.cluster.copies if copy.target)
    about = f"{ABOUT} {going}"
    progress = advanced(look.observed.progress, about, look.now, bytes_left=left, copies_left=len(going))
    seconds = wait_seconds(progress, look.spec.zone_balance.wait_cap_seconds)
    if overdue(progress, MOVE_SECONDS):
        return Wait(seconds=seconds, page=True, reason=Reason.STALLED, message=_still(going), progress=progress)
    message = f"{len(going)} shards are on their way"
    return Wait(seconds=seconds, reason=Reason.SHARDS_MOVING, message=message, progress=progress)


def _still(going: list[tuple[str, int, str, str]]) -> str:
    """What a person is told of moves that take much too long. `going`: index, shard, from and to."""
    named = ", ".join(f"{index}[{shard}] from {source} to {target}" for index, shard, source, target in going[:5])
    more = f" and {len(going) - 5} more" if len(going) > 5 else ""
    return (
        f"the same shards have been on their way for {MOVE_SECONDS // 3600} hours, and none has arrived: {named}{more}"
    )


def _measured(look: Look, before: Progress) -> Plan | None:
    """All has arrived: wait until its sizes show."""
    if before.about != ARRIVED and not before.about.startswith(f"{ABOUT} ["):
        return None
    progress = advanced(before, ARRIVED, look.now)
    left = MEASURED_SECONDS - (look.now - progress.changed_at)
    if left <= 0:
        return None
    return Wait(
        seconds=math.ceil(left),
        reason=Reason.SHARDS_MOVING,
        message="all shards have arrived: the engine measures them now",
        progress=progress,
    )


def disagreed(look: Look) -> Plan | None:
    """The engine has moved on what we moved, wave after wave: our model of it is wrong here."""
    undone, most = undone_waves(look), look.spec.zone_balance.shards.undone_waves
    if look.spec.zone_balance.shards.mode == "off" or undone < most or look.now - look.observed.moved.at > DAY:
        return None
    return Blocked(
        reason=Reason.ENGINE_DISAGREES,
        message=f"the engine moved on what was moved for the bytes' sake, {undone} waves in a row, the last "
        f"{', '.join(_names(undone_legs(look)))}: nothing more is moved for a day",
    )


def later(look: Look) -> Plan | None:
    """The hour's account is spent."""
    policy = look.spec.zone_balance.shards
    left = policy.moves_per_hour - account(look.observed.moved, look.now).moves
    if policy.mode == "off" or unrest(look) or left >= 2:
        return None
    return Done(
        reason=Reason.BALANCE_LATER,
        message=f"{look.observed.moved.moves} shards were moved within the hour: it goes on after "
        f"{iso(look.observed.moved.since + HOUR)}",
    )


def even(look: Look) -> Plan | None:
    """The next wave, or what has to be set before it."""
    placement = look.observed.placement
    if placement is None or not wanted(look):
        return None
    if placement.fetches:
        return None  # the engine still asks for stores: its balancer waits, and so do we
    if slow := _slow(look):
        return slow
    made = planned(look)
    if not made.waves or not worth(look, made):
        return None
    steps = tuple(_wave(wave.moves, undone_waves(look)) for wave in made.waves[:WAVES_FORESEEN])
    raises = (_raise(look, made.threshold),) if made.threshold is not None else ()
    progress = advanced(look.observed.progress, ABOUT, look.now, bytes_left=made.bytes)
    return Steps(
        steps=(*raises, steps[0]),
        foreseen=steps[1:],
        reason=Reason.BALANCING,
        message=_message(look, made),
        progress=progress if look.observed.progress is not None else None,
    )


def _slow(look: Look) -> Plan | None:
    placement, moved = look.observed.placement, look.observed.moved
    most = look.spec.zone_balance.shards.slowest_search_ms
    if placement is None or not most or look.now - moved.at > SLOW_SECONDS:
        return None
    queries, spent = placement.queries - moved.queries, placement.query_ms - moved.query_ms
    if queries <= 0 or spent < 0 or spent / queries <= most:  # a node that started anew counts from zero
        return None
    return Wait(
        seconds=look.spec.zone_balance.wait_cap_seconds,
        reason=Reason.SEARCH_SLOW,
        message=f"searches of a shard took {spent / queries:.0f} ms on average since the last wave, and the policy "
        f"allows {most}: no shard is moved meanwhile",
    )


def _raise(look: Look, value: float) -> RaiseBalanceThreshold:
    intent = balance(iso(look.now), BalanceThreshold(value=value))
    intents = (*look.observed.intents, *look.observed.others)
    return RaiseBalanceThreshold(intent=intent, value=value, update=raised(look.cluster, intents, intent))


def raised(cluster: Cluster, intents: Iterable[Intent], intent: Intent) -> owned.SettingsUpdate:
    """The settings with the demand of this intent beside all that stands."""
    standing = owned.standing(cluster, demands(one for one in intents if one.id != intent.id))
    return owned.converge(cluster, [*standing, *intent.demands]).update


def _wave(moves: Iterable[planner.Move], undone: int) -> MoveShards:
    return MoveShards(
        legs=tuple(
            ShardMove(
                index=move.index,
                shard=move.shard,
                primary=move.primary,
                source=move.source,
                target=move.target,
                bytes=move.bytes,
                why=WORDS[move.purpose],
            )
            for move in moves
        ),
        undone=undone,
    )


# -- what it is worth ------------------------------------------------------------------------------------------------


def planned(look: Look) -> planner.Plan:
    """The planner's plan for what is seen, under the fleet file's policy and what is left of the hour's account."""
    shards = look.spec.zone_balance.shards
    left = shards.moves_per_hour - account(look.observed.moved, look.now).moves
    policy = planner.Policy(
        skew=shards.skew,
        spare=shards.spare,
        highest_threshold=shards.highest_threshold if shards.highest_threshold > 1.0 else None,
        moves_at_once=max(2, min(shards.moves_at_once, left)),
        even_primaries=shards.even_primaries,
    )
    if look.observed.placement is None:
        raise ValueError("a plan needs a placement")
    return planner.plan(layout_of(look.cluster, look.observed.placement), policy)


def worth(look: Look, made: planner.Plan) -> bool:
    """Whether some zone is skewed beyond the bar and the margin, by bytes that count, and becomes less so by it.

    A run that has begun goes on down to the bar.
    """
    shards, progress = look.spec.zone_balance.shards, look.observed.progress
    begun = progress is not None and progress.about.startswith(ABOUT)
    bar = shards.skew if begun else shards.skew + shards.margin
    before, after, above = skew(made.before), skew(made.after), _above(made.before)
    least = 0 if begun else shards.least_bytes
    better = 0.0 if begun else shards.margin
    return any(
        before[group] > bar and above[group] >= least and before[group] - after.get(group, 0.0) > better
        for group in before
    )


def _above(loads: tuple[Load, ...]) -> dict[tuple[str, str], float]:
    """Bytes above the fair shares, per (zone, tier)."""
    found: dict[tuple[str, str], float] = {}
    for load in loads:
        group = (load.zone, load.tier)
        found[group] = found.get(group, 0.0) + max(0.0, load.bytes - load.share)
    return found


def _message(look: Look, made: planner.Plan) -> str:
    parts = [
        f"{len(made.moves)} shards ({made.bytes} bytes) should move, in {len(made.waves)} waves: skew "
        f"{_worst(made.before)} now, {_worst(made.after)} then"
    ]
    if undone := undone_legs(look):
        parts.append(f"the engine has moved {', '.join(_names(undone))} on since the last wave: planned anew")
    parts += [finding.message for finding in made.findings]
    return "; ".join(parts)[:2000]


def _worst(loads: tuple[Load, ...]) -> str:
    (zone, _), most = max(skew(loads).items(), key=lambda item: (item[1], item[0]))
    return f"{most * 100:.1f} % ({zone})"


def account(moved: Moved, now: float) -> Moved:
    """The hour's account as it stands: a new one if the last has run out."""
    return moved if now - moved.since < HOUR else msgspec.structs.replace(moved, since=now, moves=0, bytes=0)


def undone_legs(look: Look) -> tuple[ShardMove, ...]:
    """Moves of the last wave whose copy does not stand where it was sent, though the node is there."""
    moved = look.observed.moved
    if not moved.sent or look.now - moved.at > DAY:
        return ()
    nodes = {node.name for node in look.cluster.nodes}
    standing = {(copy.index, copy.shard, copy.target or copy.node) for copy in look.cluster.copies}
    indices = {copy.index for copy in look.cluster.copies}
    return tuple(
        leg
        for leg in moved.wave
        if leg.index in indices and leg.target in nodes and (leg.index, leg.shard, leg.target) not in standing
    )


def undone_waves(look: Look) -> int:
    """How many waves in a row the engine has moved on, the last included."""
    return look.observed.moved.undone + 1 if undone_legs(look) else 0


# -- when, and what is shown -----------------------------------------------------------------------------------------


def due(spec: ClusterSpec, now: float) -> bool:
    """Whether a sweep plans for this cluster now: in one of the five minutes, by its name, with which its turn begins.
    A quiet cluster is looked at in one of the five only."""
    shards = spec.zone_balance.shards
    return shards.mode == "on" and (int(now // 60) + crc32(spec.name.encode())) % shards.every_minutes < 5


def shown(observed: Observed, spec: ClusterSpec, _now: float) -> tuple[Shown, ...]:
    """For `vagus status`: each zone's byte skew."""
    if isinstance(observed.cluster, Unseen):
        return ()
    shards = spec.zone_balance.shards
    bar = shards.skew + shards.margin
    return tuple(
        Shown(
            title=SKEW,
            of=zone,
            number=round(most * 100, 2),
            says=f"the fullest {tier} node is {most * 100:.1f} % above its share"
            + ("" if shards.mode == "on" or most <= bar else "; `zone_balance.shards` is off"),
        )
        for (zone, tier), most in skews(observed.cluster).items()
    )


def _names(legs: Iterable[ShardMove]) -> list[str]:
    return [f"{leg.index}[{leg.shard}]" for leg in legs][:5]
