"""`vagus dlq`: what lies in the dead letters, why, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from vagus_cli.dead_letter_queue import FakeDeadLetters
from vagus_cli.dead_letters import Dead

Scene = Any

NOON = 1_772_452_800.0
EVENT = (Path(__file__).parents[3] / "events/zone_balance/terminate_lifecycle_action.json").read_text()
TAKEN = Dead(id="m-1", body=EVENT, sent=NOON)
UNREADABLE = Dead(id="m-2", body='{"source": "aws.autoscaling"}', sent=NOON + 1)
UNDELIVERED = Dead(id="m-3", body=EVENT, sent=NOON + 2, rule="vagus-local-on-autoscaling", error="NO_PERMISSIONS: key")
CALL = Dead(id="c-1", body="{}", sent=NOON, rule="vagus-local-sweep-each-minute", error="TOO_MANY_REQUESTS: throttled")


@pytest.fixture
def dead(scene: Scene) -> Scene:
    """Three events and a call that got nowhere."""
    scene.dead = {
        "events-dead": FakeDeadLetters(TAKEN, UNREADABLE, UNDELIVERED),
        "calls-dead": FakeDeadLetters(CALL),
    }
    return scene


def _left(scene: Scene) -> list[str]:
    assert not [one for queue in scene.dead.values() for one in queue.held], "all were put back"
    found = [one.id for queue in scene.dead.values() for one in queue.read()]
    for queue in scene.dead.values():
        queue.held.clear()
    return found


def test_each_letter_is_told_with_its_cause_and_none_is_taken(dead: Scene) -> None:
    said = dead.run("dlq", "show", "local", "--json")
    assert said.exit_code == 4
    shown = {one["id"]: one for one in json.loads(said.stdout)}
    assert {name: one["redriven"] for name, one in shown.items()} == {
        "m-1": True,
        "m-2": False,
        "m-3": True,
        "c-1": False,
    }
    assert "demo would be looked at at once" in shown["m-1"]["what"]
    assert "see in the intake's log" in shown["m-1"]["why"]
    assert "missing required field" in shown["m-2"]["why"]
    assert shown["m-3"]["why"] == "NO_PERMISSIONS: key"
    assert shown["c-1"]["what"].startswith("a call by vagus-local-sweep-each-minute that did not reach its function")
    assert shown["c-1"]["why"] == "TOO_MANY_REQUESTS: throttled"
    assert _left(dead) == ["m-1", "m-2", "m-3", "c-1"]


def test_people_see_each_letter_in_full(dead: Scene) -> None:
    said = dead.run("dlq", "show", "local").stdout
    assert "m-2" in said
    assert UNREADABLE.body in said


def test_empty_queues_are_well(scene: Scene) -> None:
    said = scene.run("dlq", "show", "local")
    assert (said.exit_code, said.stdout.strip()) == (0, "nothing")


def test_what_can_be_read_is_handed_to_the_intake_once_more_and_the_rest_stays(dead: Scene) -> None:
    done = json.loads(dead.run("dlq", "redrive", "local", "--yes", "--json").stdout)
    assert [(one["id"], one["became"]) for one in done] == [("m-1", "redriven"), ("m-3", "redriven")]
    assert dead.sent == [("local", EVENT.encode())] * 2
    assert _left(dead) == ["m-2", "c-1"]


def test_what_no_redrive_can_help_is_dropped_when_a_person_says_so(dead: Scene) -> None:
    done = json.loads(dead.run("dlq", "drop", "local", "--yes", "--json").stdout)
    assert [one["id"] for one in done] == ["m-2", "c-1"]
    assert done[0]["body"] == UNREADABLE.body
    assert _left(dead) == ["m-1", "m-3"]
    assert dead.sent == []


@pytest.mark.parametrize(("does", "left"), [("redrive", ["m-2", "m-3", "c-1"]), ("drop", ["m-2", "m-3", "c-1"])])
def test_one_that_is_named(dead: Scene, does: str, left: list[str]) -> None:
    assert dead.run("dlq", does, "local", "--message", "m-1", "--yes").exit_code == 0
    assert _left(dead) == left
    assert len(dead.sent) == (does == "redrive")


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "no": (("redrive", "local"), ""),
    "JSON asks nobody": (("redrive", "local", "--json"), "with --json, say --yes"),
    "no such message": (("drop", "local", "--message", "m-9", "--yes"), "no message m-9 lies there"),
    "a call is no event": (("redrive", "local", "--message", "c-1", "--yes"), "c-1 is a call, and no event"),
    "no such cell": (("show", "remote"), "no cluster is declared in a cell remote (cells: local)"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_leaves_all_as_it_was(dead: Scene, arguments: tuple[str, ...], words: str) -> None:
    said = dead.run("dlq", *arguments, stdin="n\n")
    assert said.exit_code == 2
    assert words in said.stderr
    assert _left(dead) == ["m-1", "m-2", "m-3", "c-1"]
    assert dead.sent == []
