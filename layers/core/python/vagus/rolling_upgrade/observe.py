"""One look for rolling_upgrade: groups, cluster, rows; commands to the nodes in hand, snapshots while a restart is
asked for. Reads only."""

from collections.abc import Iterable
from datetime import datetime

from vagus.cluster import Cluster, Unseen
from vagus.command import Command
from vagus.errors import Denied, Malformed, Refused, Throttled, Unreachable
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.intent import AllocationPrimaries, Intent
from vagus.plan import Progress
from vagus.ports import GroupsRead, NodeCommandsRead, SearchRead
from vagus.procedure.room import Reads
from vagus.procedure.rows import Rows
from vagus.rolling_upgrade import on_the_way, replaceable
from vagus.rolling_upgrade.looking import FORGOTTEN_SECONDS
from vagus.rolling_upgrade.observed import Observed, begun, rolling, undrained
from vagus.snapshots import Snapshots
from vagus.weights import Weights

CLOCKS_SECONDS = 60
"""How far AWS's clock and ours may differ."""


def observe(reads: Reads, spec: ClusterSpec, seen: Rows, progress: Progress | None, now: float) -> Observed:
    """Everything that `decide` may know. An unreachable cluster is an observation, not an error."""
    intents = seen.intents_of("rolling_upgrade")
    told = [*_taken(intents), *_staging(intents, seen.node_version, now)]
    search = reads.search(spec)
    cluster, snapshots = see(search, intents, seen.node_version)
    cluster, weights = weighed(search, cluster, intents)
    groups = reads.groups.describe([spec.name])
    return Observed(
        cluster=cluster,
        groups=groups,
        intents=intents,
        others=tuple(intent for intent in seen.intents if intent.capability != "rolling_upgrade"),
        identity=seen.identity,
        version=seen.node_version,
        snapshots=snapshots,
        weights=weights,
        commands=tuple(_sent(reads.commands(spec), told)) if told else (),
        paused=seen.head("rolling_upgrade").paused,
        unhooked=unhooked(reads.groups, groups, cluster, intents),
        undrained=undrained(spec, paused=seen.head("zone_balance").paused),
        stopped=on_the_way.stopped(seen.launches, now),
        progress=progress,
    )


def unhooked(
    asked: GroupsRead, groups: tuple[Group, ...], cluster: Cluster | Unseen, intents: Iterable[Intent]
) -> frozenset[str]:
    """The groups that have no terminate hook of ours, of those whose instances are about to be replaced; asked only
    while somebody may be."""
    wanted = [rolling(one).instances for one in intents if one.kind == "replace"]
    seen = Observed(cluster=cluster, groups=groups)
    if not wanted or isinstance(cluster, Unseen) or on_the_way.under_way(seen, cluster):
        return frozenset()
    found = {one.group.name for named in wanted for one in replaceable.candidates(seen, cluster, named)}
    return frozenset(name for name in sorted(found) if asked.hooks(name)[0] is None)


def see(
    search: SearchRead, intents: Iterable[Intent], noted: str | None
) -> tuple[Cluster | Unseen, Snapshots | Unseen | None]:
    """A look, and the snapshots if a restart is asked for and no node is in hand; or why there was no look. `noted`:
    the version that nodes are told to bring."""
    try:
        cluster = search.look()
    except Denied as error:
        return Unseen(reason="DENIED", message=str(error)), None
    except Throttled as error:
        return Unseen(reason="THROTTLED", message=str(error)), None
    except (Unreachable, Refused, Malformed) as error:
        return Unseen(reason="UNREACHABLE", message=str(error)), None
    return cluster, _snapshots(search, cluster, tuple(intents), noted)


def weighed(
    search: SearchRead, cluster: Cluster | Unseen, intents: Iterable[Intent]
) -> tuple[Cluster | Unseen, Weights | Unseen | None]:
    """How searches are shared among zones. A role that never had the right to know (a cluster of before) holds no
    restart up, nor does an engine that refuses to tell (zones are no awareness attribute, and weights have no effect);
    else what fails is no look: weights of ours are not overlooked."""
    asked = [rolling(one) for one in intents if one.kind != "replace"]
    if isinstance(cluster, Unseen):
        return cluster, None
    try:
        return cluster, search.weights()
    except Denied as error:
        unseen = Unseen(reason="DENIED", message=f"{error}; docs/upgrades.md has the three rights on weights")
        return (unseen, None) if any(one.led for one in asked) else (cluster, unseen)
    except Refused as error:
        return cluster, Unseen(reason="REFUSED", message=str(error))
    except (Throttled, Unreachable, Malformed) as error:
        return (Unseen(reason="UNREACHABLE", message=str(error)), None) if asked else (cluster, None)


def _snapshots(
    search: SearchRead, cluster: Cluster, intents: tuple[Intent, ...], noted: str | None
) -> Snapshots | Unseen | None:
    """Those that run; the newest only before an upgrade has begun, for to list them all is dear. `None` where they
    could not be listed, `Unseen` for want of a right: that stands against taking further nodes, and against nothing
    else."""
    if not intents:
        return None
    idle = not any(AllocationPrimaries() in intent.demands for intent in intents)
    asked = [rolling(intent) for intent in intents if not begun(intent, cluster, noted)]
    newest = idle and any(one.version and not one.without_snapshot for one in asked)
    try:
        return search.snapshots(newest=newest)
    except Denied as error:
        return Unseen(reason="DENIED", message=str(error))
    except (Throttled, Unreachable, Refused, Malformed):
        return None


def _taken(intents: Iterable[Intent]) -> list[tuple[str, float]]:
    """Nodes in hand, or that were last, and since when (epoch seconds). However long ago: one that never served still
    does not."""
    restarted = [rolling(intent) for intent in intents if intent.kind != "replace"]
    return [(name, _since(one.taken_at)) for one in restarted for name in one.taken]


def _staging(intents: Iterable[Intent], noted: str | None, now: float) -> list[tuple[str, float]]:
    """The node that brings and checks a version beforehand, and since when; until that version is noted. What failed
    long ago is tried again."""
    asked = [rolling(intent) for intent in intents]
    waits = [one for one in asked if one.staging and one.version != noted]
    return [(one.staging, max(_since(one.staging_at), now - FORGOTTEN_SECONDS)) for one in waits]


def _since(at: str) -> float:
    return datetime.fromisoformat(at).timestamp() - CLOCKS_SECONDS if at else 0.0


def _sent(commands: NodeCommandsRead, told: Iterable[tuple[str, float]]) -> list[Command]:
    return [one for name, since in told for one in commands.sent(name, since)]
