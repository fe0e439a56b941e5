"""`vagus status [CLUSTER]`: how clusters are, what Vagus is doing there, and what keeps it from doing more.

The same is noted by the sweep, in the state table, and shown from there where the cluster itself can't be reached.
"""

from contextlib import suppress
from typing import Annotated

import msgspec
import typer
from rich.console import RenderableType

from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.procedure import noted_status, records, standing
from vagus.rooms import ROOMS
from vagus.status import Status, needs_a_person
from vagus_cli import options, output, status_shown
from vagus_cli.world import World

WATCH_SECONDS = 5.0
FRESH_SECONDS = 15 * 60
"""What the sweep saw longer ago is not shown as if it were so: quiet clusters are looked at every five minutes."""


def status(
    context: typer.Context,
    cluster: Annotated[str | None, typer.Argument(metavar="[CLUSTER]", help="One cluster; unsaid: all.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every 5 s; end it with Ctrl-C.")] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """How the clusters are, and what Vagus is doing there.

    With --watch --json, one JSON document on each line. Exit code: 0, 4 where a cluster could not be read, a capability
    is stopped, or a person is needed, 2 the command failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    specs = [world.cluster(cluster)] if cluster else list(world.fleet.values())
    if watch:
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one stops watching
            _watch(world, specs, as_json, alone=bool(cluster))
        return
    shown = [observed(world, spec) for spec in specs]
    output.answer(shown, as_json, lambda many: _for_people(many, alone=bool(cluster)))
    raise typer.Exit(4 if any(needs_a_person(one) for one in shown) else 0)


def _watch(world: World, specs: list[ClusterSpec], as_json: bool, *, alone: bool) -> None:
    while True:
        shown = [observed(world, spec) for spec in specs]
        if as_json:
            output.line(shown)
        else:
            output.anew(
                f"{records.iso(world.now())}  every {WATCH_SECONDS:.0f} s, Ctrl-C ends it",
                _for_people(shown, alone=alone),
            )
        world.pause(WATCH_SECONDS)


def _for_people(shown: list[Status], *, alone: bool) -> RenderableType:
    return status_shown.details(shown[0]) if alone else status_shown.overview(shown)


def observed(world: World, spec: ClusterSpec) -> Status:
    """One cluster as it is seen from here; what can't be read becomes its `fault`, so that the others are still shown.

    Where the cluster can't be reached from here (its nodes lie in a VPC), it is shown as the sweep saw it last.
    """
    try:
        shows = standing.Shows(
            reads=world.reads, table=world.state(spec), rooms=ROOMS, executions=world.executions(spec)
        )
        found = standing.of(shows, spec, world.now())
        return found if found.fault or not found.health.unseen else _as_the_sweep_saw(found, world, spec)
    except VagusError as error:
        return msgspec.structs.replace(
            standing.bare(spec, records.iso(world.now())), fault=f"{type(error).__name__}: {error}"
        )


def _as_the_sweep_saw(found: Status, world: World, spec: ClusterSpec) -> Status:
    """What was seen from here (groups, rows), with what only the sweep sees."""
    last = noted_status.last(world.state(spec), spec.name)
    if last is None or last.health.unseen or world.now() - records.epoch(last.at) > FRESH_SECONDS:
        return found
    return msgspec.structs.replace(
        found,
        at=last.at,
        seen="by the sweep",
        not_from_here=found.health.unseen,
        wrong_cluster=last.wrong_cluster,
        health=last.health,
        zones=last.zones,
        nodes=last.nodes,
        lines=last.lines,
    )
