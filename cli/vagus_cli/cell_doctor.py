"""`vagus doctor CELL`: each check of a deployed cell, said as soon as it is made."""

from collections.abc import Callable, Iterator

import msgspec
import typer
from rich.text import Text

from vagus_cli import output
from vagus_cli.cell_judged import Check
from vagus_cli.world import Choice

ILL = 1
COLOURS = {"well": "green", "ill": "red", "untried": "red", "skipped": "yellow"}


class Consultation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cell is looked at, and its checks, made one after the other."""

    where: str
    checks: Callable[[str], Iterator[Check]]


def examine(context: typer.Context, cell: str, choice: Choice, as_json: bool) -> None:
    """Make every check and say it. Ends with exit code 1 where one fails, or could not be tried."""
    consulted = context.obj if isinstance(context.obj, Consultation) else _opened(choice)
    output.aside(consulted.where)
    made: list[Check] = []
    for check in consulted.checks(cell):
        made.append(check)
        if not as_json:
            output.people().print(line(check))
    if as_json:
        output.answer(made, as_json, lambda _: Text())
    raise typer.Exit(ILL if any(one.state in ("ill", "untried") for one in made) else 0)


def line(check: Check) -> Text:
    """One check, for people."""
    text = Text.assemble((f"{check.state:<8}", COLOURS[check.state]), f"{check.name}: {check.found}")
    return text.append(f". {check.remedy}" if check.remedy else "")


def _opened(choice: Choice) -> Consultation:
    from vagus_cli.opening import open_consultation

    return open_consultation(choice)
