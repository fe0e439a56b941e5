"""A deployed fleet and the fakes that a function is given in place of AWS and the cluster."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from vagus.aws.fake import FakeBus, FakeCommands, FakeExecutions, FakeGroups, FakeParameters, FakeTable
from vagus.aws.fake_certificates import FakeAskers, FakeAuthorityKeys, FakeRequests, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.certificates.issuing import Issuer
from vagus.fleet import ClusterSpec
from vagus.policy import Certificates
from vagus.ports import Bus, Executions, GroupFactsRead, GroupsWrite, Put, SearchRead, Table
from vagus.procedure import rows
from vagus.procedure.records import Book, iso
from vagus.procedure.room import Reads, Writes
from vagus.rooms import ROOMS
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus_cli import fleet_files

ROOT = Path(__file__).parents[3]


class FakeParts:
    """As `vagus.aws.wiring`: everything that a function may be given. Time is the machine's."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.rows, self.records = FakeTable(), FakeTable()
        self.machine = FakeExecutions()
        self.event_bus = FakeBus()
        self.auto_scaling = FakeGroups(time.time)
        self.engine = FakeEngine(time.time, managers=3)
        for name, size in spec.sizes().items():
            kind, zone = name.removeprefix(f"{spec.name}-").split("-", 1)
            roles = spec.groups[kind].roles
            self.auto_scaling.create(name, cluster=spec.name, zone=zone, roles=roles, desired=size)
            self.auto_scaling.hold_launches(name)
        for instance, group in self.auto_scaling.existing().items():
            self.engine.start_node(instance, group.zone, roles=group.roles)
        self.engine.create_index("patients", shards=3, replicas=1)
        known = [Put(key="identity", data={"uuid": self.engine.uuid}, expected=0)]
        known.append(Put(key="sizes", data=spec.sizes(), expected=0))
        known.append(Put(key="version", data={"version": spec.engine.version}, expected=0))
        self.rows.write(rows.partition(spec.name), *known)

    def first(self, group: str) -> str:
        """The first instance of a group."""
        return next(one.id for seen in self.auto_scaling.describe() if seen.name == group for one in seen.instances)

    def table(self) -> Table:
        return self.rows

    def book(self) -> Book:
        return Book(table=self.records, clock=time.time, new_id=iter(map(str, range(1000))).__next__)

    def executions(self) -> Mapping[str, Executions]:
        return dict.fromkeys(ROOMS, self.machine)

    def groups(self) -> GroupsWrite:
        return self.auto_scaling

    def group_facts(self) -> GroupFactsRead:
        return self.auto_scaling

    def bus(self) -> Bus:
        return self.event_bus

    def search(self, _spec: ClusterSpec) -> SearchRead:
        return self.engine

    def reads(self) -> Reads:
        return Reads(
            groups=self.auto_scaling,
            search=self.search,
            commands=lambda _: FakeCommands(),
            handshakes=lambda _: FakeHandshakes(),
        )

    def issuer(self, spec: ClusterSpec) -> Issuer:
        return Issuer(
            keys=FakeAuthorityKeys(spec.name),
            requests=FakeRequests(),
            askers=FakeAskers(),
            table=self.rows,
            book=self.book(),
            clock=time.time,
        )

    def writes(self, spec: ClusterSpec) -> Writes:
        now = time.time()
        return Writes(
            spec=spec,
            groups=self.auto_scaling,
            search=self.engine,
            parameters=FakeParameters(),
            commands=FakeCommands(),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(lambda: now),
            table=self.rows,
            now=now,
            iso=iso(now),
        )


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClusterSpec:
    """The demo cluster, with its owners' certificates, deployed: its fleet layer is on the path, as in a function."""
    demo = fleet_files.load(ROOT / "fleet")["demo"]
    found = msgspec.structs.replace(demo, certificates=Certificates())
    package = tmp_path / "vagus_fleet"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "clusters.json").write_bytes(msgspec.json.encode({"demo": found}))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vagus_fleet", raising=False)
    return found


@pytest.fixture
def parts(spec: ClusterSpec) -> FakeParts:
    return FakeParts(spec)
