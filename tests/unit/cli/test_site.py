"""The command line on a cluster whose nodes are pods: its certificates are shown and replaced, nothing looks for
instances or calls a node, and what can't be done yet is said."""

from typing import NoReturn

import msgspec
import pytest
from tests.unit.certificates.parts import CLUSTER, POD
from tests.unit.certificates.site_world import SiteWorld
from tests.unit.cli.conftest import NOON, Scene

from vagus import figures
from vagus.aws.fake import FakeTable
from vagus.procedure import standing
from vagus.rooms import ROOMS
from vagus_cli import cell_judged
from vagus_cli.world import Choice, World


class Nowhere:
    """Auto Scaling, of which nobody here asks anything."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name}: a cluster on Kubernetes has no group")


class SiteScene(Scene):
    """The command line's world with that cluster alone. `site`: what lies behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.site = SiteWorld().known()
        self.fleet = {CLUSTER: self.site.spec}
        self.table, self.book = self.site.table, FakeTable()

    def open(self, choice: Choice) -> World:
        self.now = self.site.now
        reads = msgspec.structs.replace(self.site._reads("person"), groups=Nowhere())
        return msgspec.structs.replace(super().open(choice), reads=reads)


@pytest.fixture
def scene() -> SiteScene:
    return SiteScene()


def test_its_status_is_of_its_certificates_and_its_agents_report(scene: SiteScene) -> None:
    said = scene.run("status", CLUSTER)
    assert said.exit_code == 0
    assert "3 pods on Kubernetes" in said.stdout
    assert "its agent's last report: 0 s ago" in said.stdout
    assert "first certificate to end: that of claims-data-a-0" in said.stdout
    assert "zone_balance" not in said.stdout
    assert "not seen" not in said.stdout


def test_among_others_it_is_a_row_that_alarms_nobody(scene: SiteScene) -> None:
    said = scene.run("status")
    assert said.exit_code == 0
    assert "on kubernetes, not looked at" in said.stdout
    assert "?/3" in said.stdout


def test_its_figures_are_those_that_its_agent_feeds(scene: SiteScene) -> None:
    world = scene.open(Choice())
    shows = standing.Shows(
        reads=world.reads, table=scene.table, rooms=ROOMS, executions=world.executions(scene.site.spec)
    )
    told = figures.told(standing.of(shows, scene.site.spec, scene.now))
    assert told.keys() == {"CertificateDays", "ReportSeconds"}
    assert told["ReportSeconds"] == 0


def test_a_silent_agent_wants_a_person_and_the_figures_go_on(scene: SiteScene) -> None:
    scene.site.up = False
    scene.site.now += 3600
    said = scene.run("status", CLUSTER, "--json")
    assert said.exit_code == 4
    (status,) = msgspec.json.decode(said.stdout)
    assert {one["title"]: one["wrong"] for one in status["lines"]}["its agent's last report"]
    assert [one["name"] for one in status["capabilities"]] == ["certificates"]


def test_its_plan_is_of_certificates_alone(scene: SiteScene) -> None:
    (shown,) = scene.json("plan", CLUSTER)
    assert (shown["capability"], shown["plan"], shown["reason"]) == ("certificates", "Done", "CERTIFIED")
    scene.site.rotate()
    assert scene.run("plan", CLUSTER).exit_code == 3


def test_its_certificates_are_shown_by_pod_with_the_age_of_the_report(scene: SiteScene) -> None:
    shown = scene.json("certificates", CLUSTER)
    of_pods = [(one["node"], one["port"]) for one in shown if one["node"]]
    assert of_pods == [(pod, port) for pod in scene.site.spec.pods for port in ("9200", "9300")]
    assert shown[-1]["port"] == "told by its agent, 0 s ago"
    assert not [one for one in shown if "functions" in one["port"]]


def test_of_a_silent_agent_what_was_told_last_is_shown_and_said_to_be_old(scene: SiteScene) -> None:
    scene.site.up = False
    scene.site.now += 3600
    said = scene.run("certificates", CLUSTER, "--json")
    assert said.exit_code == 1
    shown = msgspec.json.decode(said.stdout)
    assert shown[-1]["wrong"].startswith("its agent is silent")
    of_pods = [one for one in shown if one["node"] == POD]
    assert all("has told nothing since" in one["wrong"] and one["ends"] for one in of_pods)


def test_its_authority_is_replaced_at_a_persons_wish(scene: SiteScene) -> None:
    assert scene.run("rotate", CLUSTER, "--ca").exit_code == 0
    assert scene.site.run().trust.generations == (2,)
    assert scene.site.healthy()


def test_a_stop_is_of_its_certificates_and_says_until_when_they_hold(scene: SiteScene) -> None:
    (told,) = scene.json("stop", CLUSTER)
    assert told["capability"] == "certificates"
    assert "the first certificate ends in 90.0 days" in told["message"]
    assert scene.run("resume", CLUSTER).exit_code == 0


def test_nothing_is_asked_for_approval(scene: SiteScene) -> None:
    (shown,) = scene.json("approve", CLUSTER)
    assert "nothing is asked for" in shown["message"]


def test_a_takeover_stops_its_one_capability(scene: SiteScene) -> None:
    found = scene.json("takeover", CLUSTER)
    assert len(found["stopped"]) == len(found["commands"]) == 1
    assert (found["unseen"], found["hooks"]) == ([], [])
    said = " ".join(scene.run("takeover", CLUSTER).stdout.split())
    assert "nothing of Vagus calls it, nor did this command" in said
    assert "excluded by" not in said


NOT_YET = {
    "a restart": (
        ("restart", CLUSTER),
        "does not restart yet. By hand: `kubectl -n search delete pod claims-data-a-0`, wait until that pod is ready "
        "and the cluster green before the next",
    ),
    "an upgrade": (
        ("upgrade", CLUSTER),
        "does not upgrade yet. By hand: `kubectl -n search set image statefulset/claims-data-a CONTAINER=IMAGE`",
    ),
    "a replacement": (("replace", CLUSTER), "does not replace yet. By hand: `kubectl -n search delete pod claims-data"),
    "what either needs": (("restart", CLUSTER), "Before, see by `vagus certificates claims` that its agent tells"),
    "an end of one": (("abort", CLUSTER), "no restart, upgrade or replacement of claims is under way"),
    "a stop of what does nothing there": (
        ("stop", CLUSTER, "--capability", "zone_balance"),
        "zone_balance does nothing with claims, which is on Kubernetes, yet",
    ),
    "a picture of its shards": (("plan", CLUSTER, "--picture", "x.svg"), "no picture of its shards"),
}


@pytest.mark.parametrize("sentence", NOT_YET)
def test_what_can_not_be_done_yet_is_said(scene: SiteScene, sentence: str) -> None:
    arguments, words = NOT_YET[sentence]
    said = scene.run(*arguments)
    assert said.exit_code == 2
    assert words in " ".join(said.stderr.split())
    assert scene.sent == []


REPORTED = {
    "a report of a moment ago": (30.0, "well", "30 s ago"),
    "one that is old": (181.0, "ill", "181 s ago"),
    "none ever": (None, "ill", "no report of it in the bucket"),
}


@pytest.mark.parametrize(("age", "state", "words"), REPORTED.values(), ids=REPORTED.keys())
def test_the_doctor_asks_when_its_agent_told_something_last(age: float | None, state: str, words: str) -> None:
    found = cell_judged.agent(CLUSTER, None if age is None else NOON - age, NOON)
    assert (found.name, found.state) == ("agent: claims", state)
    assert words in found.found
    assert bool(found.remedy) is (state == "ill")
