"""What a function is given, made of its environment: each part at its first use, kept while the function is warm.

Environment: VAGUS_STATE_TABLE, VAGUS_RECORD_TABLE (names), VAGUS_MACHINES (JSON: capability to state machine's ARN),
VAGUS_CELL (name). A variable is read when its part is asked for, so that a function needs only those that it uses.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from threading import Lock
from typing import TYPE_CHECKING, Literal

import msgspec

from vagus.aws.certificates import ClientSecrets, Ec2Askers, S3Requests, signers
from vagus.aws.clients import Clients
from vagus.aws.commands import RunCommand
from vagus.aws.event_bus import EventBridge
from vagus.aws.executions import Machine
from vagus.aws.gateways import AcmCertificates
from vagus.aws.group_facts import GroupFactsReader
from vagus.aws.groups import AutoScalingGroups
from vagus.aws.nodes import addresses, by_instance
from vagus.aws.parameters import SsmParameters
from vagus.aws.secrets import client_certificate
from vagus.aws.site import S3SiteObjects
from vagus.aws.tables import DynamoTable
from vagus.certificates.at_site import SiteCommands, SiteHandshakes, SiteTrust, has_certified
from vagus.errors import Malformed
from vagus.fleet import ClusterSpec
from vagus.ports import (
    Bus,
    Executions,
    GroupFactsRead,
    NodeCommands,
    Parameters,
    SearchWrite,
    Table,
)
from vagus.ports import Handshakes as HandshakesPort
from vagus.procedure.records import Book, iso
from vagus.procedure.room import Reads, Writes
from vagus.search.client import Renewing, SearchClient
from vagus.search.engines import dialect
from vagus.search.handshakes import HTTP, TRANSPORT, Handshakes

if TYPE_CHECKING:
    import boto3

    from vagus.certificates.issuing import Issuer

Role = Literal["read", "write"]

OPEN_CLUSTERS = 40
"""Clusters whose connections are kept while a function is warm: Lambda allows 1,024 open files."""


class Wiring:
    """The parts, by an environment and a session (by default that of the process). `state`: a cluster's rows; by
    default those that the environment says."""

    def __init__(
        self,
        environment: Mapping[str, str],
        session: boto3.Session | None = None,
        state: Callable[[ClusterSpec], Table] | None = None,
    ) -> None:
        self._environment = environment
        self._state = state or (lambda _spec: self.table())
        self._clients = Clients(session)
        self._searches: dict[tuple[str, Role], Renewing] = {}
        self._sites: dict[str, S3SiteObjects] = {}
        self._commands: dict[str, RunCommand] = {}
        self._lock = Lock()

    def table(self) -> Table:
        """Rows of state."""
        return DynamoTable(self._clients, self._told("VAGUS_STATE_TABLE"))

    def book(self) -> Book:
        """Where records go."""
        table = DynamoTable(self._clients, self._told("VAGUS_RECORD_TABLE"))
        return Book(table=table, clock=time.time, new_id=lambda: secrets.token_hex(8))

    def executions(self) -> Mapping[str, Executions]:
        """The state machines, by capability. Raises `Malformed` where the variable is no mapping of names to ARNs."""
        try:
            machines = msgspec.json.decode(self._told("VAGUS_MACHINES"), type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise Malformed(f"VAGUS_MACHINES is not a JSON object of ARNs by capability: {error}") from error
        return {capability: Machine(self._clients, arn) for capability, arn in machines.items()}

    @cached_property
    def groups(self) -> AutoScalingGroups:
        """The groups of this cell; of the whole account and Region where no cell is told."""
        return AutoScalingGroups(self._clients, self._environment.get("VAGUS_CELL"))

    def group_facts(self) -> GroupFactsRead:
        """The groups as GroupSafety judges them."""
        return GroupFactsReader(self._clients)

    def bus(self) -> Bus:
        """Where the watch's events go."""
        return EventBridge(self._clients)

    def search(self, spec: ClusterSpec, role: Role) -> SearchWrite:
        """A cluster through the certificate of a role; nothing is called before it is used."""
        key = (spec.name, role)
        with self._lock:  # a sweep asks from several threads
            found = self._searches.pop(key, None) or Renewing(lambda: self._open(spec, role))
            self._searches[key] = found  # the one used last stands last
            spent = self._searches.pop(next(iter(self._searches))) if len(self._searches) > OPEN_CLUSTERS else None
        if spent is not None:
            spent.close()
        return found

    def reads(self) -> Reads:
        """All that a deciding function has."""
        return Reads(
            groups=self.groups,
            search=lambda spec: self.search(spec, "read"),
            commands=self.commands,
            handshakes=self.handshakes,
            reported=lambda spec: None if spec.reached else self._at_site(spec).reported(),
        )

    def writes(self, spec: ClusterSpec) -> Writes:
        """All that an applying function has, for one step now."""
        now = time.time()
        return Writes(
            spec=spec,
            groups=self.groups,
            search=self.search(spec, "write"),
            parameters=self._parameters(spec),
            commands=self.commands(spec),
            handshakes=self.handshakes(spec),
            authority_keys=signers(self._clients, spec),
            secrets=ClientSecrets(self._clients),
            imported=AcmCertificates(self._clients),
            table=self.table(),
            now=now,
            iso=iso(now),
        )

    def handshakes(self, spec: ClusterSpec) -> HandshakesPort:
        """TLS with the nodes of a cluster: of pods elsewhere by its agent's report."""
        return self._shaken(spec) if spec.reached else self._at_site(spec)

    def commands(self, spec: ClusterSpec) -> NodeCommands:
        """What nodes are told."""
        if not spec.reached:
            return SiteCommands(self._site(spec), time.time)
        with self._lock:
            return self._commands.setdefault(spec.name, RunCommand(self._clients, spec.name))

    def _parameters(self, spec: ClusterSpec) -> Parameters:
        return SsmParameters(self._clients) if spec.reached else SiteTrust(self._site(spec), spec.name)

    def _site(self, spec: ClusterSpec) -> S3SiteObjects:
        with self._lock:
            return self._sites.setdefault(spec.name, S3SiteObjects(self._clients, spec.name))

    def _at_site(self, spec: ClusterSpec) -> SiteHandshakes:
        def certified() -> bool:
            return has_certified(self._state(spec), spec.name)

        return SiteHandshakes(self._site(spec), spec, time.time, self._shaken(spec).endpoint, certified)

    def _shaken(self, spec: ClusterSpec) -> Handshakes:
        """Where others issue its certificates, by the port that is open to Vagus."""
        ports = (HTTP, TRANSPORT) if spec.certified else (HTTP,)
        return Handshakes(lambda: by_instance(self._clients, spec.name), ports)

    def issuer(self, spec: ClusterSpec) -> Issuer:
        """All that the issuing function has, for one request."""
        from vagus.certificates.issuing import Issuer  # cryptography, which no other function needs

        return Issuer(
            keys=signers(self._clients, spec),
            requests=S3Requests(self._clients),
            askers=Ec2Askers(self._clients),
            table=self.table(),
            book=self.book(),
            clock=time.time,
        )

    def _open(self, spec: ClusterSpec, role: Role) -> SearchClient:
        certificate = client_certificate(self._clients, spec.name, role) if spec.engine.tls else None
        return SearchClient(addresses(self._clients, spec.name), certificate, dialect=dialect(spec.engine))

    def _told(self, name: str) -> str:
        if not self._environment.get(name):
            raise Malformed(f"environment: {name} is not set; the cell's stack sets it for each function that needs it")
        return self._environment[name]


@cache
def here() -> Wiring:
    """The wiring of this process's environment."""
    return Wiring(os.environ)


def table() -> Table:
    """Rows of state."""
    return here().table()


def book() -> Book:
    """Where records go."""
    return here().book()


def executions() -> Mapping[str, Executions]:
    """The state machines, by capability."""
    return here().executions()


def groups() -> AutoScalingGroups:
    """The cell's groups: for functions that need nothing else, such as the keeper."""
    return here().groups


def group_facts() -> GroupFactsRead:
    """The groups as GroupSafety judges them."""
    return here().group_facts()


def bus() -> Bus:
    """Where the watch's events go."""
    return here().bus()


def reads() -> Reads:
    """All that a deciding function has."""
    return here().reads()


def writes(spec: ClusterSpec) -> Writes:
    """All that an applying function has, for one step now."""
    return here().writes(spec)


def issuer(spec: ClusterSpec) -> Issuer:
    """All that the issuing function has, for one request."""
    return here().issuer(spec)
