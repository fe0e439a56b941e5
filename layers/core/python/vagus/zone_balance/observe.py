"""One look for zone_balance: groups, cluster, rows, and the deciders' words when a drain stalls. Reads only."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from vagus.allocation import shielded
from vagus.cluster import Cluster, Unseen
from vagus.errors import Denied, Malformed, Refused, Throttled, Transient, Unreachable, VagusError
from vagus.fleet import ClusterSpec
from vagus.instances import Launch
from vagus.plan import Progress
from vagus.ports import GroupsRead, SearchRead
from vagus.procedure.room import Reads
from vagus.procedure.rows import Rows
from vagus.zone_balance import balancing, launching
from vagus.zone_balance.looking import looked
from vagus.zone_balance.observed import Leaver, Moved, Observed, explained_after, leavers


def observe(reads: Reads, spec: ClusterSpec, seen: Rows, progress: Progress | None, now: float) -> Observed:
    """Everything that `decide` may know. An unreachable cluster is an observation, not an error.

    Progress is that of a run: a sweep, which nobody follows up within seconds, has none.
    """
    if progress is None and seen.head("zone_balance").state == "running":
        progress = Progress(bytes_left=0, at=now, changed_at=now)
    search = reads.search(spec)
    cluster = see(search)
    observed = Observed(
        cluster=cluster,
        groups=reads.groups.describe([spec.name]),
        intents=seen.intents_of("zone_balance"),
        others=tuple(intent for intent in seen.intents if intent.capability != "zone_balance"),
        identity=seen.identity,
        sizes=seen.sizes,
        trust_published=not spec.certified or bool(seen.trust.published),
        suspended=seen.launches,
        progress=progress,
        moved=moved(seen),
    )
    observed = with_launches(observed, reads.groups, now)
    if reads.deep and not isinstance(cluster, Unseen) and balancing.wanted(looked(observed, cluster, spec, now)):
        return _placed(observed, search)
    if isinstance(cluster, Unseen) or progress is None:
        return observed
    taken = [one for one in leavers(observed, cluster, shielded(cluster)) if one.shielded]
    if now - progress.changed_at < explained_after(taken, spec.zone_balance.stall_seconds):
        return observed
    return _explained(observed, taken, search)


def with_launches(observed: Observed, groups: GroupsRead, now: float) -> Observed:
    """The launches of groups where something comes, or should: elsewhere nobody asks, and AWS is asked nothing. A
    group that can't be asked now is left out: no drain and no Spot rescue waits for that."""
    since = datetime.fromtimestamp(now - launching.LOOKED_BACK_SECONDS, UTC)
    tries = {group.name: _launches(groups, group.name, since) for group in launching.asked_for(observed)}
    found = {name: launches for name, launches in tries.items() if launches is not None}
    return msgspec.structs.replace(observed, launches=found) if found else observed


def _launches(groups: GroupsRead, group: str, since: datetime) -> tuple[Launch, ...] | None:
    try:
        return groups.launches(group, since)
    except Transient:  # a missing permission is told by its name
        return None


def _placed(observed: Observed, search: SearchRead) -> Observed:
    """With what shards may be moved by; where that can't be had now, none is moved."""
    try:
        return msgspec.structs.replace(observed, placement=search.placement())
    except (Unreachable, Throttled):
        return observed


def moved(seen: Rows) -> Moved:
    """What was noted of moves for the bytes' sake. Raises `Malformed` for a note of a newer version."""
    try:
        return msgspec.convert(seen.notes.get("zone_balance", {}), Moved)
    except msgspec.ValidationError as error:
        raise Malformed(f"row note#zone_balance: {error}; a newer version wrote it, deploy that one") from error


def see(search: SearchRead) -> Cluster | Unseen:
    """A look, or why there was none."""
    try:
        return search.look()
    except Denied as error:
        return Unseen(reason="DENIED", message=str(error))
    except Throttled as error:
        return Unseen(reason="THROTTLED", message=str(error))
    except (Unreachable, Refused, Malformed) as error:  # a secret without a certificate is Refused or Malformed
        return Unseen(reason="UNREACHABLE", message=str(error))


def _explained(observed: Observed, taken: Iterable[Leaver], search: SearchRead) -> Observed:
    copies = [copy for one in taken for copy in one.copies if copy.node == one.id and copy.state == "STARTED"]
    if not copies:
        return observed
    first = min(copies, key=lambda copy: (copy.index, copy.shard))
    try:
        words = search.explain(first.index, first.shard, primary=first.primary, node=first.node)
    except VagusError as error:
        words = f"no explanation: {error}"
    return msgspec.structs.replace(observed, explanation=f"{first.index}[{first.shard}]: {words}")
