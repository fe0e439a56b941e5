"""Handshakes, commands and the published bundle of a cluster on Kubernetes: what its agent told, and is told.

An agent's clock may be wrong: how old a report is says the store, which noted when it was put.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from vagus import site
from vagus.callers import Callers
from vagus.certificates.telling import FORGOTTEN_SECONDS
from vagus.command import Command
from vagus.errors import AgentAwaited, Refused
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.ports import SiteObjects, Stored, Table
from vagus.site import SILENT_SECONDS, Commands, Report, Told
from vagus.trust import issued_partition

SAID = 500
"""Characters of a pod's last words that are passed on."""
PORTS = (9200, 9300)
DOCUMENTS = ("install-trust", "renew-certificate")
Clock = Callable[[], float]


class SiteHandshakes:
    """The agent's handshakes, as `ports.Handshakes`. `endpoint`: gateways are called as everywhere, by a function.
    `certified`: whether a pod has got a certificate, so that an agent was there."""

    def __init__(
        self,
        objects: SiteObjects,
        spec: ClusterSpec,
        clock: Clock,
        endpoint: Callable[[str, int, str], Handshake],
        certified: Callable[[], bool],
    ) -> None:
        self._objects, self._spec, self._clock = objects, spec, clock
        self._endpoint, self._certified = endpoint, certified

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """One for each port of each pod that is declared, or that the agent knows of; none before its first report.
        Raises `AgentAwaited` for a report that is old, that was made against another bundle than this one, or that is
        gone. For people (`closely`) nothing is raised: each handshake then says so."""
        found = self._objects.get(site.REPORT)
        if found is None:
            if not closely and self._certified():
                raise AgentAwaited(_lost(self._spec))
            return ()
        report = site.read(found.text, Report, site.REPORT)
        shown = tuple(_with_words(one, report) for one in (*report.handshakes, *_unnamed(report, self._spec)))
        why = self._awaited(found, report, bundle)
        if why and not closely:
            raise AgentAwaited(f"{why}; {where_to_look(self._spec)}", shown)
        return tuple(msgspec.structs.replace(one, failure=one.failure or why) for one in shown) if why else shown

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """As `ports.Handshakes`."""
        return self._endpoint(name, port, bundle)

    def reported(self) -> float | None:
        """When the last report was put (epoch seconds)."""
        found = self._objects.get(site.REPORT)
        return found.at if found else None

    def _awaited(self, found: Stored, report: Report, bundle: str) -> str:
        name, at = self._spec.name, f"{datetime.fromtimestamp(found.at, UTC):%Y-%m-%d %H:%M:%S}Z"
        if self._clock() - found.at > SILENT_SECONDS:
            return f"the agent of {name} has told nothing since {at}"
        if bundle and report.bundle not in site.digests(bundle):
            return f"the agent of {name} still held another bundle than the published one at {at}"
        return ""


def where_to_look(spec: ClusterSpec) -> str:
    """Of causes that look alike from here."""
    where = spec.kubernetes.namespace if spec.kubernetes else ""
    return (
        "it may be the agent, its way to S3, its API server, or its clock (S3 refuses all that one asks who is "
        f"15 minutes off). `kubectl -n {where} logs deploy/{spec.name}-agent` says which, and whether its own "
        "certificate has ended; if kubectl has no answer either, it is the API server"
    )


def _lost(spec: ClusterSpec) -> str:
    return (
        f"the agent of {spec.name} has told nothing, though its pods have got certificates: {site.REPORT} is gone from "
        f"the bucket, and an agent that is well puts it again within a minute; {where_to_look(spec)}"
    )


def _with_words(one: Handshake, report: Report) -> Handshake:
    """Of a pod that does not answer, why its last request was refused: so it may have no certificate to start with."""
    said = report.said.get(one.instance, "")[:SAID]
    if one.answered or not said:
        return one
    return msgspec.structs.replace(one, failure=f"{one.failure}; its last request was refused: {said}")


def _unnamed(report: Report, spec: ClusterSpec) -> tuple[Handshake, ...]:
    """Declared pods that the agent does not know of."""
    named = {one.instance for one in report.handshakes}
    why = "the agent knows of no such pod: is its StatefulSet there, with so many replicas?"
    return tuple(
        Handshake(instance=pod, address="", port=port, failure=why)
        for pod in spec.pods
        if pod not in named
        for port in PORTS
    )


def has_certified(table: Table, cluster: str) -> bool:
    """Whether a pod of it has got a certificate whose row is still there. A row of a person's request names no pod."""
    return any(row.data.get("instance") for row in table.read(issued_partition(cluster)).values())


class SiteCommands:
    """What pods are told, as `ports.NodeCommands`: one object, in which the last of each kind stays for an hour."""

    def __init__(self, objects: SiteObjects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock

    def sent(self, instance: str, since: float) -> tuple[Command, ...]:
        """What a pod was told since then, with its last words if it got no certificate."""
        told = [one for one in self._read()[0].of(instance) if one.sent >= since]
        report = self._objects.get(site.REPORT) if told else None
        said = site.read(report.text, Report, site.REPORT).said.get(instance, "")[:SAID] if report else ""
        return tuple(
            Command(
                step=one.step, document=one.document, instance=instance, sent=one.sent, outcome="pending", said=said
            )
            for one in told
        )

    def callers(self, since: float) -> Mapping[str, Callers]:
        """Nobody: a pod's sidecar sees no connection of the others'."""
        del since
        return {}

    def send(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        """Tell a pod, whose agent looks within seconds. Raises `Conflict` where another wrote at the same time."""
        if document not in DOCUMENTS or parameters:
            raise Refused(f"{instance}: a pod can be told {' or '.join(DOCUMENTS)}, and no more: not {document}")
        now = self._clock()
        commands, over = self._read()
        lasting = tuple(one for one in commands.told if now - one.sent < FORGOTTEN_SECONDS)
        told = Told(pod=instance, document=document, step=step, sent=now)
        self._objects.put(site.COMMANDS, site.written(Commands(told=lasting).having(told)), over)

    def _read(self) -> tuple[Commands, Stored | None]:
        found = self._objects.get(site.COMMANDS)
        return (site.read(found.text, Commands, site.COMMANDS) if found else Commands()), found


class SiteTrust:
    """The published bundle, as `ports.Parameters`: the one thing that nodes on EC2 are told there, and pods here."""

    def __init__(self, objects: SiteObjects, cluster: str) -> None:
        self._objects, self._cluster = objects, cluster

    def put(self, name: str, value: str) -> None:
        """Publish it."""
        if name != f"/vagus/{self._cluster}/node/trust":
            raise Refused(f"{name}: pods are told the bundle alone")
        self._objects.put(site.BUNDLE, value.encode(), self._objects.get(site.BUNDLE))
