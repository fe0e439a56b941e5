"""A cluster whose certificates Vagus issues, on the whole local stack: keys in KMS, requests through the bucket and its
events, commands through Systems Manager, the functions and state machine that `cdk deploy` has brought."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.long.client import Anew
from tests.long.commanding import vagus

from vagus.reasons import Reason
from vagus_local import gate, issued
from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.stack import Stack
from vagus_local.waiting import until
from vagus_local.workload import Workload, create_indices

FLEET = Path(__file__).parents[1] / "fleets" / "certified"
CLUSTER, CLIENT = "sealed", "client"
pytestmark = pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sealed")


@pytest.fixture(scope="module")
def sealed(folder: Path) -> Iterator[Stack]:
    yield stacks.up(fleet=FLEET, cell="certified", folder=folder)
    stacks.down(folder)


def shown(folder: Path) -> list[dict[str, Any]]:
    """What each node shows, on both ports."""
    return [one for one in json.loads(vagus(folder, "certificates", CLUSTER, "--json")) if one["node"]]


def settled(scene: Scene) -> bool:
    """Whether nothing is under way."""
    noted = scene.rows()
    return noted.head("certificates").state == "idle" and noted.plans.get("certificates", {}).get("kind") == "Done"


def replaced(scene: Scene, folder: Path, answered: dict[str, str]) -> bool:
    """Whether the second authority is the only one. The client's owner does as it is asked, once for each question:
    `answered` has its words."""
    noted = scene.rows()
    plan = noted.plans.get("certificates", {})
    asked = str(plan.get("reason"))
    if asked in (Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW) and asked not in answered:
        answered[asked] = str(plan.get("message"))
        issued.give(scene.stack, CLUSTER)
        vagus(folder, "acknowledge", CLUSTER, CLIENT, *(["--renewed"] if asked == Reason.CLIENTS_TO_RENEW else []))
    return noted.trust.generations == (2,) and settled(scene)


def told(scene: Scene) -> str:
    return f"certificates are settled (now: {scene.rows().plans.get('certificates', {})})"


def test_certificates_are_renewed_and_the_authority_is_replaced_under_load(sealed: Stack, folder: Path) -> None:
    scene = Scene(sealed, CLUSTER)
    client = Anew(sealed.authority_of(CLUSTER).folder, CLIENT, lambda: stacks.addresses(sealed, CLUSTER), ca="ca.pem")
    create_indices(client, {"claims": (3, 1)}, 100, 200)  # type: ignore[arg-type]  # what it has of AdminClient
    load = Workload(client, ["claims"])  # type: ignore[arg-type]
    before = shown(folder)
    assert len(before) == 6
    assert [one["wrong"] for one in before] == [""] * 6
    node = next(iter(stacks.addresses(sealed, CLUSTER).values()))
    stranger = f"{node.rpartition('.')[0]}.231"
    with socket.create_connection((node, 9200), 30, (stranger, 0)):
        pass  # nobody declared it, and it is long gone when nodes are asked
    load.start()
    began = time.monotonic()
    vagus(folder, "rotate", CLUSTER)
    until(lambda: settled(scene), 300, lambda: told(scene), 0.5)
    print(f"renewed in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    vagus(folder, "rotate", CLUSTER, "--ca")
    answered: dict[str, str] = {}
    until(lambda: replaced(scene, folder, answered), 600, lambda: told(scene), 0.5)
    print(f"replaced in {time.monotonic() - began:.0f} s")
    found = load.stop()
    print(found)
    assert (found.requests_failed, found.writes_lost) == (0, 0), found
    assert found.writes_acknowledged > 0
    after = shown(folder)
    assert [one["wrong"] for one in after] == [""] * 6
    assert {one["issuer"] for one in before}.isdisjoint(one["issuer"] for one in after)
    assert set(answered) == {Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW}
    for words in answered.values():
        assert f"in no network of certificates.client_addresses: {stranger};" in words
    called = json.loads(vagus(folder, "certificates", CLUSTER, "--callers", "--json"))
    assert [(one["address"], one["known"]) for one in called["callers"]] == [(stranger, "")]
    assert sealed.admin(CLUSTER).call("GET", "/_cluster/health")["status"] == "green"
