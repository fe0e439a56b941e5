"""Mode approve: how often a person is asked for renewals, and what is shown meanwhile."""

import pytest
from tests.unit.certificates.world import World

from vagus.certificates import wishes
from vagus.certificates.decide import decide
from vagus.certificates.observe import observe
from vagus.plan import Done, Plan, Steps
from vagus.procedure import rows
from vagus.reasons import Reason
from vagus.steps import RenewLeaves
from vagus.trust import ASK_BELOW, PAGE_BELOW, share_left

DAY = 86_400.0
HOUR = 3600.0


def _plan(world: World) -> Plan:
    seen = rows.read(world.table, "claims")
    return decide(observe(world._reads("plan"), world.spec, seen, None, world.now), world.spec, world.now)


def _left(world: World) -> float:
    """The least share of its life that any node's certificate has left."""
    shown = world.all(world.trust.bundle)
    return min(share_left(one.begins, one.ends, world.now) for one in shown)


def _pass(world: World, days: float) -> float:
    """Time passes, and a run starts whenever something is due. The least share that any certificate had left."""
    least, end = 1.0, world.now + days * DAY
    while world.now < end:
        world.now += 12 * HOUR
        least = min(least, _left(world))
        world.run()
    return least


def test_one_yes_is_enough_for_all_that_are_due_and_comes_before_the_alarm() -> None:
    world = World(mode="approve", per_zone=3).known()
    world.approves = 4 * HOUR
    least = _pass(world, 130)
    assert world.pages == [Reason.APPROVAL_NEEDED] * 2, "two lives: one question each"
    assert PAGE_BELOW < least < ASK_BELOW
    assert all(str(words).count("make a new key each") >= 2 for _, words in world.told), "it says whom it is for"


def test_nodes_of_different_ages_are_asked_for_when_the_oldest_needs_it() -> None:
    world = World(mode="approve", per_zone=3).known()
    nodes = sorted(world.nodes)
    for node in nodes[1:]:  # as if Auto Scaling had replaced one every five days
        world.now += 5 * DAY
        world.renew_certificate(node)
    world.approves = 4 * HOUR
    assert _pass(world, 180) > PAGE_BELOW
    assert len(world.pages) <= 180 / 15, "all that are due go with the oldest, and they come due over 30 % of a life"


def test_a_yes_is_carried_out_for_the_others_too_once_the_oldest_has_its_own() -> None:
    world = World(mode="approve").known()
    _, *others = sorted(world.nodes)
    world.now += 3 * DAY
    for node in others:
        world.renew_certificate(node)
    leaves = {name: node.leaf for name, node in world.nodes.items()}
    world.approves = 4 * HOUR
    world.now += 60.1 * DAY  # the oldest is below 30 %, the others below 35 %, and so due
    assert world.run().pages == [Reason.APPROVAL_NEEDED]
    assert all(node.leaf is not leaves[name] for name, node in world.nodes.items())


def test_what_is_due_is_shown_and_not_yet_asked_for() -> None:
    world = World(mode="approve").known()
    world.now += 59 * DAY  # all are due by then, and a third is left
    assert world.run().pages == [], "the functions' own are renewed in every mode"
    found = _plan(world)
    assert isinstance(found, Done)
    assert found.reason == Reason.CERTIFIED
    assert "3 are due" in found.message
    assert "30%" in found.message
    assert found.foreseen == (RenewLeaves(nodes=tuple(sorted(world.nodes)), signed_by=1),)


@pytest.mark.parametrize("mode", ["act", "observe"])
def test_in_other_modes_it_is_due_as_before(mode: str) -> None:
    world = World(mode=mode).known()
    world.now += 59 * DAY
    assert isinstance(_plan(world), Steps)


def test_what_a_person_wishes_is_asked_for_at_once() -> None:
    world = World(mode="approve").known()
    world.approves = 4 * HOUR
    leaves = {name: node.leaf for name, node in world.nodes.items()}
    world.now += 400
    wishes.renew_leaves(world.table, "claims", world.now)
    world.run()
    assert world.pages == [Reason.APPROVAL_NEEDED]
    assert all(node.leaf is not leaves[name] for name, node in world.nodes.items())


def test_a_certificate_that_has_ended_is_asked_for_at_once() -> None:
    world = World(mode="approve").known()
    world.approves, world.now = 4 * HOUR, world.now + 100 * DAY
    assert world.run().pages == [Reason.APPROVAL_NEEDED]
    assert world.healthy()
