"""Certificates over time: made, renewed, replaced with their authority; interrupted anywhere; and what stops it.

`World.check` runs after each step: at no instant does anybody distrust whom they speak to.
"""

import msgspec
import pytest
from tests.unit.certificates.world import World
from tests.unit.simulation.ports import Meter

from vagus.certificates import wishes
from vagus.certificates.decide import decide
from vagus.certificates.observe import observe
from vagus.certificates.observed import members
from vagus.certificates.telling import PATIENCE_SECONDS
from vagus.errors import Refused
from vagus.plan import Blocked, Done, Steps, Wait
from vagus.ports import Put
from vagus.procedure import rows
from vagus.reasons import Reason

DAY = 86_400.0
PARTS = 8  # of a replay that takes a minute: both workers of the tier take their share


def plan(world: World) -> object:
    seen = rows.read(world.table, world.spec.name)
    return decide(observe(world._reads("plan"), world.spec, seen, None, world.now), world.spec, world.now)


def _asks(world: World) -> bool:
    return getattr(plan(world), "reason", None) in (Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW)


def test_an_authority_is_made_published_and_given_to_the_functions_before_any_node_boots() -> None:
    world = World().run()
    assert world.steps == [
        "MakeAuthority",
        "PublishTrust",
        "IssueClientCertificate",
        "IssueClientCertificate",
        "EndRun",
    ]
    assert set(world.secrets.values) == {("claims", "read"), ("claims", "write")}
    assert world.parameters.values["/vagus/claims/node/trust"] == world.trust.bundle


def test_in_observe_the_same_is_made_for_nodes_could_not_start_without() -> None:
    assert World(mode="observe").run().trust.published == (1,)


def test_nothing_is_done_while_nothing_is_due() -> None:
    world = World().known()
    before = len(world.steps)
    assert world.run().steps[before:] == []
    assert isinstance(plan(world), Done)


def test_nodes_are_renewed_when_they_are_due_the_first_alone() -> None:
    world = World().known()
    leaves = {name: node.leaf for name, node in world.nodes.items()}
    world.now = world.due() + 28 * DAY  # 15 % of 90 days either way
    renewed = world.run().steps
    assert renewed.count("RenewLeaves") == 2
    assert all(node.leaf is not leaves[name] for name, node in world.nodes.items())


def test_a_person_may_have_all_renewed_at_once() -> None:
    world = World().known()
    serials = {world.trust.clients[role].serial for role in ("read", "write")}
    world.now += 60
    wishes.renew_leaves(world.table, "claims", world.now)
    world.run()
    assert world.steps.count("RenewLeaves") == 2
    assert {world.trust.clients[role].serial for role in ("read", "write")}.isdisjoint(serials)


def test_an_authority_is_replaced_in_three_phases() -> None:
    world = World().known()
    world.steps.clear()
    end = world.rotate().run().summary()
    kinds = [one for at, one in enumerate(world.steps) if at == 0 or world.steps[at - 1] != one]
    assert kinds == [
        "MakeAuthority",
        "PublishTrust",
        "IssueClientCertificate",
        "InstallTrust",
        "SignWith",
        "IssueClientCertificate",
        "RenewLeaves",
        "DropAuthority",
        "PublishTrust",
        "IssueClientCertificate",
        "InstallTrust",
        "EndRun",
    ]
    assert (end["generations"], end["signs"], end["published"]) == ((2,), 2, (2,))
    assert set(map(str, end["nodes"].values())) == {"(['2'], ['2'])"}  # type: ignore[attr-defined]


def test_twice_in_a_row_and_with_the_first_key_again() -> None:
    world = World().known()
    first = world.trust.authorities[0]
    world.rotate().run().rotate().run()
    (third,) = world.trust.authorities
    assert (third.generation, third.slot) == (3, first.slot)
    assert third.name != first.name, "what was signed for the first does not chain to the third"


def test_an_authority_that_has_lived_half_its_life_is_replaced() -> None:
    world = World().known()
    world.now += 3 * 365 * DAY
    for instance in world.nodes:
        world.renew_certificate(instance)
    assert world.run().trust.generations == (2,)


def _points() -> list[tuple[int, str, str]]:
    whole = World().known()
    begins = len(whole.meter.calls)
    whole.rotate().run()
    points = [point for point in whole.meter.points(every_read=False, until=10_000) if point[0] >= begins]
    return [(at, when, whole.meter.calls[at]) for at, when in whole.meter.different(points)]


@pytest.mark.parametrize("part", range(PARTS))
def test_interrupted_at_any_call_it_ends_as_if_it_had_not_been(part: int) -> None:
    expected = World().known().rotate().run().summary()
    points = _points()
    assert len(points) > 50
    for at, when, name in points[part::PARTS]:
        world = World(meter=Meter(crashes={at: when}))  # type: ignore[dict-item]
        try:
            assert world.known().rotate().run().summary() == expected
        except AssertionError as error:
            raise AssertionError(f"died {when} call {at}, {name}: {error}") from error


def test_a_node_that_starts_in_between_has_the_current_bundle() -> None:
    for boots_at in range(1, 14):
        world = World().known()
        late = next(iter(world.nodes))
        world.nodes[late].up, world.nodes[late].leaf = False, None
        world.steps.clear()

        def boots(world: World = world, late: str = late, at: int = boots_at) -> bool:
            if not world.nodes[late].up and (len(world.steps) >= at or world.steps[-1:] == ["InstallTrust"]):
                world.boot(late)
                world.check()
            return False

        end = world.rotate().run(until=boots).summary()
        assert (end["generations"], end["head"]) == ((2,), "idle")
        assert set(map(str, end["nodes"].values())) == {"(['2'], ['2'])"}  # type: ignore[attr-defined]


def test_a_node_that_is_away_holds_the_next_phase_and_comes_back_with_old_files() -> None:
    world = World().known()
    away = next(iter(world.nodes))
    world.nodes[away].up = False
    world.rotate().run(until=lambda: isinstance(plan(world), Wait))
    assert world.trust.generations == (1, 2)
    assert world.trust.signs == 1
    found = plan(world)
    assert isinstance(found, Wait)
    assert found.reason == Reason.NODES_SILENT
    assert away in found.message
    world.boot(away)
    assert world.run().trust.generations == (2,)


def test_a_declared_client_holds_both_phases_until_it_is_acknowledged() -> None:
    world = World(clients=["app"]).known()
    world.take_bundle()
    world.rotate().run(until=lambda: _asks(world))
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 1)
    world.take_bundle()
    with pytest.raises(Refused, match="does not sign yet"):
        wishes.acknowledge(world.table, "claims", "app", renewed=True)
    wishes.acknowledge(world.table, "claims", "app", renewed=False)
    world.run(until=lambda: _asks(world))
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 2)
    wishes.acknowledge(world.table, "claims", "app", renewed=False)  # said twice: by a colleague, or a retry
    world.run(until=lambda: _asks(world))
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 2)
    world.take_bundle()
    wishes.acknowledge(world.table, "claims", "app", renewed=True)
    assert world.run().trust.generations == (2,)


def test_in_one_run_a_person_is_told_of_each_of_the_two() -> None:
    world = World(clients=["app"]).known()
    world.take_bundle()
    asked: list[bool] = []

    def acknowledged() -> bool:
        if _asks(world):
            asked.append(True)
            if len(asked) % 3 == 0:  # not at the first look that asks
                world.take_bundle()
                wishes.acknowledge(world.table, "claims", "app", renewed=world.trust.signs == 2)
        return False

    assert world.rotate().run(until=acknowledged).trust.generations == (2,)
    assert world.pages == [Reason.CLIENTS_TO_TRUST, Reason.CLIENTS_TO_RENEW]


def _deaf_for(world: World, *deaf: str, seconds: float = PATIENCE_SECONDS + 900) -> float:
    """A rotation for so long, while they do nothing of what they are told. When it began."""
    for one in deaf:
        world.nodes[one].deaf = True
    begun = world.now
    world.rotate().run(until=lambda: world.now > begun + seconds)
    return begun


def _told(world: World, begun: float) -> dict[str, int]:
    return {node: len(world.commands.sent(node, begun)) for node in sorted(world.nodes)}


def test_a_node_that_takes_nothing_up_calls_a_person_and_the_others_go_on_without_it() -> None:
    world = World().known()
    deaf, *others = sorted(world.nodes)
    begun = _deaf_for(world, deaf)
    told = _told(world, begun)
    assert {told[one] for one in others} == {1}, "nobody is told twice who has taken it up"
    assert told[deaf] >= 7, "it is told again, often at first"
    assert all(len(world.nodes[one].trusts) == 2 for one in others)
    assert world.trust.signs == 1, "the next phase waits for it"
    assert world.pages == [Reason.NODE_NOT_RENEWED]
    found = plan(world)
    assert isinstance(found, Blocked)
    assert deaf in found.message
    world.nodes[deaf].deaf = False
    assert world.run().trust.generations == (2,)


def test_two_deaf_nodes_in_a_row_hold_up_no_third() -> None:
    world = World().known()
    *deaf, third = sorted(world.nodes)
    begun = _deaf_for(world, *deaf, seconds=2 * PATIENCE_SECONDS + 900)
    told = _told(world, begun)
    assert told[third] == 1
    assert len(world.nodes[third].trusts) == 2
    assert world.trust.signs == 1, "the next phase waits"
    assert min(told[one] for one in deaf) >= 7
    assert world.pages == [Reason.NODE_NOT_RENEWED] * 2, "one for each of them"
    (first, one), (_, both) = world.told
    assert first - begun < PATIENCE_SECONDS + 60, "at once, though the second is at it"
    assert (deaf[0] in one, deaf[1] in one.split(" did not ")[0]) == (True, False)
    assert all(node in both.split(" did not ")[0] for node in deaf)


def test_where_all_are_deaf_a_person_is_called_twice_and_not_for_each() -> None:
    world = World(per_zone=2).known()
    nodes = sorted(world.nodes)
    begun = _deaf_for(world, *nodes, seconds=6 * PATIENCE_SECONDS)
    assert min(_told(world, begun).values()) >= 1, "each was tried, one after the other"
    assert world.pages == [Reason.NODE_NOT_RENEWED] * 2
    for one in nodes:
        world.nodes[one].deaf = False
    assert world.run().trust.generations == (2,)


def test_a_node_that_is_told_and_answers_no_more_holds_up_all_others() -> None:
    """What it was told may be what silenced it."""
    world = World(per_zone=2).known()
    begun, kills = world.now, world.renew_certificate
    fallen: list[str] = []

    def falls(instance: str) -> bool:
        world.nodes[instance].up = False
        fallen.append(instance)
        return True

    world.renew_certificate = falls  # type: ignore[method-assign]
    world.now += 60
    wishes.renew_leaves(world.table, "claims", world.now)
    world.run(until=lambda: world.now > begun + PATIENCE_SECONDS + 300)
    assert len(fallen) == 1
    assert world.pages == [Reason.NODES_SILENT]
    assert fallen[0] in world.told[0][1]
    world.renew_certificate = kills  # type: ignore[method-assign]
    world.nodes[fallen[0]].up = True
    world.run()
    assert isinstance(plan(world), Done)


def test_a_node_that_was_silent_before_holds_up_no_renewal() -> None:
    world = World(per_zone=2).known()
    away, *others = sorted(world.nodes)
    world.nodes[away].up = False
    leaves = {one: world.nodes[one].leaf for one in others}
    world.now += 60
    wishes.renew_leaves(world.table, "claims", world.now)
    begun = world.now
    world.run(until=lambda: world.now > begun + 300)
    assert all(world.nodes[one].leaf is not leaves[one] for one in others)


def test_a_second_silent_node_and_a_second_client_are_told() -> None:
    world = World(clients=["app", "web"], per_zone=2).known()
    first, second, *_ = sorted(world.nodes)
    world.nodes[first].up = False
    begun = world.rotate().now

    def falls() -> bool:
        world.nodes[second].up = world.now < begun + PATIENCE_SECONDS + 300
        return world.now > begun + 3 * PATIENCE_SECONDS

    world.run(until=falls)
    assert world.pages == [Reason.NODES_SILENT] * 2
    assert second in world.told[1][1]
    for one in (first, second):
        world.boot(one)
    world.pages.clear()
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.CLIENTS_TO_TRUST]
    assert "app, web" in world.told[-1][1]


def test_a_node_whose_agent_is_dead_holds_up_no_other() -> None:
    world = World().known()
    dead, *others = sorted(world.nodes)
    world.services.forget(dead)
    begun = _deaf_for(world, dead)
    assert _told(world, begun) == {dead: 0, **dict.fromkeys(others, 1)}
    assert world.pages == [Reason.NODE_NOT_RENEWED]
    found = plan(world)
    assert isinstance(found, Blocked)
    assert "InvalidInstanceId" in found.message


def test_a_node_that_leaves_and_one_that_was_detached_count_while_they_answer() -> None:
    world = World().known()
    leaving, detached, _ = sorted(world.nodes)
    world.groups.scale_in(leaving, decrement=False)
    world.groups.detach(detached)
    assert leaving not in members(world.groups.describe(["claims"]))
    world.now += 120
    world.replaced()
    world.nodes[detached].deaf = True
    world.rotate().run(until=lambda: bool(world.pages))
    assert (world.pages, world.trust.signs) == ([Reason.NODE_NOT_RENEWED], 1)
    world.nodes[detached].deaf = False
    assert world.run().trust.generations == (2,)
    assert world.healthy(), "the one that leaves too: it speaks to the others until it has gone"


def test_a_wish_while_one_goes_on_is_the_same_wish() -> None:
    world = World().known()
    world.rotate().run(until=lambda: len(world.trust.authorities) == 2)
    assert world.rotate().run().trust.generations == (2,)


def test_a_question_is_asked_again_only_while_little_is_left() -> None:
    world = World(mode="approve").known()
    begun = world.now
    for days, pressing in ((64, False), (70, True)):
        world.now = begun + days * DAY
        found = plan(world)
        assert isinstance(found, Steps)
        assert found.open_deadline is pressing


def test_in_observe_a_person_is_called_before_certificates_run_out() -> None:
    world = World(mode="observe").known()
    world.now += 70 * DAY
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODE_NOT_RENEWED]


def test_a_node_that_is_silent_for_long_calls_a_person_with_one_authority_too() -> None:
    world = World().known()
    world.table.write(rows.partition("claims"), Put(key="identity", data={"uuid": "u"}, expected=0))
    begun, away = world.now, next(iter(world.nodes))
    world.nodes[away].up = False
    world.run(until=lambda: bool(world.pages))
    assert world.pages == [Reason.NODES_SILENT]
    assert PATIENCE_SECONDS <= world.now - begun < PATIENCE_SECONDS + 60
    world.boot(away)
    assert isinstance(plan(world), Done)


def test_a_look_that_shows_nothing_is_waited_for_before_a_person_is_called() -> None:
    world = World().known()
    seen = observe(world._reads("plan"), world.spec, rows.read(world.table, "claims"), None, world.now)
    seen = msgspec.structs.replace(seen, unseen="no addresses")
    first = decide(seen, world.spec, world.now)
    assert isinstance(first, Wait)
    assert (first.reason, first.page) == (Reason.UNREACHABLE, False)
    later = decide(msgspec.structs.replace(seen, progress=first.progress), world.spec, world.now + PATIENCE_SECONDS)
    assert isinstance(later, Wait)
    assert later.page


# -- time that has run out ---------------------------------------------------------------------------------------------


def test_a_certificate_that_has_ended_is_renewed_as_any_other() -> None:
    world = World().known()
    world.now += 100 * DAY  # nobody ran for as long: every leaf of 90 days has ended, Vagus's own too
    assert world.run().healthy()


def test_an_authority_that_has_ended_is_replaced_at_once() -> None:
    """Nothing that it signed is trusted any more, and the engine reads no bundle that holds it."""
    world = World(clients=["app"]).known()
    world.now = world.trust.authorities[0].ends + DAY
    world.steps.clear()
    assert world.run().healthy()
    assert world.trust.generations == (2,)
    assert world.steps[:4] == ["MakeAuthority", "SignWith", "DropAuthority", "PublishTrust"]


def test_an_old_authority_that_ends_while_a_client_is_awaited_is_dropped() -> None:
    world = World(clients=["app"]).known()
    world.take_bundle()
    world.rotate().run(until=lambda: _asks(world))
    old = world.trust.authorities[0]
    assert world.trust.generations == (1, 2)
    world.client = (None, [])  # what it has is worth nothing from now on
    world.now = old.ends + DAY
    assert world.run().healthy()
    assert world.trust.signs == world.trust.newest
    assert old.generation not in world.trust.generations


def test_who_trusted_a_new_authority_that_ended_is_not_taken_to_trust_the_next_of_its_number() -> None:
    world = World(clients=["app", "other"]).known()
    world.rotate().run(until=lambda: _asks(world))
    wishes.acknowledge(world.table, "claims", "app", renewed=False)
    ended = msgspec.structs.replace(world.trust.authorities[1], ends=world.now - 1)
    kept = msgspec.structs.replace(world.trust, authorities=(world.trust.authorities[0], ended))
    world.table.write(rows.partition("claims"), rows.read(world.table, "claims").put("trust", kept))
    world.run(until=lambda: _asks(world) and ended.name not in world.trust.names)
    assert (world.trust.generations, world.trust.signs) == ((1, 2), 1)
    found = plan(world)
    assert isinstance(found, Wait)
    assert "app, other" in found.message


def test_in_approve_what_follows_waits_for_a_person_and_says_so() -> None:
    world = World(mode="approve").known()
    world.now = world.trust.authorities[0].ends + DAY
    asked: list[str] = []

    def asks() -> bool:
        found = plan(world)
        asked.append(str(getattr(found, "message", "")))
        return len(asked) > 20

    world.run(until=asks)
    assert any("sign with authority 2" in one for one in asked), asked


def test_a_cluster_that_formed_with_certificates_of_its_owners_is_left_alone() -> None:
    """Its nodes would trust no authority of ours: a bundle of it would cut them off from one another."""
    world = World()
    world.table.write(rows.partition("claims"), Put(key="identity", data={"uuid": "u"}, expected=0))
    found = plan(world)
    assert isinstance(found, Blocked)
    assert found.reason == Reason.CERTIFIED_BY_OTHERS
    assert world.parameters.values == {}
