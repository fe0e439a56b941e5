"""`vagus plan CLUSTER`: what each capability would do now, in sentences. Changes nothing."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.text import Text

from vagus.fleet import ClusterSpec
from vagus.plan import Ask, Done, Plan, Steps, Wait
from vagus.procedure import lease as leases
from vagus.procedure import loop, rows
from vagus.procedure.room import Room, working_at
from vagus.procedure.rows import Rows
from vagus.rooms import ROOMS
from vagus.steps import AnyStep, kind
from vagus.zone_balance import balancing
from vagus.zone_balance.layout import layout_of
from vagus.zone_balance.looking import looked
from vagus.zone_balance.observed import Observed
from vagus_cli import options, output
from vagus_cli.picture import svg
from vagus_cli.ways_out import WAYS_OUT
from vagus_cli.world import UsageFault, World

NOTHING_DUE, DUE, PERSON_NEEDED = 0, 3, 4
"""Exit codes; 2 is an error of the command itself."""


Picture = Annotated[
    Path | None,
    typer.Option(help="Draw where shards stand, and where they would, into this file (SVG).", dir_okay=False),
]


class ShownStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step as a person sees it. `nature`: protective ones go on while disturbing ones are held back."""

    kind: str
    nature: str
    subject: str
    sentence: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of one capability. `next`: what would be done now, or what a person is asked for; `foreseen`:
    what is likely to follow, never trusted.

    `held_back`: why a run would not do it at this moment; empty if it would. `way_out`: what a person does about it.
    """

    cluster: str
    capability: str
    mode: str
    plan: str
    reason: str
    message: str
    next: tuple[ShownStep, ...]
    foreseen: tuple[ShownStep, ...]
    wait_seconds: int = 0
    held_back: str = ""
    way_out: str = ""


def plan(
    context: typer.Context,
    cluster: options.ClusterName,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
    picture: Picture = None,
) -> None:
    """What Vagus would do now for CLUSTER, in sentences; nothing is changed.

    Exit code: 0 nothing is due, 3 something is due or going on, 4 a person is needed, 2 the command failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    if picture is not None:
        _draw(world, world.cluster(cluster), picture)
    shown = dry_run(world, world.cluster(cluster))
    output.answer(shown, as_json, _for_people)
    raise typer.Exit(max(_exit_code(one) for one in shown))


def dry_run(world: World, spec: ClusterSpec) -> list[Shown]:
    """Observes AWS and the cluster with the caller's own rights, and asks the very decide of a run."""
    seen = rows.read(world.state(spec), spec.name, approvals=True)
    return [_of_room(world, spec, seen, room) for room in working_at(ROOMS, spec).values()]


def _draw(world: World, spec: ClusterSpec, picture: Path) -> None:
    document = drawn(world, spec)
    try:
        picture.write_text(document)
    except OSError as error:
        raise typer.BadParameter(f"{picture} can't be written: {error.strerror}", param_hint="--picture") from error


def drawn(world: World, spec: ClusterSpec) -> str:
    """Where shards stand, and where they would with the fleet file's policy, whether or not it is switched on."""
    if not spec.reached:
        raise UsageFault(f"{spec.name} is on Kubernetes, where Vagus sees certificates alone: no picture of its shards")
    search, now = world.reads.search(spec), world.now()
    cluster, placement = search.look(), search.placement()
    observed = Observed(cluster=cluster, groups=(), placement=placement)
    made = balancing.planned(looked(observed, cluster, spec, now))
    return svg(spec.name, layout_of(cluster, placement), made)


def _of_room(world: World, spec: ClusterSpec, seen: Rows, room: Room) -> Shown:
    decided = loop.plan_for(room, world.reads, spec, seen, None, world.now())
    now, later = _steps(decided)
    return Shown(
        cluster=spec.name,
        capability=room.name,
        mode=room.mode(spec),
        plan=type(decided).__name__,
        reason=decided.reason,
        message=decided.message,
        next=now,
        foreseen=later,
        wait_seconds=decided.seconds if isinstance(decided, Wait | Ask) else 0,
        held_back=_held_back(seen, room, decided, world.now()),
        way_out=WAYS_OUT.get(decided.reason, ""),
    )


def _steps(decided: Plan) -> tuple[tuple[ShownStep, ...], tuple[ShownStep, ...]]:
    """Only the first step is ever done; then the cluster is looked at again."""
    if isinstance(decided, Steps | Ask):
        first, *others = decided.steps
        return (_shown(first),), tuple(_shown(step) for step in (*others, *decided.foreseen))
    return (), tuple(_shown(step) for step in decided.foreseen)


def _shown(step: AnyStep) -> ShownStep:
    return ShownStep(
        kind=kind(step),
        nature="protective" if step.protective else "disturbing",
        subject=step.subject,
        sentence=step.sentence,
    )


def _held_back(seen: Rows, room: Room, decided: Plan, now: float) -> str:
    """What the frame would say before the room is asked."""
    head, lease = seen.head(room.name), seen.lease(room.concern)
    if isinstance(decided, Done):
        return ""
    if leases.held_by_other(lease, head.execution, now):
        return f"{lease.holder} writes to this cluster's {room.concern} for {lease.expires - now:.0f} s more"
    if head.state == "idle" and now < head.not_before:
        return f"the last execution failed: the next start waits {head.not_before - now:.0f} s more"
    return ""


def _exit_code(shown: Shown) -> int:
    return {"Done": NOTHING_DUE, "Steps": DUE, "Wait": DUE, "Ask": PERSON_NEEDED, "Blocked": PERSON_NEEDED}[shown.plan]


# -- for people ------------------------------------------------------------------------------------------------------

COLOURS = {"Done": "green", "Steps": "yellow", "Wait": "yellow", "Ask": "magenta", "Blocked": "red"}


def _for_people(many: list[Shown]) -> RenderableType:
    return Group(*(_one(shown) for shown in many))


def _one(shown: Shown) -> Text:
    text = Text()
    text.append(f"{shown.cluster} {shown.capability}", style="bold")
    text.append(f" (mode {shown.mode})  ")
    text.append(f"{shown.plan} {shown.reason}", style=COLOURS[shown.plan])
    text.append(f"\n  {shown.message}")
    if shown.held_back:
        text.append(f"\n  held back: {shown.held_back}", style="red")
    if shown.way_out:
        text.append(f"\n  way out: {shown.way_out}")
    if shown.wait_seconds:
        text.append(f"\n  it would look again in {shown.wait_seconds} s")
    for step in shown.next:
        text.append(f"\n  {'asks for' if shown.plan == 'Ask' else 'now     '} {step.sentence}", style="bold")
        text.append(f"  ({step.nature})", style="dim")
    for step in shown.foreseen:
        text.append(f"\n  foreseen {step.sentence}", style="dim")
    text.append("\n  Nothing was changed.", style="dim")
    return text
