"""A cluster's status for people: all clusters in a table, or one in full."""

from collections.abc import Iterable

from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from vagus.status import CapabilityShown, NodeShown, Shown, Status
from vagus_cli import safety_shown

COLOURS = {"green": "green", "yellow": "yellow", "red": "red", "idle": "green", "running": "yellow", "paused": "red"}
FULL_DISK, FULL_HEAP = 85, 85
"""Percent from which a node stands out: the engine's low watermark; a heap that collects garbage all the time."""


def overview(many: list[Status]) -> RenderableType:
    """A row for each capability of each cluster."""
    grid = _grid("cluster", "cell", "engine", "health", "nodes", "leaving", "capability", "mode", "state", last="plan")
    for shown in many:
        for row in _overview_rows(shown):
            grid.add_row(*row)
    return grid


def _overview_rows(shown: Status) -> list[list[Text]]:
    start = [Text(shown.cluster, style="bold"), Text(shown.cell), Text(shown.engine)]
    if shown.fault:
        return [[*start, *[Text()] * 6, Text(shown.fault, style="red")]]
    leaving = sum(len(group.leaving) for group in shown.groups)
    seen = str(shown.health.nodes) if shown.placement == "ec2" else "?"
    start += [_health_text(shown), Text(f"{seen}/{shown.declared_nodes}"), Text(str(leaving))]
    return [[*start, *_capability_cells(one)] for one in shown.capabilities]


def _health_text(shown: Status) -> Text:
    if shown.placement != "ec2":
        return Text(f"on {shown.placement}, not looked at", style="dim")
    if shown.health.unseen:
        return Text("not seen", style="red")
    return Text(shown.health.status, style=COLOURS[shown.health.status])


def _capability_cells(one: CapabilityShown) -> list[Text]:
    said = f"{one.plan['reason']}: {one.plan['message']}" if one.plan else (one.message or "never run")
    return [Text(one.name), Text(one.mode), Text(one.state, style=COLOURS[one.state]), Text(said)]


def details(shown: Status) -> RenderableType:
    """One cluster in full; what there is nothing of is left out."""
    if shown.fault:
        return Text(f"{shown.cluster}: {shown.fault}", style="red")
    parts: list[RenderableType] = [_headline(shown)]
    parts += [_zones_grid(shown)] if shown.zones else []
    parts += [_nodes_grid(shown.nodes)] if shown.nodes else []
    parts += [_groups_grid(shown), safety_shown.text(shown.safety)] if shown.placement == "ec2" else []
    parts += [_lines_text(shown.lines)] if shown.lines else []
    return Together(*parts, *(_capability_text(one) for one in shown.capabilities))


def _headline(shown: Status) -> Text:
    if shown.placement != "ec2":
        said = f"  {shown.engine}, cell {shown.cell}, {shown.declared_nodes} pods on {shown.placement.capitalize()}"
        return Text.assemble((shown.cluster, "bold"), said, "\nVagus does its certificates alone, by its site's agent")
    text = Text.assemble(
        (shown.cluster, "bold"), f"  {shown.engine}, cell {shown.cell}, {shown.uuid or 'not formed'}\n"
    )
    if shown.wrong_cluster:
        text.append(f"another cluster answers: {shown.wrong_cluster}\n", style="bold red")
    if shown.health.unseen:
        text.append(f"not seen: {shown.health.unseen}", style="red")
    else:
        _append_health(text, shown)
    for hook in shown.hooks:
        left = f", AWS ends that in {hook.seconds_left // 3600} h" if hook.seconds_left is not None else ""
        text.append(
            f"\n{hook.instance} is kept waiting since {hook.since or 'nobody knows when'}{left}", style="yellow"
        )
    for intent in shown.intents:
        until = f", due {intent.deadline}" if intent.deadline else ""
        text.append(
            f"\nopen: {intent.id} since {intent.opened} ({intent.source}){until}", style="red" if intent.late else ""
        )
    return text


def _append_health(text: Text, shown: Status) -> None:
    text.append_text(_health_text(shown))
    text.append(f", {shown.health.nodes} of {shown.declared_nodes} nodes, {shown.health.shards} shards")
    if shown.health.unassigned:
        text.append(f", {shown.health.unassigned} unassigned", style="red")
    if shown.not_from_here:
        text.append(
            f"\nas the sweep saw it at {shown.at}; from here it is not seen: {shown.not_from_here}", style="dim"
        )
    for whose, nodes in (("Vagus", shown.health.excluded_by_us), ("people", shown.health.excluded_by_hand)):
        if nodes:
            text.append(f"\nexcluded from allocation by {whose}: {', '.join(nodes)}", style="yellow")


def _grid(*titles: str, last: str = "") -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        grid.add_column(title, no_wrap=True, overflow="ignore")
    grid.add_column(last, overflow="fold")
    return grid


def _zones_grid(shown: Status) -> Grid:
    grid = _grid("zone", "nodes", "shards", "bytes", last="disk")
    for one in shown.zones:
        numbers = (str(one.nodes), str(one.shards), _bytes(one.bytes))
        grid.add_row(one.zone, *numbers, _percent(one.disk, FULL_DISK))
    return grid


def _nodes_grid(nodes: Iterable[NodeShown]) -> Grid:
    grid = _grid("node", "zone", "version", "roles", "shards", "bytes", "disk", "heap", "instance", last="last event")
    for one in nodes:
        there = bool(one.version)
        grid.add_row(
            Text(one.name + (" *" if one.manages else "")),
            one.zone,
            one.version if there else Text("not in the cluster", style="red"),
            ",".join(one.roles),
            str(one.shards) if there else "",
            _bytes(one.bytes) if there else "",
            _percent(one.disk, FULL_DISK),
            _percent(one.heap, FULL_HEAP),
            Text(one.lifecycle or "no group has it", style="" if one.lifecycle == "InService" else "yellow"),
            one.event,
        )
    return grid


def _bytes(number: int) -> str:
    size, units = float(number), ("B", "KiB", "MiB", "GiB", "TiB")
    for unit in units[:-1]:
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {units[-1]}"


def _percent(value: int | None, full: int) -> Text:
    return Text() if value is None else Text(f"{value} %", style="red" if value >= full else "")


def _groups_grid(shown: Status) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    for title in ("group", "zone", "in service", "desired", "declared"):
        grid.add_column(title, no_wrap=True, overflow="ignore")
    grid.add_column("leaving", overflow="fold")
    grid.add_column("", overflow="fold")
    for group in shown.groups:
        leaving = ", ".join(f"{name} {word}" for name, word in group.leaving.items())
        said = ["unprotected: an ABANDON would end the instance"] if group.unprotected else []
        said += ["may launch nothing"] if "Launch" in group.suspended else []
        numbers = (str(group.in_service), str(group.desired), str(group.declared))
        grid.add_row(
            group.name, group.zone, *numbers, Text(leaving, style="yellow"), Text("; ".join(said), style="red")
        )
    return grid


def _lines_text(lines: Iterable[Shown]) -> Text:
    """What capabilities add."""
    text = Text()
    for one in lines:
        of = f" {one.of}" if one.of else ""
        text.append(f"{one.title}{of}: {one.says}\n", style="red" if one.wrong else "")
    text.rstrip()
    return text


def _capability_text(one: CapabilityShown) -> Text:
    text = Text.assemble((one.name, "bold"), f" (mode {one.mode})  ", (one.state, COLOURS[one.state]))
    if one.state == "running":
        text.append(f"  {one.execution} since {one.since}")
        text.append(f"\n  {one.link}" if one.link else "", style="dim")
    for sentence in one.approvals:
        text.append(f"\n  {sentence}", style="magenta")
    if one.plan:
        step = f" [{one.plan['step']}]" if "step" in one.plan else ""
        text.append(f"\n  {one.plan['at']}  {one.plan['reason']}{step}: {one.plan['message']}")
    elif one.message:
        text.append(f"\n  last end: {one.last_end}: {one.message}")
    if one.blocks:
        text.append(f"\n  held up: {one.blocks}", style="red")
        text.append(f"\n  who can change that: {one.unblocks}", style="bold")
    return text
