"""Options that several commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

from vagus_cli.world import Choice, Opener, TargetName, World

Json = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
Target = Annotated[
    TargetName | None,
    typer.Option("--target", envvar="VAGUS_TARGET", help="Where to look. Unsaid: the local stack, if one is up."),
]
FleetFolder = Annotated[
    Path | None,
    typer.Option("--fleet", envvar="VAGUS_FLEET", help="Folder of the fleet files. Unsaid: the stack's, else ./fleet."),
]
Profile = Annotated[str | None, typer.Option("--profile", help="AWS profile, as the AWS CLI has it (--target aws).")]
Region = Annotated[str | None, typer.Option("--region", help="AWS Region (--target aws).")]
ClusterName = Annotated[str, typer.Argument(metavar="CLUSTER", help="A declared cluster.")]


def opened(
    context: typer.Context, target: TargetName | None, fleet: Path | None, profile: str | None, region: str | None
) -> World:
    """The world that the options name; says which on stderr."""
    from vagus_cli import output

    opener: Opener | None = context.obj
    if opener is None:
        from vagus_cli.opening import open_world

        opener = open_world
    world = opener(Choice(target=target, fleet=fleet, profile=profile, region=region))
    output.aside(world.where)
    return world
