"""The manifests: the rights are those that the code uses, one by one, and nothing else is in there."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.agent import manifests
from tests.unit.agent.manifests import AGENT, CLUSTER, FILES, NAMESPACE, NODES
from tests.unit.agent.world import POD, SITE, World

from vagus_agent.checks import Site
from vagus_agent.fake_kube import Right
from vagus_agent.model import published_in, signer


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Right]]:
    """Every right that a site's life takes: a birth, a renewal, a refusal of either kind, a watch."""
    world = World(tmp_path_factory.mktemp("site"))
    world.vagus.publish()
    world.start_pod()
    world.settle()
    world.vagus.tell("renew-certificate", "intent-1.renew")
    world.pod_kube(POD).await_change("1", 1)
    world.pod_kube(POD).ask("by-hand", world.api_request())
    world.pod_kube(POD).ask("once-more", world.api_request())
    world.api.approve_by_hand("by-hand")
    world.settle()
    return world.api.used


@pytest.mark.parametrize("account", [AGENT, NODES])
def test_every_right_is_used(used: dict[str, set[Right]], account: str) -> None:
    """(That none is missing is seen everywhere else: the fake API server denies what these manifests don't allow.)"""
    taken = used[manifests.user(account)]
    assert [one for one in manifests.rights(account) if not any(one.allows(call) for call in taken)] == []
    assert [call for call in taken if not any(one.allows(call) for one in manifests.rights(account))] == []


def test_the_whole_list_of_rights() -> None:
    """Whoever adds one sees it here, and so does who reviews."""
    csr, named = "certificatesigningrequests", published_in(CLUSTER)
    assert sorted(manifests.rights(AGENT)) == sorted(
        [
            Right("list", csr),
            Right("update", f"{csr}/approval"),
            Right("update", f"{csr}/status"),
            Right("approve", "signers", signer(CLUSTER)),
            Right("sign", "signers", signer(CLUSTER)),
            Right("get", "pods", "", NAMESPACE),
            Right("list", "pods", "", NAMESPACE),
            Right("get", "configmaps", named, NAMESPACE),
            Right("patch", "configmaps", named, NAMESPACE),
        ]
    )
    assert sorted(manifests.rights(NODES)) == sorted(
        [
            Right("create", csr),
            Right("get", csr),
            Right("get", "configmaps", named, NAMESPACE),
            Right("watch", "configmaps", named, NAMESPACE),
        ]
    )


def test_no_manifest_speaks_of_secrets_or_of_everything() -> None:
    """A volume of a Secret, an environment from one, a right on them, a wildcard."""
    for one in manifests.objects(*FILES, *manifests.SEARCH):
        assert one["kind"] != "Secret"
        words = set(_words(one))
        assert not {"*", "secrets", "secret", "secretKeyRef", "secretRef", "hostPath", "cluster-admin"} & words


def _words(told: Any) -> list[str]:
    if isinstance(told, dict):
        return [*told, *(word for one in told.values() for word in _words(one))]
    if isinstance(told, list):
        return [word for one in told for word in _words(one)]
    return [str(told)]


def _pods() -> list[dict[str, Any]]:
    held = manifests.objects("agent.yaml", "search/data-a.yaml")
    return [one["spec"]["template"] for one in held if one["kind"] in ("Deployment", "StatefulSet")]


def test_pods_need_no_more_than_the_restricted_standard() -> None:
    for pod in _pods():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in (*spec.get("initContainers", ()), *spec["containers"]):
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            if one["image"].startswith("vagus-agent"):
                assert one["securityContext"]["readOnlyRootFilesystem"] is True


def test_keys_lie_in_memory_and_the_search_container_can_not_change_them() -> None:
    search = _pods()[1]["spec"]
    volume = next(one for one in search["volumes"] if one["name"] == "certificates")
    assert volume["emptyDir"]["medium"] == "Memory"
    mount = next(one for one in search["containers"][0]["volumeMounts"] if one["name"] == "certificates")
    assert mount["readOnly"] is True


def test_the_search_container_starts_once_a_certificate_lies_there() -> None:
    sidecar = _pods()[1]["spec"]["initContainers"][0]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["exec"]["command"] == ["test", "-s", "/vagus/certificates/current/node.pem"]


def test_the_environment_that_the_program_reads_is_set() -> None:
    agent, search = _pods()
    given = {one["name"]: one.get("value", "") for one in agent["spec"]["containers"][0]["env"]}
    held = Site(
        cluster=given["VAGUS_CLUSTER"],
        namespace=NAMESPACE,
        account=given["VAGUS_SERVICE_ACCOUNT"],
    )
    assert (held.user, held.cluster) == (SITE.user, SITE.cluster)
    sidecar = search["spec"]["initContainers"][0]
    assert {one["name"] for one in sidecar["env"]} == {
        "VAGUS_CLUSTER",
        "VAGUS_CERTIFICATES",
        "POD_NAME",
        "POD_NAMESPACE",
        "POD_IP",
    }


def test_nobody_calls_the_agent() -> None:
    policies = [one for one in manifests.objects("network.yaml") if one["metadata"]["name"] == AGENT]
    assert policies[0]["spec"]["ingress"] == []
    assert "Ingress" in policies[0]["spec"]["policyTypes"]
    assert not [one for one in manifests.objects("agent.yaml") if one["kind"] == "Service"]


def test_every_file_of_the_folder_is_applied() -> None:
    applied = manifests.objects("kustomization.yaml")[0]["resources"]
    others = {one.name for one in Path(manifests.FOLDER).glob("*.yaml")} - {"kustomization.yaml"}
    assert others == set(applied) == set(FILES)


def test_the_image_has_the_versions_and_hashes_of_the_lock() -> None:
    root = manifests.FOLDER.parents[1]
    locked = (root / "requirements.lock").read_text()
    lines = [one for one in (root / "agent/requirements.txt").read_text().splitlines() if not one.startswith("#")]
    assert len(lines) > 50
    assert [one for one in lines if one.strip(" \\") not in locked] == []
