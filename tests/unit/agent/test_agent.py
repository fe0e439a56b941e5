"""The agent: what pods ask goes to Vagus, its answers come back, handshakes are reported. It decides nothing."""

import itertools
from pathlib import Path

import msgspec
import pytest
from tests.unit.agent.manifests import CLUSTER, NAMESPACE, NODES, user
from tests.unit.agent.world import POD, World

from vagus import site as paths
from vagus.errors import Denied, Refused, Throttled, Unreachable, VagusError
from vagus.site import Asked
from vagus_agent.agent import BUSY, REST
from vagus_agent.bucket import Bucket, NoCredentials
from vagus_agent.fake_bucket import FakeBucket
from vagus_agent.fake_kube import CSR, Caller
from vagus_agent.model import USAGES, Published, published_in, signer

OTHER = "claims-data-a-1"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A published authority, one pod that has its certificate, and nothing under way."""
    made = World(tmp_path)
    made.vagus.publish()
    made.start_pod()
    made.settle()
    made.now += 600
    return made


def condition(world: World, name: str) -> dict[str, str]:
    """How a request ended."""
    (last,) = world.api.objects[CSR, "", name]["status"]["conditions"][-1:]
    return dict(last)


def published(world: World) -> Published:
    """The ConfigMap."""
    return Published.of(world.api.objects["configmaps", NAMESPACE, published_in(CLUSTER)])


def test_a_request_of_another_signer_is_never_touched(world: World) -> None:
    made = world.pod_kube(POD).ask("elsewhere", world.api_request())
    told = world.api.objects[CSR, "", made.name]
    told["spec"]["signerName"] = "kubernetes.io/kubelet-serving"
    before = msgspec.json.encode(told)
    world.settle()
    assert msgspec.json.encode(world.api.objects[CSR, "", made.name]) == before


def test_the_signer_of_another_cluster_is_another_agents(world: World) -> None:
    made = world.pod_kube(POD).ask("elsewhere", world.api_request())
    world.api.objects[CSR, "", made.name]["spec"]["signerName"] = signer("claims-2")
    world.settle()
    assert world.api.objects[CSR, "", made.name]["status"] == {}


def test_another_account_is_denied_with_a_sentence(world: World) -> None:
    world.api.start_pod(NAMESPACE, "app-0", "default", "10.42.0.50")
    world.pod_kube("app-0", account="default").ask("app", world.api_request(POD))
    world.settle()
    assert condition(world, "app")["type"] == "Denied"
    assert condition(world, "app")["message"].startswith("system:serviceaccount:search:default asked")
    assert paths.request_key(world.api.objects[CSR, "", "app"]["metadata"]["uid"]) not in world.bucket.objects


def test_another_pods_names_are_refused_by_vagus_and_the_pod_reads_why(world: World) -> None:
    world.start_pod(OTHER, "10.42.0.8")
    world.nodes.pop(OTHER)
    world.pod_kube(OTHER).ask("for-a-0", world.api_request(POD))
    world.settle()
    told = condition(world, "for-a-0")
    assert (told["type"], told["message"]) == (
        "Denied",
        f"the request is for CN=node-{POD},O=vagus; {OTHER} may have CN=node-{OTHER},O=vagus alone",
    )
    assert world.report().said == {OTHER: told["message"]}


def test_what_somebody_approved_by_hand_is_still_vaguss_to_certify(world: World) -> None:
    world.pod_kube(POD).ask("good", world.api_request())
    world.pod_kube(POD).ask("bad", world.api_request(OTHER, "10.42.0.8"))
    world.api.approve_by_hand("good")
    world.api.approve_by_hand("bad")
    world.settle()
    assert world.api.objects[CSR, "", "good"]["status"]["certificate"]
    assert condition(world, "bad")["type"] == "Failed"
    assert "certificate" not in world.api.objects[CSR, "", "bad"]["status"]


def test_a_pod_that_ends_before_its_answer_gets_none(world: World) -> None:
    world.pod_kube(POD).ask("late", world.api_request())
    world.agent.once(world.now)
    world.api.change_pod(NAMESPACE, POD, "metadata", deletionTimestamp="2026-03-02T12:00:00Z")
    world.settle()
    assert "is being deleted" in condition(world, "late")["message"]


def test_a_pod_whose_address_is_not_told_yet_waits(world: World) -> None:
    world.api.start_pod(NAMESPACE, OTHER, NODES)
    world.pod_kube(OTHER).ask("early", world.api_request(OTHER, "10.42.0.8"))
    world.settle(rounds=3)
    assert world.api.objects[CSR, "", "early"]["status"] == {}
    world.api.change_pod(NAMESPACE, OTHER, "status", podIPs=[{"ip": "10.42.0.8"}])
    world.settle(rounds=3)
    assert world.api.objects[CSR, "", "early"]["status"]["certificate"]


def test_vagus_is_asked_in_the_api_servers_words_and_again_each_minute(world: World) -> None:
    made = world.pod_kube(POD).ask("slow", world.api_request())
    key, puts = paths.request_key(made.uid), list[float]()
    for _ in range(130):
        world.bucket.objects.pop(key, None)
        world.agent.once(world.now)
        if key in world.bucket.objects:
            puts.append(world.now)
            asked = paths.read(world.bucket.objects[key], Asked, key)
        world.now += 1
    assert [round(after - before) for before, after in itertools.pairwise(puts)] == [60, 60]
    assert (asked.pod, asked.account, asked.namespace) == (POD, NODES, NAMESPACE)
    assert asked.request == made.request


def test_one_request_that_can_not_be_answered_holds_up_no_other(world: World) -> None:
    made = world.pod_kube(POD).ask("a-broken", world.api_request())
    world.bucket.objects[paths.answer_key(made.uid)] = b"no certificate, and no refusal"
    world.pod_kube(POD).ask("b-sound", world.api_request())
    for _ in range(4):
        world.agent.once(world.now)
        world.bucket.objects.pop(paths.request_key(made.uid), None)
        world.vagus.answer(world.now)
        world.now += 3
    assert world.api.objects[CSR, "", "b-sound"]["status"]["certificate"]
    assert "certificate" not in world.api.objects[CSR, "", "a-broken"]["status"]
    assert "must contain a CERTIFICATE block" in str(world.said("wrong")[-1]["why"])


def test_what_is_published_reaches_the_pods_and_nothing_never_does(world: World) -> None:
    before = published(world)
    assert before.bundle == world.vagus.trust.bundle
    del world.bucket.objects[paths.BUNDLE]
    world.bucket.objects.pop(paths.COMMANDS, None)
    world.settle()
    assert published(world) == before


def test_what_did_not_change_is_not_written(world: World) -> None:
    version = published(world).version
    world.settle()
    assert published(world).version == version


def test_commands_that_can_not_be_read_do_not_reach_the_pods(world: World) -> None:
    before = published(world)
    world.bucket.objects[paths.COMMANDS] = b'{"told": [{"pod": 3}]}'
    world.settle()
    assert published(world) == before
    assert "site/commands.json" in str(world.said("wrong")[0]["why"])
    assert world.report(), "the report goes on"


def test_a_bundle_reaches_the_pods_beside_commands_that_can_not_be_read(world: World) -> None:
    before = published(world)
    world.bucket.objects[paths.COMMANDS] = b'{"told": [{"pod": 3}]}'
    world.vagus.add_authority()
    world.vagus.publish()
    world.settle()
    assert published(world).bundle == world.vagus.trust.bundle != before.bundle
    assert published(world).commands == before.commands
    assert world.report().bundle == paths.digest(world.vagus.trust.bundle)
    assert [one["why"] for one in world.said("wrong") if "site/commands.json" in str(one["why"])] != []
    assert len(world.said("wrong")) == 1, "it is said once"


def test_what_a_newer_vagus_tells_besides_is_not_read(world: World) -> None:
    world.vagus.tell("renew-certificate", "intent-5.renew")
    told = msgspec.json.decode(world.bucket.objects[paths.COMMANDS])
    told["told"][0]["until"] = 7
    world.bucket.objects[paths.COMMANDS] = msgspec.json.encode({**told, "version": 2})
    world.settle()
    assert world.held().steps == ("intent-5.renew",)
    assert world.said("wrong") == []


def test_without_the_map_it_says_which_file_to_apply(world: World) -> None:
    del world.api.objects["configmaps", NAMESPACE, published_in(CLUSTER)]
    world.agent.once(world.now)
    assert "apply agent/kubernetes/agent.yaml again" in str(world.said("wrong")[0]["why"])


@pytest.mark.parametrize("away", [Unreachable("s3: no route"), Throttled("SlowDown")])
def test_a_bucket_that_is_away_is_waited_for(world: World, away: VagusError) -> None:
    world.bucket.away = away
    pauses = [world.agent.once(world.now) for _ in range(7)]
    assert pauses == [3.0, 6.0, 12.0, 24.0, 48.0, 60.0, 60.0]
    assert len(world.said("wrong")) == 1, "it is said once"
    world.bucket.away = None
    assert world.agent.once(world.now) == REST
    assert len(world.said("well again")) == 1


@pytest.mark.parametrize("from_call", [1, 4])
def test_a_bucket_that_is_away_is_called_once_in_a_round_however_many_ask(tmp_path: Path, from_call: int) -> None:
    """Each call of a black hole takes its time-outs: of thirty open requests each, and the agent would be taken for
    stuck."""
    calls = list[str]()

    class BlackHole:
        def __init__(self, bucket: Bucket) -> None:
            self._bucket = bucket

        def get(self, key: str) -> bytes | None:
            self._reach(key)
            return self._bucket.get(key)

        def put(self, key: str, body: bytes) -> None:
            self._reach(key)
            self._bucket.put(key, body)

        def _reach(self, key: str) -> None:
            calls.append(key)
            if len(calls) >= from_call:
                raise Unreachable("s3: no answer")

    world = World(tmp_path, wrap_bucket=BlackHole)
    world.vagus.publish()
    for number in range(30):
        world.start_pod(f"claims-data-a-{number}", f"10.42.0.{number + 10}")
        world.pod_kube(f"claims-data-a-{number}").ask(f"request-{number}", world.api_request(f"claims-data-a-{number}"))
    assert world.agent.once(world.now) == BUSY
    assert len(calls) == from_call


def test_each_part_of_a_round_is_a_sign_of_life(world: World) -> None:
    before = world.alive
    world.agent.once(world.now)
    quiet = world.alive - before
    assert quiet >= 3, "publishing, requests, reporting"
    for number in range(30):
        world.pod_kube(POD).ask(f"request-{number}", world.api_request())
    world.agent.once(world.now)
    assert world.alive - before - quiet >= quiet + 30


def test_without_credentials_it_says_so_in_one_line_and_goes_on_when_there_are_some(world: World) -> None:
    world.pod_kube(POD).ask("waits", world.api_request())
    world.bucket.away = NoCredentials("credentials", "the process ended with 1")
    world.now += 100
    pauses = [world.agent.once(world.now) for _ in range(6)]
    assert pauses == [3.0, 6.0, 12.0, 24.0, 48.0, 60.0]
    assert [one["why"] for one in world.said("wrong")] == ["credentials: the process ended with 1"]
    world.bucket.away = None
    world.settle()
    assert world.api.objects[CSR, "", "waits"]["status"]["certificate"]


def test_a_denied_right_is_said(world: World) -> None:
    world.bucket.away = Denied("s3:PutObject", "AccessDenied")
    world.now += 100
    world.agent.once(world.now)
    assert any("s3:PutObject" in str(one["why"]) for one in world.said("wrong"))


def test_what_is_not_there_may_look_denied_and_is_waited_for(world: World) -> None:
    """To who may not list, S3 denies what is not there."""

    class Unlisted(type(world.bucket)):  # type: ignore[misc]  # the fake, with one answer of S3's
        def get(self, key: str) -> bytes | None:
            found = super().get(key)
            if found is None:
                raise Denied("s3:GetObject", "AccessDenied")
            return bytes(found)

    world.bucket.__class__ = Unlisted
    world.pod_kube(POD).ask("first", world.api_request())
    assert world.agent.once(world.now) == BUSY
    world.settle()
    assert world.api.objects[CSR, "", "first"]["status"]["certificate"]


def test_a_pod_that_asks_is_looked_at_often(world: World) -> None:
    assert world.agent.once(world.now) == REST
    world.pod_kube(POD).ask("now", world.api_request())
    assert world.agent.once(world.now) == BUSY


def test_a_report_comes_each_minute_and_more_often_while_something_is_under_way(world: World) -> None:
    def reports(seconds: int) -> int:
        seen = set[float]()
        for _ in range(seconds // 5):
            world.agent.once(world.now)
            seen.add(world.report().at)
            world.now += 5
        return len(seen)

    assert reports(300) == 5
    world.vagus.tell("renew-certificate", "intent-1.renew")
    assert reports(60) == 12


def test_a_report_shows_every_pod_that_is_there(world: World) -> None:
    world.start_pod("claims-data-b-0", "10.42.1.7")
    world.api.change_pod(NAMESPACE, "claims-data-b-0", "status", podIPs=[], phase="Pending")
    world.now += 100
    world.agent.once(world.now)
    report = world.report()
    shown = {(one.instance, one.port): one.failure for one in report.handshakes}
    assert shown == {
        (POD, 9200): "",
        (POD, 9300): "",
        ("claims-data-b-0", 9200): "no handshake: the pod is Pending",
        ("claims-data-b-0", 9300): "no handshake: the pod is Pending",
    }
    assert report.bundle == paths.digest(world.vagus.trust.bundle)
    assert world.held_against == world.vagus.trust.bundle
    assert report.at == world.now


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_ended_is_not_called_though_the_api_server_keeps_its_address(world: World, phase: str) -> None:
    """An address in a report says that a pod runs: one that nobody declared would be waited for."""
    world.start_pod("claims-data-b-0", "10.42.1.7")
    world.api.change_pod(NAMESPACE, "claims-data-b-0", "status", phase=phase)
    world.now += 100
    world.agent.once(world.now)
    assert set(world.seen) == {POD}
    shown = {(one.address, one.failure) for one in world.report().handshakes if one.instance == "claims-data-b-0"}
    assert shown == {("", f"no handshake: the pod has ended ({phase})")}


def test_what_s3_refuses_stands_in_the_log_and_ends_nothing(tmp_path: Path) -> None:
    """As it does of whoever's clock is wrong, whatever is asked."""

    class Refusing(FakeBucket):
        def get(self, key: str) -> bytes | None:
            raise Refused(f"RequestTimeTooSkewed ({key})")

        def put(self, key: str, body: bytes) -> None:
            raise Refused(f"RequestTimeTooSkewed ({key}, {len(body)} bytes)")

    world = World(tmp_path, wrap_bucket=lambda _: Refusing())
    world.start_pod()
    world.settle()
    assert {one["where"] for one in world.said("wrong") if "RequestTimeTooSkewed" in str(one)} >= {
        "publishing",
        "reporting",
    }


def test_what_is_no_pod_of_the_cluster_is_not_called(world: World) -> None:
    world.api.start_pod(NAMESPACE, "app-0", "default", "10.42.0.50", labels={"app": "web"})
    world.now += 100
    world.agent.once(world.now)
    assert set(world.seen) == {POD}


def test_two_agents_at_once_do_no_harm(world: World) -> None:
    first = world.agent
    world.start_agent()
    world.vagus.tell("renew-certificate", "intent-1.renew")
    for _ in range(12):
        first.once(world.now)
        world.settle(rounds=1)
    assert world.held().steps == ("intent-1.renew",)
    assert world.vagus.issued == 2


def test_whoever_asks_says_nothing_of_who_asks(world: World) -> None:
    """What stands in the body is not what the API server writes down."""
    caller = Caller(user=user(NODES), pod=POD, uid="of-the-token")
    body = {
        "metadata": {"name": "forged"},
        "spec": {
            "request": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0=",
            "signerName": signer(CLUSTER),
            "usages": list(USAGES),
            "username": "system:serviceaccount:search:claims-nodes",
            "extra": {"authentication.kubernetes.io/pod-name": [OTHER]},
        },
    }
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    told = world.api.as_caller(caller).call("POST", path, body=body)
    assert told["spec"]["extra"]["authentication.kubernetes.io/pod-name"] == [POD]
