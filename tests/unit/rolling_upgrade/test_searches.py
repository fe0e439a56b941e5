"""Searches are led away from nodes before they stop: when, when not, and that nothing of it is left."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.unit.rolling_upgrade.scenarios import all_restart, restarted
from tests.unit.rolling_upgrade.test_holding import group, iso
from tests.unit.rolling_upgrade.test_rules import NODE, NOW, question
from tests.unit.rolling_upgrade.world import RollingWorld
from tests.unit.simulation.ports import Meter, When, reads
from tests.unit.simulation.world import World

from vagus.allocation import AWARENESS
from vagus.cluster import Cluster, Copy, Unseen
from vagus.command import Command, Outcome
from vagus.errors import Denied, Refused, Unreachable
from vagus.instances import Instance
from vagus.intent import AllocationPrimaries, AnyPreference, restart
from vagus.plan import Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade.decide import decide
from vagus.rolling_upgrade.looking import looked
from vagus.rolling_upgrade.observe import weighed
from vagus.rolling_upgrade.observed import Observed, rolling
from vagus.steps import AllowAllocation, KeepReplicas, LeadSearchesBack
from vagus.weights import FAIL_OPEN, IGNORED, MARK, STRICT, Weighing, Weights, led_away, strict_by_hand, why_not

SIX = question().cluster
FIRST, SECOND, THIRD = sorted({node.zone for node in SIX.nodes})
AWAY = {FIRST: "0", MARK: "1", SECOND: "1", THIRD: "1"}
OURS = Weights(zones={zone: float(weight) for zone, weight in AWAY.items()}, version=4)
THEIRS = Weights(zones={FIRST: 1.0, SECOND: 2.0, THIRD: 3.0}, version=7)


def with_settings(**persistent: str) -> Cluster:
    return msgspec.structs.replace(SIX, persistent={**SIX.persistent, **persistent})


def in_one_zone() -> Cluster:
    return msgspec.structs.replace(SIX, nodes=tuple(node for node in SIX.nodes if node.zone == FIRST))


def with_one_older() -> Cluster:
    older = msgspec.structs.replace(SIX.nodes[0], version="1.3.0")
    return msgspec.structs.replace(SIX, nodes=(older, *SIX.nodes[1:]))


def without_data() -> Cluster:
    (node,) = [one for one in SIX.nodes if one.name == NODE]
    manager = msgspec.structs.replace(node, roles=("cluster_manager",))
    return msgspec.structs.replace(SIX, nodes=(manager, *(one for one in SIX.nodes if one.name != NODE)))


def all_copies_there() -> Cluster:
    here = [node.name for node in SIX.nodes if node.zone == FIRST]
    copies = tuple(
        Copy(index="claims", shard=0, primary=at == 0, state="STARTED", node=name) for at, name in enumerate(here)
    )
    assert len(copies) > 1
    return msgspec.structs.replace(SIX, copies=copies)


@pytest.mark.parametrize(
    ("cluster", "weights", "said"),
    [
        pytest.param(SIX, None, "can't", id="an engine without weights"),
        pytest.param(with_one_older(), Weights(), "can't", id="a node of a release on which it was not tried"),
        pytest.param(SIX, THEIRS, "by hand", id="weights of a person"),
        pytest.param(SIX, Unseen(reason="DENIED", message="no right"), "no right", id="nobody may know them"),
        pytest.param(with_settings(**{AWARENESS: "rack"}), Weights(), AWARENESS, id="zones that are no attribute"),
        pytest.param(with_settings(**{IGNORED: "true"}), Weights(), IGNORED, id="weights that a person has ignored"),
        pytest.param(with_settings(**{FAIL_OPEN: "false"}), Weights(), FAIL_OPEN, id="where a lone copy would fail"),
        pytest.param(in_one_zone(), Weights(), "no other zone", id="a cluster of one zone"),
        pytest.param(without_data(), Weights(), "hold no shards", id="a node without data"),
        pytest.param(all_copies_there(), Weights(), "all copies of claims", id="an index whose copies are all there"),
    ],
)
def test_searches_are_not_led_away_and_a_person_reads_why(cluster: Cluster, weights: Any, said: str) -> None:
    assert said in why_not(cluster, weights, [NODE])
    assert led_away(cluster, weights, [NODE]) is None


@pytest.mark.parametrize(
    ("weights", "change"),
    [
        pytest.param(Weights(), Weighing(zones=AWAY, version=-1), id="there never were any"),
        pytest.param(Weights(version=6), Weighing(zones=AWAY, version=6), id="they were taken away"),
        pytest.param(OURS, None, id="it stands already"),
        pytest.param(
            msgspec.structs.replace(OURS, zones={**OURS.zones, FIRST: 1.0, SECOND: 0.0}),
            Weighing(zones=AWAY, version=4),
            id="ours of another zone",
        ),
    ],
)
def test_the_zone_of_the_nodes_gets_no_searches(weights: Weights, change: Weighing | None) -> None:
    assert led_away(SIX, weights, [NODE]) == change


def test_a_zone_that_copies_are_forced_over_has_a_weight_though_no_node_is_in_it() -> None:
    forced = "cluster.routing.allocation.awareness.force.zone.values"
    change = led_away(with_settings(**{forced: f"{FIRST},{SECOND},{THIRD},z"}), Weights(), [NODE])
    assert change is not None
    assert change.zones == {**AWAY, "z": "1"}


@pytest.mark.parametrize(("said", "by_hand"), [({}, False), ({STRICT.setting: "true"}, True)])
def test_searches_for_certain_nodes_are_answered_unless_a_person_said_otherwise(
    said: Mapping[str, str], by_hand: bool
) -> None:
    cluster = with_settings(**said)
    observed = Observed(cluster=cluster, groups=(), weights=Weights())
    look = looked(observed, cluster, question().spec, NOW)
    assert strict_by_hand(cluster) is by_hand
    assert look.demands([NODE]) == ((AllocationPrimaries(),) if by_hand else (AllocationPrimaries(), AnyPreference()))


def test_weights_of_ours_that_no_node_in_hand_needs_are_taken_away_before_anything_else() -> None:
    """A function died between the row and the weights."""
    asked = question()
    intent = restart({node.name: node.ephemeral_id for node in SIX.nodes}, "2026-01-01T00:00:00+00:00", "ada")
    observed = Observed(
        cluster=SIX, groups=(), intents=(intent,), identity=SIX.uuid, version="2.19.4", weights=OURS,
        snapshots=asked.observed.snapshots,
    )  # fmt: skip
    plan = decide(observed, asked.spec, NOW)
    assert isinstance(plan, Steps)
    (step,) = plan.steps
    assert isinstance(step, AllowAllocation)
    assert step.weighing == Weighing(version=4)
    taken = decide(msgspec.structs.replace(observed, weights=THEIRS), asked.spec, NOW)
    assert isinstance(taken, Steps)
    assert isinstance(taken.steps[0], KeepReplicas), "a person's are none of ours"
    assert taken.steps[0].weighing is None
    assert "not led away from nodes that stop (weights of searches were set by hand" in taken.message


def test_the_plan_says_what_the_engine_did_not_take() -> None:
    asked = question()
    intent = restart({node.name: node.ephemeral_id for node in SIX.nodes}, "2026-01-01T00:00:00+00:00", "ada")
    before = msgspec.structs.replace(intent, rolling=msgspec.structs.replace(rolling(intent), led=1, unled="too many"))
    observed = Observed(
        cluster=SIX, groups=(), intents=(before,), identity=SIX.uuid, version="2.19.4", weights=Weights(),
        snapshots=asked.observed.snapshots,
    )  # fmt: skip
    assert "not led away from nodes that stop (too many)" in decide(observed, asked.spec, NOW).message


class Engine:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def weights(self) -> Weights:
        raise self.error


def test_without_the_right_to_know_weights_a_restart_goes_on_and_an_answer_that_fails_is_none() -> None:
    intents = (restart({}, "2026-01-01T00:00:00+00:00", "ada"),)
    denied = Denied("cluster:admin/routing/awareness/weights/get", "no permissions")
    cluster, weights = weighed(Engine(denied), SIX, intents)  # type: ignore[arg-type]
    assert cluster is SIX
    assert isinstance(weights, Unseen)
    assert "weights/get" in weights.message
    led = msgspec.structs.replace(intents[0], rolling=msgspec.structs.replace(rolling(intents[0]), led=1))
    cluster, _ = weighed(Engine(denied), SIX, (led,))  # type: ignore[arg-type]
    assert isinstance(cluster, Unseen), "weights of ours may stand"
    assert cluster.reason == "DENIED"
    cluster, _ = weighed(Engine(Unreachable("gone")), SIX, intents)  # type: ignore[arg-type]
    assert isinstance(cluster, Unseen)
    cluster, weights = weighed(Engine(Refused("zone is no attribute")), SIX, (led,))  # type: ignore[arg-type]
    assert cluster is SIX
    assert isinstance(weights, Unseen)
    for error in (denied, Unreachable("gone")):
        assert weighed(Engine(error), SIX, ())[0] is SIX, "nothing is asked for, and nothing waits"  # type: ignore[arg-type]


# -- as it goes ------------------------------------------------------------------------------------------------------


def by_hand(world: World) -> None:
    """A person sets weights, over ours if they stand."""
    zones = {zone: str(weight) for zone, weight in THEIRS.zones.items()}
    world.engine.weigh(Weighing(zones=zones, version=world.engine.zone_weights.version))


def whole(world: RollingWorld) -> bool:
    end = world.summary()
    return (end["open"], end["status"], set(end["restarted"].values())) == ([], "green", {1})


def test_weights_that_a_person_sets_meanwhile_stay_and_the_restart_goes_on_without() -> None:
    world = all_restart()
    world.when("weights", restarted(2), by_hand)
    world.run()
    assert whole(world), world.story()
    assert world.spared == [True, True, False, False, False, False]
    assert world.engine.zone_weights.zones == THEIRS.zones
    assert STRICT.setting not in world.engine.persistent


def test_a_role_that_may_not_know_the_weights_holds_no_restart_up() -> None:
    """A cluster that was formed with the roles of before."""
    world = all_restart()
    world.engine.denied = "cluster:admin/routing/awareness/weights/get"
    world.run()
    assert whole(world), world.story()
    assert not any(world.spared)


def test_where_zones_are_no_awareness_attribute_the_engine_knows_no_weights_and_nodes_are_restarted() -> None:
    world = all_restart()
    world.engine.persistent[AWARENESS] = "rack"
    world.run()
    assert set(world.summary()["restarted"].values()) == {1}, world.story()
    assert not any(world.spared)


def test_a_person_who_holds_searches_to_weights_keeps_the_setting() -> None:
    world = all_restart()
    world.engine.persistent[STRICT.setting] = "true"
    world.run()
    assert whole(world), world.story()
    assert all(world.spared)
    assert world.engine.persistent[STRICT.setting] == "true"


def deaths() -> dict[int, str]:
    """Where a function writes weights for the first node, the calls before it in the step too."""
    whole = all_restart()
    whole.run()
    first = whole.meter.calls.index("apply.search.weigh")
    begun = max(at for at, call in enumerate(whole.meter.calls[:first]) if call == "apply.records.write")
    return {at: call for at, call in enumerate(whole.meter.calls) if begun <= at <= first and not reads(call)}


@pytest.mark.parametrize("when", ["before", "after"])
def test_searches_are_led_away_though_a_function_died_before_it_did_so(when: When) -> None:
    found = deaths()
    assert len(found) > 2, found
    for at, call in found.items():
        world = all_restart(meter=Meter(crashes={at: when}))
        world.run()
        assert whole(world), world.story()
        assert all(world.spared), f"died {when} {call}: {world.spared}"


@pytest.mark.parametrize("error", [Refused("There are too many with zero weight"), Denied("put", "no permissions")])
def test_weights_that_the_engine_does_not_take_hold_no_restart_up_and_the_row_says_why(error: Exception) -> None:
    world = all_restart()
    tried: list[Weighing] = []

    def refuses(weighing: Weighing) -> None:
        tried.append(weighing)
        raise error

    def noted(world: World) -> None:
        said.extend(rolling(intent).unled for intent in world.seen().intents_of("rolling_upgrade"))

    said: list[str] = []
    world.engine.weigh = refuses  # type: ignore[method-assign]
    world.when("one is back", restarted(1), noted)
    world.run()
    assert whole(world), world.story()
    assert len(tried) == 6
    assert said == [str(error)]


def test_where_the_right_to_take_weights_away_is_missing_replicas_are_allocated_and_a_person_is_called() -> None:
    world = all_restart()
    world.engine.denied = "cluster:admin/routing/awareness/weights/delete"
    found: list[tuple[Mapping[str, str], Mapping[str, float]]] = []

    def given(world: World) -> None:
        found.append((dict(world.engine.persistent), world.engine.zone_weights.zones))
        world.engine.denied = ""

    world.when("the right is given", lambda world: bool(world.pages), given)
    world.run()
    assert all("DENIED" in page for page in world.pages)
    ((settings, stood),) = found
    assert stood
    assert "cluster.routing.allocation.enable" not in settings
    assert settings[STRICT.setting] == "false", "searches for certain nodes are answered while weights stand"
    assert whole(world), world.story()
    assert world.engine.zone_weights.zones == {}
    assert STRICT.setting not in world.engine.persistent


def test_an_engine_that_does_not_answer_as_weights_are_taken_away_keeps_no_replica_from_being_allocated() -> None:
    """Tried once while the node is away, and then as its allocation is given back."""
    world = all_restart()
    weigh, settings = world.engine.weigh, []

    def fails(weighing: Weighing) -> None:
        if weighing.zones or len(settings) > 3:
            return weigh(weighing)
        settings.append(dict(world.engine.persistent))
        raise Unreachable("no answer")

    world.engine.weigh = fails  # type: ignore[method-assign]
    world.run()
    assert len(settings) > 3
    assert ["cluster.routing.allocation.enable" in one for one in settings] == [True, *[False] * (len(settings) - 1)]
    assert {one[STRICT.setting] for one in settings} == {"false"}
    assert whole(world), world.story()
    assert world.engine.zone_weights.zones == {}
    assert not [name for name in world.engine.persistent if "vagus" in name]


def test_a_zone_is_searched_again_as_soon_as_its_node_has_left_the_cluster() -> None:
    world = all_restart()
    weigh, away = world.engine.weigh, []

    def noted(weighing: Weighing) -> None:
        if not weighing.zones:
            away.append([name for name, machine in world.engine.machines.items() if not machine.up])
        weigh(weighing)

    world.engine.weigh = noted  # type: ignore[method-assign]
    world.run()
    assert whole(world), world.story()
    assert away == [[name] for name in world.restarts], "each while that node is away, and no other"


@pytest.mark.parametrize(
    ("away", "listed", "back", "told", "again"),
    [
        pytest.param((0, 1), (0, 1), (), None, True, id="both have left"),
        pytest.param((0, 1), (0,), (), None, True, id="both have left, and the instance of one is lost for good"),
        pytest.param((0,), (0, 1), (1,), "done", True, id="one has left, and the other is back already"),
        pytest.param((0,), (0, 1), (), "failed", True, id="one has left, and the other was told in vain"),
        pytest.param((0,), (0, 1), (), "pending", False, id="one has left, and the other is about to stop"),
        pytest.param((0,), (0, 1), (), None, False, id="one has left, and of the other's command nothing is heard yet"),
    ],
)
def test_a_zone_is_searched_again_once_none_of_a_batch_is_about_to_stop(
    away: tuple[int, ...], listed: tuple[int, ...], back: tuple[int, ...], told: Outcome | None, again: bool
) -> None:
    asked = question()
    batch = [node for node in SIX.nodes if node.zone == FIRST]
    now_there = {batch[at].name: msgspec.structs.replace(batch[at], ephemeral_id="another") for at in back}
    nodes = tuple(now_there.get(node.name, node) for node in SIX.nodes if node not in [batch[at] for at in away])
    there = tuple(Instance(id=batch[at].name, zone=FIRST, lifecycle="InService") for at in listed)
    intent = restart({node.name: node.ephemeral_id for node in batch}, iso(NOW - 60), "ada")
    noted = msgspec.structs.replace(
        rolling(intent), taken=tuple(node.name for node in batch), sent_at=iso(NOW - 5), taken_at=iso(NOW - 6), led=1
    )
    intent = msgspec.structs.replace(intent, rolling=noted, demands=(AllocationPrimaries(), AnyPreference()))
    name = batch[1].name
    step = f"{intent.id}-{name}-1"
    sent = Command(step=step, document="restart-search", instance=name, sent=NOW - 5, outcome=told or "pending")
    plan = decide(
        Observed(
            cluster=msgspec.structs.replace(SIX, nodes=nodes, uuid="u"),
            identity="u",
            groups=(group(*there),),
            intents=(intent,),
            commands=(sent,) if told else (),
            weights=OURS,
            version=SIX.nodes[0].version,
        ),
        asked.spec,
        NOW,
    )
    assert (isinstance(plan, Steps) and [type(step) for step in plan.steps] == [LeadSearchesBack]) is again, plan
    assert again or (isinstance(plan, Wait) and plan.reason is Reason.NODE_AWAY)


def test_weights_that_came_to_stand_once_all_was_over_are_taken_away() -> None:
    """A request that waited in the manager's queue longer than its connection."""
    world = all_restart()
    world.run()
    zones = sorted({machine.zone for machine in world.engine.machines.values()})
    late = {**dict.fromkeys(zones, "1"), zones[0]: "0", MARK: "1"}
    world.engine.weigh(Weighing(zones=late, version=world.engine.zone_weights.version))
    world.stir()
    world.run()
    assert world.engine.zone_weights.zones == {}
