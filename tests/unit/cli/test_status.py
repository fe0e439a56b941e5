"""`vagus status`: what is shown of a cluster, and that one that can't be read hides no other."""

from typing import Any

import msgspec
import pytest

from vagus.group_safety import Violation
from vagus.intent import leave
from vagus.procedure.rows import Head
from vagus.procedure.safety import Examined

Scene = Any

DATA = "demo-data-us-east-1a"


def test_a_cluster_in_balance(scene: Scene) -> None:
    (shown,) = scene.json("status")
    assert shown["health"] == {"status": "green", "nodes": 6, "shards": 6, "unassigned": 0,
                               "excluded_by_us": [], "excluded_by_hand": [], "unseen": ""}  # fmt: skip
    assert (shown["declared_nodes"], shown["uuid"], shown["intents"]) == (6, "uuid-1", [])
    assert [(group["desired"], group["declared"], group["in_service"]) for group in shown["groups"]] == [(1, 1, 1)] * 6
    assert scene.run("status").exit_code == 0


def test_what_leaves_and_what_runs(scene: Scene) -> None:
    leaver = scene.instance(DATA)
    scene.groups.scale_in(leaver)
    scene.write(f"intent#leave-{leaver}", leave(leaver, DATA, "2026-03-02T11:59:00Z", "event"))
    scene.write(
        "head#zone_balance", Head(state="running", execution="demo-zone_balance-7", since="2026-03-02T11:59:00Z")
    )
    scene.write("plan#zone_balance", {"at": "2026-03-02T11:59:01Z", "kind": "Wait", "reason": "SHARDS_MOVING",
                                      "message": "12 bytes left", "foreseen": []})  # fmt: skip
    (shown,) = scene.json("status", "demo")
    assert shown["intents"] == [f"leave-{leaver}"]
    assert {one["name"]: one["leaving"] for one in shown["groups"] if one["leaving"]} == {
        DATA: {leaver: "Terminating:Wait"}
    }
    assert shown["capabilities"][0]["plan"]["message"] == "12 bytes left"
    said = scene.run("status", "demo").stdout
    assert f"{leaver} Terminating:Wait" in said
    assert "demo-zone_balance-7 since 2026-03-02T11:59:00Z" in said
    assert "https://console.invalid/executions/demo-zone_balance-7" in said
    assert "SHARDS_MOVING: 12 bytes left" in said


@pytest.mark.parametrize("arguments", [("status",), ("status", "demo")])
def test_a_stop_wants_a_person(scene: Scene, arguments: tuple[str, ...]) -> None:
    scene.write("head#zone_balance", Head(state="paused", paused_by="a Stop in the Step Functions console"))
    said = scene.run(*arguments)
    assert said.exit_code == 4
    assert "paused" in said.stdout


def test_an_unprotected_group_stands_out(scene: Scene) -> None:
    scene.groups.create("demo-data-us-east-1d", cluster="demo", zone="us-east-1d", retains=False)
    (shown,) = scene.json("status", "demo")
    assert [one["name"] for one in shown["groups"] if one["unprotected"]] == ["demo-data-us-east-1d"]
    assert "unprotected" in scene.run("status", "demo").stdout


def test_a_cluster_that_does_not_answer_is_shown_with_the_rest(scene: Scene) -> None:
    scene.engine.unreachable = True
    (shown,) = scene.json("status")
    assert shown["health"]["unseen"].startswith("Unreachable: ")
    assert len(shown["groups"]) == 6
    assert scene.run("status").exit_code == 4
    assert "not seen" in scene.run("status").stdout


UNREADABLE = {"head#zone_balance": {"state": "levitating"}, "identity": {}, "sizes": {DATA: "many"}}


@pytest.mark.parametrize("key", UNREADABLE)
def test_a_cluster_that_can_not_be_read_hides_no_other(scene: Scene, key: str) -> None:
    scene.fleet["other"] = msgspec.structs.replace(scene.fleet["demo"], name="other")
    scene.write(key, UNREADABLE[key])
    demo, other = scene.json("status")
    assert demo["fault"].startswith(f"Malformed: state row {key}")
    assert (other["cluster"], other["fault"]) == ("other", "")
    assert scene.run("status").exit_code == 4


def test_a_broken_rule_of_a_group_wants_a_person(scene: Scene) -> None:
    assert "not examined yet" in scene.run("status", "demo").stdout
    broken = Violation(group=DATA, rule="kept_in_a_warm_pool", sentence="a warm pool", remedy="delete it")
    scene.write("safety", Examined(cluster="demo", at="2026-03-02T11:00:00Z", violations=(broken,)))
    said = scene.run("status", "demo")
    assert said.exit_code == 4
    assert f"{DATA}: a warm pool (kept_in_a_warm_pool): delete it" in said.stdout
    (shown,) = scene.json("status")
    assert [one["rule"] for one in shown["safety"]["violations"]] == ["kept_in_a_warm_pool"]
    scene.write("safety", Examined(cluster="demo", at="2026-03-02T12:00:00Z"))
    said = scene.run("status", "demo")
    assert said.exit_code == 0
    assert "no rule is broken (2026-03-02T12:00:00Z)" in said.stdout
