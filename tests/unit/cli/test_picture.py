"""`vagus plan --picture`: every shard is drawn where it stands and where it would, and nothing has to be loaded."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.unit.zone_balance.building import GB, NOW, spec
from tests.unit.zone_balance.test_balancing import LAYOUT, PLACED, seen

from vagus.cluster import Cluster
from vagus.policy import Shards
from vagus.zone_balance import balancing
from vagus.zone_balance.layout import layout_of
from vagus.zone_balance.looking import looked
from vagus_cli.picture import PALETTE, TALL, svg

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
    assert fills <= set(PALETTE)
    assert len(fills) == 8


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
