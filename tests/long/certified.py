"""certificates on real nodes without AWS: nodes boot, ask and renew by their own scripts and documents, the issuer and
the capability's two functions are the ones that are deployed; rows, groups, KMS and the bucket are fakes or folders.
"""

import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.long.client import Anew
from tests.long.on_nodes import Documents, NodeParameters
from tests.unit.simulation.execution import Execution
from tests.unit.simulation.ports import Meter, wired

from vagus.aws.fake import FakeExecutions, FakeGroups, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.certificates import profile, wishes
from vagus.certificates.by_request import Kind, Wanted, issue
from vagus.certificates.issuing import Issuer, NoAuthorityYet, Order, signed_leaf
from vagus.certificates.room import CERTIFICATES
from vagus.fleet import ClusterSpec, NodeGroup
from vagus.fleet import Engine as DeclaredEngine
from vagus.handshake import Handshake
from vagus.instances import Asker
from vagus.plan import Done, Plan
from vagus.policy import Certificates
from vagus.procedure import head as heads
from vagus.procedure import loop, records, rows
from vagus.procedure.loop import Answer, Call
from vagus.procedure.loop import Outcome as Applied
from vagus.procedure.records import Book
from vagus.procedure.room import Reads, Writes
from vagus.reasons import Reason
from vagus.search.fake import FakeEngine
from vagus.search.handshakes import Handshakes
from vagus.steps import AnyStep
from vagus.trust import Authority, Trust
from vagus_local.certificates import private, replace
from vagus_local.cluster import LocalCluster
from vagus_local.engines import Engine
from vagus_local.node import LocalNode
from vagus_local.waiting import until

NAME, CELL, BUCKET, ROLE = "claims", "local", "artifacts", "AROALOCALNODES"
ZONES = ("a", "b", "c")
PEOPLE: Mapping[str, Kind] = {"admin": "admin", "client": "client"}
"""Who is given a certificate by their own request: the cluster's owner, and the declared client."""
RUN_SECONDS = 300.0


class Folder:
    """The artifact bucket, as the nodes' AWS CLI has it: `ports.Requests`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self) -> Iterator[str]:
        """Keys of requests."""
        for path in sorted((self._folder / BUCKET / "requests").glob("*.csr")):
            yield f"requests/{path.name}"

    def read(self, bucket: str, key: str) -> bytes | None:
        path = self._folder / bucket / key
        return path.read_bytes() if path.exists() else None

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        path = self._folder / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(answer)
        partial.rename(path)

    def taken(self, key: str) -> None:
        (self._folder / BUCKET / key).unlink(missing_ok=True)


class Certified:
    """Three nodes, a Vagus that minds their certificates, and a declared client. `meter`: where a process dies."""

    def __init__(self, folder: Path, engine: Engine, meter: Meter | None = None) -> None:
        self.cluster = LocalCluster(name=NAME, zones=ZONES, engine=engine, folder=folder, parameters={"role-id": ROLE})
        self.spec = ClusterSpec(
            name=NAME,
            cell=CELL,
            engine=msgspec.convert({"name": engine.name, "version": engine.version, "tls": True}, DeclaredEngine),
            zones=ZONES,
            groups={"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=1)},
            certificates=Certificates(mode="act", issuer="kms", clients=("client",)),
        )
        self.meter = meter or Meter()
        self.table, self.recorded = FakeTable(), FakeTable()
        self.keys, self.secrets = FakeAuthorityKeys(NAME), FakeSecrets()
        self.machines, self.executions = FakeExecutions(), dict[str, Execution]()
        self.commands, self.parameters = Documents(self.cluster), NodeParameters(self.cluster)
        self.groups = FakeGroups(time.time, name=lambda number: list(self.cluster.nodes)[number - 1])
        self.handshakes = Handshakes(lambda: self.cluster.addresses)
        self.bucket = Folder(folder / "buckets")
        self._certificates = self.cluster.certificates.folder
        self._halt = threading.Event()
        self._issuing = threading.Thread(target=self._issue, daemon=True)
        self.refused: list[str] = []
        self.owners = True
        """Whether the client's owner does as it is asked."""

    # -- life ------------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator["Certified"]:
        """The authority is made before any node boots; then nodes ask for their certificates as they do on AWS."""
        self._issuing.start()
        try:
            self.run()
            self.give(*PEOPLE)
            with self.cluster:
                for zone in ZONES:
                    self.groups.create(self.spec.group_name("core", zone), cluster=NAME, zone=zone, desired=1)
                yield self.run()
        finally:
            self._halt.set()
            self._issuing.join(60)
            self.commands.close()

    def give(self, *names: str) -> None:
        """Owners of certificates have the bundle, and a certificate of the authority that signs, as files."""
        for name in names:
            key = ec.generate_private_key(ec.SECP256R1())
            request = x509.CertificateSigningRequestBuilder().subject_name(profile.subject(name))
            pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            wanted = Wanted(kind=PEOPLE[name], common=name, request=pem)
            issued = issue(self.keys, self.table, self.spec, wanted, nullcontext, time.time())
            replace(self._certificates / f"{name}.key", private(key))
            replace(self._certificates / f"{name}.pem", issued.certificate)
            replace(self._certificates / f"{name}.ca", self.trust.bundle)
        replace(self._certificates / "ca.pem", self.trust.bundle)
        self.cluster.forget_connections()

    def client(self, name: str) -> "Anew":
        """A client that connects anew for each request, trusting its bundle alone."""
        return Anew(self._certificates, name, lambda: self.cluster.addresses)

    @property
    def trust(self) -> Trust:
        return rows.read(self.table, NAME).trust

    # -- the issuing function ----------------------------------------------------------------------------------------

    def _issue(self) -> None:
        issuer = Issuer(
            keys=self.keys,
            requests=self.bucket,
            askers=self,
            table=self.table,
            book=self._book(self.recorded),
            clock=time.time,
        )
        while not self._halt.wait(0.05):
            for key in self.bucket.waiting():
                try:
                    said = issuer.take(Order(cluster=NAME, bucket=BUCKET, key=key), self.spec)
                except NoAuthorityYet:
                    continue  # the event comes again
                if said.startswith("refused"):
                    self.refused.append(said)
                self.bucket.taken(key)

    def of(self, instance: str) -> Asker | None:
        """As `ports.Askers`."""
        node = self.cluster.nodes.get(instance)
        if node is None:
            return None
        return Asker(instance=instance, state="running", addresses=(node.address,), cell=CELL, cluster=NAME)

    # -- the two functions -------------------------------------------------------------------------------------------

    def decide(self, call: Call) -> Answer:
        seen = rows.read(wired(self.table, "decide.table", self.meter), NAME)
        return loop.look(CERTIFICATES, self._reads(), self.spec, seen, call, time.time())

    def apply(self, call: Call, step: AnyStep) -> Applied:
        now = time.time()
        writes = Writes(
            spec=self.spec,
            groups=self.groups,
            search=FakeEngine(time.time),
            parameters=wired(self.parameters, "apply.parameters", self.meter),
            commands=wired(self.commands, "apply.commands", self.meter),
            handshakes=self.handshakes,
            authority_keys=wired(self.keys, "apply.keys", self.meter),
            secrets=wired(self.secrets, "apply.secrets", self.meter),
            imported=FakeImported(time.time),
            table=wired(self.table, "apply.table", self.meter),
            now=now,
            iso=records.iso(now),
        )
        book = self._book(wired(self.recorded, "apply.records", self.meter))
        return loop.act(CERTIFICATES, writes, self.machines, book, call, step)

    def _reads(self) -> Reads:
        return Reads(
            groups=self.groups,
            search=lambda _: FakeEngine(time.time),
            commands=lambda _: self.commands,
            handshakes=lambda _: self.handshakes,
        )

    def plan(self) -> Plan:
        """What is to be done now."""
        return loop.plan_for(CERTIFICATES, self._reads(), self.spec, rows.read(self.table, NAME), None, time.time())

    def _book(self, table: Any) -> Book:
        return Book(table=table, clock=time.time, new_id=lambda: secrets.token_hex(8))

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float = RUN_SECONDS) -> "Certified":
        """Until nothing is due. The client's owner does as it is asked, each time that it is."""
        until(self._settled, seconds, lambda: f"certificates are settled: {self.plan()}")
        return self

    def _settled(self) -> bool:
        """As the sweep: a run that ended while something is due is followed by another."""
        if not self._ended():
            return False
        now, plan = time.time(), self.plan()
        if isinstance(plan, Done) and self.executions:
            return True
        heads.ensure_running(self.table, self.machines, NAME, CERTIFICATES.name, now, records.iso(now))
        return False

    def _ended(self) -> bool:
        for name, payload in list(self.machines.started.items()):
            one = self.executions.setdefault(name, Execution(name, payload, self))
            if not one.ended and one.wakes <= time.time():
                one.go_on(time.time())
                if self.owners and self.plan().reason in (Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW):
                    self.acknowledge()
            if one.ended:
                self.machines.end(name, one.ended)
        return all(one.ended for one in self.executions.values())

    def acknowledge(self) -> None:
        """The client, and the cluster's owner, take what is to be had; then a person says so."""
        self.give(*PEOPLE)
        trust = rows.read(self.table, NAME).trust
        wishes.acknowledge(self.table, NAME, "client", renewed=trust.signs == trust.newest)

    def rotate(self, seconds: float = RUN_SECONDS) -> "Certified":
        """Until the authority is replaced and nothing is due. Raises `TimedOut`."""
        wishes.rotate_authority(self.table, NAME)
        return self.run(seconds)

    def renew(self) -> "Certified":
        """Every certificate that is there now is replaced: what begins a moment later is new enough."""
        wishes.renew_leaves(self.table, NAME, time.time())
        return self.run()

    # -- time ------------------------------------------------------------------------------------------------------

    def plant(self, authority: Authority, seconds: float, bundle: str) -> None:
        """Every node gets a key and a certificate that lasts so long, and a bundle: by hand, for the scripts take
        nothing up that ends within the hour. Returns when it is shown everywhere."""
        serials = {f"{node.id}:{port}": serial for node in self.cluster.nodes.values() if (serial := self._plant(
            node, authority, seconds, bundle)) for port in (9200, 9300)}  # fmt: skip
        until(lambda: self.serials() == serials, 120, lambda: f"the planted certificates are shown: {self.shown()}")

    def _plant(self, node: LocalNode, authority: Authority, seconds: float, bundle: str) -> str:
        key, names = ec.generate_private_key(ec.SECP256R1()), (profile.node_name(node.id, NAME), node.address)
        leaf = signed_leaf(
            self.keys, NAME, authority, "node", f"node-{node.id}", key.public_key(), names,
            now=time.time(), days=seconds / 86_400,
        )  # fmt: skip
        link = node.home / "search" / "config" / "certificates"
        before, made = link.resolve(), link.with_name(f"certificates-{secrets.token_hex(4)}")
        made.mkdir(mode=0o750)
        for name, text in (("node.key", private(key)), ("node.pem", profile.pem(leaf)), ("ca.pem", bundle)):
            replace(made / name, text)
        (made / "link").symlink_to(made.name)
        (made / "link").rename(link)
        shutil.rmtree(before)
        return profile.serial(leaf)

    def put_trust(self, trust: Trust) -> None:
        """The row, as somebody else left it."""
        self.table.write(rows.partition(NAME), rows.read(self.table, NAME).put("trust", trust))

    # -- what is seen ------------------------------------------------------------------------------------------------

    def shown(self) -> tuple[Handshake, ...]:
        return self.handshakes.all(self.trust.bundle)

    def serials(self) -> dict[str, str]:
        """By node and port."""
        return {f"{one.instance}:{one.port}": one.serial for one in self.shown()}

    def check(self) -> None:
        """Each node shows, on both ports, a certificate of the one authority, and trusts that one alone."""
        (only,) = self.trust.authorities
        shown = self.shown()
        assert len(shown) == 2 * len(ZONES)
        for one in shown:
            assert (one.failure, one.issuer, one.trusts) == ("", only.name, (only.name,)), one
        assert self.cluster.call("GET", "/_cluster/health")["number_of_nodes"] == len(ZONES)

    def steps(self) -> list[str]:
        """Kinds of the steps that were done, in order, each run of one kind told once."""
        found = [
            row.data
            for partition in self.recorded.partitions()
            for row in self.recorded.read(partition).values()
            if row.data["phase"] == "intended" and row.data["step"] != "IssueCertificate"
        ]
        kinds = [str(one["step"]) for one in sorted(found, key=lambda one: (one["at"], one["id"]))]
        return [one for at, one in enumerate(kinds) if at == 0 or kinds[at - 1] != one]
