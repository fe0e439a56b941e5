"""The node commands' own shell, on a real instance: once per step, only on the process that was decided on."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from vagus_local.cluster import LocalCluster, LocalNode

FOLDER = Path(__file__).parents[3] / "nodes" / "documents"
DOCUMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}


def send(cluster: LocalCluster, node: LocalNode, document: str, **parameters: str) -> str:
    """As the SSM agent does: patterns are checked, then the shell text runs. Returns the first word."""
    content: dict[str, Any] = DOCUMENTS[document]
    assert set(parameters) == set(content["parameters"])
    for name, value in parameters.items():
        assert re.fullmatch(content["parameters"][name]["allowedPattern"], value)
    text = "\n".join(line for step in content["mainSteps"] for line in step["inputs"]["runCommand"])
    done = cluster.shell(node, re.sub(r"{{(\w+)}}", lambda found: parameters[found[1]], text))
    assert done.returncode == 0, done.stderr
    return re.split(r"[,\s]", done.stdout)[0]


def started_at(cluster: LocalCluster, node: LocalNode) -> str:
    """The process start as functions see it."""
    nodes = cluster.call("GET", "/_nodes/_local/jvm", node=node)["nodes"]
    return str(next(iter(nodes.values()))["jvm"]["start_time_in_millis"])


def is_active(cluster: LocalCluster, node: LocalNode) -> bool:
    return cluster.shell(node, "systemctl is-active --quiet vagus-search").returncode == 0


@pytest.fixture
def node(cluster: LocalCluster) -> LocalNode:
    return list(cluster.nodes.values())[-1]


def test_every_parameter_has_a_pattern_that_lets_no_shell_in() -> None:
    for document in DOCUMENTS.values():
        for parameter in document["parameters"].values():
            for text in ("", "a'b-cdefgh", "aaaaaaaa$(x)", "aaaaaaaa;b", "aaaaaaaa\nb", "-rf12345678"):
                assert not re.fullmatch(parameter["allowedPattern"], text)


def test_every_shell_text_is_what_sh_accepts() -> None:
    for document in DOCUMENTS.values():
        text = "\n".join(document["mainSteps"][0]["inputs"]["runCommand"])
        assert subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_a_restart_is_done_once_and_on_the_process_that_was_decided_on(cluster: LocalCluster, node: LocalNode) -> None:
    before = started_at(cluster, node)
    assert send(cluster, node, "restart-search", StepId="restart-0001", StartedAt=before) == "done"
    cluster.wait_green()
    after = started_at(cluster, node)
    assert int(after) > int(before)
    assert send(cluster, node, "restart-search", StepId="restart-0001", StartedAt=before) == "already"
    assert send(cluster, node, "restart-search", StepId="restart-0002", StartedAt=before) == "superseded"
    assert send(cluster, node, "stop-search", StepId="stop-000001", StartedAt=before) == "superseded"
    assert started_at(cluster, node) == after


def test_what_vagus_stopped_it_starts_and_what_a_person_stopped_stays(cluster: LocalCluster, node: LocalNode) -> None:
    now = started_at(cluster, node)
    assert send(cluster, node, "start-search", StepId="start-000001") == "already"
    assert send(cluster, node, "stop-search", StepId="stop-000002", StartedAt=now) == "done"
    assert not is_active(cluster, node)
    assert send(cluster, node, "start-search", StepId="start-000002") == "done"
    cluster.wait_green()
    assert cluster.shell(node, "systemctl stop vagus-search").returncode == 0
    assert send(cluster, node, "start-search", StepId="start-000003") == "not-ours"
    assert not is_active(cluster, node)
    assert cluster.shell(node, "systemctl start vagus-search").returncode == 0
    cluster.wait_green()


def test_a_restart_that_fails_a_check_fails_the_command(cluster: LocalCluster, node: LocalNode) -> None:
    facts = node.home / "tags.json"
    tags = facts.read_text()
    facts.write_text("{}")
    done = cluster.shell(node, "systemctl restart vagus-search")
    facts.write_text(tags)
    assert done.returncode == 1
    assert "failed" in done.stdout
    assert cluster.shell(node, "systemctl start vagus-search").returncode == 0
    cluster.wait_green()
