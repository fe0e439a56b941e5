"""`vagus records tail`: intention and outcome joined; a write that never told how it ended is a finding."""

import json
from typing import Any

import pytest

from vagus.errors import Denied, Unreachable
from vagus.procedure.lease import LENGTH
from vagus.procedure.records import Book, Record

Scene = Any


class Dies(BaseException):
    """The function ends between its write and the outcome."""


class Writer:
    """Writes records as a function does."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.count = 0

    def _new_id(self) -> str:
        self.count += 1
        return f"r{self.count}"

    def write(self, subject: str, error: BaseException | None = None, seconds: float = 0.25) -> None:
        book = Book(table=self.scene.book, clock=lambda: self.scene.now, new_id=self._new_id)
        record = Record(id="", phase="intended", at="", cluster="demo", capability="zone_balance",
                        execution="demo-zone_balance-1", step="ExcludeNodes", subject=subject,
                        sentence=f"exclude {subject}")  # fmt: skip
        try:
            with book.writing(record):
                self.scene.now += seconds
                if error is not None:
                    raise error
        except (Denied, Unreachable, Dies):
            return


@pytest.fixture
def writer(scene: Scene) -> Writer:
    return Writer(scene)


def _shown(scene: Scene, *arguments: str) -> list[tuple[str, str]]:
    return [(one["subject"], one["result"]) for one in scene.json("records", "tail", "demo", *arguments)]


def test_each_write_is_one_line_oldest_first(scene: Scene, writer: Writer) -> None:
    writer.write("i-1")
    scene.now += 60
    writer.write("i-2", Unreachable("no answer"))
    writer.write("i-3", Denied("ec2:TerminateInstances", "not allowed"))
    first, second, third = scene.json("records", "tail", "demo")
    assert (first["subject"], first["result"], first["seconds"]) == ("i-1", "done", 0.25)
    assert (second["result"], second["error"]) == ("unknown", "Unreachable: no answer")
    assert (third["result"], third["error"]) == ("denied", "Denied: ec2:TerminateInstances: not allowed")


def test_a_write_without_outcome_is_under_way_and_then_a_finding(scene: Scene, writer: Writer) -> None:
    writer.write("i-1", Dies())
    assert _shown(scene) == [("i-1", "under way")]
    scene.now += LENGTH
    assert _shown(scene) == [("i-1", "no outcome")]
    said = scene.run("records", "tail", "demo").stdout
    assert "NO OUTCOME" in said
    assert "1 without outcome: it may or may not have happened" in said


def test_only_the_last_are_shown(scene: Scene, writer: Writer) -> None:
    for number in range(30):
        writer.write(f"i-{number}")
    assert len(_shown(scene)) == 20
    assert _shown(scene, "--last", "2") == [("i-28", "done"), ("i-29", "done")]


def test_it_looks_back_a_week(scene: Scene, writer: Writer) -> None:
    writer.write("i-old")
    scene.now += 7 * 86400
    assert _shown(scene) == [("i-old", "done")]
    scene.now += 86400
    assert _shown(scene) == []
    assert "nothing was written" in scene.run("records", "tail", "demo").stdout


def test_a_write_over_midnight_is_one_write(scene: Scene, writer: Writer) -> None:
    scene.now += 12 * 3600 - 1
    writer.write("i-1", seconds=2)
    assert _shown(scene) == [("i-1", "done")]


def test_to_follow_shows_each_change_once_and_ctrl_c_is_no_error(scene: Scene, writer: Writer) -> None:
    writer.write("i-1")
    happens = iter([lambda: writer.write("i-2", Dies()), lambda: None, lambda: writer.write("i-3"), _later(scene)])

    def pause(_: float) -> None:
        act = next(happens, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    scene.pause = pause
    said = scene.run("records", "tail", "demo", "--follow", "--json")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert [(one["subject"], one["result"]) for one in lines] == [
        ("i-1", "done"),
        ("i-2", "under way"),
        ("i-3", "done"),
        ("i-2", "no outcome"),
    ]
    assert said.exit_code == 0


def _later(scene: Scene) -> Any:
    def pass_by() -> None:
        scene.now += LENGTH

    return pass_by


def test_to_follow_over_midnight_misses_nothing(scene: Scene, writer: Writer) -> None:
    scene.now += 12 * 3600 - 0.5
    happens = iter([lambda: writer.write("i-1", seconds=1), lambda: writer.write("i-2")])

    def pause(_: float) -> None:
        act = next(happens, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    scene.pause = pause
    said = scene.run("records", "tail", "demo", "--follow").stdout
    assert said.count("exclude i-1") == 1
    assert said.count("exclude i-2") == 1
