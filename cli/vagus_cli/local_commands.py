"""`vagus local up|down|status`: the local stack. All the work is in `vagus_local.stack`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from vagus_cli import options, output
from vagus_cli.world import UsageFault

local_app = typer.Typer(no_args_is_help=True, help="The local stack: an emulated AWS and real search nodes.")

StackFolder = Annotated[
    Path | None,
    typer.Option("--stack", envvar="VAGUS_STACK", help="Folder of the stack. Unsaid: .local in this checkout."),
]
Cell = Annotated[str, typer.Option("--cell", help="The cell whose clusters come up.")]


@local_app.command()
def up(
    fleet: options.FleetFolder = None,
    cell: Cell = "local",
    folder: StackFolder = None,
    as_json: options.Json = False,
) -> None:
    """Bring the local stack up, or find it up."""
    stack = _stack()
    clusters = (fleet or Path("fleet")).resolve()
    made = _told(lambda: stack.up(fleet=clusters, cell=cell, say=output.aside, folder=_in(folder)))
    answer = {"endpoint": made.endpoint, "cell": made.cell, "clusters": list(made.clusters)}
    output.answer(answer, as_json, lambda said: Text(f"up: {said['endpoint']}, {', '.join(said['clusters'])}", "green"))


@local_app.command()
def down(folder: StackFolder = None, as_json: options.Json = False) -> None:
    """End it; leaves caches only."""
    stack = _stack()
    _told(lambda: stack.down(say=output.aside, folder=_in(folder)))
    output.answer({"up": False}, as_json, lambda _: Text("down", style="green"))


@local_app.command()
def status(folder: StackFolder = None, as_json: options.Json = False) -> None:
    """What runs. Exit code: 0 it is up, 1 it is not, 2 it is half dead (with the log line that tells why)."""
    stack = _stack()
    said = _told(lambda: stack.status(_in(folder)))
    output.answer(said, as_json, _for_people)
    raise typer.Exit(0 if said["up"] else 1)


def _stack() -> Any:
    """The module, imported late: a machine that only talks to AWS need not have the emulator installed."""
    try:
        from vagus_local import stack
    except ImportError as error:
        raise UsageFault(f"the local stack is not installed ({error}): run `make install` in a checkout") from error
    return stack


def _in(folder: Path | None) -> Any:
    return folder.resolve() if folder else _stack().LOCAL


def _told[T](act: Callable[[], T]) -> T:
    """Do it; what the stack says of its failures is said as any other error is."""
    from vagus_local.artifacts import ArtifactError
    from vagus_local.stack import EmulatorDied, StackError

    try:
        return act()
    except (ArtifactError, EmulatorDied, StackError) as error:
        raise UsageFault(str(error)) from error


def _for_people(said: dict[str, Any]) -> RenderableType:
    if not said["up"]:
        return Text("not up: `vagus local up`", style="yellow")
    lines = [Text(f"up: {said['endpoint']}", style="green")]
    for name, one in said["clusters"].items():
        lines.append(Text(f"{name}: {one['status']}, {one['nodes']} nodes"))
        lines += [Text(f"  {instance}  {address}") for instance, address in sorted(one["instances"].items())]
    return Text("\n").join(lines)
