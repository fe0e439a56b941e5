"""Stages about replicas as zones come and go: only where the fleet file says `replicas: with_zones`. Pure.

An index with a copy in each zone keeps one in each. A zone that comes is forced first, and then given copies, as far as
its disks hold them. A zone that is to go gives up the copies that could go nowhere, before the first of its nodes is
let go. Never is an index left with less than one replica; auto-expanding ones, and those that begin with a dot, are
the engine's own and are left alone. Each index is raised once: what a person does then stays.
"""

from collections.abc import Iterable

import msgspec

from vagus.cluster import Cluster
from vagus.intent import Intent
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import SetReplicas
from vagus.zone_balance.forced_zones import configured_by_all, needed, set_now, wanted
from vagus.zone_balance.looking import Look
from vagus.zone_balance.placement import fit, spare


def follow(look: Look) -> Plan | None:
    """Copies for a zone that came."""
    steps = raised(look)
    if not steps:
        return None
    if why := _no_room(look, steps):
        return Blocked(reason=Reason.NO_ROOM_FOR_REPLICAS, message=why, open_deadline=look.observed.deadline())
    return _steps(steps)


def lower(look: Look) -> Plan | None:
    """Fewer copies, where a zone that is to go could not."""
    steps = lowered(look)
    return _steps(steps) if steps else None


def raised(look: Look) -> tuple[SetReplicas, ...]:
    """While nodes differ about the zones: what has a copy in each of those that all of them know gets one in each that
    is forced now and stays."""
    cluster, spec, groups = look.cluster, look.spec, look.observed.groups
    mine = wanted(cluster, spec, groups)
    if not _may(look) or not needed(cluster, spec, groups) or set_now(cluster) != mine:
        return ()
    before, now = len(configured_by_all(cluster)), len([zone for zone in mine if zone not in spec.zones_leaving])
    done = {index for intent in look.observed.intents if intent.kind == "zones" for index in intent.raised}
    found = {index: many for index, many in _copies(cluster).items() if many == before < now and index not in done}
    return _each(cluster, found, now)


def lowered(look: Look) -> tuple[SetReplicas, ...]:
    """What could go nowhere from a zone that is to go gets as many copies as zones stay."""
    cluster, spec = look.cluster, look.spec
    stay = len([zone for zone in spec.zones if zone not in spec.zones_leaving])
    if not _may(look) or not spec.zones_leaving or stay < 2:
        return ()
    stuck = {copy.index for zone in spec.zones_leaving for copy in fit(cluster, _nodes(cluster, zone)).nowhere}
    many = {index: copies for index, copies in _copies(cluster).items() if index in stuck and copies > stay}
    return _each(cluster, many, stay)


def noted(intents: Iterable[Intent], step: SetReplicas) -> Intent | None:
    """The zones' intent with what a step has raised; none where none is open, or nothing was raised."""
    intent = next((one for one in intents if one.kind == "zones"), None)
    if intent is None or step.replicas < step.before:
        return None
    return msgspec.structs.replace(intent, raised=tuple(sorted({*intent.raised, *step.indices})))


def _may(look: Look) -> bool:
    """Not in the middle of an upgrade: what stands nowhere there may only be waiting for a newer node."""
    versions = {node.version for node in look.cluster.nodes}
    return look.spec.zone_balance.replicas == "with_zones" and look.cluster.status == "green" and len(versions) == 1


def _nodes(cluster: Cluster, zone: str) -> frozenset[str]:
    return frozenset(node.name for node in cluster.nodes if node.zone == zone)


def _copies(cluster: Cluster) -> dict[str, int]:
    """How many copies of each shard an index has, of those that are not the engine's own."""
    many: dict[tuple[str, int], int] = {}
    for copy in cluster.copies:
        many[copy.id] = many.get(copy.id, 0) + 1
    ours = {index: count for (index, _), count in many.items() if not index.startswith(".")}
    return {index: count for index, count in ours.items() if index not in cluster.auto_expanding}


def _each(cluster: Cluster, found: dict[str, int], copies: int) -> tuple[SetReplicas, ...]:
    """One step for those that have as many copies as each other now."""
    steps = []
    for before in sorted({many for many in found.values() if many != copies}):
        indices = tuple(sorted(index for index, many in found.items() if many == before))
        sizes = {index: _primaries(cluster, index) * (copies - before) for index in indices} if copies > before else {}
        steps.append(SetReplicas(indices=indices, before=before - 1, replicas=copies - 1, sizes=sizes))
    return tuple(steps)


def _primaries(cluster: Cluster, index: str) -> int:
    return sum(copy.bytes for copy in cluster.copies if copy.index == index and copy.primary)


def _no_room(look: Look, steps: tuple[SetReplicas, ...]) -> str:
    """Whether the zones that came can hold all of it below their watermarks, together: a necessary condition."""
    cluster = look.cluster
    known = configured_by_all(cluster)
    came = [zone for zone in wanted(cluster, look.spec, look.observed.groups) if zone not in known]
    coming = sum(size for step in steps for size in step.sizes.values())
    room = sum(max(0, spare(cluster, node)) for node in cluster.nodes if node.holds_data and node.zone in came)
    if coming <= room:
        return ""
    return (
        f"{', '.join(came)} came: a copy there of every index with one in each zone is {coming} bytes, and its "
        f"disks take {room} before their watermark: add nodes there, or set zone_balance.replicas to kept"
    )


def _steps(steps: tuple[SetReplicas, ...]) -> Steps:
    many = sum(len(step.indices) for step in steps)
    return Steps(
        steps=steps[:1],
        foreseen=steps[1:],
        reason=Reason.REPLICAS_CHANGE,
        message=f"the replicas of {many} indices follow the zones: {steps[0].sentence}",
    )
