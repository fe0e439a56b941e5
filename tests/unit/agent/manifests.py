"""The manifests in agent/kubernetes, as data: objects, and the rights of each account, verb by verb."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vagus_agent.fake_kube import Right

FOLDER = Path(__file__).parents[3] / "agent/kubernetes"
FILES = ("namespace.yaml", "rights.yaml", "agent.yaml", "network.yaml")
CLUSTER, NAMESPACE = "claims", "search"
AGENT, NODES = "claims-agent", "claims-nodes"


def objects(*files: str) -> list[dict[str, Any]]:
    """Every object of these files."""
    return [one for file in files for one in yaml.safe_load_all((FOLDER / file).read_text()) if one]


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
