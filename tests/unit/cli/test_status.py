"""`vagus status`: what is shown of a cluster, and that one that can't be read hides no other."""

import json
from typing import Any

import msgspec
import pytest

from vagus.fleet import ClusterSpec
from vagus.group_safety import Violation
from vagus.intent import leave
from vagus.procedure import noted_status, standing
from vagus.procedure.rows import Head
from vagus.procedure.safety import Examined
from vagus.rooms import ROOMS
from vagus.status import Shown, Status
from vagus_cli import status_command
from vagus_cli.world import Choice

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
    assert [(one["id"], one["source"], one["late"]) for one in shown["intents"]] == [
        (f"leave-{leaver}", "event", False)
    ]
    assert [(one["instance"], one["seconds_left"] // 3600) for one in shown["hooks"]] == [(leaver, 48)]
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


def nodes(shown: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in shown["nodes"]}


def test_zones_and_nodes_are_shown_with_what_they_hold(scene: Scene) -> None:
    (shown,) = scene.json("status", "demo")
    assert [(one["zone"], one["nodes"]) for one in shown["zones"]] == [(f"us-east-1{zone}", 2) for zone in "abc"]
    assert sum(one["shards"] for one in shown["nodes"]) == 6
    one = nodes(shown)[scene.instance(DATA)]
    assert (one["version"], one["lifecycle"], one["heap"], one["disk"]) == ("3.4.0", "InService", 50, 0)
    assert [one["name"] for one in shown["nodes"] if one["manages"]] == [scene.engine.look().manager]


def test_an_instance_whose_node_is_not_in_the_cluster_is_shown(scene: Scene) -> None:
    gone = scene.instance(DATA)
    scene.engine.crash(gone)
    (shown,) = scene.json("status", "demo")
    assert (nodes(shown)[gone]["version"], nodes(shown)[gone]["zone"]) == ("", "us-east-1a")
    assert "not in the cluster" in scene.run("status", "demo").stdout


def test_the_last_event_of_an_instance_is_shown(scene: Scene) -> None:
    instance = scene.instance(DATA)
    noted_status.note_event(scene.table, "demo", instance, "EC2 Instance Launch Successful", "2026-03-02T11:00:00Z")
    (shown,) = scene.json("status", "demo")
    assert nodes(shown)[instance]["event"] == "EC2 Instance Launch Successful at 2026-03-02T11:00:00Z"


def test_what_a_watch_wants_shown_is(scene: Scene) -> None:
    line = Shown(title="last snapshot", says="failed at 2026-03-02T03:00:00Z", wrong=True)
    noted_status.note_lines(scene.table, "demo", "snapshots", [line])
    said = scene.run("status", "demo")
    assert "last snapshot: failed at 2026-03-02T03:00:00Z" in said.stdout
    assert said.exit_code == 4


def test_what_a_capability_shows_is_made_of_what_it_observes(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(observed: Any, spec: ClusterSpec, _now: float) -> tuple[Shown, ...]:
        return (Shown(title="nodes seen", of=spec.zones[0], says=str(len(observed.cluster.nodes))),)

    room = msgspec.structs.replace(ROOMS["zone_balance"], shown=shown)
    monkeypatch.setattr(status_command, "ROOMS", {"zone_balance": room})
    (found,) = scene.json("status", "demo")
    assert found["lines"] == [{"title": "nodes seen", "of": "us-east-1a", "says": "6", "wrong": False, "number": None}]


BLOCKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a stop": ({"head#zone_balance": Head(state="paused", paused_by="anna")}, "stopped by anna", "vagus resume demo"),
    "a question": (
        {"plan#zone_balance": {"at": "t", "kind": "Ask", "reason": "APPROVAL_NEEDED", "message": "m", "steps": []}},
        "APPROVAL_NEEDED: m",
        "vagus approve demo",
    ),
    "a rule": (
        {"plan#zone_balance": {"at": "t", "kind": "Blocked", "reason": "NO_ROOM", "message": "m"}},
        "NO_ROOM: m",
        "docs/runbook.md, NO_ROOM",
    ),
    "another run": (
        {"plan#zone_balance": {"at": "t", "kind": "Wait", "reason": "LEASE_HELD", "message": "m"}},
        "LEASE_HELD: m",
        "nobody",
    ),
    "nothing": ({"plan#zone_balance": {"at": "t", "kind": "Done", "reason": "NOTHING_LEAVES", "message": "m"}}, "", ""),
}


@pytest.mark.parametrize(("rows", "blocks", "unblocks"), BLOCKS.values(), ids=BLOCKS)
def test_what_blocks_and_who_can_unblock_it(scene: Scene, rows: dict[str, Any], blocks: str, unblocks: str) -> None:
    for key, value in rows.items():
        scene.write(key, value)
    (shown,) = scene.json("status", "demo")
    (one,) = (one for one in shown["capabilities"] if one["name"] == "zone_balance")
    assert blocks in one["blocks"]
    assert unblocks in one["unblocks"]
    assert bool(one["blocks"]) is bool(blocks)


def test_a_late_intent_wants_a_person(scene: Scene) -> None:
    late = msgspec.structs.replace(leave("i-9", DATA, "2026-03-02T11:00:00Z", "event"), deadline="2026-03-02T11:59:59Z")
    scene.write("intent#leave-i-9", late)
    assert scene.json("status", "demo")[0]["intents"][0]["late"]
    assert scene.run("status", "demo").exit_code == 4


def noted(scene: Scene) -> Status:
    """What the sweep saw, a minute ago."""
    shows = standing.Shows(
        reads=scene.open(Choice()).reads,
        table=scene.table,
        rooms=ROOMS,
        executions={"zone_balance": scene.machine},
    )
    found = standing.of(shows, scene.fleet["demo"], scene.now)
    noted_status.note(scene.table, found)
    scene.now += 60
    return found


def test_from_outside_the_vpc_a_cluster_is_shown_as_the_sweep_saw_it(scene: Scene) -> None:
    seen = noted(scene)
    scene.engine.unreachable = True
    (shown,) = scene.json("status", "demo")
    assert (shown["seen"], shown["at"], shown["health"]["status"]) == ("by the sweep", seen.at, "green")
    assert len(shown["nodes"]) == 6
    said = scene.run("status", "demo")
    assert "as the sweep saw it at" in said.stdout
    assert said.exit_code == 0


def test_what_the_sweep_saw_long_ago_is_not_shown_as_if_it_were_so(scene: Scene) -> None:
    noted(scene)
    scene.engine.unreachable = True
    scene.now += 3600
    (shown,) = scene.json("status", "demo")
    assert (shown["seen"], shown["zones"]) == ("now", [])
    assert scene.run("status", "demo").exit_code == 4


def test_watch_looks_again_until_it_is_ended(scene: Scene) -> None:
    looks = iter([None, None])

    def pause(_seconds: float) -> None:
        if next(looks, "end") == "end":
            raise KeyboardInterrupt

    scene.pause = pause
    said = scene.run("status", "demo", "--watch", "--json")
    assert said.exit_code == 0
    assert [json.loads(line)[0]["cluster"] for line in said.stdout.splitlines()] == ["demo"] * 3
    looks = iter([])
    assert "Ctrl-C ends it" in scene.run("status", "--watch").stdout
