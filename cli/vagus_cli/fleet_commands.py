"""`vagus fleet check` and `vagus fleet schema`."""

import sys
from pathlib import Path

import msgspec
import typer
from rich.text import Text

from vagus_cli import fleet_files, options, output
from vagus_cli.fleet_files import Problem

FAULTY = 1
"""Exit code where a file has to be changed."""

fleet_app = typer.Typer(no_args_is_help=True, help="Fleet files: the declared clusters.")


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. `clusters` has those without a fault: name and nodes."""

    folder: str
    clusters: dict[str, int]
    problems: tuple[Problem, ...]


@fleet_app.command()
def check(fleet: options.FleetFolder = None, as_json: options.Json = False) -> None:
    """Whether every fleet file can be used; each fault with file, line, field and remedy.

    Exit code: 0 all is well, 1 a file has to be changed.
    """
    folder = fleet or Path("fleet")
    good, problems = fleet_files.read(folder)
    nodes = {name: spec.nodes for name, spec in good.items()}
    output.answer(Checked(folder=str(folder), clusters=nodes, problems=problems), as_json, _for_people)
    raise typer.Exit(FAULTY if problems else 0)


@fleet_app.command()
def schema() -> None:
    """JSON Schema of a fleet file, for editors: `vagus fleet schema > fleet/schema.json`."""
    sys.stdout.write(fleet_files.schema().decode())


def _for_people(checked: Checked) -> Text:
    lines = [Text(str(problem), style="red") for problem in checked.problems]
    lines += [Text(f"{name}: {nodes} nodes", style="green") for name, nodes in checked.clusters.items()]
    if not lines:
        lines = [Text(f"{checked.folder} has no fleet file (*.yaml)", style="yellow")]
    return Text("\n").join(lines)
