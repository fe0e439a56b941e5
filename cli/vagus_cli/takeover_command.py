"""`vagus takeover CLUSTER`: break-glass. With the caller's own rights; works with every function gone."""

from collections.abc import Callable

import msgspec
import typer
from rich.text import Text

from vagus import owned
from vagus.cluster import Cluster
from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.procedure.room import working_at
from vagus.rooms import ROOMS
from vagus_cli import by_hand, options, output
from vagus_cli.by_hand import Command
from vagus_cli.hooks import OpenHook, heartbeats, open_hooks
from vagus_cli.people_commands import halted
from vagus_cli.world import World

WHY = "taken over"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand. `stopped`: what became of stopping each capability. `ours`: nodes whose exclusion is Vagus';
    `by_hand`: those that people excluded. `unseen`: what could not be looked at, and why. `not_called`: why nothing in
    the cluster was looked at at all."""

    cluster: str
    stopped: tuple[str, ...]
    ours: tuple[str, ...]
    by_hand: tuple[str, ...]
    hooks: tuple[OpenHook, ...]
    retained: tuple[str, ...]
    unseen: tuple[str, ...]
    commands: tuple[Command, ...]
    not_called: str = ""


def takeover(
    context: typer.Context,
    cluster: options.ClusterName,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Take CLUSTER into your own hands: stops Vagus there, shows what is Vagus', and the commands to go on without it.

    What can't be reached is said, and the rest is done and shown. `vagus resume` gives the cluster back.
    """
    world = options.opened(context, target, fleet, profile, region)
    output.answer(taken(world, world.cluster(cluster)), as_json, _for_people)


def taken(world: World, spec: ClusterSpec) -> Taken:
    """Nothing in here leans on anything else in here."""
    unseen: list[str] = []

    def tried[T](what: str, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except VagusError as error:
            unseen.append(f"{what}: {type(error).__name__}: {error}")
            return otherwise

    person = tried("who you are", world.person, "a person with break-glass rights")
    stopped = tuple(_stopped(world, spec, room, person) for room in working_at(ROOMS, spec))
    seen: Cluster | None = None
    groups: tuple[Group, ...] = ()
    if spec.reached:
        seen = tried("the cluster", lambda: world.reads.search(spec).look(), None)
        groups = tried("the groups", lambda: world.reads.groups.describe([spec.name]), ())
    kept = heartbeats(world.records(spec), spec.name, world.now())
    hooks: tuple[OpenHook, ...] = ()
    if groups:
        hooks = tried("since when hooks wait", lambda: open_hooks(world.reads.groups, spec, kept), ())
    return Taken(
        cluster=spec.name,
        stopped=stopped,
        ours=() if seen is None else tuple(sorted(owned.ours(seen))),
        by_hand=() if seen is None else tuple(sorted(owned.excluded(seen) - owned.ours(seen))),
        hooks=hooks,
        retained=tuple(one.id for group in groups for one in group.instances if one.retained),
        unseen=tuple(unseen),
        commands=by_hand.every(world.aws, spec, groups, seen),
        not_called="" if spec.reached else _not_called(spec),
    )


def _not_called(spec: ClusterSpec) -> str:
    return (
        f"{spec.name} is on Kubernetes: nothing of Vagus calls it, nor did this command, so that its exclusions were "
        "not looked at. None is Vagus's: it does certificates alone there, and while it is stopped it renews none"
    )


def _stopped(world: World, spec: ClusterSpec, capability: str, person: str) -> str:
    """A stop needs the tables; without them the first of the commands does it."""
    try:
        return halted(world, spec, capability, person, WHY)
    except VagusError as error:
        return f"{capability} could NOT be stopped ({type(error).__name__}: {error}): use the first command below"


def _for_people(found: Taken) -> Text:
    text = Text("\n".join(found.stopped))
    for fault in found.unseen:
        text.append(f"\nnot seen: {fault}", style="red")
    if found.not_called:
        text.append(f"\n{found.not_called}")
    else:
        text.append(f"\nexcluded by Vagus: {', '.join(found.ours) or 'nothing'}")
        text.append(f"\nexcluded by people: {', '.join(found.by_hand) or 'nothing'}")
    for hook in found.hooks:
        text.append(f"\n{hook.sentence}", style="yellow")
    for instance in found.retained:
        text.append(f"\n{instance} is retained: billed until somebody ends it", style="yellow")
    for number, one in enumerate(found.commands, 1):
        text.append(f"\n\n# {number}. {one.what}", style="bold")
        text.append(f"\n{one.command}")
    return text
