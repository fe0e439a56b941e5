"""The example of a search cluster, copied as docs/kubernetes.md has it, by the real kubectl: what it builds, and what
Kubernetes makes of it. Real: API server, controllers, scheduler, kubectl. Played: machines and kubelets (kwok).
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.agent import manifests

from vagus_local.kubernetes.control_plane import ControlPlane
from vagus_local.kubernetes.programs import bring
from vagus_local.waiting import until

pytestmark = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
PODS = [f"claims-data-{zone}-{at}" for zone in "abc" for at in range(2)]
ROOM = {"cpu": "32", "memory": "256Gi", "pods": "110"}


class Site:
    """A Kubernetes cluster with a machine in each zone and six volumes, the copy applied."""

    def __init__(self, plane: ControlPlane, folder: Path, copy: Path) -> None:
        self._config, self.copy = folder / "admin.kubeconfig", copy
        for zone in "abc":
            meta = {"name": f"machine-{zone}", "labels": {"topology.kubernetes.io/zone": f"zone-{zone}"}}
            status = {"capacity": ROOM, "allocatable": ROOM}
            plane.admin.call("POST", "/api/v1/nodes", body={"metadata": meta, "status": status})
        for at in range(len(PODS)):
            host = {"path": f"/played/{at}"}
            spec = {"capacity": {"storage": "200Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": host}
            plane.admin.call("POST", "/api/v1/persistentvolumes", body={"metadata": {"name": f"v{at}"}, "spec": spec})
        for part in (".", "search"):
            self.kubectl("apply", "-k", part)

    def kubectl(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        told = ["kubectl", f"--kubeconfig={self._config}", *arguments]
        done = subprocess.run(told, cwd=self.copy, capture_output=True, text=True, check=False)
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pods(self) -> dict[str, dict[str, Any]]:
        """Those of the search cluster by name, of which each container is ready."""
        told = self.kubectl("-n", "search", "get", "pods", "-l", "vagus.internal/cluster=claims", "-o", "json")
        found = {one["metadata"]["name"]: one for one in json.loads(told)["items"]}
        return {
            name: one for name, one in found.items() if _is(one, "Ready") and "deletionTimestamp" not in one["metadata"]
        }


def _is(pod: dict[str, Any], condition: str) -> bool:
    return any((one["type"], one["status"]) == (condition, "True") for one in pod["status"].get("conditions", ()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("example")
    with ControlPlane(bring(), folder / "kubernetes", workloads=True) as plane:
        made = Site(plane, folder / "kubernetes", manifests.copied(folder / "manifests"))
        until(lambda: sorted(made.pods()) == PODS, 120, lambda: f"six pods are ready: {sorted(made.pods())}", 1)
        yield made


def test_kubectl_builds_what_the_tests_read(tmp_path: Path) -> None:
    copy = manifests.copied(tmp_path, "lab", "hospital-north")
    for folder in (copy, copy / "search"):
        said = subprocess.check_output(["kubectl", "kustomize", str(folder)], text=True)
        real = [one for one in yaml.safe_load_all(said) if one]
        assert sorted(real, key=_named) == sorted(manifests.built(folder), key=_named)


def _named(one: dict[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def test_pods_are_in_their_zones_and_services_lead_to_them(site: Site) -> None:
    pods = site.pods()
    assert {name: one["spec"]["nodeName"] for name, one in pods.items()} == {
        name: f"machine-{name.split('-')[2]}" for name in PODS
    }
    told = json.loads(site.kubectl("-n", "search", "get", "endpointslices", "-o", "json"))["items"]
    found = {one["metadata"]["labels"]["kubernetes.io/service-name"]: one["endpoints"] for one in told}
    addresses = {one["status"]["podIP"] for one in pods.values()}
    for service in ("claims-discovery", "claims-nodes"):
        assert {address for one in found[service] for address in one["addresses"]} == addresses
    # by which a pod has a name of its own in DNS
    assert sorted(one["hostname"] for one in found["claims-nodes"]) == PODS


def test_a_changed_template_restarts_nobody_and_a_deleted_pod_has_it(site: Site) -> None:
    before = {name: one["metadata"]["uid"] for name, one in site.pods().items()}
    for file in site.copy.glob("search/data-?.yaml"):
        file.write_text(file.read_text().replace("-Xms4g -Xmx4g", "-Xms5g -Xmx5g"))
    assert "statefulset.apps/claims-data-a configured" in site.kubectl("apply", "-k", "search")
    until(lambda: _seen(site), 60, "the controller has seen the new template", 1)
    assert {name: one["metadata"]["uid"] for name, one in site.pods().items()} == before
    site.kubectl("-n", "search", "delete", "pod", "claims-data-a-1")
    until(lambda: sorted(site.pods()) == PODS, 120, "all are ready again", 1)
    after = site.pods()
    assert [name for name in PODS if after[name]["metadata"]["uid"] != before[name]] == ["claims-data-a-1"]
    (search,) = after["claims-data-a-1"]["spec"]["containers"]
    assert {"name": "OPENSEARCH_JAVA_OPTS", "value": "-Xms5g -Xmx5g"} in search["env"]


def _seen(site: Site) -> bool:
    told = json.loads(site.kubectl("-n", "search", "get", "statefulsets", "-o", "json"))["items"]
    return all(one["status"]["observedGeneration"] == one["metadata"]["generation"] for one in told)


def test_a_machine_that_is_drained_loses_one_node_while_it_has_nowhere_to_go(site: Site) -> None:
    """No other machine is in its zone, so that the first pod does not come back, and the second is not evicted."""
    said = site.kubectl("drain", "machine-b", "--delete-emptydir-data", "--force", "--timeout=20s", codes=(1,))
    assert "Cannot evict pod as it would violate the pod's disruption budget" in said
    assert len(site.pods()) == len(PODS) - 1
