"""One cluster watched: look, compare with what was told last, tell what is news, remember it.

Told first, noted after: a watch that dies between the two tells the same again (with the same `seq`), and never keeps
anything back. What was remembered is of the watch alone (partition `watch#<cluster>`): nothing else is decided by it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from vagus.allocation import shielded
from vagus.cluster import Cluster, Unseen
from vagus.cluster_watch import changes
from vagus.cluster_watch.model import Change, Event, Memory, Sight, Standings, Told
from vagus.cluster_watch.probes import PROBES, Probe
from vagus.errors import Denied, Malformed, Refused, Throttled, Unreachable, VagusError
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.ports import Bus, Put, SearchRead, Table

ROW = "watch"
MOST = 50
"""Changes that one event carries: EventBridge takes 256 KB."""
EXPLAINED = 3
"""Shards for which the deciders are asked."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What one watch came to: the events that were told."""

    cluster: str
    told: tuple[Told, ...] = ()


def partition(cluster: str) -> str:
    """Where the watch remembers: a partition of its own, so that its role can write nothing else."""
    return f"watch#{cluster}"


def watch(
    search: SearchRead,
    table: Table,
    bus: Bus,
    spec: ClusterSpec,
    shaken: tuple[Handshake, ...] | None = None,
    now: float = 0.0,
) -> Watched:
    """Watch a cluster once. Raises what table and bus raise; a cluster that can't be seen is an event, no error."""
    row = table.read(partition(spec.name), ROW).get(ROW)
    memory = _memory(row.data) if row else None
    sight = msgspec.structs.replace(look(search, spec), shaken=shaken, now=now)
    told, after = tell(sight, memory)
    explained = tuple(_explained(one, search) for one in told)
    if explained:
        bus.put(explained)
    if after != memory:
        put = Put(key=ROW, data=msgspec.to_builtins(after), expected=row.version if row else 0)
        table.write(partition(spec.name), put)
    return Watched(cluster=spec.name, told=explained)


def look(search: SearchRead, spec: ClusterSpec) -> Sight:
    """All that the probes need, of one cluster."""
    try:
        cluster: Cluster | Unseen = search.look()
    except Denied as error:
        cluster = Unseen(reason="DENIED", message=str(error))
    except Throttled as error:
        cluster = Unseen(reason="THROTTLED", message=str(error))
    except (Unreachable, Refused, Malformed) as error:
        cluster = Unseen(reason="UNREACHABLE", message=str(error))
    closed = frozenset() if isinstance(cluster, Unseen) else shielded(cluster)
    return Sight(name=spec.name, cell=spec.cell, policy=spec.cluster_watch, cluster=cluster, closed=closed)


def tell(sight: Sight, memory: Memory | None, probes: Iterable[Probe] = PROBES) -> tuple[tuple[Told, ...], Memory]:
    """Every event that is due, and what is to be remembered then. Pure."""
    before = memory or Memory()
    blind = isinstance(sight.cluster, Unseen)
    standings: dict[str, Standings] = dict(before.probes)
    told: list[Told] = []
    uuid = before.uuid if isinstance(sight.cluster, Unseen) else sight.cluster.uuid
    for probe in probes:
        if blind and not probe.blind:
            continue
        found, standings[probe.name] = _asked(probe, sight, before.probes.get(probe.name))
        for kind, some in _by_kind(probe, found):
            told.append(_event(sight, kind, _called(probe, some), before.seq + len(told) + 1, uuid))
    return tuple(told), Memory(seq=before.seq + len(told), uuid=uuid, probes=standings)


def _asked(probe: Probe, sight: Sight, before: Standings | None) -> tuple[tuple[Change, ...], Standings]:
    items = tuple(probe.find(sight, before or {}))
    if before is None and not probe.first:
        return (), changes.known(items)
    found, after = changes.news(items, before or {}, over=probe.over)
    ends = (one if one.after else msgspec.structs.replace(one, message=probe.end(one)) for one in found)
    return tuple(ends), after


def _by_kind(probe: Probe, found: Iterable[Change]) -> Iterator[tuple[str, list[Change]]]:
    kinds: dict[str, list[Change]] = {}
    for change in found:
        kinds.setdefault(probe.kind_of(change), []).append(change)
    yield from kinds.items()


def _called(probe: Probe, some: Iterable[Change]) -> list[Change]:
    """With the probe's own word for "nothing"."""
    return [
        msgspec.structs.replace(one, before=one.before or probe.calm, after=one.after or probe.calm) for one in some
    ]


def _event(sight: Sight, kind: str, some: list[Change], seq: int, uuid: str) -> Told:
    others = f", and {len(some) - 1} more" if len(some) > 1 else ""
    event = Event(
        cluster=sight.name,
        cell=sight.cell,
        seq=seq,
        uuid=uuid,
        message=f"{sight.name}: {some[0].message}{others}",
        changes=tuple(some[:MOST]),
        more=max(0, len(some) - MOST),
    )
    return Told(kind=kind, event=event)


# -- the deciders' words -----------------------------------------------------------------------------------------------


def _explained(told: Told, search: SearchRead) -> Told:
    """With the deciders' own words for the first shards that are not assigned. Asked only where there is news."""
    if not any(change.facts.get("shards") for change in told.event.changes):
        return told
    some = tuple(_with_words(change, search) for change in told.event.changes)
    return msgspec.structs.replace(told, event=msgspec.structs.replace(told.event, changes=some))


def _with_words(change: Change, search: SearchRead) -> Change:
    shards = [
        {**shard, "deciders": _words(shard, search)} if number < EXPLAINED else shard
        for number, shard in enumerate(change.facts.get("shards", ()))
    ]
    return msgspec.structs.replace(change, facts={**change.facts, "shards": shards})


def _words(shard: Mapping[str, Any], search: SearchRead) -> str:
    try:
        return search.explain(shard["index"], shard["shard"], primary=shard["primary"])[:2000]
    except VagusError as error:
        return f"no explanation: {error}"


def _memory(data: Mapping[str, Any]) -> Memory:
    try:
        return msgspec.convert(data, Memory)
    except msgspec.ValidationError as error:
        raise Malformed(f"row {ROW}: {error}; it was written by a newer version, deploy that one") from error
