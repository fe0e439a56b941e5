"""Who calls a node, as its kernel noted it: addresses alone, for a week, and nobody is refused for it."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from vagus_local import gate
from vagus_local.addresses import Network, claim_network

SCRIPT = Path(__file__).parents[3] / "nodes" / "bin" / "callers"

pytestmark = pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)


def callers(task: str, *address: str, **options: str) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPT), task, *address]
    return subprocess.run(command, env=os.environ | options, capture_output=True, text=True, check=False, timeout=60)


def keep(address: str) -> None:
    done = callers("keep", address)
    assert (done.returncode, done.stderr) == (0, "")


def listed(address: str, **options: str) -> list[str]:
    done = callers("list", address, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def called(address: str, *by: str, port: int = 9200) -> None:
    """Connections that ended at once."""
    for source in by:
        socket.create_connection((address, port), 5, (source, 0)).close()


@pytest.fixture
def network() -> Iterator[Network]:
    with claim_network() as claimed:
        yield claimed


@pytest.fixture
def node(network: Network) -> Iterator[str]:
    """A node's address, on which its search process listens."""
    address = network.address(99)
    gate.forget_callers(address)
    with listening(address):
        yield address
    gate.forget_callers(address)


@contextmanager
def listening(address: str) -> Iterator[None]:
    """As the engine does: its socket is of both families."""
    with ExitStack() as sockets:
        for port in (9200, 9300):
            one = sockets.enter_context(socket.socket(socket.AF_INET6))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((f"::ffff:{address}", port))
            one.listen(500)
        yield


def test_who_called_is_noted_though_the_connection_ended_and_nobody_else(
    network: Network, node: str, tmp_path: Path
) -> None:
    before = int(time.time())
    keep(node)
    called(node, network.address(12), network.address(7), network.address(12), "127.0.0.1", node)
    called(node, network.address(8), port=9300)
    *told, since = listed(node)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "address").write_text(f"{node}\n")
    assert callers("list", INSTANCE_HOME=str(tmp_path)).stdout.splitlines() == [*told, since], "its own address"
    assert told == [f"caller {network.address(7)}", f"caller {network.address(12)}"]
    assert before <= int(since.removeprefix("callers-since ")) <= time.time()


def test_who_is_connected_is_told_though_nothing_of_it_is_noted_and_then_it_is_said(
    network: Network, node: str
) -> None:
    with socket.create_connection((node, 9200), 5, (network.address(5), 0)):
        assert listed(node) == [f"caller {network.address(5)}", "callers-now-only"]
        keep(node)
        assert listed(node)[0] == f"caller {network.address(5)}"
    assert not [line for line in listed(node) if line.startswith("caller ")], "it called before"


def test_a_service_that_starts_again_forgets_nothing_and_goes_on(network: Network, node: str) -> None:
    keep(node)
    called(node, network.address(7))
    *_, since = listed(node)
    keep(node)
    called(node, network.address(9))
    assert listed(node) == [f"caller {network.address(7)}", f"caller {network.address(9)}", since]


def test_a_call_renews_what_was_noted(network: Network, node: str) -> None:
    keep(node)
    entry = [network.address(7), "expires", "100s"]
    table = ["ip", f"vagus-callers-{node}", "seen"]
    subprocess.run(["nft", "add", "element", *table, "{", *entry, "}"], check=True, timeout=30)
    called(node, network.address(7))
    noted = subprocess.run(["nft", "list", "set", *table], capture_output=True, text=True, check=True, timeout=30)
    assert re.search(rf"{re.escape(network.address(7))} expires (7d|6d23h)", noted.stdout), noted.stdout


def test_a_full_set_notes_no_more_and_refuses_nobody(network: Network, node: str, tmp_path: Path) -> None:
    small = tmp_path / "callers"
    small.write_text(SCRIPT.read_text().replace("NOTED=16384 ", "NOTED=2 "))
    subprocess.run(["bash", str(small), "keep", node], check=True, timeout=30)
    called(node, *(network.address(host) for host in range(1, 8)))
    told = subprocess.run(["bash", str(small), "list", node], capture_output=True, text=True, check=True, timeout=30)
    *named, since = told.stdout.splitlines()
    assert (len(named), since) == (2, "callers-now-only"), "others called too, and it says so"


def test_a_rule_that_somebody_flushed_is_not_taken_for_one_that_notes(network: Network, node: str) -> None:
    keep(node)
    called(node, network.address(7))
    subprocess.run(["nft", "flush", "table", "ip", f"vagus-callers-{node}"], check=True, timeout=30)
    assert listed(node) == [f"caller {network.address(7)}", "callers-now-only"]


def test_more_than_there_is_room_for_are_counted(network: Network, node: str) -> None:
    keep(node)
    noted = ", ".join(f"10.200.100.{host}" for host in range(1, 201))
    adding = f"add element ip vagus-callers-{node} seen {{ {noted} }}"
    subprocess.run(["nft", "-f", "-"], input=adding, text=True, check=True, timeout=30)
    told = listed(node)
    named = [line for line in told if line.startswith("caller ")]
    assert len(named) == 100
    assert told[100] == "callers-more 100"
    assert set(listed(node)) != set(told), "another time, or on another node, others are named"
    assert len("\n".join(["done", *told])) < 2500, "of an output AWS keeps so much"


def test_where_nft_fails_that_is_said_in_a_line_and_who_is_connected_is_told(
    network: Network, node: str, tmp_path: Path
) -> None:
    (tmp_path / "nft").write_text("#!/bin/sh\necho 'not allowed' >&2\necho '^^^' >&2\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    without = f"{tmp_path}:{os.environ['PATH']}"
    done = callers("keep", node, PATH=without)
    assert done.returncode == 1
    assert done.stderr == "callers: who calls this node is not noted: not allowed\n"
    with socket.create_connection((node, 9200), 5, (network.address(5), 0)):
        assert listed(node, PATH=without) == [f"caller {network.address(5)}", "callers-now-only"]


def test_who_is_told_of_nothing_is_told_how_it_is_used() -> None:
    for wrong in (("forget", "127.0.0.1"), ("list", "evil"), ("keep", "10.1.1.1/24"), ("list", "fd00::7")):
        done = callers(*wrong)
        assert (done.returncode, done.stdout, done.stderr) == (64, "", "usage: callers keep|list [ADDRESS]\n"), wrong
