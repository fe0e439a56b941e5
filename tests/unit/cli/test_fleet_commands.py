"""`vagus fleet check` and `vagus fleet schema`."""

from pathlib import Path
from typing import Any

Scene = Any

ROOT = Path(__file__).parents[3]


def test_a_good_fleet(scene: Scene) -> None:
    said = scene.run("fleet", "check", "--fleet", str(ROOT / "fleet"))
    assert (said.exit_code, said.stdout) == (0, "demo: 6 nodes\n")


def test_a_faulty_file_beside_a_good_one(scene: Scene, tmp_path: Path) -> None:
    good = (ROOT / "fleet/demo.yaml").read_text()
    (tmp_path / "demo.yaml").write_text(good)
    (tmp_path / "other.yaml").write_text(good.replace("per_zone: 1", "per_zone: one"))
    said = scene.run("fleet", "check", "--fleet", str(tmp_path))
    assert said.exit_code == 1
    assert "other.yaml:12: groups.core.per_zone expected `int`" in said.stdout
    assert "demo: 6 nodes" in said.stdout
    report = scene.json("fleet", "check", "--fleet", str(tmp_path))
    assert report["clusters"] == {"demo": 6}
    assert [(one["line"], one["field"]) for one in report["problems"]] == [
        (12, "groups.core.per_zone"),
        (18, "groups.data.per_zone"),
    ]


def test_a_folder_without_a_fleet_file(scene: Scene, tmp_path: Path) -> None:
    assert "has no fleet file" in scene.run("fleet", "check", "--fleet", str(tmp_path)).stdout


def test_the_schema_is_what_is_committed(scene: Scene) -> None:
    assert scene.run("fleet", "schema").stdout == (ROOT / "fleet/schema.json").read_text()
