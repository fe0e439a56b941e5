"""A cluster of played nodes whose certificates are real ones, run by the capability's own functions.

At every instant everybody that speaks to somebody must be able to: `check` holds each node, Vagus's functions and a
client against one another, and is asked after every call that changes something.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.certificates.parts import CLUSTER, NOW, spec
from tests.unit.simulation.ports import Crash, Meter, wired

from vagus.aws.fake import FakeExecutions, FakeGroups, FakeParameters, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_commands import FakeCommands, FakeServices
from vagus.aws.fake_gateways import FakeImported
from vagus.certificates import profile, wishes
from vagus.certificates.issuing import signed_leaf
from vagus.certificates.room import CERTIFICATES
from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.plan import Ask
from vagus.policy import Gateway
from vagus.procedure import consent, loop, people, records, rows
from vagus.procedure import head as heads
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.records import Book
from vagus.procedure.room import Reads, Writes
from vagus.search.fake import FakeEngine
from vagus.trust import Trust, renewal_at

LOOKS = 400


@dataclass
class PlayedNode:
    """What a node's search process has read of its files. `deaf`: it does nothing of what it is told."""

    leaf: x509.Certificate | None = None
    trusts: list[x509.Certificate] = field(default_factory=list)
    up: bool = True
    deaf: bool = False


class World:
    """Three zones. `meter` says at which call a process dies. `pages`: reasons that a person was told of; `told`: when,
    and in which words. `approves`: for how many seconds a person says yes to whatever is asked."""

    def __init__(self, meter: Meter | None = None, per_zone: int = 1, **policy: object) -> None:
        self.meter = meter or Meter()
        self.now = NOW
        self.spec = self.declared(per_zone, **policy)
        self.table, self.records = FakeTable(), FakeTable()
        self.keys, self.secrets, self.parameters = FakeAuthorityKeys(CLUSTER), FakeSecrets(), FakeParameters()
        self.groups = FakeGroups(lambda: self.now)
        for name, size in self.spec.sizes().items():
            self.groups.create(name, cluster=CLUSTER, zone=name[-10:], roles=("data",), desired=size)
        self.services = FakeServices(lambda: self.now)
        self.nodes = {instance: PlayedNode() for instance in self.groups.existing()}
        for instance in self.nodes:
            self.services.launch(instance)
        self.commands = FakeCommands(self.services, lambda: self.now, self)
        self.machines = FakeExecutions()
        self.imported = FakeImported(lambda: self.now)
        for one in self.spec.certificates.gateways:
            self.imported.first(one.arn, *first_certificate(one.names, self.now))
        self.behind: dict[str, x509.Certificate] = {}
        self.client: tuple[x509.Certificate | None, list[x509.Certificate]] = (None, [])
        self.ids = itertools.count()
        self.steps: list[str] = []
        self.pages: list[str] = []
        self.told: list[tuple[float, str]] = []
        self.approves: float | None = None
        self.failed = ""

    def declared(self, per_zone: int, **policy: object) -> ClusterSpec:
        """Its fleet file."""
        return spec(per_zone, **policy)

    # -- what nodes do -----------------------------------------------------------------------------------------------

    @property
    def trust(self) -> Trust:
        return rows.read(self.table, CLUSTER).trust

    def install_trust(self, instance: str) -> bool:
        node = self.nodes[instance]
        if node.deaf:
            return False
        published = certificates_of(self.published())
        if any(self.now >= one.not_valid_after_utc.timestamp() for one in published):
            return True  # the files are there, and the engine reads no bundle that holds one that has ended
        node.trusts = published
        return True

    def published(self) -> str:
        """The bundle that nodes take up."""
        return self.parameters.values[f"/vagus/{CLUSTER}/node/trust"]

    def renew_certificate(self, instance: str) -> bool:
        if not self.install_trust(instance):
            return False
        signer = self.trust.signer
        assert signer is not None
        if signer.over(self.now):
            return False  # the issuing function answers nobody
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        self.nodes[instance].leaf = signed_leaf(
            self.keys, CLUSTER, signer, "node", f"node-{instance}", public, ("10.0.0.1",), now=self.now,
            days=self.spec.certificates.days,
        )  # fmt: skip
        return True

    def boot(self, instance: str) -> None:
        """As boot.sh: the published bundle, and a certificate unless the one that is there fits it."""
        node = self.nodes[instance]
        node.up = True
        self.install_trust(instance)
        if node.leaf is None or node.leaf.issuer not in [one.subject for one in node.trusts]:
            self.renew_certificate(instance)

    def replaced(self) -> None:
        """What groups have launched meanwhile boots."""
        for instance in set(self.groups.existing()) - set(self.nodes):
            self.nodes[instance] = PlayedNode()
            self.services.launch(instance)
            self.boot(instance)

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """As `ports.Handshakes`."""
        del closely
        trusted = [one.subject for one in certificates_of(bundle)]
        existing = self.groups.existing()
        return tuple(
            self._shown(instance, node, port, trusted)
            for instance, node in sorted(self.nodes.items())
            for port in (9200, 9300)
            if instance in existing
        )

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """As `ports.Handshakes`: what lies in ACM under that name, or what is shown instead (`behind`)."""
        seen = Handshake(instance=name, address=name, port=port)
        for one in self.spec.certificates.gateways:
            if one.endpoint == f"{name}:{port}":
                leaf = self.behind.get(one.arn, self.imported.certificates[one.arn])
                trusted = [each.subject for each in certificates_of(bundle)]
                return msgspec.structs.replace(
                    seen,
                    answered=True,
                    failure=self._distrusted(leaf, trusted),
                    serial=profile.serial(leaf),
                    begins=leaf.not_valid_before_utc.timestamp(),
                    ends=leaf.not_valid_after_utc.timestamp(),
                )
        return msgspec.structs.replace(seen, failure="no such host")

    def _shown(self, instance: str, node: PlayedNode, port: int, trusted: list[x509.Name]) -> Handshake:
        seen = Handshake(instance=instance, address="10.0.0.1", port=port)
        if not node.up or node.leaf is None:
            return msgspec.structs.replace(seen, failure="no TLS handshake")
        return msgspec.structs.replace(
            seen,
            answered=True,
            failure=self._distrusted(node.leaf, trusted),
            issuer=profile.name_digest(node.leaf.issuer),
            serial=profile.serial(node.leaf),
            begins=node.leaf.not_valid_before_utc.timestamp(),
            ends=node.leaf.not_valid_after_utc.timestamp(),
            trusts=tuple(sorted(profile.name_digest(one.subject) for one in node.trusts)),
        )

    def _distrusted(self, leaf: x509.Certificate, trusted: list[x509.Name]) -> str:
        if leaf.issuer not in trusted:
            return "unable to get local issuer certificate"
        return "certificate has expired" if self.now >= leaf.not_valid_after_utc.timestamp() else ""

    # -- what must never fail ----------------------------------------------------------------------------------------

    def check(self) -> None:
        """Everybody who calls trusts whom they call, and the other way round where a certificate is shown; of those
        whose certificates have not ended."""
        up = {name: node for name, node in self.nodes.items() if node.up and self._holds(node.leaf)}
        callers = [(name, node.leaf, node.trusts) for name, node in up.items()]
        for role in ("read", "write"):
            if (CLUSTER, role) in self.secrets.values:
                held = msgspec.json.decode(self.secrets.values[CLUSTER, role], type=dict[str, str])
                callers.append((role, certificates_of(held["certificate"])[0], certificates_of(held["ca"])))
        if self.client[0] is not None:
            callers.append(("client", *self.client))
        for who, leaf, trusts in callers:
            if not self._holds(leaf):
                continue
            for name, node in up.items():
                assert node.leaf is not None
                assert leaf is not None
                assert _takes(trusts, node.leaf), f"{who} does not trust {name}"
                assert _takes(node.trusts, leaf), f"{name} does not trust {who}"

    def _holds(self, leaf: x509.Certificate | None) -> bool:
        return leaf is not None and self.now < leaf.not_valid_after_utc.timestamp()

    # -- runs --------------------------------------------------------------------------------------------------------

    def sweep(self) -> bool:
        """Start a run if something is due; whether one runs."""
        seen = rows.read(self.table, CLUSTER)
        head = seen.head("certificates")
        self.meter.next_process()
        if head.state != "running":
            plan = loop.plan_for(CERTIFICATES, self._reads("sweep"), self.spec, seen, None, self.now)
            if type(plan).__name__ in ("Done",):
                return False
        heads.ensure_running(self.table, self.machines, CLUSTER, "certificates", self.now, records.iso(self.now))
        return True

    def run(self, until: Callable[[], bool] = lambda: False, looks: int = LOOKS) -> "World":
        """Sweep and run until nothing is due. A function that dies is an error that the state machine counts; the next
        look finds out. `looks`: how many an execution may take."""
        for _ in range(6):
            if not self.sweep():
                return self
            if self._execution(until, looks):
                return self
        raise AssertionError(f"it goes on for ever: {self.steps[-10:]}")

    def _execution(self, until: Callable[[], bool], looks: int) -> bool:
        head = rows.read(self.table, CLUSTER).head("certificates")
        call = Call(cluster=CLUSTER, capability="certificates", generation=head.generation)
        for _ in range(looks):
            if until():
                return True
            answer = self._decide(call)
            self._page(answer)
            if answer.next == "Wait":
                call, self.now = answer.call, self.now + answer.seconds
                continue
            outcome = self._apply(answer)
            call = outcome.call if outcome else replace_failures(answer.call, self.failed)
            self.check()
            if answer.next == "EndRun" and outcome and outcome.result == "done":
                self.machines.end(head.execution, "SUCCEEDED")
                return False
        raise AssertionError(f"no end after {looks} looks: {self.steps[-10:]}")

    def _page(self, answer: Answer) -> None:
        if answer.page:
            self.pages.append(answer.plan.reason)
            self.told.append((self.now, answer.text))
        if isinstance(answer.plan, Ask) and self.approves is not None:
            steps = (*answer.plan.steps, *answer.plan.foreseen)
            given = people.approved("certificates", steps, person="anna", now=self.now, seconds=self.approves)
            people.approve(self.table, CLUSTER, given)

    def _decide(self, call: Call) -> Answer:
        while True:
            self.meter.next_process()
            try:
                seen = consent.rows_for(CERTIFICATES, self.spec, wired(self.table, "decide.table", self.meter))
                return loop.look(CERTIFICATES, self._reads("decide"), self.spec, seen, call, self.now)
            except Crash:
                self.now += 1

    def _apply(self, answer: Answer) -> Outcome | None:
        assert answer.step is not None
        self.steps.append(answer.next)
        self.meter.next_process()
        book = Book(
            table=wired(self.records, "apply.records", self.meter),
            clock=lambda: self.now,
            new_id=lambda: f"{next(self.ids):06d}",
        )
        try:
            return loop.act(CERTIFICATES, self._writes(), self.machines, book, answer.call, answer.step)
        except (Crash, VagusError) as error:
            self.now += 1
            self.failed = type(error).__name__ if isinstance(error, VagusError) else "Lambda.Unknown"
            return None

    def _writes(self) -> Writes:
        return Writes(
            spec=self.spec,
            groups=self.groups,
            search=FakeEngine(lambda: self.now),
            parameters=wired(self.parameters, "apply.parameters", self.meter),
            commands=wired(self.commands, "apply.commands", self.meter),
            handshakes=self,
            authority_keys=wired(self.keys, "apply.keys", self.meter),
            secrets=wired(self.secrets, "apply.secrets", self.meter),
            imported=wired(self.imported, "apply.imported", self.meter),
            table=wired(self.table, "apply.table", self.meter),
            now=self.now,
            iso=records.iso(self.now),
        )

    def _reads(self, actor: str) -> Reads:
        return Reads(
            groups=self.groups,
            search=lambda _: FakeEngine(lambda: self.now),
            commands=lambda _: wired(self.commands, f"{actor}.commands", self.meter),
            handshakes=lambda _: self,
        )

    # -- people and clients ------------------------------------------------------------------------------------------

    def known(self) -> "World":
        """The first authority made, and every node booted: nothing is due."""
        self.run()
        for instance in self.nodes:
            self.boot(instance)
        return self.run()

    def declare(self, *gateways: Gateway) -> None:
        """As a deploy of another fleet file."""
        policy = msgspec.structs.replace(self.spec.certificates, gateways=gateways)
        self.spec = msgspec.structs.replace(self.spec, certificates=policy)

    def rotate(self) -> "World":
        wishes.rotate_authority(self.table, CLUSTER)
        return self

    def take_bundle(self) -> None:
        """The client's owner hands it the bundle; and, once it signs, a certificate of the newest authority."""
        signer = self.trust.signer
        assert signer is not None
        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        leaf = signed_leaf(self.keys, CLUSTER, signer, "client", "app", public, now=self.now, days=90)
        self.client = (leaf, certificates_of(self.trust.bundle))

    def healthy(self) -> bool:
        """Each node trusts the authorities that there are, and shows a certificate of the signer that holds now."""
        signer = self.trust.signer
        assert signer is not None
        self.check()
        return all(
            node.leaf is not None
            and node.leaf.issuer == certificates_of(signer.certificate)[0].subject
            and node.leaf.not_valid_after_utc.timestamp() > self.now
            and {profile.name_digest(one.subject) for one in node.trusts} == self.trust.names
            for node in self.nodes.values()
        )

    def summary(self) -> dict[str, object]:
        """Where it ended: alike, however often it was interrupted."""
        trust = self.trust
        return {
            "generations": trust.generations,
            "signs": trust.signs,
            "published": trust.published,
            "gateways": {arn: (one.signed_by, self._lies_in_acm(arn)) for arn, one in trust.gateways.items()},
            "clients": {role: (one.signed_by, one.bundle) for role, one in trust.clients.items()},
            "nodes": {name: self._authorities_of(node) for name, node in self.nodes.items()},
            "head": rows.read(self.table, CLUSTER).head("certificates").state,
            "lease": rows.read(self.table, CLUSTER).lease("trust").holder,
        }

    def _lies_in_acm(self, arn: str) -> bool:
        """Whether what the row says of it is what lies there."""
        return profile.serial(self.imported.certificates[arn]) == self.trust.gateways[arn].serial

    def _authorities_of(self, node: PlayedNode) -> tuple[list[str], list[str]]:
        by_name = {one.name: one.generation for one in self.trust.authorities}
        shown = [profile.name_digest(node.leaf.issuer)] if node.leaf else []
        held = [profile.name_digest(one.subject) for one in node.trusts]
        return [str(by_name.get(one, "old")) for one in shown], sorted(str(by_name.get(one, "old")) for one in held)

    def due(self) -> float:
        """When the first node's certificate is due."""
        leaves = [node.leaf for node in self.nodes.values() if node.leaf is not None]
        return min(
            renewal_at(profile.serial(one), one.not_valid_before_utc.timestamp(), one.not_valid_after_utc.timestamp())
            for one in leaves
        )


def first_certificate(
    names: tuple[str, ...],
    now: float,
    curve: ec.EllipticCurve | None = None,
    uses: Sequence[x509.ObjectIdentifier] = (profile.SERVER,),
) -> tuple[str, str]:
    """As docs/certificates.md has people make and import it: self-signed, for a month, with its key."""
    key, at = ec.generate_private_key(curve or ec.SECP256R1()), datetime.fromtimestamp(int(now), UTC)
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    )
    if uses:
        made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    signed = made.sign(key, hashes.SHA256())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return profile.pem(signed), key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def replace_failures(call: Call, name: str = "Lambda.Unknown") -> Call:
    """As the state machine counts a step that failed."""
    error = {"Error": name, "Cause": "the process ended"}
    return msgspec.structs.replace(call, failures=call.failures + 1, error=error)


def certificates_of(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


def _takes(trusted: list[x509.Certificate], leaf: x509.Certificate) -> bool:
    """The chain holds: the name of an authority that is trusted, and its signature."""
    return any(one.subject == leaf.issuer and _signed(one, leaf) for one in trusted)


@cache
def _signed(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    """Raises for a signature that isn't the authority's. Once for each pair: worlds ask it all the time."""
    leaf.verify_directly_issued_by(authority)
    return True
