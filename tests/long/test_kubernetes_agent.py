"""The agent and the pods' sidecars against a real API server, with the manifests of agent/kubernetes as they are.

Real: etcd, kube-apiserver, RBAC, admission, tokens bound to pods. Played: kubelet (who tells a pod's address), the
bucket, and Vagus. The API server is built once per machine, which takes some 7 minutes of CPU (`make kube`).
"""

import itertools
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.agent import manifests
from tests.unit.agent.kube_contract import KubeContract, request
from tests.unit.agent.manifests import AGENT, CLUSTER, NAMESPACE, NODES
from tests.unit.agent.played_s3 import BUCKET, played_s3
from tests.unit.agent.world import SITE, PlayedVagus

from vagus import site as paths
from vagus.errors import Denied, VagusError
from vagus.handshake import Handshake
from vagus.site import Report
from vagus_agent.agent import LABEL, Agent
from vagus_agent.fake_bucket import FakeBucket
from vagus_agent.fitting import Me, misfit
from vagus_agent.kube import REQUESTS, Https, Kube
from vagus_agent.node import Node
from vagus_agent.shelf import Held, Shelf
from vagus_local.kubernetes.control_plane import ControlPlane
from vagus_local.kubernetes.programs import bring
from vagus_local.waiting import until

ROOT = Path(__file__).parents[2]
POD_TEMPLATE: Mapping[str, Any] = next(
    one for one in manifests.objects("search/data-a.yaml") if one["kind"] == "StatefulSet"
)["spec"]["template"]


class RealSite:
    """A control plane with the manifests applied, and all that a site has."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self.folder = plane, folder
        self.bucket, self.log = FakeBucket(), list[str]()
        self.vagus = PlayedVagus(self.bucket, 100)
        self.vagus.publish()
        self.now = 1_772_452_800.0
        self.agent = self.new_agent()
        self.nodes: dict[str, Node] = {}

    def say(self, what: str, **fields: object) -> None:
        self.log.append(f"{what} {fields}")

    def new_agent(self) -> Agent:
        return Agent(self.kube(AGENT), self.bucket, SITE, shaken, self.say)

    # -- tests.unit.agent.kube_contract.Api --------------------------------------------------------------------------

    def kube(self, account: str, pod: str = "") -> Kube:
        return Kube(Https(self.plane.server, self.plane.mounted(NAMESPACE, account, pod)), NAMESPACE, CLUSTER)

    def start_pod(self, name: str, account: str, address: str, cluster: str = CLUSTER) -> str:
        template = {
            "metadata": {"labels": {**POD_TEMPLATE["metadata"]["labels"], LABEL: cluster}},
            "spec": {**POD_TEMPLATE["spec"], "serviceAccountName": account, "volumes": _volumes()},
        }
        return self.plane.run_pod(NAMESPACE, name, template, address)

    def end_pod(self, name: str) -> None:
        self.plane.end_pod(NAMESPACE, name)

    def chain(self) -> str:
        return self.vagus.trust.bundle

    # -- pods with a sidecar -----------------------------------------------------------------------------------------

    def start_node(self, name: str, address: str) -> Me:
        self.start_pod(name, NODES, address)
        me = Me(pod=name, address=address, cluster=CLUSTER)
        (self.folder / name).mkdir()
        self.nodes[name] = Node(self.kube(NODES, name), self.folder / name, me, self.say)
        return me

    def settle(self, rounds: int = 8) -> None:
        for _ in range(rounds):
            self.agent.once(self.now)
            self.vagus.answer(self.now)
            for node in self.nodes.values():
                node.once(self.now)
            self.now += 15

    def held(self, me: Me) -> Held:
        held = Shelf(self.folder / me.pod).held()
        assert held is not None, self.log
        assert misfit(held, me, self.now) == "", self.log
        return held

    def said(self, name: str) -> str:
        found = self.kube(AGENT).requests()
        return next(one.said for one in found if one.name == name)


def shaken(addresses: Mapping[str, str], bundle: str) -> tuple[Handshake, ...]:
    """No engine runs here."""
    del bundle
    return tuple(Handshake(instance=name, address=address, port=9200) for name, address in addresses.items())


def _volumes() -> list[dict[str, Any]]:
    """The template's, and the claim that a StatefulSet would add."""
    return [*POD_TEMPLATE["spec"]["volumes"], {"name": "data", "emptyDir": {}}]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(bring(), tmp_path_factory.mktemp("kubernetes")) as made:
        made.apply(manifests.objects(*manifests.FILES, *manifests.SEARCH))
        app = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": NAMESPACE}}
        made.apply([app])
        yield made


@pytest.fixture
def api(plane: ControlPlane, tmp_path: Path) -> RealSite:
    return RealSite(plane, tmp_path)


class TestReal(KubeContract):
    """What the fake is held to."""


NUMBERS = itertools.count()


def pod_name() -> str:
    """One that no test had before: all are declared."""
    return f"claims-data-a-{next(NUMBERS)}"


def test_a_pod_is_born_renews_and_follows_a_rotation(api: RealSite) -> None:
    me = api.start_node(pod_name(), "10.42.0.7")
    api.settle()
    born = api.held(me)
    api.vagus.add_authority()
    api.vagus.publish()
    for document, step in (("install-trust", "one.trust"), ("renew-certificate", "two.renew")):
        api.vagus.tell(document, step, me.pod)
        api.settle()
    api.vagus.drop_oldest()
    api.vagus.publish()
    api.vagus.tell("install-trust", "three.trust", me.pod)
    api.settle()
    held = api.held(me)
    assert held.steps == ("one.trust", "two.renew", "three.trust")
    assert held.key != born.key
    assert held.bundle == api.vagus.trust.bundle
    report = paths.read(api.bucket.objects[paths.REPORT], Report, paths.REPORT)
    assert me.pod in {one.instance for one in report.handshakes}
    assert report.bundle == paths.digest(held.bundle)


def test_another_service_account_is_refused_whatever_it_writes(api: RealSite) -> None:
    """It has the right to ask, by another role; it writes the search pods' account and pod into its request."""
    name, victim = f"app-{uuid.uuid4().hex[:8]}", pod_name()
    api.start_pod(victim, NODES, "10.42.0.7")
    api.start_pod(name, "app", "10.42.0.9")
    api.plane.apply([_asker("app")])
    https = Https(api.plane.server, api.plane.mounted(NAMESPACE, "app", name))
    kube = Kube(_Forging(https, victim), NAMESPACE, CLUSTER)
    asked = kube.ask(name, request(victim))
    assert (asked.by, asked.pod) == (manifests.user("app"), name), "the API server writes down who asked"
    api.settle(2)
    assert api.said(name).startswith(f"{manifests.user('app')} asked: certificates of claims are for")


def test_a_token_without_a_pod_is_refused(api: RealSite) -> None:
    name = f"unbound-{uuid.uuid4().hex[:8]}"
    api.kube(NODES).ask(name, request("some-pod"))
    api.settle(2)
    assert "with a token that is bound to no pod" in api.said(name)


def test_another_pods_names_are_refused(api: RealSite) -> None:
    thief, victim = pod_name(), pod_name()
    for pod in (thief, victim):
        api.start_pod(pod, NODES, "10.42.0.7")
    name = f"thief-{uuid.uuid4().hex[:8]}"
    api.kube(NODES, thief).ask(name, request(victim))
    api.settle(2)
    assert api.said(name) == (
        f"the request is for CN=node-{victim},O=vagus; {thief} may have CN=node-{thief},O=vagus alone"
    )


def test_a_pod_that_was_made_anew_is_another_one(api: RealSite) -> None:
    pod, name = pod_name(), f"old-{uuid.uuid4().hex[:8]}"
    api.start_pod(pod, NODES, "10.42.0.7")
    api.kube(NODES, pod).ask(name, request(pod))
    api.end_pod(pod)
    api.start_pod(pod, NODES, "10.42.0.7")
    api.settle(1)
    assert f"pod {pod} is another one now" in api.said(name)


def test_another_signers_requests_are_left_alone(api: RealSite) -> None:
    pod, name = pod_name(), f"other-{uuid.uuid4().hex[:8]}"
    api.start_pod(pod, NODES, "10.42.0.7")
    other = Kube(Https(api.plane.server, api.plane.mounted(NAMESPACE, NODES, pod)), NAMESPACE, "claims-2")
    asked = other.ask(name, request(pod))
    api.settle(2)
    assert api.plane.admin.call("GET", f"{REQUESTS}/{name}")["status"] == {}
    with pytest.raises(Denied, match=r"vagus\.internal/claims-2"):
        api.kube(AGENT).certify(asked, api.chain())
    with pytest.raises(Denied, match=r"vagus\.internal/claims-2"):
        api.kube(AGENT).refuse(asked, "no")


@pytest.mark.parametrize("account", [AGENT, NODES])
def test_no_account_reads_a_secret_or_makes_a_thing(api: RealSite, account: str) -> None:
    https = Https(api.plane.server, api.plane.mounted(NAMESPACE, account))
    for method, path in (
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/claims-search"),
        ("GET", "/api/v1/namespaces/default/pods"),
        ("GET", "/api/v1/nodes"),
        ("DELETE", f"{REQUESTS}/any"),
    ):
        with pytest.raises(Denied):
            https.call(method, path)
    for kind in ("configmaps", "secrets", "pods"):
        with pytest.raises(Denied):
            https.call("POST", f"/api/v1/namespaces/{NAMESPACE}/{kind}", body={"metadata": {"name": "mine"}})


def test_a_pod_that_needs_more_than_the_restricted_standard_is_not_admitted(api: RealSite) -> None:
    """So that the example, and the agent, are known to need no more."""
    spec = {**POD_TEMPLATE["spec"], "serviceAccountName": NODES, "volumes": _volumes(), "hostNetwork": True}
    with pytest.raises(VagusError, match="violates PodSecurity"):
        api.plane.run_pod(NAMESPACE, pod_name(), {**POD_TEMPLATE, "spec": spec}, "10.42.0.7")
    agent = next(one for one in manifests.objects("agent.yaml") if one["kind"] == "Deployment")["spec"]["template"]
    api.plane.run_pod(NAMESPACE, f"agent-{uuid.uuid4().hex[:8]}", agent, "10.42.0.8")


def test_manifests_applied_again_leave_what_is_published(api: RealSite) -> None:
    api.settle(1)
    before = api.kube(AGENT).published()
    assert before is not None
    assert before.bundle
    api.plane.apply(manifests.objects("agent.yaml"))
    after = api.kube(AGENT).published()
    assert after is not None
    assert after.data == before.data


def test_both_programs_run_and_are_small(api: RealSite, tmp_path: Path) -> None:
    """As their image starts them: a certificate comes, by S3's own protocol; then at rest in less than 64 MB each."""
    pod, address = pod_name(), "127.77.0.7"  # where nobody listens
    api.vagus = PlayedVagus(api.bucket, 100, "127.0.0.0/8")
    api.vagus.publish()
    api.start_pod(pod, NODES, address)
    with played_s3(api.bucket) as endpoint:
        site = _program(api, "site", AGENT, "", tmp_path, AWS_ENDPOINT_URL_S3=endpoint)
        node = _program(api, "node", NODES, pod, tmp_path, POD_NAME=pod, POD_IP=address)
        try:
            until(lambda: _answered(api, tmp_path), 240, lambda: f"a certificate: {_logs(tmp_path)}")
            until(lambda: paths.REPORT in api.bucket.objects, 120, lambda: f"a report: {_logs(tmp_path)}")
            rss = {"site": _rss(site), "node": _rss(node)}
        finally:
            for process in (site, node):
                process.terminate()
                process.wait(60)
    print(f"resident: {rss}")
    assert rss["site"] < 61  # 64 MB
    assert rss["node"] < 48
    assert (site.returncode, node.returncode) == (0, 0)


def _answered(api: RealSite, folder: Path) -> bool:
    import time

    api.vagus.answer(time.time())
    return (folder / "current/node.pem").exists()


def _program(api: RealSite, part: str, account: str, pod: str, folder: Path, **more: str) -> "subprocess.Popen[bytes]":
    host, _, port = api.plane.server.removeprefix("https://").partition(":")
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in ("agent", "layers/core/python")),
        "MALLOC_ARENA_MAX": "2",
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "VAGUS_MOUNTED": str(api.plane.mounted(NAMESPACE, account, pod)),
        "VAGUS_CLUSTER": CLUSTER,
        "POD_NAMESPACE": NAMESPACE,
        "VAGUS_BUCKET": BUCKET,
        "VAGUS_SERVICE_ACCOUNT": NODES,
        "VAGUS_ALIVE": str(folder / "alive"),
        "VAGUS_CERTIFICATES": str(folder),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    with (folder / f"{part}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "vagus_agent", part], env={**given, **more}, stdout=log, stderr=subprocess.STDOUT
        )


def _logs(folder: Path) -> str:
    return "\n".join((folder / f"{part}.log").read_text() for part in ("site", "node"))


def _rss(process: "subprocess.Popen[bytes]") -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def _asker(account: str) -> dict[str, Any]:
    """An application's account may ask too, as some have."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"asks-{account}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "vagus-claims-nodes"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    }


class _Forging:
    """Writes another account and pod into what it asks."""

    def __init__(self, https: Https, victim: str) -> None:
        self._https, self._victim = https, victim
        self.changes = https.changes

    def call(self, method: str, path: str, query: Any = None, body: Any = None, kind: str = "application/json") -> Any:
        if method == "POST":
            body["spec"]["username"] = manifests.user(NODES)
            body["spec"]["extra"] = {"authentication.kubernetes.io/pod-name": [self._victim]}
        return self._https.call(method, path, query, body, kind)
