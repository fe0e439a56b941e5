"""The emulator refuses to start where it could be reached from outside, or on a ministack it was not made for."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.emulator.support import environment

from vagus_local.emulator import seams
from vagus_local.emulator.__main__ import problem
from vagus_local.emulator.addresses import AddressPool, Exhausted


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("", "not set"),
        ("0.0.0.0", "from outside"),  # noqa: S104  # refusing it is what is tested
        ("192.168.1.4", "from outside"),
        ("::1", "from outside"),
        ("localhost", "not an IP address"),
    ],
)
def test_a_host_outside_the_loopback_network_is_refused(host: str, said: str) -> None:
    found = problem({"BIND_HOST": host, "GATEWAY_PORT": "4566"})
    assert found is not None
    assert said in found


def test_every_loopback_address_is_accepted() -> None:
    assert problem({"BIND_HOST": "127.23.4.1", "GATEWAY_PORT": "4566"}) is None


def test_the_process_ends_with_the_reason(tmp_path: Path) -> None:
    wrong = environment(tmp_path, 4566, BIND_HOST="10.0.0.1")
    done = subprocess.run([sys.executable, "-m", "vagus_local.emulator"], env=wrong, capture_output=True, text=True)
    assert done.returncode == 2
    assert "BIND_HOST=10.0.0.1 can be reached from outside" in done.stderr


def test_nodes_outside_the_loopback_network_are_refused(tmp_path: Path) -> None:
    wrong = environment(tmp_path, 4566, VAGUS_NODE_NETWORK="10.0.0")
    done = subprocess.run([sys.executable, "-m", "vagus_local.emulator"], env=wrong, capture_output=True, text=True)
    assert done.returncode == 3
    assert "VAGUS_NODE_NETWORK=10.0.0 is not in 127.0.0.0/8" in done.stderr


def test_a_seam_that_is_not_there_is_named() -> None:
    with pytest.raises(seams.SeamError, match="'old' found 2 times"):
        seams.swap("old old", "old", "new")
    with pytest.raises(seams.SeamError, match="has no nothing"):
        seams.replace(seams, "nothing", None)
    with pytest.raises(seams.SeamError, match="no Action in its table"):
        seams.override({}, "Action", None)


def test_another_version_of_ministack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seams, "MINISTACK", "0.0.1")
    with pytest.raises(seams.SeamError, match=r"made for 0\.0\.1"):
        seams.check_version()


def test_an_address_is_given_again_only_when_it_is_free_and_the_others_were_used_first() -> None:
    pool = AddressPool("127.23.4")
    first = pool.take("i-1")
    others = [pool.take(f"i-{n}") for n in range(2, 242)]
    with pytest.raises(Exhausted):
        pool.take("i-more")
    pool.give_back("i-1")
    assert pool.take("i-new") == first
    assert len({first, *others}) == 241
