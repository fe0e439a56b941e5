"""A starting node's port: closed to others until it can answer, and opened by the kernel when nobody else does."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from vagus_local import gate
from vagus_local.addresses import claim_network
from vagus_local.cluster import LocalCluster
from vagus_local.node import LocalNode

SCRIPT = Path(__file__).parents[3] / "nodes" / "bin" / "search-gate"

pytestmark = pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)


@contextmanager
def listening(address: str) -> Iterator[None]:
    """A node that opened its ports, and answers nothing yet."""
    with socket.create_server((address, 9200)), socket.create_server((address, 9300)):
        yield


def connects(address: str, port: int = 9200, own: bool = False) -> bool:
    try:
        socket.create_connection((address, port), 2, (address, 0) if own else None).close()
    except ConnectionRefusedError:
        return False
    return True


def until_open(address: str, seconds: float = 60) -> float:
    began = time.monotonic()
    while not connects(address):
        assert time.monotonic() - began < seconds, "it stays closed"
        time.sleep(0.1)
    return time.monotonic() - began


@contextmanager
def gated(address: str, tmp_path: Path, **options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The gate of a process that has begun to start, in a process group of its own."""
    process = subprocess.Popen(["sleep", "120"])
    command = [str(SCRIPT), address, str(tmp_path / "ca.pem"), str(process.pid), str(tmp_path / "serving")]
    closing = subprocess.Popen(command, env=os.environ | options, start_new_session=True)
    try:
        assert closing.wait(30) == 0
        yield closing
    finally:
        process.kill()
        process.wait()
        subprocess.run(["nft", "delete", "table", "ip", f"vagus-gate-{address}"], capture_output=True, check=False)


@pytest.fixture
def address() -> Iterator[str]:
    network = claim_network()
    yield network.address(99)
    network.close()


def test_only_the_node_itself_reaches_its_port_and_9300_is_open_to_all(address: str, tmp_path: Path) -> None:
    with listening(address), gated(address, tmp_path):
        assert not connects(address)
        assert connects(address, own=True)
        assert connects(address, port=9300)


def test_when_its_watcher_is_killed_the_kernel_opens_the_port(address: str, tmp_path: Path) -> None:
    with listening(address), gated(address, tmp_path, VAGUS_GATE_HELD="3") as gating:
        assert not connects(address)
        os.killpg(gating.pid, signal.SIGKILL)
        assert until_open(address) < 30


def test_a_node_that_does_not_get_ready_is_shown_as_it_is(address: str, tmp_path: Path) -> None:
    with listening(address), gated(address, tmp_path, VAGUS_GATE_SECONDS="2"):
        assert not connects(address)
        until_open(address)


def test_the_watch_outlives_an_nft_that_fails_from_then_on(address: str, tmp_path: Path) -> None:
    """The kernel opens the port, and that the node serves is told all the same: a restart waits for that."""
    once = (
        f'#!/bin/sh\n[ ! -e "{tmp_path}/used" ] || exit 1\ntouch "{tmp_path}/used"\nexec {shutil.which("nft")} "$@"\n'
    )
    (tmp_path / "nft").write_text(once)
    (tmp_path / "nft").chmod(0o755)
    options = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "VAGUS_GATE_HELD": "3", "VAGUS_GATE_SECONDS": "5"}
    with listening(address), gated(address, tmp_path, **options):
        assert not connects(address)
        until_open(address)
        began = time.monotonic()
        while not (tmp_path / "serving").exists():
            assert time.monotonic() - began < 60, "nobody says that it serves"
            time.sleep(0.1)


def test_where_nft_fails_the_node_starts_all_the_same(address: str, tmp_path: Path) -> None:
    (tmp_path / "nft").write_text("#!/bin/sh\necho 'not allowed' >&2\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    with listening(address), gated(address, tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}"):
        assert connects(address)


def test_a_real_node_that_restarts_refuses_until_its_security_is_ready(cluster: LocalCluster) -> None:
    """Every answer that an application gets is a good one, from the first on."""
    node = [node for node in cluster.nodes.values() if node.state == "running"][-1]
    cluster.call("PUT", "/gated", {"settings": {"number_of_replicas": 1}})
    cluster.wait_green()
    assert cluster.shell(node, "systemctl restart vagus-search").returncode == 0
    seen: list[int] = []
    deadline = time.monotonic() + 180
    while seen[-3:] != [200, 200, 200]:
        assert time.monotonic() < deadline, seen
        seen += _searched(cluster, node)
    assert set(seen) == {200}
    cluster.wait_green()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert f"vagus-gate-{node.address}\n" not in tables


def _searched(cluster: LocalCluster, node: LocalNode) -> list[int]:
    """The status of a search by an application; nothing where the connection is refused or closed."""
    try:
        return [cluster.try_call("GET", "/gated/_search", client=cluster.certificates.application, node=node)[0]]
    except urllib3.exceptions.HTTPError:
        return []
