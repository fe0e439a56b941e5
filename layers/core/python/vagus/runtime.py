"""What a function does around its capability: read what it is called with, open what it may use, answer in plain JSON.

Handlers in `functions/` are a line each: the same five verbs serve every capability. Errors are raised on: their class
names are what the state machine, and the queue's redrive, go by. Logs are JSON, joined by the execution's name; they
carry names of clusters, nodes and instances, never a document or a secret.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from aws_lambda_powertools import Logger

from vagus import events, figures, fleet
from vagus.aws import wiring
from vagus.cluster_watch.every import every, failed
from vagus.cluster_watch.watch import Watched
from vagus.errors import Malformed, VagusError
from vagus.events import Ignored
from vagus.fleet import ClusterSpec, Fleet
from vagus.ports import Bus, Executions, GroupFactsRead, GroupsWrite, Table
from vagus.procedure import intake, keeper, loop, noted_status, safety, standing
from vagus.procedure.loop import Call
from vagus.procedure.records import Book, Record, iso
from vagus.procedure.room import Reads, Room, Writes
from vagus.procedure.sweep import Sweep
from vagus.rooms import ROOMS
from vagus.status import Status
from vagus.steps import AnyStep, Heartbeat, kind

if TYPE_CHECKING:
    from vagus.certificates.issuing import Issuer

logger = Logger()

JsonObject = Mapping[str, Any]


class Parts(Protocol):
    """Where a function's parts come from: `vagus.aws.wiring`, or fakes."""

    def table(self) -> Table: ...

    def book(self) -> Book: ...

    def executions(self) -> Mapping[str, Executions]: ...

    def groups(self) -> GroupsWrite: ...

    def group_facts(self) -> GroupFactsRead: ...

    def bus(self) -> Bus: ...

    def reads(self) -> Reads: ...

    def writes(self, spec: ClusterSpec) -> Writes: ...

    def issuer(self, spec: ClusterSpec) -> Issuer: ...


class _Act(msgspec.Struct, frozen=True):
    call: Call
    step: AnyStep


# -- a procedure's two functions -------------------------------------------------------------------------------------


def look(capability: str, event: JsonObject, parts: Parts = wiring) -> JsonObject:
    """Look at the cluster of a call and decide: a `loop.Answer`. Writes the plan's row and nothing else."""
    clusters = fleet.deployed()
    if "keepAwake" in event:
        return _kept_awake({name: parts.reads().search(spec).look for name, spec in _reached(clusters).items()})
    call = _read(event, Call)
    logger.set_correlation_id(call.execution)
    spec = _spec(clusters, call.cluster)
    room = _room(capability, spec)
    link = parts.executions()[capability].console(call.execution)
    loop.awaited(parts.reads(), spec, call)
    answer = loop.look_and_note(room, parts.reads(), spec, parts.table(), call, time.time(), link)
    logger.info(answer.plan.message, extra={"reason": answer.plan.reason, "next": answer.next})
    return _plain(answer)


def act(capability: str, event: JsonObject, parts: Parts = wiring) -> JsonObject:
    """Do the one step of a call: a `loop.Outcome`. What it raises is counted by the state machine, and looked at."""
    clusters = fleet.deployed()
    if "keepAwake" in event:
        return _kept_awake({name: parts.writes(spec).search.look for name, spec in _reached(clusters).items()})
    asked = _read(event, _Act)
    logger.set_correlation_id(asked.call.execution)
    spec = _spec(clusters, asked.call.cluster)
    room, writes = _room(capability, spec), parts.writes(spec)
    executions = parts.executions()[capability]
    outcome = loop.act(room, writes, executions, parts.book(), asked.call, asked.step)
    logger.info(outcome.message, extra={"step": kind(asked.step), "result": outcome.result})
    return _plain(outcome)


def _reached(clusters: Fleet) -> Fleet:
    return {name: spec for name, spec in clusters.items() if spec.reached}


def _kept_awake(looks: Mapping[str, Any]) -> JsonObject:
    """The daily call that changes nothing: it keeps Lambda from putting the function, and its network, to sleep."""
    failed: dict[str, str] = {}
    for cluster, one in looks.items():
        try:
            one()
        except VagusError as error:
            failed[cluster] = f"{type(error).__name__}: {error}"
    (logger.warning if failed else logger.info)("kept awake", extra={"failed": failed})
    return {"looked": len(looks) - len(failed), "failed": failed}


def issue(event: JsonObject, parts: Parts = wiring) -> JsonObject:
    """Answer one node's request for a certificate: a chain, or a refusal. What may pass is raised, and comes again."""
    from vagus.certificates.issuing import Order

    order = _read(event, Order)
    spec = _spec(fleet.deployed(), order.cluster)
    said = parts.issuer(spec).take(order, spec)
    logger.info(said, extra={"cluster": order.cluster, "request": order.key})
    return {"said": said}


# -- what starts and guards them -------------------------------------------------------------------------------------


def take(event: JsonObject, parts: Parts = wiring) -> JsonObject:
    """Take a batch of events from the queue. Those that fail are named, and come again or go to the dead letters.

    A malformed event fails each time and so is dead-lettered after the queue's few tries; no other waits behind it.
    """
    clusters, failed = fleet.deployed(), []
    for record in event["Records"]:
        try:
            _take(record["body"], clusters, parts)
        except Exception:  # one that fails in a way that nobody foresaw must not take the whole batch along
            logger.exception("not taken", extra={"message_id": record["messageId"]})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _take(body: str, clusters: Fleet, parts: Parts) -> None:
    now = time.time()
    found = intake.take(body, clusters, parts.table(), parts.executions(), now, iso(now), _groups_of(parts))
    if isinstance(found, Ignored):
        logger.info("ignored", extra={"why": found.why})
        return
    for hint in found:
        logger.info("taken", extra={"cluster": hint.cluster, "intent": hint.intent.id if hint.intent else None})
    _note_event(body, {hint.cluster for hint in found}, parts)


def _note_event(body: str, clusters: Collection[str], parts: Parts) -> None:
    """The last event of an instance, for `vagus status`. After all else: nothing waits for it, and nothing needs it."""
    told = events.happened(body)
    if told is None:
        return
    try:
        for cluster in clusters:
            noted_status.note_event(parts.table(), cluster, told.instance, told.what, told.at)
    except VagusError:
        logger.exception("an event was taken, and not noted")


def _groups_of(parts: Parts) -> intake.GroupsOf:
    return lambda instances: parts.groups().groups_of(instances)


AT_ONCE = 10
"""Clusters that the sweep looks at at the same time: as many as a client of AWS keeps connections."""


def sweep(parts: Parts = wiring) -> JsonObject:
    """Look at every cluster. One that fails keeps no other from being looked at; in the end `SweepFailed` names it."""
    now = time.time()
    clusters, seen = fleet.deployed(), dict[str, Status]()
    _examine(clusters, parts, now)
    swept = Sweep(
        reads=parts.reads(),
        table=parts.table(),
        fleet=clusters,
        rooms=ROOMS,
        executions=parts.executions(),
        at_once=AT_ONCE,
        tell=lambda status: seen.update({status.cluster: status}),
    ).run(now, iso(now))
    for one in swept:
        (logger.error if one.result in AMISS else logger.info)("swept", extra={"found": _plain(one)})
    _tell(dict(seen), {one.cluster for one in swept if one.result == "failed"}, parts.table(), now)
    if failed := [f"{one.cluster}: {one.message}" for one in swept if one.result in AMISS]:
        raise SweepFailed("; ".join(failed))
    return {"swept": [_plain(one) for one in swept]}


AMISS = ("failed", "undeclared")
"""Results of a sweep that a person has to know of."""


class SweepFailed(VagusError):
    """Some cluster could not be swept, or is not declared any more: the function's error is what its alarm counts."""


def _tell(seen: Mapping[str, Status], failed: Collection[str], table: Table, now: float) -> None:
    """Log each cluster's figures, in the form that CloudWatch reads them by, and note how it is for `vagus status`.

    Of a cluster whose time ran out there is no status: its figures say that it was not seen. Figures come first, for
    a table that does not answer must cost none of them.
    """
    clusters = fleet.deployed()
    unseen = {name: standing.unseen(clusters[name], iso(now)) for name in failed if name not in seen}
    for status in (*seen.values(), *unseen.values()):
        if told := figures.told(status):  # of a cluster on Kubernetes there are none before its first certificate
            logger.info("figures", extra=figures.embedded(status.cell, status.cluster, told, now))
    for status in seen.values():
        try:
            noted_status.note(table, status)
        except VagusError:
            logger.exception("a status was not noted", extra={"cluster": status.cluster})


def _examine(clusters: Fleet, parts: Parts, now: float) -> None:
    """Before the sweep, so that its figures have it; whatever it raises, the sweep goes on."""
    try:
        for found in safety.examine(parts.group_facts(), parts.table(), clusters, now, iso(now)):
            broken = [str(one) for one in found.violations] + ([found.fault] if found.fault else [])
            told = {"cluster": found.cluster, "broken": broken}
            (logger.error if broken else logger.info)("groups examined", extra=told)
    except Exception:
        logger.exception("groups were not examined")


WATCH_SECONDS = 80.0
"""What is not watched by then has failed this time: the function's own time is longer, so that it can say so."""


def watch(parts: Parts = wiring) -> JsonObject:
    """Watch every cluster and tell what changed. In the end `WatchFailed` names those that could not be watched."""
    clusters, now = fleet.deployed(), time.time()
    reads, specs = parts.reads(), list(_reached(clusters).values())
    watched = every(specs, reads.search, parts.table(), parts.bus(), reads.handshakes, now=now, seconds=WATCH_SECONDS)
    for one in watched:
        if isinstance(one, Watched):
            for told in one.told:
                logger.info(told.event.message, extra={"told": told.kind, "event": _plain(told.event)})
    if failures := failed(watched):
        raise WatchFailed("; ".join(failures))
    return {"told": sum(len(one.told) for one in watched if isinstance(one, Watched))}


class WatchFailed(VagusError):
    """Some cluster was not watched: the next minute tries again, and the function's alarm counts."""


def keep(parts: Parts = wiring) -> JsonObject:
    """Keep waiting instances waiting. Raises `KeeperFailed` at the end, so that an alarm tells if one could not be.

    All heartbeats first, then their records: a table that does not answer must cost none of them.
    """
    sent: list[Heartbeat] = []
    kept = keeper.keep(parts.groups(), lambda _result, beat: sent.append(beat))
    logger.info("kept", extra={"kept": _plain(kept)})
    _note(sent, parts)
    if kept.failed:
        raise KeeperFailed("; ".join(kept.failed))
    return _plain(kept)


class KeeperFailed(VagusError):
    """Some instance was not kept waiting this time; the next minute tries again, the hook lasts an hour."""


def _note(sent: Sequence[Heartbeat], parts: Parts) -> None:
    """Records of heartbeats that were sent. The first that can't be written ends it: the log has them all."""
    try:
        for beat in sent:
            parts.book().note(_record(beat))
    except VagusError:
        logger.exception("heartbeats without a record", extra={"sent": len(sent)})


def _record(beat: Heartbeat) -> Record:
    cluster = next((name for name, spec in fleet.deployed().items() if beat.group in spec.sizes()), "")
    return Record(
        id="",
        phase="outcome",
        at="",
        cluster=cluster,
        capability="keeper",
        execution="",
        step=kind(beat),
        subject=beat.subject,
        sentence=beat.sentence,
        result="done",
    )


# -- reading and writing JSON ----------------------------------------------------------------------------------------


def _read[T](event: JsonObject, wanted: type[T]) -> T:
    try:
        return msgspec.convert(event, wanted)
    except msgspec.ValidationError as error:
        raise Malformed(f"call: {error}; was it written by another version?") from error


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain


def _room(capability: str, spec: ClusterSpec) -> Room:
    room = ROOMS[capability]
    if not room.works_at(spec):
        raise Malformed(f"{capability} does nothing with {spec.name}, whose nodes are pods elsewhere: end this run")
    return room


def _spec(clusters: Fleet, cluster: str) -> ClusterSpec:
    if cluster not in clusters:
        raise Malformed(
            f"cluster {cluster} is not in the fleet of this deployment: deploy its fleet file, or end the run"
        )
    return clusters[cluster]
