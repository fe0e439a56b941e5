"""The main job on real nodes: shards leave before their instance does, with an application at work all the while."""

from pathlib import Path

import msgspec

from vagus_local.scene import Scene
from vagus_local.stack import redeploy, wait_green
from vagus_local.workload import Result, at_work, create_indices

IN_FLIGHT = ("search_context_missing_exception", "node_disconnected_exception", "node_not_connected_exception")
"""How a search fails that asked a node between its two questions, where that goes with its copies (ADR 44)."""


def held(result: Result) -> None:
    """The promises to an application."""
    assert result.failures == ()
    assert (result.writes_lost, result.requests_failed) == (0, 0)
    assert result.writes_acknowledged > 0
    assert result.searches > 0


def indices(scene: Scene, *names: str, shards: int = 4, replicas: int = 1) -> list[str]:
    """Fresh indices with documents in them, green."""
    for name in names:
        scene.admin.try_call("DELETE", f"/{name}")
    create_indices(
        scene.stack.application(scene.cluster), dict.fromkeys(names, (shards, replicas)), documents=1000, padding=500
    )
    wait_green(scene.stack, scene.cluster)
    return list(names)


def test_one_instance_is_drained_let_go_and_nothing_of_ours_is_left(ward: Scene) -> None:
    names = indices(ward, "one-a", "one-b")
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        leaving, asked = ward.scale_in("ward-data-us-east-1a")
        ward.wait_until_settled(leaving)
        held(work.stop())
    steps = [record.step for record in ward.records_since(asked)]
    assert steps[0] == "ExcludeNodes"
    assert "LetEmptyInstanceGo" in steps
    assert not ward.without_outcome()
    assert ward.group("ward-data-us-east-1a")["Instances"] == []


def test_two_in_different_zones_leave_together(ward: Scene) -> None:
    names = indices(ward, "two-a", "two-b")
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        first, _ = ward.scale_in("ward-data-us-east-1b")
        second, _ = ward.scale_in("ward-data-us-east-1c")
        ward.wait_until_settled(first, second)
        held(work.stop())


def test_a_lost_event_costs_a_minute_and_no_more(ward: Scene) -> None:
    names = indices(ward, "quiet")
    with ward.events_lost(), at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        leaving, asked = ward.scale_in("ward-data-us-east-1a")
        ward.wait_until_settled(leaving)
        held(work.stop())
    assert {record.subject for record in ward.records_since(asked)} >= {leaving}


def test_a_node_that_is_killed_while_it_drains_loses_nothing_that_stands_elsewhere(ward: Scene) -> None:
    names = indices(ward, "killed", shards=6)
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        ward.slow_recovery("64kb")
        leaving, asked = ward.scale_in("ward-data-us-east-1b")
        ward.await_step("ExcludeNodes", asked)
        ward.kill(leaving)
        ward.slow_recovery(None)
        ward.wait_until_settled(leaving)
        held(work.stop())
    assert "LetLostInstanceGo" in [record.step for record in ward.records_since(asked)]


def test_what_a_person_excluded_stays_excluded(ward: Scene) -> None:
    indices(ward, "hand")
    by_hand = next(name for name, (zone, _) in ward.instances().items() if zone == "us-east-1c")
    ward.exclude_by_hand(by_hand)
    leaving, _ = ward.scale_in("ward-data-us-east-1a")
    ward.wait_until_gone(leaving)
    assert ward.settings_of_ours() == {"cluster.routing.allocation.exclude._name": by_hand}
    ward.exclude_by_hand(None)


def test_with_nowhere_to_go_the_instance_is_held_until_its_replacement_has_joined(trio: Scene) -> None:
    names = indices(trio, "held", shards=2, replicas=2)
    with at_work(trio.stack.application("trio"), names) as work:
        trio.await_writes(work, 100)
        leaving, asked = trio.replace("trio-core-us-east-1b")
        trio.wait_until_settled(leaving, seconds=300)
        held(work.stop())
    steps = [record.step for record in trio.records_since(asked)]
    assert steps[0] == "HoldInstance"
    assert steps.index("ExcludeNodes") < steps.index("EndRetainedInstance")
    wait_green(trio.stack, "trio")
    assert any("REPLACEMENT_AWAITED" in message for message in trio.pages())


def test_where_the_policy_allows_it_one_zone_goes_at_a_time(trio: Scene, fleet: Path, folder: Path) -> None:
    """The policy comes by a deploy, while the cluster runs. Two zones are to be replaced at once: one waits its turn,
    and by then its replacement may have joined, so that it can be drained; on a quick machine, the first one's too."""
    file = fleet / "trio.yaml"
    file.write_text(file.read_text().replace("nowhere_to_go: hold", "nowhere_to_go: one_zone_at_a_time"))
    redeploy(trio.stack, folder)
    names = indices(trio, "zonal", shards=2, replicas=2)
    with at_work(trio.stack.application("trio"), names) as work:
        trio.await_writes(work, 100)
        first, asked = trio.replace("trio-core-us-east-1a")
        second, _ = trio.replace("trio-core-us-east-1c")
        trio.wait_until_settled(first, second, seconds=400)
        result = work.stop()
    in_flight = [one for one in result.failures if one.startswith("search") and any(word in one for word in IN_FLIGHT)]
    assert len(in_flight) <= 2, "one searcher, and two nodes that went: no more can have been under way"
    others = tuple(one for one in result.failures if one not in in_flight)
    held(msgspec.structs.replace(result, failures=others, requests_failed=result.requests_failed - len(in_flight)))
    records = trio.records_since(asked)
    farewells = [record for record in records if record.step.startswith("Let")]
    assert {record.subject for record in farewells} == {first, second}
    joined = [record for record in records[: records.index(farewells[0])] if record.step == "ContinueLaunch"]
    assert farewells[0].step in ("LetReplaceableInstanceGo", *(["LetEmptyInstanceGo"] if joined else []))
    wait_green(trio.stack, "trio")


def test_an_exclusion_of_ours_that_a_person_took_away_is_not_set_again(ward: Scene) -> None:
    """Vagus stops there and calls a person; the instance waits; when the person sets it again, the drain goes on."""
    indices(ward, "taken-away", shards=6)
    ward.slow_recovery("64kb")
    leaving, asked = ward.scale_in("ward-data-us-east-1b")
    ward.await_step("ExcludeNodes", asked)
    ward.exclude_by_hand(None)
    ward.await_reason("REMOVED_BY_HAND")
    ward.slow_recovery(None)
    assert ward.instances()[leaving][1] == "Terminating:Wait"
    assert "cluster.routing.allocation.exclude._name" not in ward.settings()
    ward.exclude_by_hand(leaving)
    ward.wait_until_gone(leaving)
    assert [record.step for record in ward.records_since(asked)].count("ExcludeNodes") == 1
