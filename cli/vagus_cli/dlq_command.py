"""`vagus dlq show|redrive|drop CELL`: what could not be taken or delivered, why, and what becomes of it."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.text import Text

from vagus.procedure.records import iso
from vagus_cli import options, output
from vagus_cli.dead_letters import Dead
from vagus_cli.replay_command import told
from vagus_cli.world import UsageFault, World

WORTH = "it can be taken now: see in the intake's log why it could not be, then `vagus dlq redrive`"
LATE = "the next call on schedule has taken its place: once you know why it could not be made, `vagus dlq drop`"
Does = Literal["redrive", "drop"]

dlq_app = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be taken or delivered.")
Cell = Annotated[str, typer.Argument(metavar="CELL", help="A cell of the fleet.")]
Messages = Annotated[list[str] | None, typer.Option("--message", help="The id of one message; may be said repeatedly.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `what`: a sentence about it. `why`: why it lies here, as far as is known. `redriven`: whether
    handing it to the intake can do any good. `became`: what was done with it."""

    queue: str
    id: str
    sent: str
    what: str
    why: str
    redriven: bool
    body: str
    became: Literal["", "redriven", "dropped"] = ""


@dlq_app.callback()
def _group() -> None:
    """Dead letters: what could not be taken or delivered."""


@dlq_app.command()
def show(
    context: typer.Context,
    cell: Cell,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """What lies in both dead-letter queues of CELL, and why. Nothing is taken out.

    Exit code: 0 both are empty, 4 a person is needed, 2 the command failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    found = letters(world, cell)
    output.answer(found, as_json, _for_people)
    raise typer.Exit(4 if found else 0)


@dlq_app.command()
def redrive(
    context: typer.Context,
    cell: Cell,
    message: Messages = None,
    yes: Yes = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Hand events of CELL to the intake once more: all that can be read, or those named.

    First into the queue, then out of the dead letters: a crash in between doubles an event, which is harmless.
    """
    world = options.opened(context, target, fleet, profile, region)
    _deal(world, cell, "redrive", message, yes=yes, as_json=as_json)


@dlq_app.command()
def drop(
    context: typer.Context,
    cell: Cell,
    message: Messages = None,
    yes: Yes = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Delete dead letters of CELL: those that no redrive can help, or those named. Each is printed in full."""
    world = options.opened(context, target, fleet, profile, region)
    _deal(world, cell, "drop", message, yes=yes, as_json=as_json)


def letters(world: World, cell: str) -> list[Letter]:
    """All dead letters of a cell, put back as they were."""
    found: list[Letter] = []
    for queue, dead in world.dead_letters(_known(world, cell)).items():
        messages = dead.read()
        dead.put_back(messages)
        found += [_letter(world, queue, one) for one in messages]
    return found


def _deal(world: World, cell: str, does: Does, named: list[str] | None, *, yes: bool, as_json: bool) -> None:
    """Show, ask, do. What is not dealt with is put back, also if a person says no."""
    done: list[Letter] = []
    known: set[str] = set()
    for queue, dead in world.dead_letters(_known(world, cell)).items():
        messages = dead.read()
        known |= {one.id for one in messages}
        try:
            chosen = [(one, _letter(world, queue, one)) for one in messages]
            chosen = [(one, said) for one, said in chosen if _wanted(said, does, named)]
            if chosen:
                _confirm([said for _, said in chosen], does, yes, as_json)
            for one, said in chosen:
                if does == "redrive":
                    world.send(cell, one.body.encode())
                dead.remove(one)
                done.append(msgspec.structs.replace(said, became="redriven" if does == "redrive" else "dropped"))
        finally:
            gone = {said.id for said in done}
            dead.put_back(one for one in messages if one.id not in gone)
    if missing := sorted(set(named or ()) - known):
        raise UsageFault(f"no message {', '.join(missing)} lies there: see `vagus dlq show {cell}`")
    output.answer(done, as_json, _for_people)


def _wanted(said: Letter, does: Does, named: list[str] | None) -> bool:
    if named is None:
        return said.redriven is (does == "redrive")
    if said.id in named and does == "redrive" and said.queue != "events-dead":
        raise UsageFault(f"{said.id} is a call, and no event: {LATE}")
    return said.id in named


def _letter(world: World, queue: str, one: Dead) -> Letter:
    letter = Letter(queue=queue, id=one.id, sent=iso(one.sent), what="", why=one.error, redriven=False, body=one.body)
    if queue != "events-dead":
        by = f" by {one.rule}" if one.rule else ""
        return msgspec.structs.replace(letter, what=f"a call{by} that did not reach its function; {LATE}")
    said = told(Path(one.id), one.body.encode(), world.fleet)
    if said.outcome == "malformed":
        return msgspec.structs.replace(letter, what="an event that can't be read", why=one.error or said.message)
    why = one.error or WORTH
    return msgspec.structs.replace(letter, what=f"{said.outcome}: {said.message}", why=why, redriven=True)


def _known(world: World, cell: str) -> str:
    cells = sorted({spec.cell for spec in world.fleet.values()})
    if cell not in cells:
        raise UsageFault(f"no cluster is declared in a cell {cell} (cells: {', '.join(cells) or 'none'})")
    return cell


def _confirm(chosen: list[Letter], does: Does, yes: bool, as_json: bool) -> None:
    """Raises `UsageFault` unless a person says yes."""
    for one in chosen:
        output.aside(f"{one.id}  {one.what}")
    if yes:
        return
    if as_json or not typer.confirm(f"{does.capitalize()} these {len(chosen)}?", err=True):
        raise UsageFault("nothing was done" + (": with --json, say --yes" if as_json else ""))


def _for_people(many: list[Letter]) -> Text:
    text = Text()
    for one in many:
        text.append(f"{one.id}", style="bold")
        text.append(f"  {one.sent}  {one.queue}  {one.became}\n  {one.what}\n")
        text.append(f"  why: {one.why}\n" if one.why else "")
        text.append(f"  {one.body}\n", style="dim")
    return text or Text("nothing", style="dim")
