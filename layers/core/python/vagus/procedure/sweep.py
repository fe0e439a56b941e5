"""The sweep: once a minute it re-reads the truth of every declared cluster, so that a lost event costs a minute.

AWS is described once for all clusters, and each cluster is looked at once for all capabilities. An execution is started
only for a plan that has something to do, so that idle costs almost nothing. A quiet cluster is looked at every fifth
minute.

Several clusters are looked at at once, each for a bounded time, and all of them within less than a minute: those that
hang cost the others nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from zlib import crc32

import msgspec

from vagus.cluster import Awaited, Cluster, Placement
from vagus.errors import Conflict, VagusError
from vagus.fleet import ClusterSpec, Fleet
from vagus.handshake import Handshake
from vagus.instances import Group, Launch
from vagus.intent import STANDING
from vagus.plan import Ask, Blocked, Done, Plan, Steps, Wait
from vagus.ports import Executions, GroupsRead, Handshakes, SearchRead, Table
from vagus.procedure import consent, hourly, loop, pages, people, rows, standing
from vagus.procedure import head as heads
from vagus.procedure.at_once import each, within
from vagus.procedure.records import iso
from vagus.procedure.room import Reads, Room, working_at
from vagus.procedure.rows import Head, Rows
from vagus.procedure.standing import Shows
from vagus.snapshots import Snapshots
from vagus.status import Status
from vagus.steps import NoteVersion
from vagus.weights import Weights

QUIET_MINUTES = 5
SECONDS = 50.0
"""How long a sweep may take: the next one comes after a minute, and begins with another cluster."""
LOOK_SECONDS = 20.0
"""How long one look at a cluster may take: long enough for a node that hangs, and the next one to answer."""
BACK_OFF = (60.0, 300.0, 900.0)
"""Seconds before a failed execution is started again; after the last, the capability is paused and a person called."""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What the sweep found of one cluster and capability."""

    cluster: str
    capability: str
    result: Literal["quiet", "idle", "started", "running", "paused", "failed", "undeclared"]
    message: str = ""


class DescribedOnce:
    """Groups as they were described at the start of the sweep, for all clusters."""

    def __init__(self, groups: GroupsRead) -> None:
        self._groups = groups
        self._all = groups.describe()

    def describe(self, clusters: Sequence[str] | None = None) -> tuple[Group, ...]:
        return tuple(group for group in self._all if clusters is None or group.cluster in clusters)

    def hooks(self, group: str) -> tuple[str | None, str | None]:
        return self._groups.hooks(group)

    def groups_of(self, instances: Sequence[str]) -> Mapping[str, str]:
        return self._groups.groups_of(instances)

    def waiting_since(self, group: str, instance: str) -> datetime | None:
        return self._groups.waiting_since(group, instance)

    def launches(self, group: str, since: datetime) -> tuple[Launch, ...]:
        return self._groups.launches(group, since)


class LookedOnce:
    """A cluster as the sweep saw it first: however many capabilities ask, it is looked at once."""

    def __init__(self, search: SearchRead, seconds: float) -> None:
        self._search = search
        self._seconds = seconds
        self._looked: Cluster | VagusError | None = None

    def look(self) -> Cluster:
        if self._looked is None:
            try:
                self._looked = within(self._seconds, self._search.look)
            except VagusError as error:
                self._looked = error
        if isinstance(self._looked, VagusError):
            raise self._looked
        return self._looked

    def awaited(self, wanted: Awaited, seconds: int) -> bool:
        return self._search.awaited(wanted, seconds)

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        return self._search.explain(index, shard, primary=primary, node=node)

    def placement(self) -> Placement:
        return self._search.placement()

    def snapshots(self, *, newest: bool) -> Snapshots:
        """A cluster that did not answer is not asked again: it would hang once more."""
        if isinstance(self._looked, VagusError):
            raise self._looked
        return self._search.snapshots(newest=newest)

    def weights(self) -> Weights | None:
        return self._search.weights()


class ShakenOnce:
    """A cluster's handshakes as the sweep saw them first: its status is made of the same ones as its decision."""

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes
        self._shaken: dict[str, tuple[Handshake, ...]] = {}
        self._endpoints: dict[tuple[str, int, str], Handshake] = {}

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        if closely:
            return self._handshakes.all(bundle, closely=True)
        if bundle not in self._shaken:
            self._shaken[bundle] = self._handshakes.all(bundle)
        return self._shaken[bundle]

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """One that is still at it when it is asked for again was not seen."""
        asked = (name, port, bundle)
        if asked not in self._endpoints:
            self._endpoints[asked] = Handshake(instance=name, address=name, port=port, failure="no answer in time")
            self._endpoints[asked] = self._handshakes.endpoint(name, port, bundle)
        return self._endpoints[asked]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """All that a sweep has. `at_once` clusters are looked at at the same time, all of them within `seconds`, each for
    `look_seconds`. `tell` is told how each cluster is that was looked at; it may be called by several threads."""

    reads: Reads
    table: Table
    fleet: Fleet
    rooms: Mapping[str, Room]
    executions: Mapping[str, Executions]
    at_once: int = 1
    seconds: float = SECONDS
    look_seconds: float = LOOK_SECONDS
    tell: Callable[[Status], None] | None = None

    def run(self, now: float, iso: str) -> list[Swept]:
        """Every cluster and capability; a failure with one of them never keeps another from being looked at."""
        groups = DescribedOnce(self.reads.groups)
        reads = msgspec.structs.replace(self.reads, groups=groups)
        found = each(
            self._turn(now),
            lambda spec: self._every_room(reads, spec, now, iso),
            self._late,
            at_once=self.at_once,
            seconds=self.seconds,
        )
        return [*(one for many in found for one in many), *undeclared(groups.describe(), self.fleet)]

    def _every_room(self, reads: Reads, spec: ClusterSpec, now: float, iso: str) -> list[Swept]:
        looked: list[LookedOnce] = []
        shaken: list[ShakenOnce] = []

        def once(spec: ClusterSpec) -> LookedOnce:
            if not looked:  # opened by the first that asks, so that one that can't be opened fails no other cluster
                looked.append(LookedOnce(reads.search(spec), self.look_seconds))
            return looked[0]

        def shaken_once(spec: ClusterSpec) -> ShakenOnce:
            if not shaken:
                shaken.append(ShakenOnce(reads.handshakes(spec)))
            return shaken[0]

        shared = msgspec.structs.replace(reads, search=once, handshakes=shaken_once)
        rooms = working_at(self.rooms, spec)
        swept = [self._guarded(shared, spec, room, now, iso) for room in rooms.values()]
        if self.tell is not None and any(one.result != "quiet" for one in swept):
            swept += self._hourly(shared, spec) if spec.reached and hourly.due(spec, now) else []
            shows = Shows(reads=shared, table=self.table, rooms=rooms, executions=self.executions)
            self.tell(standing.of(shows, spec, now))
        return swept

    def _hourly(self, reads: Reads, spec: ClusterSpec) -> list[Swept]:
        """What failed of what is looked up once an hour."""
        failed = hourly.note(reads, self.table, spec, self.look_seconds)
        return [Swept(cluster=spec.name, capability=name, result="failed", message=why) for name, why in failed.items()]

    def _late(self, spec: ClusterSpec) -> list[Swept]:
        message = f"not looked at: the sweep's {self.seconds:.0f} s ran out"
        rooms = working_at(self.rooms, spec)
        return [Swept(cluster=spec.name, capability=room, result="failed", message=message) for room in rooms]

    def _turn(self, now: float) -> list[ClusterSpec]:
        """Another cluster is the first each minute: should time run out, it is never the same ones that go unseen."""
        specs = list(self.fleet.values())
        first = int(now // 60) % len(specs) if specs else 0
        return specs[first:] + specs[:first]

    def _guarded(self, reads: Reads, spec: ClusterSpec, room: Room, now: float, iso: str) -> Swept:
        try:
            return self._one(reads, spec, room, now, iso)
        except Exception as error:  # noqa: BLE001  (whatever one cluster raises, the others must be looked at)
            message = f"{type(error).__name__}: {error}"
            return Swept(cluster=spec.name, capability=room.name, result="failed", message=message)

    def _one(self, reads: Reads, spec: ClusterSpec, room: Room, now: float, iso: str) -> Swept:
        seen = consent.rows_for(room, spec, self.table)
        head = seen.head(room.name)
        if head.state == "running":
            return self._held_against_truth(seen, spec, room, head, now, iso)
        reads = msgspec.structs.replace(reads, deep=room.deep(spec, now))
        if _quiet(reads, spec, room, seen, now):
            return Swept(cluster=spec.name, capability=room.name, result="quiet")
        plan = loop.plan_for(room, reads, spec, seen, None, now)
        note_plan(self.table, seen, room.name, plan, iso)
        started = wants_run(plan, head) and heads.ensure_running(
            self.table, self.executions[room.name], spec.name, room.name, now, iso, although_paused=True
        )
        without: Literal["paused", "idle"] = "paused" if head.paused else "idle"
        return Swept(
            cluster=spec.name, capability=room.name, result="started" if started else without, message=plan.message
        )

    def _held_against_truth(self, seen: Rows, spec: ClusterSpec, room: Room, head: Head, now: float, iso: str) -> Swept:
        """A head that says "running" is held against its execution."""
        executions = self.executions[room.name]
        status = executions.status(head.execution)
        if status == "RUNNING":
            return Swept(cluster=spec.name, capability=room.name, result="running", message=head.execution)
        if status == "MISSING":
            heads.ensure_running(self.table, executions, spec.name, room.name, now, iso)
            return Swept(cluster=spec.name, capability=room.name, result="started", message=head.execution)
        settled = after_end(head, status, now)
        self.table.write(rows.partition(spec.name), seen.put(f"head#{room.name}", settled))
        result: Literal["paused", "failed"] = "paused" if settled.state == "paused" else "failed"
        return Swept(cluster=spec.name, capability=room.name, result=result, message=settled.message)


def undeclared(groups: Sequence[Group], fleet: Fleet) -> list[Swept]:
    """Clusters whose groups bear this cell's tag while no fleet file declares them: a file that was deleted took them
    out of sight, and what was under way there has stopped."""
    names: dict[str, list[str]] = {}
    for group in groups:
        if group.cluster and group.cluster not in fleet:
            names.setdefault(group.cluster, []).append(group.name)
    ways = "put its file back; or, if it is to go, end its instances and delete its groups, or take their tags away"
    return [
        Swept(
            cluster=cluster,
            capability="",
            result="undeclared",
            message=f"no fleet file declares it, yet {', '.join(sorted(found))} stand in this cell: only the keeper "
            f"minds them; {ways}",
        )
        for cluster, found in sorted(names.items())
    ]


def after_end(head: Head, status: str, now: float) -> Head:
    """The head row of a run whose execution ended without noting it.

    A person's Stop in the console is a pause, of which the next sweep has a person told. A failed or timed-out one is
    tried again after a back-off, three times. One that was paused stays so.
    """
    state: Literal["paused", "idle"] = "paused" if head.paused else "idle"
    ended = msgspec.structs.replace(head, state=state, execution="", told=(), message=f"{head.execution}: {status}")
    if status == "SUCCEEDED":
        return ended
    if status == "ABORTED" and head.paused_by.endswith(people.CONSOLE):
        return ended
    if head.paused:
        return msgspec.structs.replace(ended, not_before=now + BACK_OFF[-1])
    if status == "ABORTED":
        return _paused(ended, people.UNNAMED, now)
    if head.failures >= len(BACK_OFF):
        return _paused(ended, f"{head.failures + 1} failed executions", now)
    return msgspec.structs.replace(
        ended, failures=head.failures + 1, not_before=now + BACK_OFF[head.failures], reason=status
    )


def _paused(head: Head, by: str, now: float) -> Head:
    return msgspec.structs.replace(head, state="paused", paused_by=by, paused_at=iso(now), paused_why=head.message)


def wants_run(plan: Plan, head: Head) -> bool:
    """Whether a plan is worth an execution: it does something, or a person has not been told yet."""
    match plan:
        case Steps() | Wait() | Ask() | Blocked(open_deadline=True):
            return True
        case Blocked() if head.paused:
            return (head.reason, head.message) != (plan.reason, plan.message)
        case Blocked():
            return (head.reason, head.told) != (plan.reason, pages.told_at_the_end(plan))
        case Done():
            return bool(head.reason) and head.reason != plan.reason


def note_plan(table: Table, seen: Rows, capability: str, plan: Plan, iso: str) -> None:
    """Put the plan's row; a lost race only means that somebody noted a newer one."""
    try:
        loop.note_plan(table, seen, capability, plan, iso)
    except Conflict:
        return


def _quiet(reads: Reads, spec: ClusterSpec, room: Room, seen: Rows, now: float) -> bool:
    """Nothing comes or leaves, nothing is open, all is noted that is noted once: the fifth minute is soon enough."""
    if any(intent.kind not in STANDING for intent in seen.intents):
        return False
    if seen.launches.marks or seen.identity is None or (NoteVersion in room.kinds and seen.node_version is None):
        return False
    if room.mode(spec) != "observe" and _size_due(spec, seen):
        return False
    groups = reads.groups.describe([spec.name])
    if any(one.leaving or one.launching for group in groups for one in group.instances):
        return False
    if any(group.short for group in groups):
        return False
    return (int(now // 60) + crc32(spec.name.encode())) % QUIET_MINUTES != 0


def _size_due(spec: ClusterSpec, seen: Rows) -> bool:
    """Some group has yet to be given its declared size. In mode `observe` none ever is."""
    return not spec.sized().items() <= seen.sizes.items()
