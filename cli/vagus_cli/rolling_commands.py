"""`vagus restart`, `vagus upgrade`, `vagus replace`, `vagus abort`: what a person wants of a cluster's nodes."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from vagus.cluster import Cluster, Node
from vagus.errors import Permanent
from vagus.fleet import ClusterSpec
from vagus.intent import Intent, Rolling, replace, restart, upgrade
from vagus.procedure import head as heads
from vagus.procedure import rows
from vagus.procedure.records import iso
from vagus.rolling_upgrade import rules, versions
from vagus.rolling_upgrade.observed import undrained
from vagus_cli import by_person, by_stateful_set, options, output
from vagus_cli.world import UsageFault, World

ROOM = "rolling_upgrade"
LISTED = 20
"""How many indices a refusal lists."""

Unavailable = Annotated[
    list[str] | None,
    typer.Option(
        "--unavailable",
        help="An index without replicas that may be away for a while, by its own name (no pattern, no alias). May be "
        "repeated.",
    ),
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what follows."""

    cluster: str
    intent: str
    message: str


def restart_nodes(
    context: typer.Context,
    cluster: options.ClusterName,
    nodes: Annotated[
        list[str] | None, typer.Option("--node", help="One node (its instance id); may be repeated. Unsaid: all.")
    ] = None,
    unavailable: Unavailable = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Have the nodes of CLUSTER restarted, one after another; those that run now, each once.

    The plan is checked, and asked for in mode `approve`: `vagus plan` shows it.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = _of_instances(world, cluster, "restart")
    seen = _looked(world, spec)
    running = {node.name: node.ephemeral_id for node in seen.nodes}
    if missing := sorted(set(nodes or ()) - set(running)):
        raise UsageFault(f"{', '.join(missing)} is not in the cluster (there are: {', '.join(sorted(running))})")
    wanted = {name: process for name, process in running.items() if not nodes or name in nodes}
    _as_they_run(world, spec, [node for node in seen.nodes if node.name in wanted], seen)
    intent = restart(wanted, iso(world.now()), world.person(), _let_be(seen, unavailable or ()))
    told = _open(world, spec, intent, f"restarts {', '.join(sorted(wanted))}")
    output.answer(told, as_json, lambda one: Text(one.message))


def upgrade_nodes(
    context: typer.Context,
    cluster: options.ClusterName,
    without_snapshot: Annotated[
        bool, typer.Option("--without-snapshot", help="Go on without a fresh snapshot: there is then no way back.")
    ] = False,
    without_archive: Annotated[
        bool,
        typer.Option(
            "--without-archive",
            help="Don't look for the version in the artifact bucket: the nodes' image has it, or you have looked.",
        ),
    ] = False,
    unavailable: Unavailable = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Have CLUSTER upgraded to the version that its fleet file says, node by node.

    A person approves it, in mode act too; in mode observe it is refused.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = _of_instances(world, cluster, "upgrade")
    seen = _looked(world, spec)
    running = sorted({node.version for node in seen.nodes})
    if running == [spec.engine.version]:
        raise UsageFault(f"every node of {cluster} runs {running[0]}: write another version into its fleet file")
    if why := versions.no_path_from_all(spec.engine.name, running, spec.engine.version):
        raise UsageFault(f"the fleet file of {cluster} says {spec.engine.version}, which no upgrade can bring: {why}")
    if not without_archive:
        _archived(world, spec)
    intent = upgrade(
        spec.engine.version,
        iso(world.now()),
        world.person(),
        _let_be(seen, unavailable or ()),
        without_snapshot=without_snapshot,
    )
    waived = ", without a fresh snapshot" if without_snapshot else ""
    told = _open(world, spec, intent, f"upgrades {', '.join(running)} to {spec.engine.version}{waived}")
    output.answer(told, as_json, lambda one: Text(one.message))


def replace_instances(
    context: typer.Context,
    cluster: options.ClusterName,
    instances: Annotated[
        list[str] | None,
        typer.Option("--instance", help="This one, whatever it was launched from; may be repeated."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Every instance that there is now, whatever it was launched from.")
    ] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Have the instances of CLUSTER that are behind their group's launch template replaced, one after another.

    That is what a deploy leaves to be done of another instance type, volume or image. A person approves it, in mode act
    too; `vagus plan` shows beforehand who is behind, in order.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = _of_instances(world, cluster, "replace")
    if why := undrained(spec, paused=rows.read(world.state(spec), cluster).head("zone_balance").paused):
        raise UsageFault(f"{cluster}: an instance that is to be replaced would wait to leave for ever: {why}")
    named = _named(world, spec, instances or (), everyone=everyone)
    intent = replace(named, iso(world.now()), world.person())
    what = ", ".join(named) if named else "the instances that are behind their group's launch template"
    told = _open(world, spec, intent, f"replaces {what}")
    output.answer(told, as_json, lambda one: Text(one.message))


def _named(world: World, spec: ClusterSpec, instances: Sequence[str], *, everyone: bool) -> tuple[str, ...]:
    """The instances that are named, or all; none: those that are behind. Raises `UsageFault` where nobody is meant."""
    groups = world.reads.groups.describe([spec.name])
    there = sorted(one.id for group in groups for one in group.instances if not one.let_go)
    if instances and everyone:
        raise UsageFault("say either --all or --instance")
    if missing := sorted(set(instances) - set(there)):
        known = ", ".join(there) or "none"
        raise UsageFault(f"{', '.join(missing)} is in no group of {spec.name} (there are: {known})")
    if instances or everyone:
        return tuple(sorted(instances)) if instances else tuple(there)
    if not any(group.behind(one) for group in groups for one in group.instances):
        dark = ", ".join(sorted(group.name for group in groups if group.instances and not group.template))
        of = f" (of {dark} that can't be seen: the version of its launch template is no number)" if dark else ""
        raise UsageFault(
            f"no instance of {spec.name} is known to be behind its group's launch template{of}: deploy the change "
            "first, or say --all, or --instance"
        )
    return ()


def abort(
    context: typer.Context,
    cluster: options.ClusterName,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """End the restart, upgrade or replacement of CLUSTER: what is in hand is finished, no further node is taken.

    Nodes that have the new version keep it: going back is a reinstall and a restore. An instance that leaves goes on
    leaving: its hook can be outlived, not refused.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec, table = world.cluster(cluster), world.state(world.cluster(cluster))
    seen = rows.read(table, cluster)
    found = next(iter(seen.intents_of(ROOM)), None)
    if found is None:
        raise UsageFault(f"no restart, upgrade or replacement of {cluster} is under way")
    ended = msgspec.structs.replace(found.rolling or Rolling(), aborted=world.person())
    with by_person.noted(world, spec, ROOM, "Abort", f"{world.person()} aborts {found.id}"):
        row = seen.put(f"intent#{found.id}", msgspec.structs.replace(found, rolling=ended))
        table.write(rows.partition(cluster), row)
    held = _run(world, spec)
    message = f"{found.id} ends: what is in hand is finished, no further node is taken{held}"
    output.answer(Wanted(cluster=cluster, intent=found.id, message=message), as_json, lambda one: Text(one.message))


def _of_instances(world: World, cluster: str, kind: str) -> ClusterSpec:
    """Raises `UsageFault` for a cluster whose nodes are pods."""
    spec = world.cluster(cluster)
    if not spec.reached:
        raise UsageFault(by_stateful_set.instead(spec, kind))
    return spec


def _looked(world: World, spec: ClusterSpec) -> Cluster:
    return world.reads.search(spec).look()


def _as_they_run(world: World, spec: ClusterSpec, nodes: Sequence[Node], seen: Cluster) -> None:
    """Raises `UsageFault` where the next start of a node brings another version: an upgrade was ended half-way. Where
    all nodes run one version, what is noted is put right by itself."""
    if len({node.version for node in seen.nodes}) == 1:
        return
    if why := rules.brings_another(nodes, rows.read(world.state(spec), spec.name).node_version):
        raise UsageFault(why)


def _archived(world: World, spec: ClusterSpec) -> None:
    """Raises `UsageFault` where nodes would not find the version: one that boots meanwhile could not start."""
    try:
        archive = world.archive(spec)
    except Permanent as error:
        raise UsageFault(
            f"whether the artifact bucket of {spec.name} has {spec.engine.version} can't be seen ({error}): have the "
            "right given (docs/people.md), or look yourself and say `--without-archive`"
        ) from error
    if archive.absent:
        raise UsageFault(
            f"the artifact bucket lacks {' and '.join(archive.absent)}, and nodes that boot could not start: upload, "
            f"`{world.aws} s3 cp FILE {archive.where}` (docs/infrastructure.md says how it is made), or say "
            "`--without-archive` if the nodes' image has this version"
        )


def _let_be(cluster: Cluster, named: Sequence[str]) -> tuple[str, ...]:
    """The indices that may be away. Raises `UsageFault` for a name that no index has: it would waive nothing."""
    there = sorted({copy.index for copy in cluster.copies})
    if missing := sorted(set(named) - set(there)):
        more = f" and {len(there) - LISTED} more" if len(there) > LISTED else ""
        raise UsageFault(
            f"--unavailable {', '.join(missing)}: no index has that name (there are: "
            f"{', '.join(there[:LISTED]) or 'none'}{more}): name each index itself, patterns and aliases are not taken"
        )
    return tuple(named)


def _open(world: World, spec: ClusterSpec, intent: Intent, what: str) -> Wanted:
    """The row, with a record; then the run, at once. In mode observe nobody would do it: refused."""
    if spec.rolling_upgrade.mode == "observe":
        raise UsageFault(
            f"{spec.name}: rolling_upgrade.mode is observe in its fleet file, and nothing would be done: set it "
            "to approve (or act) first"
        )
    table = world.state(spec)
    if under_way := rows.read(table, spec.name).intents_of(ROOM):
        raise UsageFault(f"{under_way[0].id} is under way: wait for its end, or `vagus abort {spec.name}`")
    with by_person.noted(world, spec, ROOM, intent.kind.capitalize(), f"{world.person()} {what}"):
        heads.open_intent(table, spec.name, intent)
    held = _run(world, spec)
    asks = spec.rolling_upgrade.mode == "approve" or intent.kind != "restart"
    begins = f", `vagus approve {spec.name}` allows it" if asks else "; it begins now (mode act)"
    follows = f"`vagus plan {spec.name}` shows what is done{held or begins}"
    return Wanted(cluster=spec.name, intent=intent.id, message=f"{intent.id} is asked for; {follows}")


def _run(world: World, spec: ClusterSpec) -> str:
    """Have it begin now; why it does not."""
    now = world.now()
    running = heads.ensure_running(world.state(spec), world.executions(spec)[ROOM], spec.name, ROOM, now, iso(now))
    return "" if running else "; it is stopped, or backing off: `vagus status` says why"
