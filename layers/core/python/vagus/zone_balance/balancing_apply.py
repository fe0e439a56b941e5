"""How bytes are evened: the threshold, and one wave of moves. Each looks afresh, and refuses; it never chooses."""

from collections.abc import Mapping

import msgspec

from vagus.cluster import Cluster, ShardMove
from vagus.procedure import rows
from vagus.procedure.foreign import foreign
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import MoveShards, RaiseBalanceThreshold, Step
from vagus.zone_balance import balancing
from vagus.zone_balance.checking import leaving
from vagus.zone_balance.demanding import set_demanded
from vagus.zone_balance.observe import moved
from vagus.zone_balance.observed import Moved


def _may_raise(writes: Writes, seen: Rows, step: RaiseBalanceThreshold, token: int) -> str | None:
    shards = writes.spec.zone_balance.shards
    if shards.mode == "off" or step.value > shards.highest_threshold:
        return f"the fleet file allows no balance threshold of {step.value}"
    cluster = writes.search.look()
    now = balancing.raised(cluster, seen.intents, step.intent)
    changed = None if now == step.update else f"the settings of {cluster.uuid} have changed since the decision"
    return foreign(cluster, seen, token) or changed


def _may_move(writes: Writes, seen: Rows, step: MoveShards, token: int) -> str | None:
    """The cluster still whole and at rest, each copy where it was, and the engine's own deciders asked by a dry run."""
    if writes.spec.zone_balance.shards.mode == "off":
        return "the fleet file moves no shard any more"
    if gone := leaving(writes, seen):
        return f"{', '.join(sorted(gone))} leaves: what is not empty goes first"
    cluster = writes.search.look()
    if why := foreign(cluster, seen, token) or _unrest(cluster) or _not_there(cluster, step.legs):
        return why
    refused = writes.search.reroute(step.legs, dry_run=True)
    return f"the engine refuses {refused[0]}" if refused else None


def _unrest(cluster: Cluster) -> str | None:
    if cluster.status != "green":
        return f"the cluster is {cluster.status}"
    moving = next((copy for copy in cluster.copies if copy.state != "STARTED"), None)
    return f"{moving.index}[{moving.shard}] is on its way" if moving else None


def _not_there(cluster: Cluster, legs: tuple[ShardMove, ...]) -> str | None:
    standing = {(copy.index, copy.shard, copy.node) for copy in cluster.copies}
    for leg in legs:
        if (leg.index, leg.shard, leg.source) not in standing:
            return f"{leg.index}[{leg.shard}] no longer stands on {leg.source}"
    return None


def _move(writes: Writes, seen: Rows, step: MoveShards, _token: int) -> None:
    """The account first: a wave that was noted and never sent costs the hour's account a little, one that was sent and
    never noted would cost the cluster."""
    placement = writes.search.placement()
    before = balancing.account(moved(seen), writes.now)
    noted = Moved(
        since=before.since,
        moves=before.moves + len(step.legs),
        bytes=before.bytes + sum(leg.bytes for leg in step.legs),
        at=writes.now,
        wave=step.legs,
        undone=step.undone,
        queries=placement.queries,
        query_ms=placement.query_ms,
    )
    partition = rows.partition(writes.spec.name)
    writes.table.write(partition, seen.put("note#zone_balance", noted))
    writes.search.reroute(step.legs, dry_run=False)
    known = rows.read(writes.table, writes.spec.name)
    writes.table.write(partition, known.put("note#zone_balance", msgspec.structs.replace(noted, sent=True)))


HANDLERS: Mapping[type[Step], Handler] = {
    RaiseBalanceThreshold: Handler(_may_raise, set_demanded),
    MoveShards: Handler(_may_move, _move),
}
