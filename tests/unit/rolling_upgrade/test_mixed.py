"""Nodes of several versions, for a person brought one of them another: none is taken back to an older one.

The world asserts that at each stop of a node. A real engine refuses the data of a newer one: such a node stays away.
"""

from dataclasses import dataclass, field

import pytest
from tests.unit.rolling_upgrade.scenarios import (
    SECOND,
    aborts,
    always,
    approves,
    asked,
    wants_restart,
    wants_upgrade,
)
from tests.unit.rolling_upgrade.world import ROOM, VERSION, RollingWorld, declared
from tests.unit.simulation.world import World

from vagus.procedure.loop import Call, Outcome
from vagus.reasons import Reason
from vagus.steps import AnyStep, BringVersion, KeepReplicas, RestartNodes, Step


@dataclass
class MeddledWorld(RollingWorld):
    """A person brings a node 3.4.0 once a step of this kind was decided on, and before it is done."""

    meddled: type[Step] | None = None
    refusals: list[str] = field(default_factory=list)

    def apply(self, call: Call, step: AnyStep) -> Outcome:
        if self.meddled and isinstance(step, self.meddled):
            self.engine.machines[SECOND].version = "3.4.0"
        outcome = super().apply(call, step)
        self.refusals += [outcome.message] if outcome.result == "superseded" else []
        return outcome


def refused(rolling: World) -> bool:
    return rolling.seen().head(ROOM).reason == Reason.VERSION_PATH


def left_as_they_were(rolling: RollingWorld) -> None:
    end = rolling.summary()
    assert end["versions"] == ["2.19.4", "3.4.0"]
    assert rolling.parameters.values[VERSION] == "2.19.4"
    assert end["open"] == []
    assert "cluster.routing.allocation.enable" not in end["persistent"]


def test_an_upgrade_to_an_older_version_than_a_node_runs_is_refused_until_it_is_aborted() -> None:
    """Also where that version is the one that was noted, so that it looks like the middle of an upgrade."""
    rolling = RollingWorld(spec=declared(version="2.19.4"), runs="2.19.4")
    rolling.engine.machines[SECOND].version = "3.4.0"
    rolling.when("a person asks", always, wants_upgrade)
    rolling.when("a person aborts", refused, aborts)
    rolling.run()
    assert rolling.restarts == []
    assert not asked(rolling)
    left_as_they_were(rolling)


def test_a_restart_that_would_bring_a_node_an_older_version_is_refused() -> None:
    rolling = RollingWorld(spec=declared(version="2.19.4"), runs="2.19.4")
    rolling.engine.machines[SECOND].version = "3.4.0"
    rolling.when("a person asks", always, wants_restart)
    rolling.when("a person aborts", refused, aborts)
    rolling.run()
    assert SECOND not in rolling.restarts
    left_as_they_were(rolling)


@pytest.mark.parametrize("kind", [BringVersion, KeepReplicas, RestartNodes])
def test_the_function_that_writes_refuses_what_became_a_way_back_since_the_decision(kind: type[Step]) -> None:
    rolling = MeddledWorld(spec=declared(version="2.19.6"), runs="2.19.4", meddled=kind)
    rolling.when("a person asks", always, wants_upgrade)
    rolling.when("a person approves", asked, approves)
    rolling.when("a person aborts", refused, aborts)
    rolling.run()
    assert rolling.restarts == []
    assert any("2.19.6 is older than 3.4.0" in why for why in rolling.refusals), rolling.refusals
