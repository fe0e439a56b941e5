"""`vagus replay`: what an event file says, and that nothing leaves without --send."""

from pathlib import Path
from typing import Any

import pytest

Scene = Any

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events/zone_balance"
FLEET = ("--fleet", str(ROOT / "fleet"))

# case: (outcome, exit code, words)
CASES = {
    "terminate_lifecycle_action": ("hint", 0, "leave-i-0a1b2c3d4e5f60718 would be opened"),
    "launch_successful": ("hint", 0, "demo would be looked at at once by zone_balance"),
    "terminate_of_another_group": ("ignored", 0, "belongs to no declared cluster: nothing would be done"),
    "unknown_to_vagus": ("ignored", 0, "no capability reacts"),
    "malformed_no_instance": ("malformed", 1, "it would be dead-lettered"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_event_is_told_in_a_sentence_and_nothing_is_sent(scene: Scene, case: str) -> None:
    outcome, code, words = CASES[case]
    said = scene.run("replay", str(EVENTS / f"{case}.json"), *FLEET)
    assert said.exit_code == code
    assert outcome in said.stdout
    assert words in said.stdout
    assert (scene.sent, scene.choices) == ([], [])


def test_to_send_is_to_hand_the_file_as_it_is_to_the_clusters_cell(scene: Scene) -> None:
    file = EVENTS / "terminate_lifecycle_action.json"
    said = scene.json("replay", str(file), "--send")
    assert said["sent"] is True
    assert scene.sent == [("local", file.read_bytes())]


@pytest.mark.parametrize("case", ["malformed_no_instance", "unknown_to_vagus"])
def test_what_would_be_a_no_op_is_not_sent(scene: Scene, case: str) -> None:
    said = scene.run("replay", str(EVENTS / f"{case}.json"), "--send")
    assert said.exit_code == 2
    assert "error: not sent: " in said.stderr
    assert scene.sent == []


def test_a_file_that_is_not_there(scene: Scene) -> None:
    said = scene.run("replay", "nowhere.json", *FLEET)
    assert said.exit_code == 2
    assert said.stderr.startswith("error: nowhere.json can't be read (No such file or directory)")


def test_a_faulty_fleet_names_its_faults(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("name: demo\n")
    said = scene.run("replay", str(EVENTS / "launch_successful.json"), "--fleet", str(tmp_path))
    assert said.exit_code == 2
    assert "demo.yaml:1: cell is missing" in said.stderr
