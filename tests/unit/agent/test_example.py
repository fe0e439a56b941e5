"""The example of a search cluster: what a reader has who follows docs/kubernetes.md, held to what nodes on EC2 have."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.agent import manifests

ROOT = manifests.FOLDER.parents[1]
CASES: Mapping[str, tuple[str, str]] = {
    "the page's own": ("claims", "search"),
    "another cluster in another namespace": ("lab", "hospital-north"),
    "a cluster that is called as our namespace": ("search", "prod"),
    "both are called as our namespace": ("search", "search"),
    "words of the manifests": ("data", "node"),
    "the longest name": ("a" * 32, "n" * 63),
}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manifests.copied(tmp_path_factory.mktemp("site"))


def _all(folder: Path) -> list[dict[str, Any]]:
    return [*manifests.built(folder), *manifests.built(folder / "search")]


def _of(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == kind}


def _settings(objects: list[dict[str, Any]], cluster: str) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(_of(objects, "ConfigMap")[f"{cluster}-search"]["data"]["opensearch.yml"])
    return told


def _on_ec2() -> dict[str, Any]:
    """What the boot script writes of security."""
    script = (ROOT / "nodes/boot.sh").read_text()
    parts = [re.search(rf"^{name}\(\) {{.*?^}}$", script, re.DOTALL | re.MULTILINE) for name in FUNCTIONS]
    told = "\n".join(part[0] for part in parts if part)
    said = subprocess.check_output(["bash", "-euc", f"{told}\nSECURED=yes\nsecurity_settings"], text=True)
    found: dict[str, Any] = yaml.safe_load(f"{{{said}}}")
    return found


FUNCTIONS = ("security_settings", "tls_settings")


def test_security_is_set_as_on_ec2(ours: Path) -> None:
    """All that differs is the folder of the certificates, whose link is inside of the volume here."""
    told = {name: value for name, value in _settings(_all(ours), "claims").items() if "security" in name}
    there = _on_ec2()
    assert len(there) > 10
    assert told == {
        name: value.replace("certificates/", "certificates/current/") if name.endswith("_filepath") else value
        for name, value in there.items()
    }


def test_the_security_files_are_those_of_ec2(ours: Path) -> None:
    """Else the plugin's own come up: a user admin, whose password is admin."""
    objects = _all(ours)
    files = {one.name: one.read_text() for one in (ROOT / "nodes/security").iterdir()}
    assert _of(objects, "ConfigMap")["claims-security"]["data"] == files
    for one in _of(objects, "StatefulSet").values():
        spec = one["spec"]["template"]["spec"]
        assert {"name": "security", "configMap": {"name": "claims-security"}} in spec["volumes"]
        (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "security"]
        assert mount["mountPath"] == "/usr/share/opensearch/config/opensearch-security"
        assert {"name": "DISABLE_INSTALL_DEMO_CONFIG", "value": "true"} in spec["containers"][0]["env"]


@pytest.mark.parametrize(("cluster", "namespace"), CASES.values(), ids=CASES)
def test_who_follows_the_page_has_manifests_that_fit_together(cluster: str, namespace: str, tmp_path: Path) -> None:
    folder = manifests.copied(tmp_path, cluster, namespace)
    objects = _all(folder)
    assert {one["metadata"].get("namespace") for one in objects} == {namespace, None}
    assert list(_of(objects, "Namespace")) == [namespace]
    sets, services, maps = (_of(objects, kind) for kind in ("StatefulSet", "Service", "ConfigMap"))
    assert list(sets) == [f"{cluster}-data-{zone}" for zone in "abc"]
    for name, one in sets.items():
        spec = one["spec"]["template"]["spec"]
        assert one["spec"]["selector"]["matchLabels"] == {"vagus.internal/cluster": cluster, "set": name}
        assert one["spec"]["serviceName"] in services
        assert spec["serviceAccountName"] in _of(objects, "ServiceAccount")
        assert {each["configMap"]["name"] for each in spec["volumes"] if "configMap" in each} < set(maps)
        assert spec["containers"][0]["image"] == "opensearchproject/opensearch:3.4.0"
        assert [each["name"] for each in (*spec["initContainers"], *spec["containers"])] == ["certificates", "search"]
    settings = _settings(objects, cluster)
    assert settings["cluster.name"] == cluster
    assert set(settings["discovery.seed_hosts"]) <= set(services)
    assert set(settings["cluster.initial_cluster_manager_nodes"]) == {f"{name}-0" for name in sets}
    subjects = [each for one in objects for each in one.get("subjects", ())]
    assert {each["namespace"] for each in subjects} == {namespace}
    if "claims" not in cluster:
        assert "claims" not in yaml.safe_dump_all(objects)


def test_zones_differ_in_their_letter_alone_and_are_what_the_settings_name(ours: Path) -> None:
    sets = _of(_all(ours), "StatefulSet")
    zones = [_environment(one)["ZONE"] for one in sets.values()]
    assert zones == ["zone-a", "zone-b", "zone-c"]
    assert zones == _settings(_all(ours), "claims")["cluster.routing.allocation.awareness.force.zone.values"]
    for zone, one in zip(zones, sets.values(), strict=True):
        assert one["spec"]["template"]["spec"]["nodeSelector"] == {"topology.kubernetes.io/zone": zone}
    texts = {
        yaml.safe_dump(one).replace(f"data-{zone}", "").replace(f"zone-{zone}", "") for zone, one in _lettered(sets)
    }
    assert len(texts) == 1


def _lettered(sets: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name[-1], one) for name, one in sets.items())


def _environment(one: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in one["spec"]["template"]["spec"]["containers"][0]["env"]}


def test_every_variable_of_the_settings_is_in_the_container(ours: Path) -> None:
    objects = _all(ours)
    named = set(re.findall(r"\$\{(\w+)}", _of(objects, "ConfigMap")["claims-search"]["data"]["opensearch.yml"]))
    assert named == {"POD_NAME", "POD_IP", "ZONE"}
    for one in _of(objects, "StatefulSet").values():
        assert named <= set(_environment(one))


def test_the_agent_has_credentials_of_its_own_certificate_or_none() -> None:
    """botocore asks a program before it asks EC2; but where no program is set, a machine of EC2 gives its own role."""
    (agent,) = _of(manifests.objects("agent.yaml"), "Deployment").values()
    (container,) = agent["spec"]["template"]["spec"]["containers"]
    assert {"name": "AWS_EC2_METADATA_DISABLED", "value": "true"} in container["env"]


def test_no_pod_restarts_another_zones_and_none_waits_for_another(ours: Path) -> None:
    """A template that changed would restart a node in each zone at once; a cluster that is down needs its managers."""
    for one in _of(_all(ours), "StatefulSet").values():
        assert one["spec"]["updateStrategy"] == {"type": "OnDelete"}
        assert one["spec"]["podManagementPolicy"] == "Parallel"


def test_the_fleet_file_of_the_docs_is_of_these_manifests(ours: Path) -> None:
    page = (ROOT / "docs/fleet.md").read_text()
    text = re.search(r"^## A cluster on Kubernetes\n+```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert text
    told = yaml.safe_load(text[1])["kubernetes"]
    sets = _of(_all(ours), "StatefulSet")
    assert told["stateful_sets"] == {name: one["spec"]["replicas"] for name, one in sets.items()}
    for one in sets.values():
        assert (one["metadata"]["namespace"], one["spec"]["template"]["spec"]["serviceAccountName"]) == (
            told["namespace"],
            told["service_account"],
        )


OUTPUTS = {"ArtifactBucket": "the-bucket", "SiteRole": "arn:role/of-site", "SiteProfile": "arn:profile/of-site"}


def test_what_the_stack_says_goes_where_it_belongs(tmp_path: Path) -> None:
    folder = manifests.copied(tmp_path, "lab", "hospital")
    stand_in = tmp_path / "bin" / "aws"
    stand_in.parent.mkdir()
    answers = "".join(f"*\"'{key}'\"*) echo {value} ;; " for key, value in OUTPUTS.items())
    stand_in.write_text(f'#!/bin/bash\necho "$*" >>"{tmp_path}/asked"\ncase "$*" in {answers} *) exit 9 ;; esac\n')
    stand_in.chmod(0o755)
    told = manifests.command("the stack's words").replace("region=eu-west-1", "region=eu-north-1")
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", f"cluster=lab\n{told}"], cwd=folder, check=True, env={"PATH": path})
    assert "--region eu-north-1 --stack-name vagus-prod-lab " in (tmp_path / "asked").read_text()
    objects = _all(folder)
    (agent,) = _of(objects, "Deployment").values()
    container = agent["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "VAGUS_BUCKET", "value": "the-bucket"} in container["env"]
    assert container["image"] == "registry.hospital.example/vagus-agent:0.1.0"
    config = _of(objects, "ConfigMap")["lab-agent-aws"]["data"]["config"]
    assert "region = eu-north-1\n" in config
    assert "--profile-arn arn:profile/of-site --role-arn arn:role/of-site" in config
    assert re.search(r"--trust-anchor-arn arn:aws:rolesanywhere:\S+ --profile", config)
    left = subprocess.run(["grep", "-rl", "REPLACE", "."], cwd=folder, check=True, capture_output=True, text=True)
    assert left.stdout.split() == ["./network.yaml"]


def test_the_stack_has_the_outputs_that_the_page_reads() -> None:
    source = (ROOT / "constructs/vagus_cdk/site_stack.py").read_text()
    for key in OUTPUTS:
        assert f'CfnOutput(self, "{key}"' in source
