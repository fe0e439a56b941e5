"""`vagus restart | upgrade`: what is refused before a row is written."""

from typing import Any

import msgspec
import pytest

from vagus.procedure import rows

Scene = Any


@pytest.mark.parametrize(("mode", "code", "opened"), [("observe", 2, 0), ("approve", 0, 1)])
def test_nothing_is_asked_for_that_the_mode_lets_nobody_do(scene: Scene, mode: str, code: int, opened: int) -> None:
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.rolling_upgrade, mode=mode)
    scene.fleet["demo"] = msgspec.structs.replace(spec, rolling_upgrade=policy)
    said = scene.run("restart", "demo")
    assert said.exit_code == code, said.stderr
    assert ("rolling_upgrade.mode is observe" in said.stderr) == (mode == "observe")
    assert len(rows.read(scene.table, "demo").intents_of("rolling_upgrade")) == opened
