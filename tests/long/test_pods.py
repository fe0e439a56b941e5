"""A cluster on Kubernetes: real search nodes as pods, a real API server, their agent, and Vagus as `cdk deploy` has it.

Real: search processes with settings, security files and readiness probe of the example (`agent/kubernetes/search`, in
the copy that docs/kubernetes.md has a reader make; what one machine forces is `pods.Forced`), kube-apiserver with RBAC
and tokens bound to pods, the agent and the sidecars over HTTPS. Emulated: AWS. Played: kubelet (it starts what a pod
runs, tells its address, asks whether it is ready).
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from tests.long.client import Anew
from tests.long.commanding import vagus
from tests.long.pods import Forced, SearchPod
from tests.unit.agent import manifests
from tests.unit.agent.manifests import AGENT, CLUSTER, NAMESPACE, NODES

from vagus.reasons import Reason
from vagus.search.handshakes import Handshakes
from vagus_agent.agent import Agent
from vagus_agent.bucket import S3Bucket
from vagus_agent.checks import Site
from vagus_agent.fitting import Me
from vagus_agent.kube import Https, Kube
from vagus_local import issued
from vagus_local import stack as stacks
from vagus_local.addresses import claim_network
from vagus_local.emulator_process import REGION
from vagus_local.engines import engine
from vagus_local.kubernetes.control_plane import ControlPlane
from vagus_local.kubernetes.programs import bring
from vagus_local.scene import Scene
from vagus_local.search_client import CallFailed
from vagus_local.stack import Stack
from vagus_local.waiting import until
from vagus_local.workload import Workload, create_indices

FLEET = Path(__file__).parents[1] / "fleets" / "pods"
CLIENT = "client"
VPC = {"id": "vpc-0", "cidr": "10.0.0.0/16", "subnets": {"us-east-1a": "subnet-a"}}
"""A cell without a cluster on EC2 lays out no network: its functions lie in one of yours."""
SETS = {"claims-data-a": 1, "claims-data-b": 1, "claims-data-c": 1}
BILLING = "CN=billing,O=vagus"


class AgentProcess:
    """The agent, round after round; it can die and begin anew."""

    def __init__(self, made: Agent) -> None:
        self._agent, self._halt = made, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._halt.set()
        self._thread.join(120)

    def _run(self) -> None:
        while not self._halt.wait(self._agent.once(time.time())):
            pass


class LocalSite:
    """A Kubernetes cluster with three search pods and their agent, and the stack that it belongs to."""

    def __init__(
        self, stack: Stack, plane: ControlPlane, folder: Path, prefix: str, example: list[dict[str, Any]]
    ) -> None:
        self.stack, self.plane = stack, plane
        self._sets = {one["metadata"]["name"]: one["spec"] for one in example if one["kind"] == "StatefulSet"}
        self._maps = {one["metadata"]["name"]: one["data"] for one in example if one["kind"] == "ConfigMap"}
        name = f"/vagus/{CLUSTER}/node/artifact-bucket"
        self._bucket = stack.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        self.addresses = {f"{one}-0": f"{prefix}.{10 + at}" for at, one in enumerate(sorted(SETS))}
        self.agent = self.new_agent()
        self.pods = [self._pod(folder, name) for name in self.addresses]

    def new_agent(self) -> AgentProcess:
        bucket = S3Bucket(self._bucket, self.stack.session.get_credentials, REGION, self.stack.endpoint)
        site = Site(cluster=CLUSTER, namespace=NAMESPACE, account=NODES)
        return AgentProcess(Agent(self._kube(AGENT), bucket, site))

    def _pod(self, folder: Path, name: str) -> SearchPod:
        address, template = self.addresses[name], self._sets[name.removesuffix("-0")]["template"]
        spec = {**template["spec"], "volumes": [*template["spec"]["volumes"], {"name": "data", "emptyDir": {}}]}
        template = {"metadata": template["metadata"], "spec": spec}
        self.plane.run_pod(NAMESPACE, name, template, address)
        me = Me(pod=name, address=address, cluster=CLUSTER)
        return SearchPod(
            folder, engine("opensearch-3.4.0"), me, self._kube(NODES, name), template=template, maps=self._maps,
            forced=Forced(seeds=tuple(self.addresses.values())),
        )  # fmt: skip

    def _kube(self, account: str, pod: str = "") -> Kube:
        return Kube(Https(self.plane.server, self.plane.mounted(NAMESPACE, account, pod)), NAMESPACE, CLUSTER)

    def stop(self) -> None:
        for pod in self.pods:
            pod.stop()
        self.agent.stop()

    @property
    def logs(self) -> list[str]:
        return [one.log for one in self.pods]

    def client(self, name: str) -> Anew:
        return Anew(self.stack.authority_of(CLUSTER).folder, name, lambda: self.addresses, ca="ca.pem")

    def green(self) -> bool:
        try:
            health = self.client("admin").call("GET", "/_cluster/health")
        except Exception as error:  # noqa: BLE001  (not yet)
            self.last = str(error)
            return False
        return (health["status"], health["number_of_nodes"]) == ("green", len(self.addresses))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pods")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[LocalSite]:
    programs = bring()
    stack = stacks.up(fleet=FLEET, cell="pods", folder=folder, context=[f"vpc={json.dumps(VPC)}"])
    try:
        with claim_network() as network, ControlPlane(programs, folder / "kubernetes") as plane:
            copy = manifests.copied(folder / "manifests")
            example = manifests.built(copy / "search")
            plane.apply([*manifests.built(copy), *example])
            made = LocalSite(stack, plane, folder / "nodes", network.prefix, example)
            try:
                assert [one.ready for one in made.pods] == [False] * 3
                for pod in made.pods:
                    pod.start()
                until(lambda: all(one.ready for one in made.pods), 300, lambda: f"pods are ready: {made.logs}")
                until(made.green, 300, lambda: f"the pods' cluster is green: {made.logs}")
                yield made
            finally:
                made.stop()
    finally:
        stacks.down(folder)


def shown(folder: Path) -> list[dict[str, Any]]:
    """What each pod shows on both ports, by its agent's report."""
    return [one for one in json.loads(vagus(folder, "certificates", CLUSTER, "--json", codes=(0, 1))) if one["node"]]


def settled(scene: Scene) -> bool:
    noted = scene.rows()
    return noted.head("certificates").state == "idle" and noted.plans.get("certificates", {}).get("kind") == "Done"


def told(scene: Scene) -> str:
    return f"certificates are settled (now: {scene.rows().plans.get('certificates', {})})"


def test_users_and_zones_are_those_of_the_example(site: LocalSite) -> None:
    """Nobody has a password, a certificate says who one is, and a role is given later as docs/kubernetes.md says."""
    admin, client = site.client("admin"), site.client(CLIENT)
    found = {
        one["node"]: one["value"] for one in admin.call("GET", "/_cat/nodeattrs?format=json") if one["attr"] == "zone"
    }
    assert found == {f"claims-data-{zone}-0": f"zone-{zone}" for zone in "abc"}
    assert _status(site, "") == _status(site, "admin:admin") == 401
    who = client.call("GET", "/_plugins/_security/authinfo")
    assert (who["user_name"], "application" in who["roles"]) == ("CN=client,O=vagus", True)
    mapping = "/_plugins/_security/api/rolesmapping/application"
    admin.call("PUT", mapping, {"users": ["CN=client,O=vagus", BILLING]})
    assert BILLING in admin.call("GET", mapping)["application"]["users"]
    with pytest.raises(CallFailed, match="403"):
        client.call("PUT", mapping, {"users": ["CN=client,O=vagus"]})


def _status(site: LocalSite, password: str) -> int:
    """What a node answers to who shows no certificate."""
    context = ssl.create_default_context(cafile=str(site.stack.authority_of(CLUSTER).folder / "ca.pem"))
    headers = urllib3.make_headers(basic_auth=password) if password else {}
    address = next(iter(site.addresses.values()))
    with urllib3.PoolManager(ssl_context=context, retries=False) as pool:
        return int(pool.request("GET", f"https://{address}:9200/_cluster/health", headers=headers).status)


def test_pods_have_certificates_that_are_renewed_and_whose_authority_is_replaced_under_load(
    site: LocalSite, folder: Path
) -> None:
    scene = Scene(site.stack, CLUSTER)
    until(lambda: [one["wrong"] for one in shown(folder)] == [""] * 6, 180, lambda: f"all is well: {shown(folder)}", 1)
    before = shown(folder)
    client = site.client(CLIENT)
    create_indices(client, {"claims": (3, 1)}, 100, 200)  # type: ignore[arg-type]  # what it has of AdminClient
    load = Workload(client, ["claims"])  # type: ignore[arg-type]
    load.start()
    began = time.monotonic()
    vagus(folder, "rotate", CLUSTER)
    until(lambda: settled(scene) and serials(before).isdisjoint(serials(shown(folder))), 600, lambda: told(scene), 1)
    print(f"renewed in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    vagus(folder, "rotate", CLUSTER, "--ca")
    site.agent.stop()
    site.agent = site.new_agent()
    answered: set[str] = set()
    until(lambda: replaced(scene, folder, answered), 900, lambda: told(scene), 0.5)
    print(f"replaced in {time.monotonic() - began:.0f} s")
    found = load.stop()
    print(found)
    assert (found.requests_failed, found.writes_lost) == (0, 0), found
    assert found.writes_acknowledged > 0
    trust = scene.rows().trust
    (only,) = trust.authorities
    seen = Handshakes(lambda: site.addresses).all(trust.bundle)
    assert len(seen) == 6
    for one in seen:
        assert (one.failure, one.issuer, one.trusts) == ("", only.name, (only.name,)), one
    assert answered == {Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW}
    assert site.green()
    assert [one.ready for one in site.pods] == [True] * 3


def serials(shown: list[dict[str, Any]]) -> set[str]:
    return {one["ends"] for one in shown}


def replaced(scene: Scene, folder: Path, answered: set[str]) -> bool:
    """Whether the second authority is the only one. The client's owner does as it is asked, once for each question."""
    noted = scene.rows()
    asked = str(noted.plans.get("certificates", {}).get("reason"))
    if asked in (Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW) and asked not in answered:
        answered.add(asked)
        issued.give(scene.stack, CLUSTER)
        vagus(folder, "acknowledge", CLUSTER, CLIENT, *(["--renewed"] if asked == Reason.CLIENTS_TO_RENEW else []))
    return noted.trust.generations == (2,) and settled(scene)
