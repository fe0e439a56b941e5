"""Certificates of a cluster on Kubernetes over time, by what its agent tells and is told: made, renewed, replaced in
three phases; an agent that is silent, behind, or of another time; a pod that is away; a death at any call."""

import pytest
from tests.unit.certificates.parts import CLUSTER, POD
from tests.unit.certificates.site_world import SiteWorld
from tests.unit.certificates.test_rotation import plan
from tests.unit.simulation.ports import Meter

from vagus import site
from vagus.certificates import wishes
from vagus.certificates.at_site import SiteCommands
from vagus.certificates.observe import observe
from vagus.certificates.showing import shown
from vagus.certificates.telling import PATIENCE_SECONDS
from vagus.errors import Refused
from vagus.plan import Blocked, Done, Wait
from vagus.ports import Put
from vagus.procedure import rows
from vagus.reasons import Reason
from vagus.site import SILENT_SECONDS, Commands
from vagus.status import REPORT
from vagus.trust import Trust, issued_partition

DAY = 86_400.0
PARTS = 4


def reason(world: SiteWorld) -> str:
    return str(getattr(plan(world), "reason", ""))


def test_pods_get_certificates_and_functions_none() -> None:
    world = SiteWorld().known()
    assert world.steps == ["MakeAuthority", "PublishTrust", "EndRun"]
    assert (world.secrets.values, world.parameters.values) == ({}, {})
    assert world.objects.objects[site.BUNDLE].text.decode() == world.trust.bundle
    assert world.healthy()
    assert isinstance(plan(world), Done)


def test_before_an_agent_has_told_anything_nobody_is_called() -> None:
    world = SiteWorld()
    world.up = False
    world.run()
    world.now += DAY
    assert world.run().pages == []
    found = plan(world)
    assert isinstance(found, Done)
    assert "apply its manifests at the site" in found.message


def test_pods_that_others_certified_keep_what_they_have() -> None:
    world = SiteWorld()
    other = SiteWorld().known()
    world.nodes, world.held = other.nodes, other.held
    found = plan(world)
    assert isinstance(found, Blocked)
    assert (found.reason, world.trust.authorities) == (Reason.CERTIFIED_BY_OTHERS, ())


def test_pods_are_renewed_when_they_are_due_the_first_alone() -> None:
    world = SiteWorld().known()
    leaves = {name: node.leaf for name, node in world.nodes.items()}
    world.now = world.due() + 28 * DAY
    assert world.run().steps.count("RenewLeaves") == 2
    assert all(node.leaf is not leaves[name] for name, node in world.nodes.items())


@pytest.mark.parametrize("every", [0.0, 7.0, 40.0], ids=["at once", "after seconds", "late"])
def test_an_authority_is_replaced_in_three_phases(every: float) -> None:
    world = SiteWorld(every=every).known()
    world.steps.clear()
    end = world.rotate().run().summary()
    kinds = [one for at, one in enumerate(world.steps) if at == 0 or world.steps[at - 1] != one]
    assert kinds == [
        "MakeAuthority",
        "PublishTrust",
        "InstallTrust",
        "SignWith",
        "RenewLeaves",
        "DropAuthority",
        "PublishTrust",
        "InstallTrust",
        "EndRun",
    ]
    assert (end["generations"], end["signs"], end["published"], end["clients"]) == ((2,), 2, (2,), {})
    assert set(map(str, end["nodes"].values())) == {"(['2'], ['2'])"}  # type: ignore[attr-defined]
    assert world.pages == []


def _points() -> list[tuple[int, str, str]]:
    whole = SiteWorld().known()
    begins = len(whole.meter.calls)
    whole.rotate().run()
    points = [point for point in whole.meter.points(every_read=False, until=10_000) if point[0] >= begins]
    found = [(at, when, whole.meter.calls[at]) for at, when in whole.meter.different(points)]
    return [one for one in found if not one[2].startswith("sweep.")]  # which writes nothing here: the next one looks


@pytest.mark.parametrize("part", range(PARTS))
def test_interrupted_at_any_call_it_ends_as_if_it_had_not_been(part: int) -> None:
    expected = SiteWorld().known().rotate().run().summary()
    points = _points()
    assert len(points) > 40
    assert {"apply.site.put"} < {name for _, _, name in points}
    for at, when, name in points[part::PARTS]:
        world = SiteWorld(meter=Meter(crashes={at: when}))  # type: ignore[dict-item]
        try:
            assert world.known().rotate().run().summary() == expected
        except AssertionError as error:
            raise AssertionError(f"died {when} call {at}, {name}: {error}") from error


def test_while_an_agent_is_silent_nothing_goes_on_and_a_person_is_called_once() -> None:
    world = SiteWorld().known()
    world.up = False
    world.now += SILENT_SECONDS + 1
    world.rotate()
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.AGENT_AWAITED]
    assert world.trust.generations == (1,)
    assert "has told nothing since 2026-03-02 12:01:" in world.told[-1][1]
    assert "its way to S3, its API server, or its clock" in world.told[-1][1]
    assert "`kubectl -n search logs deploy/claims-agent`" in world.told[-1][1]
    world.up = True
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def _silent_for(world: SiteWorld, days: float) -> list[float]:
    """When, in hours, a person is called of an agent that is silent."""
    world.up = False
    begun, until = world.now, world.now + days * DAY
    world.run(until=lambda: world.now >= until, looks=1_600)  # less than a hand-over comes after
    assert set(world.pages) == {Reason.AGENT_AWAITED}
    return [round((at - begun) / 3600) for at, _ in world.told]


def test_of_a_way_that_is_away_for_days_a_person_is_called_once() -> None:
    world = SiteWorld().known()
    world.now += SILENT_SECONDS + 1
    assert _silent_for(world, 2) == [0]


def test_and_every_four_hours_once_a_certificate_is_near_its_end() -> None:
    world = SiteWorld().known()
    world.now += 67.4 * DAY  # of 90: 25 % are left two hours later
    assert _silent_for(world, 0.4) == [0, 4, 8]


def test_and_while_an_authority_is_being_replaced() -> None:
    world = SiteWorld().known()
    world.rotate().run(until=lambda: world.trust.signs == 2)
    assert _silent_for(world, 0.4) == [0, 4, 8]


def test_a_report_that_is_gone_is_not_one_that_never_was() -> None:
    world = SiteWorld().known()
    world.up = False
    del world.objects.objects[site.REPORT]
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.AGENT_AWAITED]
    assert "site/report.json is gone from the bucket" in world.told[-1][1]
    reads, seen = world._reads("status"), rows.read(world.table, CLUSTER)
    lines = {one.title: one for one in shown(observe(reads, world.spec, seen, None, world.now), world.spec, world.now)}
    assert lines[REPORT].wrong
    world.up = True
    assert isinstance(plan(world.run()), Done)


def test_who_has_lost_the_row_of_trust_as_well_makes_no_second_authority() -> None:
    world = SiteWorld().known()
    world.up = False
    del world.objects.objects[site.REPORT]
    world.table.write(rows.partition(CLUSTER), rows.read(world.table, CLUSTER).put("trust", Trust()))
    assert reason(world) == Reason.CERTIFIED_BY_OTHERS


def test_a_persons_certificate_is_no_sign_of_an_agent() -> None:
    world = SiteWorld()
    world.up = False
    world.run()
    world.table.write(issued_partition(CLUSTER), Put(key="k", data={"instance": ""}, expected=0))
    assert isinstance(plan(world), Done)


def test_what_was_told_before_an_agent_fell_silent_still_says_when_certificates_end() -> None:
    world = SiteWorld().known()
    world.up, world.now = False, world.now + 3600
    reads, seen = world._reads("status"), rows.read(world.table, CLUSTER)
    lines = {one.title: one for one in shown(observe(reads, world.spec, seen, None, world.now), world.spec, world.now)}
    assert lines[REPORT].wrong
    assert lines[REPORT].number == world.objects.objects[site.REPORT].at
    assert "not seen: the agent of claims has told nothing since" in lines["first certificate to end"].says


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0], ids=["an hour behind", "an hour ahead"])
def test_how_old_a_report_is_says_the_store_and_not_the_agents_clock(ahead: float) -> None:
    world = SiteWorld()
    world.ahead = ahead
    assert isinstance(plan(world.known()), Done)
    world.up, world.now = False, world.now + SILENT_SECONDS + 1
    assert reason(world) == Reason.AGENT_AWAITED


def test_an_agent_that_holds_another_bundle_holds_up_all_and_no_pod_is_renewed_for_it() -> None:
    world = SiteWorld().known()
    world.stuck = True
    world.steps.clear()
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.AGENT_AWAITED]
    assert "still held another bundle" in world.told[-1][1]
    assert world.steps == ["MakeAuthority", "PublishTrust"]
    world.stuck = False
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def test_the_order_of_a_bundle_is_no_other_bundle() -> None:
    """Who signs stands first, and nothing is published when that changes."""
    world = SiteWorld().known()
    world.rotate().run(until=lambda: world.trust.signs == 2)
    assert world.objects.objects[site.BUNDLE].text.decode() != world.trust.bundle
    assert reason(world) != Reason.AGENT_AWAITED


def test_a_pod_that_is_away_holds_up_the_next_phase_alone() -> None:
    world = SiteWorld().known()
    world.nodes[POD].up = False
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    assert POD in world.told[-1][1]
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 1)
    world.nodes[POD].up = True
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def test_a_declared_pod_of_which_the_agent_knows_nothing_is_away() -> None:
    world = SiteWorld().known()
    gone = world.nodes.pop(POD)
    assert reason(world) == Reason.NODES_SILENT
    world.nodes[POD] = gone
    assert isinstance(plan(world), Done)


def test_a_declared_pod_that_is_not_there_is_waited_for_by_a_rotation() -> None:
    world = SiteWorld().known()
    gone = world.nodes.pop(POD)
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    assert POD in world.told[-1][1]
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 1)
    world.nodes[POD] = gone
    assert world.run().trust.generations == (2,)
    assert world.healthy()


def test_a_pod_that_is_gone_from_the_fleet_file_and_the_site_is_not_waited_for() -> None:
    world = SiteWorld().known()
    world.scale("claims-data-b", 1)
    assert world.rotate().run().trust.generations == (2,)
    assert world.pages == []
    assert world.healthy()


def test_a_pod_that_is_gone_from_the_site_alone_is_waited_for_until_the_fleet_file_says_so() -> None:
    world = SiteWorld().known()
    world.nodes.pop("claims-data-b-1")
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    world.scale("claims-data-b", 1)
    assert world.run().trust.generations == (2,)


def test_a_pod_that_is_gone_from_the_fleet_file_alone_is_a_node_while_it_is_there() -> None:
    world = SiteWorld().known()
    stray = world.nodes["claims-data-b-1"]
    world.scale("claims-data-b", 1)
    world.nodes["claims-data-b-1"] = stray
    assert world.rotate().run().trust.generations == (2,)
    assert world.healthy()
    stray.up = False
    world.rotate().run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    assert "claims-data-b-1" in world.told[-1][1]
    assert "claims-data-b-1 runs with the label vagus.internal/cluster and is in no declared" in world.told[-1][1]


def test_a_pod_that_is_gone_from_the_fleet_file_and_runs_no_more_is_waited_for_by_nobody() -> None:
    """It is being deleted, or was never placed: the agent names no address of it."""
    world = SiteWorld().known()
    stray = world.nodes["claims-data-b-1"]
    world.scale("claims-data-b", 1)
    world.nodes["claims-data-b-1"], stray.up, world.waiting = stray, False, {"claims-data-b-1"}
    assert world.rotate().run().trust.generations == (2,)
    assert world.pages == []


def test_a_new_pod_that_was_refused_pages_with_its_refusal() -> None:
    world = SiteWorld().known()
    world.nodes[POD].up = False
    world.said = {POD: "10.99.0.3 lies in none of the declared networks of pods"}
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    text = world.told[-1][1]
    assert f"{POD}: no TLS handshake; its last request was refused: 10.99.0.3 lies in none" in text
    assert f"`kubectl -n search logs {POD} -c certificates`" in text
    assert "no declared StatefulSet" not in text


def test_a_pod_that_takes_nothing_up_is_told_again_and_a_person_hears_its_words() -> None:
    world = SiteWorld().known()
    world.nodes[POD].deaf = True
    world.said = {POD: "refused: the request names no address"}
    wishes.renew_leaves(world.table, CLUSTER, world.now + 600)
    world.now += 700
    begun = world.now
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODE_NOT_RENEWED]
    assert "names no address" in world.told[-1][1]
    assert f"see `kubectl -n search describe pod {POD}` and `kubectl -n search logs {POD} -c certificates`" in _text(
        world
    )
    assert world.now - begun < PATIENCE_SECONDS + 300
    told = site.read(world.objects.objects[site.COMMANDS].text, Commands, "commands")
    assert len(told.of(POD)) == 1, "the newest of each kind stays"


def _text(world: SiteWorld) -> str:
    return world.told[-1][1]


def test_of_a_pod_that_takes_nothing_up_and_says_nothing_a_person_hears_where_to_look() -> None:
    """Whose clock is slow waits for its certificate to begin, and was refused nothing."""
    world = SiteWorld().known()
    for node in world.nodes.values():
        node.deaf = True
    wishes.renew_leaves(world.table, CLUSTER, world.now + 600)
    world.now += 700
    world.run(until=lambda: len(world.pages) == 2)
    assert set(world.pages) == {Reason.NODE_NOT_RENEWED}
    assert "`kubectl -n search logs POD -c certificates`" in _text(world)


def test_of_an_agents_words_no_more_are_passed_on_than_a_page_takes() -> None:
    world = SiteWorld().known()
    world.said = {POD: "x" * 100_000}
    SiteCommands(world.objects, lambda: world.now).send("install-trust", POD, "one", {})
    world.report()
    (told,) = SiteCommands(world.objects, lambda: world.now).sent(POD, world.now)
    assert len(told.said) == 500


@pytest.mark.parametrize(("document", "given"), [("restart-search", {}), ("install-trust", {"Version": "3.4.0"})])
def test_a_pod_can_be_told_two_things_and_no_more(document: str, given: dict[str, str]) -> None:
    world = SiteWorld()
    with pytest.raises(Refused, match="a pod can be told install-trust or renew-certificate"):
        SiteCommands(world.objects, lambda: world.now).send(document, POD, "one", given)
    assert world.objects.objects == {}


def test_a_report_that_can_not_be_read_is_told_and_nothing_goes_on() -> None:
    world = SiteWorld().known()
    world.up = False
    world.objects.there(site.REPORT, b'{"at": 1.0, "digest": "x"}')
    found = plan(world)
    assert isinstance(found, Wait)
    assert "site/report.json" in found.message
    assert "another version" in found.message


def test_what_was_told_an_hour_ago_is_told_no_more() -> None:
    world = SiteWorld().known()
    world.rotate().run()
    world.now = world.due() + 28 * DAY
    world.run()
    told = site.read(world.objects.objects[site.COMMANDS].text, Commands, "commands")
    assert {one.document for one in told.told} == {"renew-certificate"}


def test_a_wait_for_an_agent_that_is_a_little_late_calls_nobody() -> None:
    world = SiteWorld(every=60.0).known()
    world.rotate().run()
    assert world.pages == []
    assert isinstance(plan(world), Done | Wait)
