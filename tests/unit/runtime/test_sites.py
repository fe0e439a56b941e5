"""Functions in a cell whose one cluster is on Kubernetes: they call no node, and ask nothing of its groups."""

import time
from typing import NoReturn

import pytest
from benchmarks._cost import SWEEP_GETS
from tests.unit.certificates.parts import CLUSTER
from tests.unit.certificates.site_world import SiteWorld
from tests.unit.runtime.conftest import FakeParts

from vagus import runtime, site
from vagus.aws.fake_site import FakeSiteObjects
from vagus.errors import Malformed
from vagus.events import parse
from vagus.procedure import noted_status
from vagus.procedure.room import Reads
from vagus.procedure.safety import EVERY_MINUTES


class SiteParts(FakeParts):
    """On a played site, whose time stands at the machine's."""

    def __init__(self) -> None:
        self.site = SiteWorld()
        self.site.now = time.time()
        self.site.known()
        super().__init__(self.site.spec)
        self.asked: list[str] = []
        self.rows, self.records, self.machine = self.site.table, self.site.records, self.site.machines

    def reads(self) -> Reads:
        return self.site._reads("sweep")

    def group_facts(self) -> "SiteParts":
        return self

    def of_cluster(self, cluster: str) -> NoReturn:
        """As `ports.GroupFactsRead`."""
        self.asked.append(cluster)
        raise AssertionError(f"{cluster} has no group")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> SiteParts:
    made = SiteParts()
    monkeypatch.setattr("vagus.runtime.fleet.deployed", lambda: {CLUSTER: made.site.spec})
    monkeypatch.setattr("vagus.runtime.time.time", lambda: made.site.now)
    return made


def test_in_every_minute_of_an_hour_the_sweep_looks_at_its_certificates_alone(parts: SiteParts) -> None:
    for _ in range(EVERY_MINUTES):
        parts.site.now += 60
        (swept,) = runtime.sweep(parts)["swept"]
        assert (swept["capability"], swept["result"]) == ("certificates", "idle")
    assert parts.asked == []
    noted = noted_status.last(parts.rows, CLUSTER)
    assert noted is not None
    assert (noted.fault, noted.health.unseen, noted.placement) == ("", "", "kubernetes")
    assert [one.name for one in noted.capabilities] == ["certificates"]


def test_a_sweep_gets_its_report_as_often_as_the_bill_says(parts: SiteParts, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    get = FakeSiteObjects.get
    monkeypatch.setattr(FakeSiteObjects, "get", lambda self, key: asked.append(key) or get(self, key))
    monkeypatch.setattr(parts.site, "agent", lambda: None)
    for _ in range(10):
        parts.site.now += 10
        runtime.sweep(parts)
    assert asked == [site.REPORT] * 10 * SWEEP_GETS


def test_a_run_of_what_does_nothing_there_ends(parts: SiteParts) -> None:
    call = {"cluster": CLUSTER, "capability": "zone_balance", "generation": 1}
    with pytest.raises(Malformed, match="zone_balance does nothing with claims"):
        runtime.look("zone_balance", call, parts)
    step = {"kind": "NoteIdentity", "uuid": "u"}
    with pytest.raises(Malformed, match="zone_balance does nothing with claims"):
        runtime.act("zone_balance", {"call": call, "step": step}, parts)


def test_an_event_of_a_watch_that_there_is_not_starts_nothing(parts: SiteParts) -> None:
    event = {
        "source": "vagus.cluster",
        "detail-type": "Bytes Uneven",
        "time": "2026-03-02T12:00:00Z",
        "resources": [],
        "detail": {"cluster": CLUSTER},
    }
    assert "nobody watches claims" in str(parse(event, {CLUSTER: parts.site.spec}))


def test_nobody_watches_it(parts: SiteParts) -> None:
    assert runtime.watch(parts) == {"told": 0}


@pytest.mark.parametrize("capability", ["certificates", "zone_balance"])
def test_nobody_calls_it_to_stay_awake(parts: SiteParts, capability: str) -> None:
    awake = {"keepAwake": True}
    assert runtime.look(capability, awake, parts) == {"looked": 0, "failed": {}}
    assert runtime.act(capability, awake, parts) == {"looked": 0, "failed": {}}
