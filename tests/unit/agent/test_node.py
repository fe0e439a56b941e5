"""A pod: it has a certificate before the engine starts, and does each thing that it is told once."""

import stat
from pathlib import Path

import msgspec
import pytest
from tests.unit.agent.manifests import CLUSTER, NAMESPACE
from tests.unit.agent.world import ADDRESS, NOW, POD, World

from vagus import site as paths
from vagus.errors import Denied, Unreachable
from vagus_agent.model import published_in
from vagus_agent.node import IDLE
from vagus_agent.shelf import Shelf


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A published authority, one pod, and all are well."""
    made = World(tmp_path)
    made.vagus.publish()
    made.start_pod()
    return made


def test_a_pod_gets_a_certificate_of_its_own_key(world: World) -> None:
    world.settle()
    held = world.held()
    assert b"PRIVATE KEY" in held.key
    assert held.bundle == world.vagus.trust.bundle
    assert world.vagus.issued == 1
    assert world.nodes[POD].once(world.now) == IDLE


def test_a_pod_with_another_address_elsewhere_gets_one_for_its_own(world: World) -> None:
    world.start_pod("claims-data-a-1", "10.42.0.8", "2a01:4f8::8")
    world.settle()
    assert world.held("claims-data-a-1")
    assert world.vagus.refused == []


def test_the_key_is_in_no_object_and_in_no_log(world: World) -> None:
    world.settle()
    key = world.held().key.decode().splitlines()[1]
    everything = f"{world.api.objects}{world.bucket.objects}{world.log}{world.held()!r}"
    assert key not in everything
    assert "PRIVATE" not in everything


def test_nobody_else_reads_the_key(world: World) -> None:
    world.settle()
    mode = (world.folder / POD / "current/node.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_before_an_authority_is_published_nothing_is_asked(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.start_pod()
    world.settle()
    assert not list((tmp_path / POD).iterdir())
    assert world.said("wrong")
    world.vagus.publish()
    world.settle()
    assert world.held()


def test_what_was_told_before_a_pod_was_born_is_done_by_its_birth(world: World) -> None:
    world.vagus.tell("install-trust", "intent-1.trust")
    world.vagus.tell("renew-certificate", "intent-1.renew")
    world.settle()
    assert world.held().steps == ("intent-1.trust", "intent-1.renew")
    assert world.vagus.issued == 1


def test_install_trust_brings_the_bundle_and_keeps_key_and_leaf(world: World) -> None:
    world.settle()
    before = world.held()
    world.vagus.add_authority()
    world.vagus.publish()
    world.vagus.tell("install-trust", "intent-2.trust")
    world.settle()
    held = world.held()
    assert (held.key, held.leaf) == (before.key, before.leaf)
    assert held.bundle == world.vagus.trust.bundle != before.bundle
    assert held.steps == ("intent-2.trust",)


def test_renew_certificate_makes_a_new_key(world: World) -> None:
    world.settle()
    before, serial = world.held(), world.serial()
    world.vagus.tell("renew-certificate", "intent-2.renew")
    world.settle()
    assert world.held().key != before.key
    assert world.serial() != serial


def test_a_step_is_done_once(world: World) -> None:
    world.vagus.tell("renew-certificate", "intent-2.renew")
    world.settle()
    serial, folder = world.serial(), (world.folder / POD / "current").readlink()
    world.settle(rounds=30)
    assert (world.serial(), (world.folder / POD / "current").readlink()) == (serial, folder)


def test_each_step_is_noted_once(world: World) -> None:
    world.settle()
    for document in ("install-trust", "renew-certificate"):
        world.vagus.tell(document, f"intent-1.{document}")
        world.settle()
    assert world.held().steps == ("intent-1.install-trust", "intent-1.renew-certificate")


def test_a_rotation_in_its_three_phases(world: World) -> None:
    world.settle()
    old = world.vagus.trust.signer
    world.vagus.add_authority()
    world.vagus.publish()
    for step in ("one.trust", "two.renew"):
        world.vagus.tell("install-trust" if step.endswith("trust") else "renew-certificate", step)
        world.settle()
    world.vagus.drop_oldest()
    world.vagus.publish()
    world.vagus.tell("install-trust", "three.trust")
    world.settle()
    assert world.held().bundle == world.vagus.trust.bundle
    assert old is not None
    assert old.certificate not in world.held().bundle
    assert world.vagus.issued == 2


def test_a_bundle_that_does_not_trust_what_is_held_is_not_put_beside_it(world: World) -> None:
    """The pod was away during a rotation: it gets a new certificate, as one that boots."""
    world.settle()
    world.vagus.add_authority()
    world.vagus.drop_oldest()
    world.vagus.publish()
    world.vagus.tell("install-trust", "late.trust")
    world.settle()
    assert world.held().steps == ("late.trust",)
    assert world.vagus.issued == 2


def test_what_is_told_to_another_pod_is_not_done(world: World) -> None:
    world.settle()
    serial = world.serial()
    world.vagus.tell("renew-certificate", "intent-9.renew", pod="claims-data-a-1")
    world.settle()
    assert world.serial() == serial
    assert world.held().steps == ()


def test_what_a_pod_can_not_do_is_said_once(world: World) -> None:
    world.vagus.tell("restart-search", "intent-9.restart")
    world.settle()
    assert [one["why"] for one in world.said("wrong") if one["where"] == "restart-search"] == [
        "a pod can't do restart-search: is this agent's image older than Vagus?"
    ]
    assert world.held().steps == ()


def test_a_certificate_that_ends_within_the_hour_is_replaced_unasked(world: World) -> None:
    world.settle()
    serial = world.serial()
    world.now = NOW + 30 * 86_400 - 1800
    world.settle()
    assert world.serial() != serial


def test_a_new_address_is_a_new_certificate(world: World) -> None:
    """A pod's sandbox was made anew: the volume stays, the address does not."""
    world.settle()
    world.api.change_pod(NAMESPACE, POD, "status", podIPs=[{"ip": "10.42.0.99"}])
    uid = str(world.api.objects["pods", NAMESPACE, POD]["metadata"]["uid"])
    world.start_node(POD, uid, "10.42.0.99")
    world.settle()
    assert world.held()
    assert world.vagus.issued == 2


def test_a_refusal_is_tried_again_later_and_later_while_what_is_held_is_served(world: World) -> None:
    world.settle()
    before = world.held()
    world.vagus.tell("renew-certificate", "intent-3.renew")
    # the API server has another address for a while: Vagus refuses what the pod asks
    world.api.change_pod(NAMESPACE, POD, "status", podIPs=[{"ip": "10.42.0.99"}])
    world.settle(rounds=60)
    refusals = world.said("got no certificate")
    assert "10.42.0.7" in str(refusals[0]["why"])
    assert [one["again_in_seconds"] for one in refusals[:4]] == [5.0, 10.0, 20.0, 40.0]
    assert len(refusals) < 8
    assert (world.folder / POD / "current/node.pem").read_text() == before.leaf
    assert world.report().said == {POD: refusals[-1]["why"]}
    world.api.change_pod(NAMESPACE, POD, "status", podIPs=[{"ip": ADDRESS}])
    world.settle(rounds=60)
    assert world.held().steps == ("intent-3.renew",)
    assert world.report().said == {}


def test_bundles_are_still_taken_up_while_a_renewal_is_refused(world: World) -> None:
    world.settle()
    world.vagus.tell("renew-certificate", "intent-3.renew")
    world.api.change_pod(NAMESPACE, POD, "status", podIPs=[{"ip": "10.42.0.99"}])
    world.settle(rounds=20)
    world.vagus.add_authority()
    world.vagus.publish()
    world.vagus.tell("install-trust", "intent-4.trust")
    world.settle(rounds=60)
    assert "intent-4.trust" in (world.folder / POD / "current/steps").read_text()


def test_bundles_are_taken_up_while_an_answer_is_waited_for(world: World) -> None:
    world.settle()
    world.vagus.tell("renew-certificate", "intent-3.renew")
    world.agent.once(world.now)
    for _ in range(3):
        world.nodes[POD].once(world.now)
    world.vagus.add_authority()
    world.vagus.publish()
    world.vagus.tell("install-trust", "intent-4.trust")
    world.agent.once(world.now)
    world.nodes[POD].once(world.now)
    assert "intent-4.trust" in (world.folder / POD / "current/steps").read_text()
    world.settle()
    assert set(world.held().steps) == {"intent-3.renew", "intent-4.trust"}


def test_a_request_that_was_swept_away_is_made_again_with_the_same_key(world: World) -> None:
    node = world.nodes[POD]
    world.agent.once(world.now)
    node.once(world.now)
    node.once(world.now)
    key = (world.folder / POD / "asking/node.key").read_bytes()
    world.api.sweep_requests()
    world.settle()
    assert world.held().key == key


def test_a_certificate_of_another_key_is_not_taken_up(world: World) -> None:
    world.agent.once(world.now)
    for _ in range(3):
        world.nodes[POD].once(world.now)
    world.agent.once(world.now)
    world.vagus.answer()
    answer = next(key for key in world.bucket.objects if key.startswith("certificates/site/"))
    (world.folder / "elsewhere").mkdir()
    other = World(world.folder / "elsewhere")
    other.vagus.publish()
    other.start_pod()
    other.settle()
    world.bucket.objects[answer] = (other.held().leaf + other.held().bundle).encode()
    world.agent.once(world.now)
    world.nodes[POD].once(world.now)
    assert "its key is another one" in str(world.said("got no certificate")[0]["why"])
    world.settle(rounds=30)
    assert world.held().bundle == world.vagus.trust.bundle


def test_slow_clock(world: World) -> None:
    """Its certificate begins 5 minutes before it was signed: to a clock that is 10 minutes slow, in 5 minutes."""
    world.slow = 600.0
    world.settle(rounds=28)
    assert Shelf(world.folder / POD).held() is None, "an engine would not serve it yet"
    (said,) = world.said("the certificate is not to be served yet")
    assert "it begins at 2026-03-02 11:5" in str(said["why"])
    assert "and the clock here says 2026-03-02 11:5" in str(said["why"])
    world.settle(rounds=10)
    assert world.held()
    assert (world.vagus.issued, world.said("got no certificate")) == (1, [])


def test_with_a_slow_clock_a_renewal_waits_while_what_is_held_is_served(world: World) -> None:
    world.settle()
    before = world.held()
    world.slow = 900.0
    world.vagus.tell("renew-certificate", "intent-3.renew")
    world.settle(rounds=40)
    assert Shelf(world.folder / POD).held() == before
    world.settle(rounds=40)
    assert world.held().steps == ("intent-3.renew",)
    assert world.vagus.issued == 2


def test_a_sidecar_that_begins_anew_waits_on_with_the_same_key(world: World) -> None:
    world.slow = 600.0
    world.settle()
    world.start_node(POD, str(world.api.objects["pods", NAMESPACE, POD]["metadata"]["uid"]), ADDRESS)
    world.settle(rounds=40)
    assert world.held()
    assert world.vagus.issued == 1


def test_a_clock_that_is_put_right_is_seen_within_half_a_minute(world: World) -> None:
    world.slow = 3000.0
    world.settle()
    assert 0 < world.nodes[POD].once(world.now - world.slow) <= 30
    world.slow = 0.0
    world.settle(rounds=1)
    assert world.held()


def test_what_does_not_begin_within_an_hour_is_given_up(world: World) -> None:
    world.slow = 86_400.0
    world.settle(rounds=3 * 60, seconds=60.0)
    refused = world.said("got no certificate")
    assert len(refused) == world.vagus.issued - 1 == 2
    assert "and the clock here says 2026-03-01" in str(refused[0]["why"])
    world.slow = 0.0
    world.settle(rounds=40)
    assert world.held()


def test_a_clock_that_goes_back_asks_for_nothing(world: World) -> None:
    """What another certificate would do better is nothing: it would begin later still."""
    world.settle()
    world.slow = 3600.0
    world.settle(rounds=40)
    assert world.vagus.issued == 1


@pytest.mark.parametrize("error", [Unreachable("the API server: refused"), Denied("GET", "forbidden")])
def test_with_the_api_server_away_it_waits_longer_each_time_and_says_so_once(tmp_path: Path, error: Exception) -> None:
    class Away:
        def call(self, *_: object, **__: object) -> dict[str, object]:
            raise error

        changes = call

    world = World(tmp_path, wrap=lambda _: Away())  # type: ignore[arg-type,return-value]  # it raises, whatever is asked
    world.start_pod()
    pauses = [world.nodes[POD].once(NOW) for _ in range(8)]
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert [one["why"] for one in world.said("wrong")] == [str(error)]


def test_commands_that_can_not_be_read_keep_no_pod_from_starting(world: World) -> None:
    held = world.api.objects["configmaps", NAMESPACE, published_in(CLUSTER)]
    world.agent.once(world.now)
    held["data"]["commands.json"] = '{"told": 3}'
    world.bucket.objects[paths.COMMANDS] = b'{"told": 3}'
    world.settle()
    assert world.held()
    assert [one["why"] for one in world.said("wrong") if one["where"] == "commands"]


def test_commands_that_can_not_be_read_change_nothing(world: World) -> None:
    world.settle()
    before = world.held()
    held = world.api.objects["configmaps", NAMESPACE, published_in(CLUSTER)]
    held["data"]["commands.json"] = '{"told": 3}'
    world.nodes[POD].once(world.now)
    assert msgspec.structs.astuple(world.held()) == msgspec.structs.astuple(before)
    assert "site/commands.json" in str(world.said("wrong")[-1]["why"])
