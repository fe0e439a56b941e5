"""Checks before a node is stopped, each named for what it finds: a reason and a sentence, or nothing. Pure.

*Before* rules are asked once nothing is in hand and before each further batch; those of an upgrade besides.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from vagus.allocation import FLOOD, THRESHOLD, reserve
from vagus.cluster import Cluster, Copy, Node, Unseen
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.intent import Intent
from vagus.reasons import Reason
from vagus.rolling_upgrade import versions
from vagus.rolling_upgrade.observed import Observed
from vagus.snapshots import Snapshots

HOUR = 3600.0
NAMED = 5
"""How many shards or indices a sentence names."""
CHANGES_NO_VERSION = (
    "{nodes} would start as {brings}, which is what nodes are told to bring; a restart changes no version. Restart the "
    "others alone (`vagus abort`, `vagus restart --node`), or have all upgraded to one version (`vagus upgrade`)"
)


class Violation(msgspec.Struct, frozen=True):
    """Why not. `about`: which indices, nodes or the like, if the same reason may stand for others next."""

    reason: Reason
    message: str
    about: tuple[str, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a check is asked about: the nodes that would be away, and the version that is wanted (`""`: none). `begun`:
    the upgrade is past what is asked of it as a whole (`observed.begun`)."""

    observed: Observed
    cluster: Cluster
    spec: ClusterSpec
    names: frozenset[str]
    version: str = ""
    accepted: tuple[str, ...] = ()
    begun: bool = False
    without_snapshot: bool = False
    now: float = 0.0


# -- of the nodes that would be away ---------------------------------------------------------------------------------


def only_copy(
    cluster: Cluster, names: Collection[str], accepted: Sequence[str] = (), going: Collection[str] = ()
) -> Violation | None:
    """A shard would have no active copy while they are away. `accepted`: indices that a person let be unavailable.
    `going`: nodes that may vanish meanwhile."""
    there = [copy for copy in cluster.copies if copy.active and copy.index not in accepted]
    held = {copy.id for copy in there if copy.node in names}
    elsewhere = {copy.id for copy in there if copy.node not in names and copy.node not in going}
    alone = sorted(held - elsewhere)
    if not alone:
        return None
    indices = sorted({index for index, _ in alone})
    return Violation(
        Reason.ONLY_COPY,
        f"{', '.join(sorted(names))} holds the only active copy of {_shards(alone)}: give {_few(indices)} a replica, "
        "or say with `--unavailable INDEX` that it may be away for a while",
        about=tuple(indices[:NAMED]),
    )


def quorum(cluster: Cluster, names: Collection[str], going: Collection[str] = ()) -> Violation | None:
    """No majority of the voters would be left. One manager of three may be away without a voting exclusion. `going`:
    nodes that may vanish meanwhile."""
    voters = set(cluster.voters) or {node.name for node in cluster.nodes if node.may_be_manager}
    present = {node.name for node in cluster.nodes if node.may_be_manager} & voters
    left = present - set(names) - set(going)
    if not present & set(names) or len(left) * 2 > len(voters):
        return None
    return Violation(
        Reason.QUORUM, f"without {', '.join(sorted(names))} only {len(left)} of {len(voters)} voters are left"
    )


def shard_twice(cluster: Cluster, names: Collection[str]) -> Violation | None:
    """Two of them hold copies of one shard: were the rest lost meanwhile, none would be left that serves. An index that
    has a copy on every node does not count; of that, `only_copy` wants one that stays."""
    held = [copy.id for copy in cluster.copies if copy.node in names and copy.index not in cluster.auto_expanding]
    twice = sorted({shard for shard in held if held.count(shard) > 1}) if len(names) > 1 else []
    if not twice:
        return None
    return Violation(
        Reason.ONLY_COPY,
        f"{', '.join(sorted(names))} hold several copies of {_shards(twice)}: one by one",
        about=tuple(sorted({index for index, _ in twice})[:NAMED]),
    )


def _twice(asked: Question) -> Violation | None:
    return shard_twice(asked.cluster, asked.names)


def outside_groups(asked: Question) -> Violation | None:
    """A node of no group that Vagus knows: no instance of ours takes its commands."""
    outside = sorted(asked.observed.unlisted(asked.cluster) & asked.names)
    if not outside:
        return None
    return Violation(
        Reason.OUTSIDE_GROUPS,
        f"{_few(outside)} belongs to no group of {asked.spec.name}, so that Vagus can't restart it: restart it by hand "
        "with what is wanted (the rest goes on by itself), or give its instance to a group (`vagus adopt`)",
        about=tuple(outside[:NAMED]),
    )


def _copies(asked: Question) -> Violation | None:
    return _told(asked, only_copy(asked.cluster, asked.names, asked.accepted, _going(asked)))


def _quorum(asked: Question) -> Violation | None:
    return _told(asked, quorum(asked.cluster, asked.names, _going(asked)))


def _told(asked: Question, found: Violation | None) -> Violation | None:
    """With the nodes that were not leant on, and why: else a person sees copies that don't count."""
    outside = sorted(asked.observed.unlisted(asked.cluster) - asked.names)
    leaving = sorted(_going(asked) - set(outside) - asked.names)
    why = [f"{_few(outside)} (of no group of {asked.spec.name}: it may go at any time)"] if outside else []
    why += [f"{_few(leaving)} (leaves)"] if leaving else []
    if found is None or not why:
        return found
    return msgspec.structs.replace(found, message=f"{found.message}. Not leant on: {'; '.join(why)}")


def _going(asked: Question) -> frozenset[str]:
    return frozenset(node.name for node in asked.cluster.nodes) - asked.observed.staying(asked.cluster)


# -- of the cluster --------------------------------------------------------------------------------------------------


def red(asked: Question) -> Violation | None:
    """A primary is not active: nothing is stopped while data is missing."""
    if asked.cluster.status != "red":
        return None
    missing = sorted({copy.id for copy in asked.cluster.copies if copy.primary and not copy.active})
    return Violation(Reason.CLUSTER_RED, f"the cluster is red: primaries not active: {_shards(missing)}")


def disk_full(asked: Question) -> Violation | None:
    """A node's disk is past its flood stage: indices on it are read-only, and a restart makes that no better."""
    if asked.cluster.setting(THRESHOLD, "true") != "true":
        return None
    flood = asked.cluster.setting(FLOOD, "95%")
    full = [
        node.name
        for node in asked.cluster.nodes
        if node.holds_data and node.disk_total and node.disk_free < reserve(flood, node.disk_total)
    ]
    why = f"{_few(full)} is past its flood stage ({flood}): free disk first"
    return Violation(Reason.NO_ROOM, why, about=tuple(sorted(full)[:NAMED])) if full else None


def snapshot_running(asked: Question) -> Violation | None:
    """A stopped node would make it PARTIAL. Where none could be listed, one may run."""
    if isinstance(asked.observed.snapshots, Unseen):
        return Violation(Reason.DENIED, asked.observed.snapshots.message)
    if asked.observed.snapshots is None:
        return Violation(
            Reason.SNAPSHOT_RUNNING, "the snapshots could not be listed, and one may run: no node is taken before that"
        )
    running = asked.observed.snapshots.running
    if not running:
        return None
    return Violation(Reason.SNAPSHOT_RUNNING, f"snapshot {_few(running)} runs: nothing is stopped before it has ended")


# -- of versions -----------------------------------------------------------------------------------------------------


def version_path(asked: Question) -> Violation | None:
    """A node can't go from what it runs to what its next start brings. Of an upgrade every node is asked about, so that
    it is known before the first; a restart changes no version. Asked each time: a node may be of any version, for a
    person can bring it one."""
    if not asked.version:
        why = brings_another([node for node in asked.cluster.nodes if node.name in asked.names], asked.observed.version)
        return Violation(Reason.VERSION_PATH, why, about=(f"brings {asked.observed.version}",)) if why else None
    for node in sorted(asked.cluster.nodes, key=lambda one: one.name):
        if node.version != asked.version and (
            no_way := versions.no_path(asked.spec.engine.name, node.version, asked.version)
        ):
            return Violation(Reason.VERSION_PATH, f"{node.name} runs {node.version}: {no_way}", about=(node.name,))
    return None


def brings_another(nodes: Iterable[Node], noted: str | None) -> str | None:
    """Why these can't be restarted, in words: the next start of some brings another version than they run (`noted`), as
    where an upgrade was ended half-way. `None` if none does, or nothing was noted."""
    others = [f"{one.name} (runs {one.version})" for one in nodes if noted and one.version != noted]
    return CHANGES_NO_VERSION.format(nodes=_few(sorted(others)), brings=noted) if others else None


def may_have_newer(groups: Iterable[Group], cluster: Cluster, noted: str | None, runs: str) -> str | None:
    """Why the version that runs is not noted in place of the one that was, in words: that is newer, and an instance
    whose node is not in the cluster may have data of it. `None` if none may; one that only comes has no data."""
    away = [
        one.id
        for group in groups
        for one in group.instances
        if (one.stays or one.leaving) and cluster.node(one.id) is None
    ]
    if not noted or not away or versions.parsed(runs) >= versions.parsed(noted):
        return None
    return (
        f"nodes that start bring {noted} until {_few(sorted(away))} is in the cluster or gone, for {runs} can't read "
        f"data of {noted}"
    )


# -- of an upgrade ---------------------------------------------------------------------------------------------------


def index_too_old(asked: Question) -> Violation | None:
    """An index was made by a version whose indices the wanted one can't read: its nodes would not start."""
    unknown = sorted(index for index, created in asked.cluster.created.items() if not created)
    if unknown:
        return Violation(
            Reason.INDEX_TOO_OLD,
            f"which version made {_few(unknown)} is unknown (the cluster does not tell `index.version.created`), and "
            f"{asked.version} may not read it",
            about=tuple(unknown[:NAMED]),
        )
    old = [
        index
        for index, created in sorted(asked.cluster.created.items())
        if versions.too_old(asked.spec.engine.name, created, asked.version)
    ]
    if not old:
        return None
    why = f"{asked.version} can't read {_few(old)}: reindex or delete first"
    return Violation(Reason.INDEX_TOO_OLD, why, about=tuple(old[:NAMED]))


def archived_settings(asked: Question) -> Violation | None:
    """Settings that no version knows any more block every later write of settings (OpenSearch #18515)."""
    layers = (*asked.cluster.persistent, *asked.cluster.transient)
    archived = sorted(name for name in layers if name.startswith("archived."))
    if not archived:
        return None
    return Violation(Reason.ARCHIVED_SETTINGS, f'set {_few(archived)} to null first: `{{"archived.*": null}}`')


def no_fresh_snapshot(asked: Question) -> Violation | None:
    """Going back is a reinstall and a restore: without a snapshot there is no way back. Where none could be listed,
    `snapshot_running` says so."""
    if asked.without_snapshot or not isinstance(asked.observed.snapshots, Snapshots):
        return None
    newest = asked.observed.snapshots.newest
    hours = asked.spec.rolling_upgrade.snapshot_hours
    if newest is not None and asked.now - newest <= hours * HOUR:
        return None
    age = "there is none" if newest is None else f"the newest is {(asked.now - newest) / HOUR:.0f} h old"
    return Violation(
        Reason.NO_FRESH_SNAPSHOT,
        f"no successful snapshot of the last {hours} h ({age}): going back is a reinstall and a restore. Take one, or "
        "ask for the upgrade with `--without-snapshot`",
    )


Rule = Callable[[Question], Violation | None]

RESTART: tuple[Rule, ...] = (red, disk_full, snapshot_running, outside_groups, _quorum, _twice, _copies)
UPGRADE: tuple[Rule, ...] = (archived_settings, no_fresh_snapshot)


def before(asked: Question) -> Violation | None:
    """The first rule that stands against stopping these nodes."""
    return next((found for rule in _asked(asked) if (found := rule(asked))), None)


def results(asked: Question) -> tuple[str, ...]:
    """What each check that is asked came to, for whoever approves: a line each."""
    return tuple(_line(rule, rule(asked)) for rule in _asked(asked))


def _asked(asked: Question) -> tuple[Rule, ...]:
    """Those for any restart; before an upgrade has begun, those of the whole of it too. The path first: where there is
    none, nobody is to take a snapshot, or to waive one, for it. Indices are asked about each time: some may have come
    since (a restored one)."""
    of_versions = (version_path, index_too_old) if asked.version else (version_path,)
    return (*of_versions, *(UPGRADE if asked.version and not asked.begun else ()), *RESTART)


def _line(rule: Rule, found: Violation | None) -> str:
    name = rule.__name__.strip("_").replace("_", " ")
    return f"{name}: {found.message if found else 'passed'}"


# -- what recovers ---------------------------------------------------------------------------------------------------


def recovering(cluster: Cluster) -> str:
    """What still recovers, in words; empty where the cluster is green, or as green as it can get for now.

    While versions are mixed, a replica can't be allocated to a node older than its primary's: such a yellow is final
    until more nodes are done, and to wait for green would be to wait for ever.
    """
    pending = [copy for copy in cluster.copies if copy.state == "UNASSIGNED" and not final(cluster, copy)]
    missing = f"{len(pending)} copies are unassigned: {_shards(sorted({copy.id for copy in pending}))}"
    return moving(cluster) or (missing if pending else "")


def moving(cluster: Cluster) -> str:
    """What is on its way to a node, in words."""
    found = [copy for copy in cluster.copies if copy.state in ("INITIALIZING", "RELOCATING")]
    return f"{len(found)} shards recover: {_shards(sorted({copy.id for copy in found}))}" if found else ""


def final(cluster: Cluster, copy: Copy) -> bool:
    """Whether an unassigned replica can't be assigned to any node that is there: each is older than the node of the
    primary, holds a copy, or lies in a zone that has its share. Only in a cluster of mixed versions."""
    if copy.primary or not _mixed(cluster):
        return False
    source = _source(cluster, copy)
    return source is not None and not _takers(cluster, copy, source.release)


def urgent(observed: Observed, cluster: Cluster) -> tuple[Intent, ...]:
    """Instances that leave go first: their hooks have a deadline, and a restart has none. But one that waits for nodes
    of its version waits for us: if we waited for it, each would wait for the other. One that EC2 takes back (a Spot
    warning) waits for nobody."""
    return tuple(
        one
        for one in observed.leaving
        if one.let_go or one.kind == "spot" or not waits_for_newer(cluster, one.instance)
    )


def waits_for_newer(cluster: Cluster, name: str) -> bool:
    """Whether a copy on this node could go to another, if that one were not older. Only where versions are mixed."""
    if not _mixed(cluster):
        return False
    mine = [copy for copy in cluster.copies if copy.node == name and copy.active]
    return any(
        source is not None and _takers(cluster, copy, ()) and not _takers(cluster, copy, source.release)
        for copy in mine
        if copy.index not in cluster.auto_expanding
        for source in [_source(cluster, copy)]
    )


def _mixed(cluster: Cluster) -> bool:
    return len({node.release for node in cluster.nodes}) > 1


def _source(cluster: Cluster, copy: Copy) -> Node | None:
    """The node that a copy is made from: its primary's."""
    primary = (one for one in cluster.copies if one.id == copy.id and one.primary and one.active)
    return next((cluster.node(one.node or "") for one in primary), None)


def _takers(cluster: Cluster, copy: Copy, least: tuple[int, ...]) -> list[Node]:
    """The nodes of this release or a newer one that may take a copy: they hold none, and their zone has not its share
    of the others."""
    twins = [one for one in cluster.copies if one.id == copy.id]
    holders = {one.node for one in twins if one.node}
    full = _full_zones(cluster, twins, copy)
    return [
        node
        for node in cluster.nodes
        if node.holds_data and node.name not in holders and node.release >= least and node.zone not in full
    ]


def _full_zones(cluster: Cluster, twins: Sequence[Copy], copy: Copy) -> frozenset[str]:
    """The zones that awareness does not let this copy into, for what they hold of its twins."""
    attributes = cluster.setting("cluster.routing.allocation.awareness.attributes")
    if "zone" not in [one.strip() for one in attributes.split(",")]:
        return frozenset()
    forced = cluster.setting("cluster.routing.allocation.awareness.force.zone.values").split(",")
    zones = {node.zone for node in cluster.nodes if node.holds_data} | {zone.strip() for zone in forced if zone.strip()}
    share = -(-len(twins) // max(1, len(zones)))
    nodes = {node.name: node.zone for node in cluster.nodes}
    held = [nodes[one.node] for one in twins if one is not copy and one.node in nodes]
    return frozenset(zone for zone in zones if held.count(zone) >= share)


def _shards(shards: Iterable[tuple[str, int]]) -> str:
    return _few([f"{index}[{shard}]" for index, shard in shards])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
