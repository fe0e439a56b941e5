"""Both sides of a site by their own code: Vagus's certificates capability and issuing function, and the agent and
sidecars with their keys and folders. Played are Kubernetes' API server, the bucket, and the engine, which serves what
lies there.

What each side believes of the other is thereby held: names, digests, the order of things, who waits for whom.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from tests.unit.agent import manifests
from tests.unit.agent.manifests import AGENT, NAMESPACE, NODES
from tests.unit.certificates.parts import CLUSTER, KUBERNETES, POD
from tests.unit.certificates.site_world import SiteWorld
from tests.unit.certificates.test_rotation import plan
from tests.unit.certificates.world import certificates_of

from vagus import site
from vagus.aws.fake_certificates import FakeAskers
from vagus.aws.fake_site import FakeSiteObjects
from vagus.certificates import profile, wishes
from vagus.certificates.at_site import PORTS
from vagus.certificates.issuing import Issuer, Order
from vagus.handshake import Handshake
from vagus.plan import Done
from vagus.procedure.records import Book
from vagus.reasons import Reason
from vagus.trust import issued_partition
from vagus_agent.agent import LABEL, Agent
from vagus_agent.checks import Site
from vagus_agent.fake_kube import Caller, FakeApiServer
from vagus_agent.fitting import Me
from vagus_agent.kube import Kube
from vagus_agent.model import published_in
from vagus_agent.node import Node
from vagus_agent.shelf import Shelf

ADDRESSES = {pod: f"10.42.0.{number}" for number, pod in enumerate(KUBERNETES.names(), 7)}
ROUNDS = 4
"""Turns that everybody has between two looks of Vagus's."""


class AgentsBucket:
    """The same objects as the agent's adapter gives them."""

    def __init__(self, objects: FakeSiteObjects) -> None:
        self._objects = objects

    def get(self, key: str) -> bytes | None:
        found = self._objects.get(key)
        return found.text if found else None

    def put(self, key: str, body: bytes) -> None:
        self._objects.there(key, body)


class IssuersBucket:
    """And as the issuing function's does."""

    def __init__(self, objects: FakeSiteObjects) -> None:
        self._objects = objects

    def read(self, bucket: str, key: str) -> bytes | None:
        del bucket
        found = self._objects.get(key)
        return found.text if found else None

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        del bucket
        self._objects.there(key, answer)


class BothSides(SiteWorld):
    """`folder`: the pods' memory volumes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.api, self.taken = folder, FakeApiServer(), set[str]()
        self.api.make_map(NAMESPACE, published_in(CLUSTER))
        self.issuer = Issuer(
            keys=self.keys,
            requests=IssuersBucket(self.objects),
            askers=FakeAskers(),
            table=self.table,
            book=Book(table=self.records, clock=lambda: self.now, new_id=lambda: f"{next(self.ids):06d}"),
            clock=lambda: self.now,
        )
        declared = Site(cluster=CLUSTER, namespace=NAMESPACE, account=NODES)
        kube = self._kube(Caller(user=manifests.user(AGENT), rights=manifests.rights(AGENT)))
        self.site_agent = Agent(kube, AgentsBucket(self.objects), declared, self._shake, self._say)
        self.sidecars: dict[str, Node] = {}
        for pod in self.spec.pods:
            self.start(pod)

    def start(self, pod: str) -> None:
        """A pod comes up, with an empty volume."""
        uid = self.api.start_pod(NAMESPACE, pod, NODES, ADDRESSES[pod], labels={LABEL: CLUSTER})
        (self.folder / pod).mkdir()
        caller = Caller(user=manifests.user(NODES), rights=manifests.rights(NODES), pod=pod, uid=uid)
        me = Me(pod=pod, address=ADDRESSES[pod], cluster=CLUSTER)
        self.sidecars[pod] = Node(self._kube(caller), self.folder / pod, me, self._say)

    def _kube(self, caller: Caller) -> Kube:
        return Kube(self.api.as_caller(caller), NAMESPACE, CLUSTER)

    def _say(self, what: str, **fields: object) -> None:
        """Nobody reads it."""

    # -- turns -------------------------------------------------------------------------------------------------------

    def agent(self) -> None:
        if not self.up:
            return
        for _ in range(ROUNDS):
            self.site_agent.once(self.now)
            self._issue()
            for pod, sidecar in self.sidecars.items():
                if self.nodes[pod].up and not self.nodes[pod].deaf:
                    sidecar.once(self.now)
                    sidecar.once(self.now)
                self._serve(pod)
            self.now += 1

    def _issue(self) -> None:
        for key in [one for one in self.objects.objects if one.startswith(site.REQUESTS)]:
            version = self.objects.objects[key].version
            if version not in self.taken and self.trust.signer is not None:
                self.taken.add(version)
                self.issuer.take(Order(cluster=CLUSTER, bucket="", key=key), self.spec)

    def _serve(self, pod: str) -> None:
        """The engine reads what the link leads to."""
        held = Shelf(self.folder / pod).held()
        if held is not None:
            self.nodes[pod].leaf = x509.load_pem_x509_certificate(held.leaf.encode())
            self.nodes[pod].trusts = certificates_of(held.bundle)

    def _shake(self, addresses: Mapping[str, str], bundle: str) -> tuple[Handshake, ...]:
        trusted = [one.subject for one in certificates_of(bundle)] if bundle else []
        return tuple(self._shown(pod, self.nodes[pod], port, trusted) for pod in sorted(addresses) for port in PORTS)


@pytest.fixture
def world(tmp_path: Path) -> BothSides:
    return BothSides(tmp_path)


def test_pods_are_certified_by_what_the_agent_passes_on(world: BothSides) -> None:
    world.known()
    assert isinstance(plan(world), Done)
    assert world.healthy()
    for pod, address in ADDRESSES.items():
        names = world.nodes[pod].leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value  # type: ignore[union-attr]
        assert names.get_values_for_type(x509.DNSName) == [f"{pod}.{CLUSTER}.vagus.internal"]
        assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [address]
    issued = world.table.read(issued_partition(CLUSTER)).values()
    assert {str(row.data["instance"]) for row in issued} == set(ADDRESSES)


def test_they_are_renewed_with_new_keys(world: BothSides) -> None:
    world.known()
    before = {pod: Shelf(world.folder / pod).held() for pod in ADDRESSES}
    world.now += 700
    wishes.renew_leaves(world.table, CLUSTER, world.now)
    world.run()
    for pod, old in before.items():
        new = Shelf(world.folder / pod).held()
        assert old is not None
        assert new is not None
        assert new.key != old.key
    assert world.steps.count("RenewLeaves") == 2, "the first alone, then the others"
    assert world.healthy()
    assert world.pages == []


def test_their_authority_is_replaced_in_three_phases(world: BothSides) -> None:
    world.known()
    world.rotate().run()
    assert (world.trust.generations, world.trust.signs) == ((2,), 2)
    assert world.healthy()
    assert world.pages == []
    assert isinstance(plan(world), Done)


def test_a_pod_that_comes_up_anew_in_between_is_certified_and_holds_nobody_up(world: BothSides) -> None:
    world.known()
    world.rotate().run(until=lambda: world.trust.signs == 2)
    for part in (world.folder / POD).iterdir():
        part.rename(world.folder / f"gone-{part.name}")
    (world.folder / POD).rmdir()
    world.nodes[POD].leaf = None
    world.start(POD)
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def test_a_pod_of_no_declared_replica_gets_none_and_the_words_come_to_whoever_looks(world: BothSides) -> None:
    world.known()
    stray, address = "claims-data-b-7", "10.42.0.99"
    uid = world.api.start_pod(NAMESPACE, stray, NODES, address, labels={LABEL: CLUSTER})
    (world.folder / stray).mkdir()
    caller = Caller(user=manifests.user(NODES), rights=manifests.rights(NODES), pod=stray, uid=uid)
    sidecar = Node(world._kube(caller), world.folder / stray, Me(pod=stray, address=address, cluster=CLUSTER))
    world.nodes[stray] = type(world.nodes[POD])()
    world.sidecars[stray] = sidecar
    for _ in range(3):
        world.agent()
    assert Shelf(world.folder / stray).held() is None
    report = world.objects.get(site.REPORT)
    assert report is not None
    assert "no declared StatefulSet has a pod claims-data-b-7" in report.text.decode()


def test_whoever_stops_the_agent_stops_all_and_its_successor_goes_on(world: BothSides) -> None:
    world.known()
    world.up = False
    world.now += 600
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.AGENT_AWAITED]
    world.up = True
    kube = world._kube(Caller(user=manifests.user(AGENT), rights=manifests.rights(AGENT)))
    declared = Site(cluster=CLUSTER, namespace=NAMESPACE, account=NODES)
    world.site_agent = Agent(kube, AgentsBucket(world.objects), declared, world._shake, world._say)
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def test_what_the_agent_calls_a_bundle_is_what_vagus_looks_for(world: BothSides) -> None:
    world.known()
    bundle, report = world.objects.get(site.BUNDLE), world.objects.get(site.REPORT)
    assert bundle is not None
    assert report is not None
    told = site.read(report.text, site.Report, site.REPORT)
    assert told.bundle == site.digest(bundle.text.decode())
    assert told.bundle in site.digests(world.trust.bundle)
    assert {profile.name_digest(one.subject) for one in certificates_of(world.held or bundle.text.decode())} == (
        world.trust.names
    )
