"""Safety rules, each named for its violation: a reason and a sentence, or nothing.

*Admission* rules are asked before the first disturbing step for a node; *pause* rules during: one that trips mid-way
keeps what is set and takes nothing new. Neither ever withdraws an exclusion.
"""

from collections.abc import Callable

import msgspec

from vagus.cluster import Cluster
from vagus.owned import VOTES, names
from vagus.reasons import Reason
from vagus.zone_balance.observed import Leaver
from vagus.zone_balance.placement import fit


class Violation(msgspec.Struct, frozen=True):
    """Why not."""

    reason: Reason
    message: str


def cluster_red(cluster: Cluster) -> Violation | None:
    """A primary is unassigned: nothing is moved about, and nothing let go, while data is missing."""
    unassigned = sorted({f"{copy.index}[{copy.shard}]" for copy in cluster.copies if copy.primary and not copy.active})
    if cluster.status != "red":
        return None
    return Violation(Reason.CLUSTER_RED, f"the cluster is red: primaries not active: {', '.join(unassigned[:5])}")


PAUSE: tuple[Callable[[Cluster], Violation | None], ...] = (cluster_red,)


def pause(cluster: Cluster) -> Violation | None:
    """The first pause rule that trips."""
    return next((violation for rule in PAUSE if (violation := rule(cluster))), None)


def quorum_would_break(cluster: Cluster, taken: tuple[Leaver, ...], leaver: Leaver) -> Violation | None:
    """Managers leave one at a time, and never so many that the voters left are no majority. One whose vote was taken
    comes first: else each would wait for the other, one for its vote and one for its turn."""
    if leaver.node is None or not leaver.node.may_be_manager:
        return None
    voteless = names(cluster.persistent.get(VOTES)) - {leaver.id}
    if first := next((one for one in sorted(voteless) if cluster.node(one) is not None), None):
        return Violation(Reason.QUORUM, f"{leaver.id} waits: managers leave one at a time, after {first}")
    if other := next((one for one in taken if one.node and one.node.may_be_manager and one.id != leaver.id), None):
        return Violation(Reason.QUORUM, f"{leaver.id} waits: managers leave one at a time, and {other.id} is leaving")
    voters = set(cluster.voters) or {node.name for node in cluster.nodes if node.may_be_manager}
    present = {node.name for node in cluster.nodes if node.may_be_manager}
    left = (voters & present) - {leaver.id}
    if len(left) * 2 > len(voters):
        return None
    return Violation(
        Reason.QUORUM, f"without {leaver.id} only {len(left)} of {len(voters)} voters are left: no majority"
    )


def manager_may_not_go(cluster: Cluster, rest: Cluster, leaver: Leaver) -> Violation | None:
    """Asked when it would be let go. `rest`: what is left once everybody who was let go before is gone.

    That may be the leaver itself, if its going does not show yet.
    """
    if leaver.node is None or not leaver.node.may_be_manager:
        return None
    staying = {node.name for node in rest.nodes} | {leaver.id}
    if other := next((node for node in cluster.nodes if node.may_be_manager and node.name not in staying), None):
        return Violation(
            Reason.QUORUM,
            f"{leaver.id} waits: managers leave one at a time, and {other.name} is on its way out, or restarts",
        )
    return quorum_would_break(rest, (), leaver)


def nowhere_to_go(cluster: Cluster, taken: tuple[Leaver, ...], leaver: Leaver) -> Violation | None:
    """No node may legally take one of its copies."""
    copies = fit(cluster, frozenset({leaver.id, *(one.id for one in taken)})).nowhere
    mine = [copy for copy in copies if copy.node == leaver.id]
    if not mine:
        return None
    shards = ", ".join(f"{copy.index}[{copy.shard}]" for copy in mine[:5])
    return Violation(
        Reason.NOWHERE_TO_GO, f"no other node may take {len(mine)} shards of {leaver.id} ({shards}): same shard or zone"
    )


def no_room(cluster: Cluster, taken: tuple[Leaver, ...], leaver: Leaver) -> Violation | None:
    """The nodes that may take its copies have no space for them below their high watermark."""
    found = fit(cluster, frozenset({leaver.id, *(one.id for one in taken)}))
    if not found.no_room:
        return None
    need = sum(copy.bytes for copy in found.no_room)
    return Violation(
        Reason.NO_ROOM,
        f"{len(found.no_room)} shards ({need} bytes) would not fit below the high watermark if {leaver.id} is drained",
    )


ADMISSION: tuple[Callable[[Cluster, tuple[Leaver, ...], Leaver], Violation | None], ...] = (
    quorum_would_break,
    nowhere_to_go,
    no_room,
)


def admission(cluster: Cluster, taken: tuple[Leaver, ...], leaver: Leaver) -> Violation | None:
    """The first admission rule that trips for one more leaver, beside those already taken."""
    return next((violation for rule in ADMISSION if (violation := rule(cluster, taken, leaver))), None)


def some_shard_has_no_active_copy(cluster: Cluster) -> Violation | None:
    """Asked before a lost instance is let go: while any shard lacks an active copy, its disk may hold the last one."""
    every = {copy.id for copy in cluster.copies}
    active = {copy.id for copy in cluster.copies if copy.active}
    missing = sorted(every - active)
    if not missing:
        return None
    shards = ", ".join(f"{index}[{shard}]" for index, shard in missing[:5])
    return Violation(Reason.LOST_WITH_DATA, f"no started copy of {shards}: the lost node's disk may hold the last one")
