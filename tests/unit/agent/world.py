"""A site: an API server, a bucket, the agent, the pods' sidecars, and Vagus, which is played by its own functions."""

import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from tests.unit.agent import manifests
from tests.unit.agent.manifests import AGENT, CLUSTER, NAMESPACE, NODES
from tests.unit.certificates.parts import KUBERNETES, of_pods

from vagus import site as paths
from vagus.aws.fake import FakeTable
from vagus.aws.fake_certificates import FakeAskers, FakeAuthorityKeys
from vagus.certificates import issuing
from vagus.handshake import Handshake
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.records import Book
from vagus.site import Commands, Report, Told
from vagus.trust import Trust, issued_partition
from vagus_agent.agent import LABEL, Agent
from vagus_agent.bucket import Bucket
from vagus_agent.checks import Site
from vagus_agent.fake_bucket import FakeBucket
from vagus_agent.fake_kube import Caller, FakeApiServer
from vagus_agent.fitting import Me, early, misfit, new
from vagus_agent.kube import Kube, Transport
from vagus_agent.model import published_in
from vagus_agent.node import Node
from vagus_agent.shelf import Held, Shelf

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
SITE = Site(cluster=CLUSTER, namespace=NAMESPACE, account=NODES)
POD, ADDRESS = "claims-data-a-0", "10.42.0.7"


class PlayedVagus:
    """What Vagus does with a site's bucket: the issuing function's own code, and a row of trust that a test changes."""

    def __init__(self, bucket: FakeBucket, pods: int = 2, network: str = "10.42.0.0/16") -> None:
        self.bucket, self.keys, self.table = bucket, FakeAuthorityKeys(CLUSTER), FakeTable()
        self.trust, self.refused = Trust(), list[str]()
        declared = msgspec.structs.replace(KUBERNETES, stateful_sets={"claims-data-a": pods}, pods=(network,))
        self._spec, self.now = msgspec.structs.replace(of_pods(days=30), kubernetes=declared), NOW
        ids = map(str, itertools.count())
        self._issuer = issuing.Issuer(
            keys=self.keys,
            requests=_Requests(bucket),
            askers=FakeAskers(),
            table=self.table,
            book=Book(table=FakeTable(), clock=lambda: self.now, new_id=ids.__next__),
            clock=lambda: self.now,
        )
        self.add_authority()

    @property
    def issued(self) -> int:
        """How many certificates there are."""
        return len(self.table.read(issued_partition(CLUSTER)))

    def add_authority(self) -> None:
        """One more, which signs from now on."""
        made = issuing.new_authority(self.keys, CLUSTER, self.trust, "0123456789abcdef", NOW)
        self._keep(Trust(authorities=(*self.trust.authorities, made), signs=made.generation))

    def drop_oldest(self) -> None:
        """Of two authorities, the old one goes."""
        self._keep(msgspec.structs.replace(self.trust, authorities=self.trust.authorities[1:]))

    def _keep(self, trust: Trust) -> None:
        row = self.table.read(rows.partition(CLUSTER), "trust").get("trust")
        put = Put(key="trust", data=msgspec.to_builtins(trust), expected=row.version if row else 0)
        self.table.write(rows.partition(CLUSTER), put)
        self.trust = trust

    def publish(self) -> None:
        """PublishTrust."""
        self.bucket.objects[paths.BUNDLE] = self.trust.bundle.encode()

    def tell(self, document: str, step: str, pod: str = POD) -> None:
        """A step that tells a pod."""
        text = self.bucket.objects.get(paths.COMMANDS, b"{}")
        told = Told(pod=pod, document=document, step=step, sent=NOW)
        self.bucket.objects[paths.COMMANDS] = paths.written(paths.read(text, Commands, "commands").having(told))

    def answer(self, now: float = NOW) -> None:
        """The issuing function, on every request that was put since."""
        self.now = now
        for key in [one for one in self.bucket.objects if one.startswith(paths.REQUESTS)]:
            said = self._issuer.take(issuing.Order(cluster=CLUSTER, bucket="", key=key), self._spec)
            if said.startswith("refused"):
                self.refused.append(said)
            del self.bucket.objects[key]


class _Requests:
    """`ports.Requests` of a site's bucket."""

    def __init__(self, bucket: FakeBucket) -> None:
        self._bucket = bucket

    def read(self, bucket: str, key: str) -> bytes | None:
        del bucket
        return self._bucket.objects.get(key)

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        del bucket
        self._bucket.objects[key] = answer


def transported(transport: Transport) -> Transport:
    """As it is."""
    return transport


def bucketed(bucket: Bucket) -> Bucket:
    """As it is."""
    return bucket


class World:
    """All of it, at `now`. `wrap` and `wrap_bucket` come between a loop and what it calls. `slow`: by how many seconds
    the pods' clock is."""

    def __init__(
        self,
        folder: Path,
        wrap: Callable[[Transport], Transport] = transported,
        wrap_bucket: Callable[[Bucket], Bucket] = bucketed,
    ) -> None:
        self.now, self.slow, self.folder = NOW, 0.0, folder
        self.api, self.bucket, self.log = FakeApiServer(), FakeBucket(), list[dict[str, object]]()
        self.vagus = PlayedVagus(self.bucket)
        self.api.make_map(NAMESPACE, published_in(CLUSTER))
        self._wrap, self._wrap_bucket = wrap, wrap_bucket
        self.seen: Mapping[str, str] = {}
        self.held_against, self.alive = "", 0
        self.start_agent()
        self.nodes: dict[str, Node] = {}

    def say(self, what: str, **fields: object) -> None:
        """A log line; it must be one in JSON."""
        self.log.append(json.loads(json.dumps({"what": what, **fields})))

    def start_agent(self) -> None:
        """The agent begins anew, with nothing in its memory."""
        caller = Caller(user=manifests.user(AGENT), rights=manifests.rights(AGENT))
        self.agent = Agent(self.kube(caller), self._wrap_bucket(self.bucket), SITE, self._shake, self.say, self._live)

    def _live(self) -> None:
        self.alive += 1

    def start_pod(self, name: str = POD, *addresses: str, account: str = NODES) -> str:
        """A pod comes up, with an empty volume."""
        given = addresses or (ADDRESS,)
        uid = self.api.start_pod(NAMESPACE, name, account, *given, labels={LABEL: CLUSTER})
        (self.folder / name).mkdir(exist_ok=True)
        self.start_node(name, uid, given[0])
        return uid

    def start_node(self, name: str, uid: str, address: str) -> None:
        """Its sidecar begins anew, with nothing in its memory."""
        caller = Caller(user=manifests.user(NODES), rights=manifests.rights(NODES), pod=name, uid=uid)
        me = Me(pod=name, address=address, cluster=CLUSTER)
        self.nodes[name] = Node(self.kube(caller), self.folder / name, me, self.say)

    def kube(self, caller: Caller) -> Kube:
        """The adapter, for one caller."""
        return Kube(self._wrap(self.api.as_caller(caller)), NAMESPACE, CLUSTER)

    def pod_kube(self, pod: str, account: str = NODES) -> Kube:
        """As a process in that pod has it."""
        uid = self.api.objects["pods", NAMESPACE, pod]["metadata"]["uid"]
        return self.kube(Caller(user=manifests.user(account), rights=manifests.rights(NODES), pod=pod, uid=uid))

    def api_request(self, pod: str = POD, *names: str) -> str:
        """A request of a new key, as a pod makes it; or for other names."""
        return new(Me(pod=pod, address=names[0] if names else self.address(pod), cluster=CLUSTER), ()).request

    def _shake(self, addresses: Mapping[str, str], bundle: str) -> tuple[Handshake, ...]:
        self.seen, self.held_against = addresses, bundle
        return tuple(
            Handshake(instance=name, address=address, port=port, answered=True)
            for name, address in sorted(addresses.items())
            for port in (9200, 9300)
        )

    def settle(self, rounds: int = 12, seconds: float = 10.0) -> None:
        """Everybody has a few turns."""
        for _ in range(rounds):
            self.api.now = datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.agent.once(self.now)
            self.vagus.answer(self.now)
            for node in self.nodes.values():
                node.once(self.now - self.slow)
            self.now += seconds

    # -- what there is in the end ------------------------------------------------------------------------------------

    def held(self, pod: str = POD) -> Held:
        """What the engine of a pod reads; it fits, and is the one folder that is left."""
        held = Shelf(self.folder / pod).held()
        assert held is not None, self.log
        assert misfit(held, Me(pod=pod, address=self.address(pod), cluster=CLUSTER), self.now) == ""
        assert early(held.leaf, self.now) == ""
        assert sorted(one.name[:5] for one in (self.folder / pod).iterdir()) == ["curre", "made-"]
        return held

    def address(self, pod: str) -> str:
        """Its first."""
        return str(self.api.objects["pods", NAMESPACE, pod]["status"]["podIPs"][0]["ip"])

    def serial(self, pod: str = POD) -> int:
        """Of the certificate that a pod holds."""
        return x509.load_pem_x509_certificate(self.held(pod).leaf.encode()).serial_number

    def report(self) -> Report:
        """The last one."""
        return paths.read(self.bucket.objects[paths.REPORT], Report, paths.REPORT)

    def said(self, what: str) -> list[dict[str, object]]:
        """Log lines of one kind."""
        return [one for one in self.log if one["what"] == what]
