"""The example of a search cluster: what a reader has who follows docs/kubernetes.md, held to what nodes on EC2 have."""

import os
import re
import shutil
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


def _ask_the_stack(folder: Path, answers: str) -> str:
    """The page's commands, with an `aws` that answers so."""
    stand_in = folder.parent / "bin" / "aws"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(f'#!/bin/bash\necho "$*" >>"{folder.parent}/asked"\n{answers}\n')
    stand_in.chmod(0o755)
    told = manifests.command("the stack's words").replace("region=eu-west-1", "region=eu-north-1")
    return manifests.pasted(f"cluster=lab\n{told}", folder, PATH=f"{stand_in.parent}:{os.environ['PATH']}")


ANSWERS = 'case "$*" in {} *) exit 9 ;; esac'.format(
    "".join(f"*\"'{key}'\"*) echo {value} ;; " for key, value in OUTPUTS.items())
)
# sentence: (what aws does, words of it, words of ours)
SILENT: Mapping[str, tuple[str, str]] = {
    "a token that has ended": (
        "echo 'The security token included in the request is expired' >&2; exit 254",
        "ArtifactB",
    ),
    "a stack that has no outputs yet": ("echo None", "ArtifactBucket"),
    "a stack of an older Vagus": (ANSWERS.replace("'SiteRole'", "'Else'").replace("exit 9", "echo"), "SiteRole"),
}


@pytest.mark.parametrize(("answers", "missing"), SILENT.values(), ids=SILENT)
def test_a_stack_that_says_nothing_changes_nothing_and_the_next_try_mends_it(
    answers: str, missing: str, tmp_path: Path
) -> None:
    folder = manifests.copied(tmp_path, "lab", "hospital")
    before = _texts(folder)
    words = _ask_the_stack(folder, answers)
    assert f"the stack vagus-prod-lab said no {missing}" in words
    assert "expired" in words or "expired" not in answers
    assert _texts(folder) == before
    assert _ask_the_stack(folder, ANSWERS) == ""
    assert "the-bucket" in (folder / "agent.yaml").read_text()


def _texts(folder: Path) -> dict[str, str]:
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and ".git" not in one.parts]
    return {str(one.relative_to(folder)): one.read_text() for one in files}


def test_a_copy_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    folder = manifests.copied(tmp_path, "claims-eu", "search")
    (folder / "agent.yaml").write_text("mine")
    before = _texts(tmp_path)
    assert "site-claims-eu" in manifests.pasted(manifests.the_copy("claims-eu", "search"), tmp_path)
    assert _texts(tmp_path) == before


def test_a_copy_is_made_in_the_root_of_the_repository_alone(tmp_path: Path) -> None:
    """Who has made one stands in it."""
    folder = manifests.copied(tmp_path)
    before = sorted(folder.rglob("*"))
    assert "not the root of Vagus's repository" in manifests.pasted(manifests.the_copy("claims", "search"), folder)
    assert sorted(folder.rglob("*")) == before


def test_what_the_stack_says_goes_where_it_belongs(tmp_path: Path) -> None:
    folder = manifests.copied(tmp_path, "lab", "hospital")
    assert _ask_the_stack(folder, ANSWERS) == ""
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


def _versioned(folder: Path) -> dict[str, str]:
    """The copy as a repository of its own, by the page, in which step 5 was done, and a size changed by hand."""
    config = folder.parent / "gitconfig"
    config.write_text("[user]\nname = a\nemail = a@hospital.example\n[init]\ndefaultBranch = main\n")
    env = {"GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1"}
    assert manifests.pasted(manifests.command("its first version"), folder, **env) == ""
    assert _ask_the_stack(folder, ANSWERS) == ""
    _change(folder / "search/data-b.yaml", "replicas: 2", "replicas: 5")
    assert manifests.pasted("git commit -qam 'Ours'", folder, **env) == ""
    return env


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def _newer(folder: Path, ours: Path, env: dict[str, str], *changes: tuple[str, str, str]) -> str:
    """What the page's upgrade says, from a Vagus whose manifests differ so."""
    for part in ("agent/kubernetes", "nodes/security"):
        shutil.copytree(ROOT / part, folder / part)
    for change in changes:
        _change(folder / "agent/kubernetes" / change[0], *change[1:])
    told = manifests.command("what is new").replace("copy=~/site-claims", f"copy={ours}")
    return manifests.pasted(f"{manifests.the_copy('lab', 'hospital')}\n{told}", folder, **env)


RIGHT = ("rights.yaml", "verbs: [get, list]", "verbs: [get, list, watch]")
GRACE = ("search/data-a.yaml", "terminationGracePeriodSeconds: 120", "terminationGracePeriodSeconds: 180")


def test_what_a_newer_vagus_changed_comes_into_a_copy_that_keeps_what_is_its_owners(tmp_path: Path) -> None:
    ours = manifests.copied(tmp_path / "site", "lab", "hospital")
    env = _versioned(ours)
    before = _texts(ours)
    _newer(tmp_path / "newer", ours, env, RIGHT, GRACE)
    wanted = {"rights.yaml": RIGHT, **{f"search/data-{zone}.yaml": GRACE for zone in "abc"}}
    changed = {name: before[name].replace(*wanted[name][1:]) for name in wanted}
    after = _texts(ours)
    assert after == before | changed
    assert "replicas: 5" in after["search/data-b.yaml"]
    assert manifests.pasted("git status --porcelain; git branch --show-current", ours, **env) == "main\n"
    again = _newer(tmp_path / "same", ours, env, RIGHT, GRACE)
    assert "Already up to date" not in again, "an empty version is one too"
    assert "CONFLICT" not in again


def test_where_both_changed_a_line_a_person_says_which(tmp_path: Path) -> None:
    ours = manifests.copied(tmp_path / "site", "lab", "hospital")
    env = _versioned(ours)
    words = _newer(tmp_path / "newer", ours, env, RIGHT, ("search/data-a.yaml", "replicas: 2", "replicas: 3"))
    assert "CONFLICT (content): Merge conflict in search/data-b.yaml" in words
    assert "replicas: 3" in (ours / "search/data-a.yaml").read_text()


def test_a_copy_with_something_uncommitted_is_left_as_it_is(tmp_path: Path) -> None:
    ours = manifests.copied(tmp_path / "site", "lab", "hospital")
    env = _versioned(ours)
    (ours / "agent.yaml").write_text("mine")
    assert "commit them first" in _newer(tmp_path / "newer", ours, env, RIGHT)
    assert (ours / "agent.yaml").read_text() == "mine"
    assert manifests.pasted("git branch --show-current", ours, **env) == "main\n"


def test_the_stack_has_the_outputs_that_the_page_reads() -> None:
    source = (ROOT / "constructs/vagus_cdk/site_stack.py").read_text()
    for key in OUTPUTS:
        assert f'CfnOutput(self, "{key}"' in source
