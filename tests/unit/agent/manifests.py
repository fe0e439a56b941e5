"""The manifests in agent/kubernetes, as data: objects, the rights of each account, verb by verb, and the copy that a
reader of docs/kubernetes.md makes of them.
"""

import os
import re
import subprocess
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vagus_agent.fake_kube import Right

FOLDER = Path(__file__).parents[3] / "agent/kubernetes"
PAGE = FOLDER.parents[1] / "docs/kubernetes.md"
FILES = ("namespace.yaml", "rights.yaml", "agent.yaml", "network.yaml")
SEARCH = ("search/cluster.yaml", "search/data-a.yaml")
CLUSTER, NAMESPACE = "claims", "search"
AGENT, NODES = "claims-agent", "claims-nodes"


def objects(*files: str) -> list[dict[str, Any]]:
    """Every object of these files."""
    return [one for file in files for one in yaml.safe_load_all((FOLDER / file).read_text()) if one]


def command(marker: str) -> str:
    """The shell of docs/kubernetes.md whose first line is this comment."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (found,) = [one for one in map(textwrap.dedent, blocks) if one.startswith(f"# {marker}\n")]
    return found


def copied(folder: Path, cluster: str = CLUSTER, namespace: str = NAMESPACE) -> Path:
    """What a reader has who follows the page word by word in `folder`."""
    folder.mkdir(exist_ok=True)
    for part in ("agent", "nodes"):
        (folder / part).symlink_to(FOLDER.parents[1] / part)
    assert pasted(the_copy(cluster, namespace), folder) == ""
    return folder / f"site-{cluster}"


def the_copy(cluster: str, namespace: str) -> str:
    """The page's commands that make it."""
    return command("the copy").replace("cluster=claims namespace=search", f"cluster={cluster} namespace={namespace}")


def pasted(told: str, folder: Path, **env: str) -> str:
    """What stands on a terminal into which somebody puts these lines: there a line that fails stops none after it."""
    shell = ["bash", "-c", f"{told}\ntrue"]
    path = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(shell, cwd=folder, check=False, env=path | env, capture_output=True, text=True)
    return ran.stdout + ran.stderr


def built(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl kustomize` makes of a folder, of what ours use of it (tests/long holds it to the real one)."""
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found = [one for file in told["resources"] for one in yaml.safe_load_all((folder / file).read_text()) if one]
    images = {one["name"]: f"{one['newName']}:{one['newTag']}" for one in told["images"]}
    for one in found:
        spec = one.get("spec", {}).get("template", {}).get("spec", {})
        for each in (*spec.get("initContainers", ()), *spec.get("containers", ())):
            each["image"] = images.get(each["image"].partition(":")[0], each["image"])
    return [*found, *(_map(folder, one) for one in told.get("configMapGenerator", ()))]


def _map(folder: Path, told: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": told["name"], "namespace": told["namespace"]}
    data = {Path(one).name: (folder / one).read_text() for one in told["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def user(account: str) -> str:
    """A service account, as the API server calls it."""
    return f"system:serviceaccount:{NAMESPACE}:{account}"


@cache
def rights(account: str) -> tuple[Right, ...]:
    """What a service account may do, by every role that is bound to it."""
    found = []
    held = objects("rights.yaml")
    for binding in held:
        if not binding["kind"].endswith("Binding") or binding["subjects"][0]["name"] != account:
            continue
        ref = binding["roleRef"]
        role = next(one for one in held if (one["kind"], one["metadata"]["name"]) == (ref["kind"], ref["name"]))
        found += _of(role, "" if ref["kind"] == "ClusterRole" else role["metadata"]["namespace"])
    return tuple(found)


def _of(role: dict[str, Any], namespace: str) -> list[Right]:
    return [
        Right(verb, resource, name, namespace)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    ]
