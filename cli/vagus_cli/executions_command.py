"""`vagus executions CLUSTER`: what a run did, state by state, as one reads it in the Step Functions console."""

from typing import Annotated

import msgspec
import typer
from rich.console import Group as Together
from rich.console import RenderableType
from rich.text import Text

from vagus.errors import Refused
from vagus.fleet import ClusterSpec
from vagus.history import Status
from vagus.ports import Executions
from vagus.procedure import head as heads
from vagus.procedure import records, rows
from vagus_cli import options, output
from vagus_cli.told_runs import Line, told
from vagus_cli.world import UsageFault, World


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `lines` are its last ones, of `all` that there are; none where Step Functions knows it no more
    (90 days after its end)."""

    capability: str
    execution: str
    status: Status
    link: str
    lines: tuple[Line, ...]
    all: int


def executions(
    context: typer.Context,
    cluster: options.ClusterName,
    capability: Annotated[str | None, typer.Option("--capability", help="One capability; unsaid: all.")] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100, help="How many runs of each, the last ones.")] = 1,
    last: Annotated[int, typer.Option("--last", min=1, help="How many lines of each run, the last ones.")] = 40,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """The last runs on CLUSTER, told line by line: each state with its time, what it was done to, reason and outcome.

    A run that waits, yields or hands over goes on in the next one: --runs shows several.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    machines = world.executions(spec)
    if capability is not None and capability not in machines:
        raise UsageFault(f"there is no capability {capability} (there are: {', '.join(sorted(machines))})")
    chosen = [capability] if capability else sorted(machines)
    shown = [run for one in chosen for run in last_runs(world, spec, one, machines[one], runs, last)]
    output.answer(shown, as_json, _for_people)


def last_runs(world: World, spec: ClusterSpec, capability: str, machine: Executions, runs: int, last: int) -> list[Run]:
    """The last runs of a capability, oldest first; generations count them."""
    newest = rows.read(world.state(spec), spec.name).head(capability).generation
    generations = range(max(1, newest - runs + 1), newest + 1)
    names = [heads.execution_name(spec.name, capability, number) for number in generations]
    return [_run(capability, name, machine, last) for name in names]


def _run(capability: str, name: str, machine: Executions, last: int) -> Run:
    status = machine.status(name)
    try:
        lines = told(machine.history(name)) if status != "MISSING" else []
    except Refused:  # it was forgotten between the two questions
        status, lines = "MISSING", []
    return Run(
        capability=capability,
        execution=name,
        status=status,
        link=machine.console(name),
        lines=tuple(lines[-last:]),
        all=len(lines),
    )


# -- for people ------------------------------------------------------------------------------------------------------

COLOURS = {"done": "green", "Done": "green", "waited": "dim", "under way": "yellow"}


def _for_people(runs: list[Run]) -> RenderableType:
    if not runs:
        return Text("nothing has run yet", style="dim")
    return Together(*(part for run in runs for part in _run_text(run)))


def _run_text(run: Run) -> list[Text]:
    head = Text.assemble((run.execution, "bold"), f"  {run.status}", (f"\n{run.link}", "dim"))
    if run.status == "MISSING":
        head.append("\n  Step Functions knows it no more, or it has not begun", style="dim")
    if len(run.lines) < run.all:
        head.append(f"\n  ({run.all - len(run.lines)} lines before these: --last)", style="dim")
    return [head, *(_line(one) for one in run.lines)]


def _line(one: Line) -> Text:
    text = Text.assemble((f"  {records.iso(one.at)}  ", "dim"), (one.state, "bold"))
    if one.node:
        text.append(f" {one.node}")
    if one.reason:
        text.append(f"  {one.reason}: {one.message}")
    text.append(f"  {one.result}", style=COLOURS.get(one.result, "red"))
    if one.times > 1:
        text.append(f" {one.times} times", style="dim")
    if one.seconds is not None and one.seconds >= 0.1:
        text.append(f" in {one.seconds:.1f} s", style="dim")
    if one.check:
        text.append(f"  {one.check}", style="red")
    return text
