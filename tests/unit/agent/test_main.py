"""The program: what it needs of its environment, and that a signal ends it at once."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.agent.world import PlayedVagus

from vagus_agent.fake_bucket import FakeBucket

ROOT = Path(__file__).parents[3]
NODE = {
    "VAGUS_CLUSTER": "claims",
    "POD_NAME": "claims-data-a-0",
    "POD_NAMESPACE": "search",
    "POD_IP": "10.42.0.7",
    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
    "KUBERNETES_SERVICE_PORT": "1",
}
SITE = {
    **{name: value for name, value in NODE.items() if name not in ("POD_NAME", "POD_IP")},
    "VAGUS_BUCKET": "claims-bucket",
    "VAGUS_SERVICE_ACCOUNT": "claims-nodes",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def started(part: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """The program as its image starts it."""
    path = os.pathsep.join(str(ROOT / one) for one in ("agent", "layers/core/python"))
    return subprocess.Popen(
        [sys.executable, "-m", "vagus_agent", part],
        env={"PYTHONPATH": path, "PATH": os.environ["PATH"], **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("part", "environment", "missing"), [("node", NODE, "POD_IP"), ("site", SITE, "VAGUS_BUCKET")])
def test_what_is_not_set_is_named(part: str, environment: dict[str, str], missing: str) -> None:
    process = started(part, {name: value for name, value in environment.items() if name != missing})
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert f"the environment has no {missing}: see agent/kubernetes" in said


@pytest.mark.parametrize(("part", "environment"), [("node", NODE), ("site", SITE)])
def test_a_signal_ends_it_at_once_though_nothing_is_reachable(
    tmp_path: Path, part: str, environment: dict[str, str]
) -> None:
    alive = tmp_path / "alive"
    (tmp_path / "ca.crt").write_text(PlayedVagus(FakeBucket()).trust.bundle)
    (tmp_path / "token").write_text("a-token")
    given = {**environment, "VAGUS_ALIVE": str(alive), "VAGUS_CERTIFICATES": str(tmp_path)}
    process = started(part, {**given, "VAGUS_MOUNTED": str(tmp_path)})
    try:
        assert process.stdout is not None
        assert '"what": "wrong"' in process.stdout.readline(), "it says what is away, and goes on"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == 0


def test_an_agent_that_starts_without_credentials_says_so_in_a_line_and_stays(tmp_path: Path) -> None:
    alive, config = tmp_path / "alive", tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\ncredential_process = /nonexistent/aws_signing_helper\n")
    (tmp_path / "ca.crt").write_text(PlayedVagus(FakeBucket()).trust.bundle)
    (tmp_path / "token").write_text("a-token")
    given = {**SITE, "AWS_CONFIG_FILE": str(config), "VAGUS_ALIVE": str(alive), "VAGUS_MOUNTED": str(tmp_path)}
    process = started("site", given)
    try:
        assert process.stdout is not None
        said = [json.loads(process.stdout.readline()) for _ in range(2)]
        assert [one["where"] for one in said] == ["publishing", "requests"], "the API server is away here too"
        assert "credential_process in the file that AWS_CONFIG_FILE names" in said[0]["why"]
        assert process.poll() is None
        assert alive.exists()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
