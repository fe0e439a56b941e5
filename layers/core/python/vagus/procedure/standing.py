"""Makes a cluster's `Status` of one look. Shown, never decided on; `noted_status` keeps the last one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from vagus import approval, owned
from vagus.approval import Approval
from vagus.cluster import Cluster, Copy, Node, Unseen
from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.plan import Ask, Blocked
from vagus.ports import Executions, GroupsRead, Table
from vagus.procedure import consent, noted_status, records, safety
from vagus.procedure.room import Reads, Room, working_at
from vagus.procedure.rows import Rows, read_shown
from vagus.reasons import Reason
from vagus.status import (
    CapabilityShown,
    GroupShown,
    Health,
    HookShown,
    IntentShown,
    LeaseShown,
    NodeShown,
    SafetyShown,
    Shown,
    Status,
    ZoneShown,
)

LONGEST_WAIT = 48 * 3600
"""Seconds after which AWS ends the wait of a hook of ours, whatever heartbeats come."""


def bare(spec: ClusterSpec, at: str) -> Status:
    """What the fleet file alone tells. `at`: ISO 8601."""
    return Status(
        cluster=spec.name,
        cell=spec.cell,
        engine=f"{spec.engine.name} {spec.engine.version}",
        declared_nodes=spec.nodes,
        placement=spec.placement,
        at=at,
    )


def unseen(spec: ClusterSpec, at: str) -> Status:
    """Of a cluster for which the sweep had no time."""
    return msgspec.structs.replace(bare(spec, at), fault="not looked at: the sweep's time ran out")


class Shows(msgspec.Struct, frozen=True, kw_only=True):
    """All that whoever shows a status needs."""

    reads: Reads
    table: Table
    rooms: Mapping[str, Room]
    executions: Mapping[str, Executions]


def of(shows: Shows, spec: ClusterSpec, now: float) -> Status:
    """How a cluster is now (`now`: epoch seconds). What can't be read becomes its `fault`; an unreachable cluster is
    shown with the rest."""
    try:
        return status(_parts(shows, spec, now))
    except Exception as error:  # noqa: BLE001  (showing one cluster must not keep others from being shown, or swept)
        return msgspec.structs.replace(bare(spec, records.iso(now)), fault=f"{type(error).__name__}: {error}")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a status is made of. `seen` with plans and approvals (`rows.read_shown`). `cluster`: `None` of one that
    functions don't call."""

    spec: ClusterSpec
    rooms: Mapping[str, Room]
    seen: Rows
    cluster: Cluster | Unseen | None
    groups: tuple[Group, ...]
    hooks: tuple[HookShown, ...]
    safety: SafetyShown
    noted: noted_status.Noted
    lines: tuple[Shown, ...]
    links: Mapping[str, str]
    now: float


def _parts(shows: Shows, spec: ClusterSpec, now: float) -> Parts:
    reads, table, rooms = shows.reads, shows.table, working_at(shows.rooms, spec)
    seen = read_shown(table, spec.name)
    groups = reads.groups.describe([spec.name]) if spec.reached else ()
    return Parts(
        spec=spec,
        rooms=rooms,
        seen=seen,
        cluster=_look(reads, spec) if spec.reached else None,
        groups=groups,
        hooks=_hooks(reads.groups, groups, now),
        safety=examined(table, spec.name),
        noted=noted_status.noted(table, spec.name, now),
        lines=tuple(line for room in rooms.values() for line in _lines(reads, room, spec, seen, now)),
        links={name: _link(shows.executions, name, seen.head(name).execution) for name in rooms},
        now=now,
    )


def _link(executions: Mapping[str, Executions], capability: str, execution: str) -> str:
    """Where its run is seen; empty without one, or where nobody says whose account this is."""
    try:
        return executions[capability].console(execution) if execution else ""
    except VagusError:
        return ""


def _look(reads: Reads, spec: ClusterSpec) -> Cluster | Unseen:
    try:
        return reads.search(spec).look()
    except VagusError as error:
        return Unseen(reason="UNREACHABLE", message=f"{type(error).__name__}: {error}")


def _lines(reads: Reads, room: Room, spec: ClusterSpec, seen: Rows, now: float) -> tuple[Shown, ...]:
    """A room that shows nothing is not asked to observe."""
    return () if room.shown is None else room.shown(room.observe(reads, spec, seen, None, now), spec, now)


def status(parts: Parts) -> Status:
    """Pure."""
    seen, cluster, now = parts.seen, parts.cluster, parts.now
    return msgspec.structs.replace(
        bare(parts.spec, records.iso(now)),
        uuid=seen.identity or "",
        wrong_cluster=_another(cluster, seen),
        health=health(cluster),
        zones=_zones(cluster, parts.spec) if isinstance(cluster, Cluster) else (),
        nodes=_nodes(parts),
        groups=tuple(_group(parts.spec, group) for group in sorted(parts.groups, key=lambda group: group.name)),
        safety=parts.safety,
        hooks=parts.hooks,
        intents=_intents(seen, now),
        leases=_leases(seen, now),
        capabilities=tuple(_capability(parts, room) for room in parts.rooms.values()),
        lines=(*parts.lines, *parts.noted.lines),
    )


def _another(cluster: Cluster | Unseen | None, seen: Rows) -> str:
    """The UUID that answers, where it is not the noted one."""
    if not isinstance(cluster, Cluster) or seen.identity in (None, cluster.uuid):
        return ""
    return cluster.uuid


# -- the cluster -----------------------------------------------------------------------------------------------------


def health(cluster: Cluster | Unseen | None) -> Health:
    """A look's health, or why there was none."""
    if cluster is None:
        return Health()
    if isinstance(cluster, Unseen):
        return Health(unseen=cluster.message)
    return Health(
        status=cluster.status,
        nodes=len(cluster.nodes),
        shards=len(cluster.copies),
        unassigned=sum(copy.state == "UNASSIGNED" for copy in cluster.copies),
        excluded_by_us=tuple(sorted(owned.ours(cluster))),
        excluded_by_hand=tuple(sorted(owned.excluded(cluster) - owned.ours(cluster))),
    )


def _zones(cluster: Cluster, spec: ClusterSpec) -> tuple[ZoneShown, ...]:
    named = dict.fromkeys([*spec.zones, *sorted({node.zone for node in cluster.nodes})])
    return tuple(_zone(cluster, zone) for zone in named)


def _zone(cluster: Cluster, zone: str) -> ZoneShown:
    nodes = [node for node in cluster.nodes if node.zone == zone]
    names = {node.name for node in nodes}
    copies = [copy for copy in cluster.copies if copy.node in names]
    return ZoneShown(
        zone=zone,
        nodes=len(nodes),
        shards=len(copies),
        bytes=sum(copy.bytes for copy in copies),
        disk=_used([node for node in nodes if node.holds_data]),
    )


def _used(nodes: Sequence[Node]) -> int | None:
    """Percent of their disks that is used. A node that told nothing has a disk of 0."""
    total = sum(node.disk_total for node in nodes)
    return round(100 * (1 - sum(node.disk_free for node in nodes) / total)) if total else None


def _nodes(parts: Parts) -> tuple[NodeShown, ...]:
    """Nodes of the cluster, and instances whose node is not in it: these are seen without a look at the cluster too."""
    instances = {one.id: one for group in parts.groups for one in group.instances}
    present = _present(parts.cluster) if isinstance(parts.cluster, Cluster) else {}
    absent = {name: NodeShown(name=name, zone=one.zone) for name, one in instances.items() if name not in present}
    shown = [
        msgspec.structs.replace(
            one,
            lifecycle=instances[name].lifecycle if name in instances else "",
            event=parts.noted.events.get(name, ""),
        )
        for name, one in (present | absent).items()
    ]
    return tuple(sorted(shown, key=lambda one: (one.zone, one.name)))


def _present(cluster: Cluster) -> dict[str, NodeShown]:
    held: dict[str, list[Copy]] = {}
    for copy in cluster.copies:
        held.setdefault(copy.node or "", []).append(copy)
    return {
        node.name: NodeShown(
            name=node.name,
            zone=node.zone,
            version=node.version,
            roles=node.roles,
            manages=node.name == cluster.manager,
            shards=len(held.get(node.name, ())),
            bytes=sum(copy.bytes for copy in held.get(node.name, ())),
            disk=_used([node]),
            heap=node.heap,
        )
        for node in cluster.nodes
    }


# -- groups and rows -------------------------------------------------------------------------------------------------


def _hooks(groups: GroupsRead, cluster: Iterable[Group], now: float) -> tuple[HookShown, ...]:
    """Instances that a terminate hook holds, and how long AWS lets it: a call for each, so only when one waits."""
    return tuple(
        _hook(groups, group.name, one.id, now) for group in cluster for one in group.instances if one.waits_to_leave
    )


def _hook(groups: GroupsRead, group: str, instance: str, now: float) -> HookShown:
    """Whoever may not ask since when it waits sees at least that it does."""
    try:
        began = groups.waiting_since(group, instance)
    except VagusError:
        began = None
    if began is None:
        return HookShown(instance=instance)
    left = int(began.timestamp() + LONGEST_WAIT - now)
    return HookShown(instance=instance, since=records.iso(began.timestamp()), seconds_left=left)


def _group(spec: ClusterSpec, group: Group) -> GroupShown:
    return GroupShown(
        name=group.name,
        zone=group.zone,
        desired=group.desired,
        declared=spec.sizes().get(group.name, 0),
        in_service=sum(one.lifecycle == "InService" for one in group.instances),
        leaving={one.id: one.lifecycle for one in group.instances if one.lifecycle.startswith("Terminating")},
        unprotected=group.unprotected,
        suspended=group.suspended,
    )


def _intents(seen: Rows, now: float) -> tuple[IntentShown, ...]:
    moment = datetime.fromtimestamp(now, UTC)
    return tuple(
        IntentShown(
            id=one.id,
            kind=one.kind,
            capability=one.capability,
            source=one.source,
            opened=one.opened,
            deadline=one.deadline or "",
            late=one.deadline is not None and datetime.fromisoformat(one.deadline) < moment,
        )
        for one in sorted(seen.intents, key=lambda one: one.id)
    )


def _leases(seen: Rows, now: float) -> tuple[LeaseShown, ...]:
    """Those in force. One that an older version renewed has no start, and counts from when it is renewed next."""
    return tuple(
        LeaseShown(concern=concern, holder=one.holder, seconds=int(now - one.since) if one.since else 0)
        for concern, one in sorted(seen.leases.items())
        if one.holder and now < one.expires
    )


def _capability(parts: Parts, room: Room) -> CapabilityShown:
    spec, seen, now = parts.spec, parts.seen, parts.now
    head = seen.head(room.name)
    noted = seen.plans.get(room.name, {})
    blocks, unblocks = _blocked(spec, seen, room, noted)
    return CapabilityShown(
        name=room.name,
        mode=room.mode(spec),
        state="paused" if head.paused else head.state,
        since=head.since,
        execution=head.execution,
        link=parts.links[room.name],
        paused_by=head.paused_by,
        paused=consent.stopped(head) if head.paused else "",
        approvals=tuple(_approval(one) for one in approval.in_force(seen.approvals, room.name, now)),
        last_end=head.reason,
        message=head.message,
        plan={key: noted[key] for key in ("at", "kind", "reason", "message") if key in noted} | _step(noted),
        blocks=blocks,
        unblocks=unblocks,
    )


def _step(noted: Mapping[str, Any]) -> dict[str, Any]:
    """The kind of the step that is due, by its name."""
    steps = noted.get("steps") or ()
    return {"step": steps[0]["kind"]} if steps and "kind" in steps[0] else {}


def _blocked(spec: ClusterSpec, seen: Rows, room: Room, noted: Mapping[str, Any]) -> tuple[str, str]:
    """What keeps a capability from going on, and who can do what about it; nothing where it goes on by itself."""
    head, reason = seen.head(room.name), str(noted.get("reason", ""))
    if head.paused:
        return consent.stopped(head), f"a person: `vagus resume {spec.name}`, once the cause is gone"
    if noted.get("kind") == Ask.__name__:
        return f"{reason}: {noted.get('message', '')}", f"a person: `vagus approve {spec.name}`"
    if noted.get("kind") == Blocked.__name__:
        return f"{reason}: {noted.get('message', '')}", f"a person: docs/runbook.md, {reason}"
    if reason == Reason.LEASE_HELD:
        return f"{reason}: {noted.get('message', '')}", "nobody: it goes on when the other run ends"
    return "", ""


def _approval(one: Approval) -> str:
    what = ", ".join(str(act) for act in one.acts)
    return f"approved by {one.person} until {records.iso(one.expires)}: {what}"


def examined(table: Table, cluster: str) -> SafetyShown:
    """What the last examination of a cluster's groups found."""
    noted = safety.noted(table, cluster)
    return SafetyShown() if noted is None else SafetyShown(at=noted.at, violations=noted.violations, fault=noted.fault)
