"""`vagus replay FILE`: what an event file says to Vagus; with `--send`, it is handed to the intake as AWS would."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.text import Text

from vagus.errors import Malformed
from vagus.events import Hint, Ignored, Notice, Stopped, parse
from vagus.fleet import Fleet
from vagus_cli import fleet_files, options, output
from vagus_cli.world import UsageFault

MALFORMED = 1
"""Exit code for an event that would be dead-lettered."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What intake would make of an event."""

    file: str
    outcome: Literal["hint", "notice", "ignored", "malformed"]
    message: str
    cluster: str = ""
    capability: str = ""
    intent: str = ""
    sent: bool = False


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An event as EventBridge delivers it (see events/).")],
    send: Annotated[bool, typer.Option("--send", help="Hand it to the intake of the target, as AWS would.")] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """What an event would set off. Without --send, nothing leaves this machine.

    Exit code: 0, or 1 for a malformed event (which intake would dead-letter), 2 the command failed.
    """
    event = _read(file)
    if send:
        world = options.opened(context, target, fleet, profile, region)
        said = told(file, event, world.fleet)
        cells = _cells(said, world.fleet)
        if len(cells) != 1:
            output.answer(said, as_json, _for_people)
            raise UsageFault(f"not sent: {said.message}")
        world.send(cells.pop(), event)
        said = msgspec.structs.replace(said, sent=True)
    else:
        said = told(file, event, fleet_files.load(fleet or Path("fleet")))
    output.answer(said, as_json, _for_people)
    raise typer.Exit(MALFORMED if said.outcome == "malformed" else 0)


def told(file: Path, event: bytes, fleet: Fleet) -> Replayed:
    """Intake's own parse, in a sentence."""
    try:
        said = parse(event, fleet)
    except Malformed as error:
        return Replayed(file=str(file), outcome="malformed", message=f"{error}: it would be dead-lettered")
    match said:
        case Ignored(why=why):
            return Replayed(file=str(file), outcome="ignored", message=f"{why}: nothing would be done")
        case Notice(kind=kind, instances=instances):
            return Replayed(
                file=str(file),
                outcome="notice",
                message=f"intake would ask for the groups of {', '.join(instances)}; for each that a declared cluster "
                f"has, an intent {kind} would be opened and the cluster looked at at once",
            )
        case Stopped(cluster=cluster, capability=capability, execution=execution, person=person):
            return Replayed(
                file=str(file),
                outcome="hint",
                message=f"{person} pressed Stop on {execution}: the pause of {capability} would bear that name",
                cluster=cluster,
                capability=capability,
            )
        case Hint(cluster=cluster, capability=capability, intent=intent):
            opens = f"the intent {intent.id} would be opened, unless it is known, and " if intent else ""
            return Replayed(
                file=str(file),
                outcome="hint",
                message=f"{opens}{cluster} would be looked at at once by {capability}; what it finds decides",
                cluster=cluster,
                capability=capability,
                intent=intent.id if intent else "",
            )


def _cells(said: Replayed, fleet: Fleet) -> set[str]:
    """Where it would be sent: a notice tells no cluster, so that it has to be clear which cell is meant."""
    if said.outcome == "notice":
        return {spec.cell for spec in fleet.values()}
    return {fleet[said.cluster].cell} if said.outcome == "hint" else set()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageFault(
            f"{file} can't be read ({error.strerror}): name an event file, such as those in events/"
        ) from error


def _for_people(said: Replayed) -> Text:
    colour = {"hint": "green", "notice": "green", "ignored": "yellow", "malformed": "red"}[said.outcome]
    text = Text.assemble((said.outcome, colour), "  ", said.message)
    if said.sent:
        text.append("\nsent: follow it with `vagus records tail --follow " + said.cluster + "`")
    return text
