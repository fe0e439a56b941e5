"""The fake API server keeps the contract; and what the real transport makes of answers."""

from pathlib import Path

import pytest
from tests.unit.agent import manifests
from tests.unit.agent.kube_contract import KubeContract
from tests.unit.agent.manifests import CLUSTER, NAMESPACE
from tests.unit.agent.world import World

from vagus.errors import Conflict, Denied, Malformed, Refused, Throttled, Unreachable, VagusError
from vagus_agent.agent import LABEL
from vagus_agent.fake_kube import Caller, FakeApiServer
from vagus_agent.kube import Https, Kube, Missing, decoded
from vagus_agent.main import rest
from vagus_agent.model import published_in


class FakeApi:
    """The fake, with the manifests applied."""

    def __init__(self, chain: str) -> None:
        self._server, self._chain = FakeApiServer(), chain
        self._server.make_map(NAMESPACE, published_in(CLUSTER))

    def kube(self, account: str, pod: str = "") -> Kube:
        held = self._server.objects.get(("pods", NAMESPACE, pod))
        uid = str(held["metadata"]["uid"]) if held else ""
        caller = Caller(user=manifests.user(account), rights=manifests.rights(account), pod=pod, uid=uid)
        return self._server.kube(caller, NAMESPACE, CLUSTER)

    def start_pod(self, name: str, account: str, address: str, cluster: str = CLUSTER) -> str:
        return self._server.start_pod(NAMESPACE, name, account, address, labels={LABEL: cluster})

    def end_pod(self, name: str) -> None:
        self._server.end_pod(NAMESPACE, name)

    def chain(self) -> str:
        return self._chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate, and the authority that signed it."""
    world = World(tmp_path_factory.mktemp("chain"))
    world.vagus.publish()
    world.start_pod()
    world.settle()
    return world.held().leaf + world.held().bundle


class TestFake(KubeContract):
    """As `tests/long/test_kubernetes_agent.py` does with a real one."""

    @pytest.fixture
    def api(self, chain: str) -> FakeApi:
        return FakeApi(chain)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Refused),
        (401, Denied),
        (403, Denied),
        (404, Missing),
        (409, Conflict),
        (422, Refused),
        (429, Throttled),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_an_answer_is_one_of_our_errors(status: int, error: type[VagusError]) -> None:
    with pytest.raises(error, match="it says why"):
        decoded(status, b'{"kind": "Status", "message": "it says why"}', "GET /api")


def test_an_answer_that_is_no_json_is_told_as_it_is() -> None:
    with pytest.raises(Unreachable, match="upstream"):
        decoded(502, b"<html>upstream</html>", "GET /api")


@pytest.fixture
def mounted(tmp_path: Path, chain: str) -> Path:
    """What kubelet mounts."""
    (tmp_path / "ca.crt").write_text(chain)
    (tmp_path / "token").write_text("a-token\n")
    return tmp_path


def test_an_api_server_that_is_away_is_unreachable(mounted: Path) -> None:
    kube = Kube(Https("https://127.0.0.1:1", mounted), NAMESPACE, CLUSTER)
    for attempt in (kube.published, kube.requests, lambda: kube.await_change("1", 1)):
        with pytest.raises(Unreachable, match="the API server"):
            attempt()


def test_without_a_token_it_says_what_is_off(mounted: Path) -> None:
    (mounted / "token").unlink()
    with pytest.raises(Denied, match="automountServiceAccountToken"):
        Kube(Https("https://127.0.0.1:1", mounted), NAMESPACE, CLUSTER).published()


def test_without_the_authority_too(mounted: Path) -> None:
    (mounted / "ca.crt").unlink()
    with pytest.raises(Malformed, match="automountServiceAccountToken"):
        Https("https://127.0.0.1:1", mounted)


def test_a_rest_lasts_its_time_with_the_api_server_away(mounted: Path) -> None:
    rest(Kube(Https("https://127.0.0.1:1", mounted), NAMESPACE, CLUSTER), "1", 0.05)
