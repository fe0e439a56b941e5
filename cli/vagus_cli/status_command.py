"""`vagus status [CLUSTER]`: how clusters are, what Vagus is doing there, and what keeps it from doing more."""

from typing import Annotated, Any

import msgspec
import typer
from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from vagus import approval, owned
from vagus.approval import Approval
from vagus.cluster import Cluster
from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.procedure import consent, records, rows
from vagus.procedure.room import Room
from vagus.procedure.rows import Rows
from vagus.rooms import ROOMS
from vagus_cli import options, output, safety_shown
from vagus_cli.safety_shown import SafetyShown
from vagus_cli.world import World


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster at one look. `excluded_by_us`: nodes whose exclusion bears our mark. `unseen`: why there was none."""

    status: str = ""
    nodes: int = 0
    shards: int = 0
    unassigned: int = 0
    excluded_by_us: tuple[str, ...] = ()
    excluded_by_hand: tuple[str, ...] = ()
    unseen: str = ""


class GroupShown(msgspec.Struct, frozen=True, kw_only=True):
    """An Auto Scaling group. `leaving`: instance ids with Auto Scaling's own word. `declared`: its size in the file."""

    name: str
    zone: str
    desired: int
    declared: int
    in_service: int
    leaving: dict[str, str]
    unprotected: bool


class CapabilityShown(msgspec.Struct, frozen=True, kw_only=True):
    """A capability on a cluster: its head row, and the plan that was noted last. `link`: its run in the console;
    `paused`: by whom, since when and why; `approvals`: those in force, in a sentence each."""

    name: str
    mode: str
    state: str
    since: str
    execution: str
    link: str
    paused_by: str
    paused: str
    approvals: tuple[str, ...]
    last_end: str
    message: str
    plan: dict[str, Any]


class ClusterShown(msgspec.Struct, frozen=True, kw_only=True):
    """All of one cluster. `fault`: what could not be read; the rest is then empty."""

    cluster: str
    cell: str
    engine: str
    declared_nodes: int
    uuid: str = ""
    health: Health = Health()
    groups: tuple[GroupShown, ...] = ()
    safety: SafetyShown = SafetyShown()
    intents: tuple[str, ...] = ()
    capabilities: tuple[CapabilityShown, ...] = ()
    fault: str = ""


def status(
    context: typer.Context,
    cluster: Annotated[str | None, typer.Argument(metavar="[CLUSTER]", help="One cluster; unsaid: all.")] = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """How the clusters are, and what Vagus is doing there.

    Exit code: 0, 4 where a cluster could not be read, a capability is stopped, or a person is needed, 2 the command
    failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    specs = [world.cluster(cluster)] if cluster else list(world.fleet.values())
    shown = [observed(world, spec) for spec in specs]
    output.answer(shown, as_json, _details if cluster else _overview)
    raise typer.Exit(4 if any(_needs_a_person(one) for one in shown) else 0)


def observed(world: World, spec: ClusterSpec) -> ClusterShown:
    """One cluster; what can't be read becomes its `fault`, so that the others are still shown."""
    bare = ClusterShown(
        cluster=spec.name,
        cell=spec.cell,
        engine=f"{spec.engine.name} {spec.engine.version}",
        declared_nodes=sum(spec.sizes().values()),
    )
    try:
        seen = rows.read_shown(world.state(spec), spec.name)
        groups = world.reads.groups.describe([spec.name])
        safety = safety_shown.found(world.state(spec), spec.name)
    except VagusError as error:
        return msgspec.structs.replace(bare, fault=f"{type(error).__name__}: {error}")
    return msgspec.structs.replace(
        bare,
        uuid=seen.identity or "",
        health=_health(world, spec),
        groups=tuple(_group(spec, group) for group in sorted(groups, key=lambda group: group.name)),
        safety=safety,
        intents=tuple(sorted(intent.id for intent in seen.intents)),
        capabilities=tuple(_capability(world, spec, seen, room) for room in ROOMS.values()),
    )


def _health(world: World, spec: ClusterSpec) -> Health:
    try:
        cluster = world.reads.search(spec).look()
    except VagusError as error:
        return Health(unseen=f"{type(error).__name__}: {error}")
    return Health(
        status=cluster.status,
        nodes=len(cluster.nodes),
        shards=len(cluster.copies),
        unassigned=_unassigned(cluster),
        excluded_by_us=tuple(sorted(owned.ours(cluster))),
        excluded_by_hand=tuple(sorted(owned.excluded(cluster) - owned.ours(cluster))),
    )


def _unassigned(cluster: Cluster) -> int:
    return sum(copy.state == "UNASSIGNED" for copy in cluster.copies)


def _group(spec: ClusterSpec, group: Group) -> GroupShown:
    return GroupShown(
        name=group.name,
        zone=group.zone,
        desired=group.desired,
        declared=spec.sizes().get(group.name, 0),
        in_service=sum(one.lifecycle == "InService" for one in group.instances),
        leaving={one.id: one.lifecycle for one in group.instances if one.lifecycle.startswith("Terminating")},
        unprotected=group.unprotected,
    )


def _link(world: World, spec: ClusterSpec, room: Room, execution: str) -> str:
    """Where its run is seen; empty without one, or where nobody says whose account this is."""
    try:
        return world.executions(spec)[room.name].console(execution) if execution else ""
    except VagusError:
        return ""


def _capability(world: World, spec: ClusterSpec, seen: Rows, room: Room) -> CapabilityShown:
    head, now = seen.head(room.name), world.now()
    noted = seen.plans.get(room.name, {})
    return CapabilityShown(
        name=room.name,
        mode=room.mode(spec),
        state="paused" if head.paused else head.state,
        since=head.since,
        execution=head.execution,
        link=_link(world, spec, room, head.execution),
        paused_by=head.paused_by,
        paused=consent.stopped(head) if head.paused else "",
        approvals=tuple(_approval(one) for one in approval.in_force(seen.approvals, room.name, now)),
        last_end=head.reason,
        message=head.message,
        plan={key: noted[key] for key in ("at", "kind", "reason", "message") if key in noted},
    )


def _approval(one: Approval) -> str:
    what = ", ".join(f"{act.kind} {act.on}" for act in one.acts)
    return f"approved by {one.person} until {records.iso(one.expires)}: {what}"


def _needs_a_person(shown: ClusterShown) -> bool:
    stopped = any(one.state == "paused" or one.plan.get("kind") in ("Ask", "Blocked") for one in shown.capabilities)
    return bool(shown.fault or shown.health.unseen or shown.safety.violations) or stopped


# -- for people ------------------------------------------------------------------------------------------------------

COLOURS = {"green": "green", "yellow": "yellow", "red": "red", "idle": "green", "running": "yellow", "paused": "red"}


def _overview(many: list[ClusterShown]) -> RenderableType:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in ("cluster", "cell", "engine", "health", "nodes", "leaving", "capability", "mode", "state"):
        grid.add_column(title, no_wrap=True, overflow="ignore")
    grid.add_column("plan", overflow="fold")
    for shown in many:
        for row in _overview_rows(shown):
            grid.add_row(*row)
    return grid


def _overview_rows(shown: ClusterShown) -> list[list[Text]]:
    start = [Text(shown.cluster, style="bold"), Text(shown.cell), Text(shown.engine)]
    if shown.fault:
        return [[*start, *[Text()] * 6, Text(shown.fault, style="red")]]
    leaving = sum(len(group.leaving) for group in shown.groups)
    start += [_health_text(shown), Text(f"{shown.health.nodes}/{shown.declared_nodes}"), Text(str(leaving))]
    return [[*start, *_capability_cells(one)] for one in shown.capabilities]


def _health_text(shown: ClusterShown) -> Text:
    if shown.health.unseen:
        return Text("not seen", style="red")
    return Text(shown.health.status, style=COLOURS[shown.health.status])


def _capability_cells(one: CapabilityShown) -> list[Text]:
    said = f"{one.plan['reason']}: {one.plan['message']}" if one.plan else (one.message or "never run")
    return [Text(one.name), Text(one.mode), Text(one.state, style=COLOURS[one.state]), Text(said)]


def _details(many: list[ClusterShown]) -> RenderableType:
    (shown,) = many
    if shown.fault:
        return Text(f"{shown.cluster}: {shown.fault}", style="red")
    parts: list[RenderableType] = [_headline(shown), _groups_grid(shown), safety_shown.text(shown.safety)]
    return Together(*parts, *(_capability_text(one) for one in shown.capabilities))


def _headline(shown: ClusterShown) -> Text:
    text = Text.assemble(
        (shown.cluster, "bold"), f"  {shown.engine}, cell {shown.cell}, {shown.uuid or 'not formed'}\n"
    )
    if shown.health.unseen:
        return text.append(f"not seen: {shown.health.unseen}", style="red")
    text.append_text(_health_text(shown))
    text.append(f", {shown.health.nodes} of {shown.declared_nodes} nodes, {shown.health.shards} shards")
    if shown.health.unassigned:
        text.append(f", {shown.health.unassigned} unassigned", style="red")
    for whose, nodes in (("Vagus", shown.health.excluded_by_us), ("people", shown.health.excluded_by_hand)):
        if nodes:
            text.append(f"\nexcluded from allocation by {whose}: {', '.join(nodes)}", style="yellow")
    if shown.intents:
        text.append(f"\nopen: {', '.join(shown.intents)}")
    return text


def _groups_grid(shown: ClusterShown) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in ("group", "zone", "in service", "desired", "declared"):
        grid.add_column(title, no_wrap=True, overflow="ignore")
    grid.add_column("leaving", overflow="fold")
    grid.add_column("", overflow="fold")
    for group in shown.groups:
        leaving = ", ".join(f"{name} {word}" for name, word in group.leaving.items())
        safety = Text("unprotected: an ABANDON would end the instance", style="red") if group.unprotected else Text()
        numbers = (str(group.in_service), str(group.desired), str(group.declared))
        grid.add_row(group.name, group.zone, *numbers, Text(leaving, style="yellow"), safety)
    return grid


def _capability_text(one: CapabilityShown) -> Text:
    text = Text.assemble((one.name, "bold"), f" (mode {one.mode})  ", (one.state, COLOURS[one.state]))
    if one.state == "running":
        text.append(f"  {one.execution} since {one.since}")
        text.append(f"\n  {one.link}" if one.link else "", style="dim")
    if one.paused:
        text.append(f"  {one.paused}", style="red")
    for sentence in one.approvals:
        text.append(f"\n  {sentence}", style="magenta")
    if one.plan:
        text.append(f"\n  {one.plan['at']}  {one.plan['reason']}: {one.plan['message']}")
    elif one.message:
        text.append(f"\n  last end: {one.last_end}: {one.message}")
    return text
