"""One loopback network per running stack."""

import subprocess
import sys
from pathlib import Path

import pytest

from vagus_local import addresses
from vagus_local.addresses import NoFreeNetwork, claim_network


def test_two_stacks_get_different_networks(tmp_path: Path) -> None:
    with claim_network(tmp_path) as one, claim_network(tmp_path) as other:
        assert one.prefix != other.prefix
        assert one.address(10).startswith("127.")


def test_a_closed_network_is_given_again(tmp_path: Path) -> None:
    with claim_network(tmp_path) as first:
        prefix = first.prefix
    with claim_network(tmp_path) as second:
        assert second.prefix == prefix


def test_a_killed_stack_frees_its_network(tmp_path: Path) -> None:
    claims = (
        "import sys, pathlib; from vagus_local.addresses import claim_network\n"
        "network = claim_network(pathlib.Path(sys.argv[1])); print(network.prefix, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", claims, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        prefix = holder.stdout.readline().strip()
        with claim_network(tmp_path) as beside:
            assert beside.prefix != prefix
        holder.kill()
    with claim_network(tmp_path) as after:
        assert after.prefix == prefix


def test_a_claim_handed_to_a_child_lasts_as_long_as_the_child(tmp_path: Path) -> None:
    network = claim_network(tmp_path)
    keep = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", keep], stdin=subprocess.PIPE, pass_fds=[network.fileno()], text=True
    ) as child:
        network.close()
        with claim_network(tmp_path) as other:
            assert other.prefix != network.prefix
        child.kill()


def test_when_all_are_claimed_the_error_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "SECOND", range(23, 24))
    monkeypatch.setattr(addresses, "THIRD", range(1, 2))
    with claim_network(tmp_path), pytest.raises(NoFreeNetwork, match="make down"):
        claim_network(tmp_path)


@pytest.mark.parametrize("host", [0, 255])
def test_a_host_outside_the_network_is_refused(tmp_path: Path, host: int) -> None:
    with claim_network(tmp_path) as network, pytest.raises(ValueError, match="1 to 254"):
        network.address(host)
