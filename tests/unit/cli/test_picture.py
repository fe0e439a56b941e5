"""`vagus plan --picture`: every shard is drawn where it stands and where it would, and nothing has to be loaded."""

import itertools
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.unit.zone_balance.building import GB, NOW, spec
from tests.unit.zone_balance.test_balancing import LAYOUT, PLACED, seen

from vagus.cluster import Cluster
from vagus.policy import Shards
from vagus.zone_balance import balancing
from vagus.zone_balance.layout import layout_of
from vagus.zone_balance.looking import looked
from vagus_cli.picture import LETTER, PALETTE, SMALL, TALL, human, svg

Scene = Any  # the fixture's class lives in conftest.py, which can't be imported by name
NAME = "{http://www.w3.org/2000/svg}"


def _drawn(**policy: Any) -> ElementTree.Element:
    found = seen(large=8 * GB)
    assert isinstance(found.cluster, Cluster)
    look = looked(found, found.cluster, spec(shards=Shards(mode="on", **policy)), NOW)
    document = svg("claims <1>", layout_of(found.cluster, PLACED), balancing.planned(look))
    return ElementTree.fromstring(document)  # noqa: S314  (our own)


def _shards(root: ElementTree.Element) -> list[str]:
    return [title.text or "" for group in root.iter(f"{NAME}g") for title in group.iter(f"{NAME}title")]


def test_every_shard_is_drawn_twice_and_the_moved_ones_have_a_thick_edge() -> None:
    root = _drawn()
    said = _shards(root)
    assert len(said) == 2 * sum(len(shard.partition(":")[2].split(",")) for shard in LAYOUT.split())
    moved = [one for one in said if one.endswith("moved")]
    assert len(moved) == 2
    edges = [rect.get("class") for rect in root.iter(f"{NAME}rect")]
    assert edges.count("m") == len(moved)


def test_a_column_is_as_high_as_its_bytes_and_the_share_is_told() -> None:
    root = _drawn()
    highest = max(float(rect.get("height", "0").rstrip("%")) for rect in root.iter(f"{NAME}rect") if rect.get("class"))
    assert highest == TALL / 2, "the fullest node has two shards of the same size"
    texts = [text.text or "" for text in root.iter(f"{NAME}text")]
    assert "eu-west-1a data: skew 77.8 %" in texts
    assert "eu-west-1a data: skew 0.0 %" in texts
    assert "claims <1> now" in texts, "names are escaped"


def test_nothing_is_loaded_and_colours_are_those_that_everybody_tells_apart() -> None:
    root = _drawn()
    assert not [one for one in root.iter() if any("href" in key or key == "src" for key in one.attrib)]
    fills = {rect.get("fill") for rect in root.iter(f"{NAME}rect") if rect.get("class")}
    assert fills == set(PALETTE)


SEEN_BY: dict[str, tuple[tuple[float, float, float], ...]] = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.1523, 1.0526, -0.2049), (0.1145, 0.7863, 0.0992), (-0.0039, -0.0481, 1.0520)),
    "deuteranopia": ((0.3673, 0.8606, -0.2280), (0.2801, 0.6725, 0.0474), (-0.0118, 0.0429, 0.9689)),
    "tritanopia": ((1.2555, -0.0767, -0.1788), (-0.0784, 0.9308, 0.1476), (0.0047, 0.6914, 0.3039)),
}
"""What becomes of linear red, green and blue (Machado, Oliveira and Fernandes 2009, severity 1)."""


@pytest.mark.parametrize("eyes", SEEN_BY.values(), ids=SEEN_BY.keys())
def test_any_two_colours_are_told_apart_by_all_eyes(eyes: tuple[tuple[float, float, float], ...]) -> None:
    """CIELAB, in which 2.3 is just noticeable."""
    seen_as = {colour: _lab(colour, eyes) for colour in (*PALETTE, SMALL, "#ffffff")}
    nearest = min(math.dist(one, other) for one, other in itertools.combinations(seen_as.values(), 2))
    assert nearest > 12


def _lab(colour: str, eyes: tuple[tuple[float, float, float], ...]) -> tuple[float, float, float]:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    sent = [(int(digits[at : at + 2], 16) / 255 + 0.055) / 1.055 for at in (0, 2, 4)]
    linear = [part**2.4 if part > 0.09 else 0.0 for part in sent]
    r, g, b = (min(1.0, max(0.0, sum(a * c for a, c in zip(row, linear, strict=True)))) for row in eyes)
    white = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.0888,
    )
    x, y, z = (part ** (1 / 3) if part > 0.0089 else 7.787 * part + 16 / 116 for part in white)
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


def test_no_word_lies_over_another_and_none_beyond_the_edge() -> None:
    root = _drawn(spare=5)
    width = float(root.get("width", "0"))
    lines: dict[str, list[tuple[float, str]]] = {}
    for text in root.iter(f"{NAME}text"):
        if text.get("text-anchor") is None:
            lines.setdefault(text.get("y", ""), []).append((float(text.get("x", "0")), text.text or ""))
    for line in lines.values():
        line.sort()
        for (x, said), (following, _) in itertools.pairwise([*line, (width, "")]):
            assert x + LETTER * len(said) <= following, said
    assert any("stays" in said for line in lines.values() for _, said in line), "findings are told"
    assert max(float(y) for y in lines) < float(root.get("height", "0"))


def test_the_legend_names_marks_and_the_largest_indices() -> None:
    texts = [text.text or "" for text in _drawn().iter(f"{NAME}text")]
    assert {"primary", "replica", "moved", "many small shards", "fair share"} <= set(texts)
    assert texts[texts.index("fair share") + 1 :][:2] == ["a", "b"], "the two large ones"
    assert "and 1 smaller, in the same colours again" in texts


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (150 << 30, "150 GiB"), (5 << 50, "5 PiB")],
)
def test_bytes_as_people_write_them(size: int, said: str) -> None:
    assert human(size) == said


def test_the_command_draws_into_a_file_and_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    said = scene.run("plan", "demo", "--picture", str(tmp_path / "shards.svg"))
    assert said.exit_code == 0, said.output
    root = ElementTree.fromstring((tmp_path / "shards.svg").read_text())  # noqa: S314  (our own)
    assert len(_shards(root)) == 2 * len(scene.engine.look().copies)
    assert scene.engine.updates == []
    assert scene.engine.reroutes == []


def test_a_file_that_can_not_be_written_is_said(scene: Scene, tmp_path: Path) -> None:
    said = scene.run("plan", "demo", "--picture", str(tmp_path / "no" / "shards.svg"))
    assert said.exit_code == 2
    assert "can't be written" in said.stderr
