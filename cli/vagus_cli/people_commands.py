"""`vagus approve`, `vagus stop`, `vagus resume`: what a person says to the capabilities on a cluster."""

import re
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from vagus import approval
from vagus.approval import Approval
from vagus.fleet import ClusterSpec
from vagus.plan import Ask, Plan
from vagus.ports import Executions
from vagus.procedure import consent, loop, people, rows
from vagus.procedure import head as heads
from vagus.procedure.records import iso
from vagus.procedure.room import Room, working_at
from vagus.procedure.rows import Head
from vagus.rooms import ROOMS
from vagus_cli import by_person, certificates_commands, options, output
from vagus_cli.certificates_shown import countdown
from vagus_cli.hooks import OpenHook, heartbeats, open_hooks
from vagus_cli.world import UsageFault, World

UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}

Capability = Annotated[
    str | None, typer.Option("--capability", help="One capability, such as zone_balance. Unsaid: all.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What is approved for one capability, or why nothing is. `steps` are sentences."""

    cluster: str
    capability: str
    message: str
    steps: tuple[str, ...] = ()
    approval: Approval | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """How one capability stands after a stop or a resume, and which hooks wait meanwhile."""

    cluster: str
    capability: str
    state: str
    message: str
    hooks: tuple[OpenHook, ...] = ()


# -- approve ---------------------------------------------------------------------------------------------------------


def approve(
    context: typer.Context,
    cluster: options.ClusterName,
    capability: Capability = None,
    lasts: Annotated[str, typer.Option("--for", help="How long it holds: 30m, 4h, 2d; at most 7d.")] = "4h",
    yes: Yes = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Approve what CLUSTER's plans ask for: the steps are shown first, and nothing beyond them is allowed.

    Exit code: 0, also where nothing is asked for; 2 the command failed, or you said no.
    """
    seconds = duration(lasts)
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    seen = rows.read(world.state(spec), cluster, approvals=True)
    shown = [
        _to_approve(world, spec, room, loop.plan_for(room, world.reads, spec, seen, None, world.now()), seconds)
        for room in _rooms(capability, spec)
    ]
    asked = [one for one in shown if one.approval is not None]
    if asked:
        _confirm([line for one in asked for line in _lines(one)], yes, as_json)
    for one in asked:
        _give(world, spec, one)
    output.answer(shown, as_json, lambda many: Text("\n".join(one.message for one in many)))


def duration(text: str) -> float:
    """Seconds of `30m`, `4h` or `2d`. Raises `UsageFault`."""
    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", text)
    if found is None or int(found[1]) * UNITS[found[2]] > people.LONGEST_APPROVAL:
        raise UsageFault(f"--for {text}: say minutes, hours or days, such as 30m, 4h or 2d, and no more than 7d")
    return int(found[1]) * UNITS[found[2]]


def _to_approve(world: World, spec: ClusterSpec, room: Room, plan: Plan, seconds: float) -> Approved:
    if not isinstance(plan, Ask):
        message = f"{room.name}: nothing is asked for: {plan.message}"
        return Approved(cluster=spec.name, capability=room.name, message=message)
    steps = tuple(step for step in (*plan.steps, *plan.foreseen) if not step.protective)
    given = people.approved(room.name, steps, person=world.person(), now=world.now(), seconds=seconds)
    return Approved(
        cluster=spec.name,
        capability=room.name,
        message=f"{room.name}: approved until {iso(given.expires)}; the run goes on within a minute",
        steps=tuple(f"{step.sentence}{approval.moved(step)}" for step in steps),
        approval=given,
    )


def _lines(one: Approved) -> list[str]:
    until = iso(one.approval.expires) if one.approval else ""
    return [f"{one.cluster} {one.capability}, until {until}:", *(f"  {sentence}" for sentence in one.steps)]


def _give(world: World, spec: ClusterSpec, one: Approved) -> None:
    given = one.approval
    if given is None:
        return
    sentence = f"{given.person} approves until {iso(given.expires)}: {'; '.join(one.steps)}"
    with by_person.noted(world, spec, one.capability, "Approve", sentence):
        people.approve(world.state(spec), spec.name, given)


# -- stop and resume -------------------------------------------------------------------------------------------------


def stop(
    context: typer.Context,
    cluster: options.ClusterName,
    capability: Capability = None,
    why: Annotated[str, typer.Option("--why", help="Why: shown to whoever asks.")] = "",
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Hold back every disturbing step on CLUSTER. What is set stays, and waiting instances are kept waiting.

    Says which hooks are open, and when each would end.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    person = world.person()
    told = [_stop(world, spec, room, person, why) for room in _rooms(capability, spec)]
    output.answer(told, as_json, _for_people)


def halted(world: World, spec: ClusterSpec, capability: str, person: str, why: str) -> str:
    """Stop one capability, with a record; the sentence of how it stands."""
    sentence = f"{person} stops {capability}{': ' + why if why else ''}"
    with by_person.noted(world, spec, capability, "Stop", sentence):
        head = people.stop(world.state(spec), spec.name, capability, person=person, why=why, now=world.now())
    under_way = f"; {head.execution} ends by itself at its next look" if head.state == "running" else ""
    return f"{capability} is {consent.stopped(head)}{under_way}"


def _stop(world: World, spec: ClusterSpec, room: Room, person: str, why: str) -> Told:
    message = halted(world, spec, room.name, person, why)
    if room.name == certificates_commands.CAPABILITY:
        message += countdown(world, spec)
    kept = heartbeats(world.records(spec), spec.name, world.now())
    hooks = open_hooks(world.reads.groups, spec, kept)
    return Told(cluster=spec.name, capability=room.name, state="paused", message=message, hooks=hooks)


def resume(
    context: typer.Context,
    cluster: options.ClusterName,
    capability: Capability = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """End a stop on CLUSTER, whoever made it (a person, the console, failed executions), and look at once.

    Launching that was suspended because it failed again and again is tried again too.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    person = world.person()
    output.answer([_resume(world, spec, room, person) for room in _rooms(capability, spec)], as_json, _for_people)


def _resume(world: World, spec: ClusterSpec, room: Room, person: str) -> Told:
    table, now, executions = world.state(spec), world.now(), world.executions(spec)[room.name]
    seen = rows.read(table, spec.name)
    head = seen.head(room.name)
    ended = _ended(head, executions)
    if not head.paused and not ended and now >= head.not_before and not seen.launches.marks:
        return Told(cluster=spec.name, capability=room.name, state=head.state, message=f"{room.name} is not stopped")
    with by_person.noted(world, spec, room.name, "Resume", f"{person} resumes {room.name}"):
        people.resume(table, spec.name, room.name, now=now, ended=ended)
        heads.ensure_running(table, executions, spec.name, room.name, now, iso(now))
    runs = rows.read(table, spec.name).head(room.name)
    message = f"{room.name} goes on: {runs.execution}"
    return Told(cluster=spec.name, capability=room.name, state=runs.state, message=message)


def _ended(head: Head, executions: Executions) -> str:
    """The execution that ended without noting it, such as by a Stop in the console a moment ago; else empty."""
    if head.state == "running" and executions.status(head.execution) not in ("RUNNING", "MISSING"):
        return head.execution
    return ""


# -- parts -----------------------------------------------------------------------------------------------------------


def _rooms(capability: str | None, spec: ClusterSpec) -> list[Room]:
    there = working_at(ROOMS, spec)
    if capability is None:
        return list(there.values())
    if capability not in ROOMS:
        raise UsageFault(f"there is no capability {capability} (there are: {', '.join(ROOMS)})")
    if capability not in there:
        raise UsageFault(f"{capability} does nothing with {spec.name}, which is on {spec.placement.capitalize()}, yet")
    return [there[capability]]


def _confirm(lines: list[str], yes: bool, as_json: bool) -> None:
    """Raises `UsageFault` unless a person says yes."""
    for line in lines:
        output.aside(line)
    if yes:
        return
    if as_json or not typer.confirm("Approve these steps?", err=True):
        raise UsageFault("nothing was approved" + (": with --json, say --yes" if as_json else ""))


def _for_people(many: list[Told]) -> Text:
    text = Text("\n".join(one.message for one in many))
    for hook in many[0].hooks:
        text.append(f"\n  {hook.sentence}", style="yellow")
    if many[0].hooks:
        text.append("\n  The keeper goes on sending heartbeats: it obeys no stop.", style="dim")
    return text
