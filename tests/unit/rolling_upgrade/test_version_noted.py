"""Which version nodes that start bring after an upgrade that a person aborted: none older than data may be of."""

import msgspec
import pytest
from tests.unit.rolling_upgrade.scenarios import SECOND, aborts, all_are_upgraded
from tests.unit.rolling_upgrade.test_holding import group
from tests.unit.rolling_upgrade.test_rules import NODE, NOW, question
from tests.unit.rolling_upgrade.world import VERSION, RollingWorld
from tests.unit.simulation.happenings import later
from tests.unit.simulation.world import World

from vagus.instances import Instance
from vagus.plan import Steps
from vagus.procedure import rows
from vagus.procedure.loop import Call, Outcome
from vagus.rolling_upgrade.decide import decide
from vagus.rolling_upgrade.observed import Observed
from vagus.snapshots import Snapshots
from vagus.steps import AnyStep, NoteVersion

AWAY = {
    "one in service": ("InService", False),
    "one that a person set aside": ("Standby", False),
    "one that its hook holds": ("Terminating:Wait", False),
    "one that comes for the first time: its archive may be what is missing": ("Pending:Wait", True),
    "one that was let go": ("Terminating:Proceed", True),
}


@pytest.mark.parametrize(("lifecycle", "noted"), AWAY.values(), ids=AWAY.keys())
def test_an_older_version_is_noted_only_when_nobody_is_away_who_may_have_the_newer(lifecycle: str, noted: bool) -> None:
    """Of an upgrade to 3.4.0 that was aborted; every node that is there runs 2.19.4."""
    asked = question("3.4.0")
    cluster = asked.cluster
    instances = tuple(
        Instance(id=one.name, zone=one.zone, lifecycle=lifecycle if one.name == NODE else "InService")
        for one in cluster.nodes
    )
    seen = Observed(
        cluster=msgspec.structs.replace(cluster, nodes=tuple(one for one in cluster.nodes if one.name != NODE)),
        groups=(group(*instances),),
        identity=cluster.uuid,
        version="3.4.0",
        snapshots=Snapshots(),
    )
    plan = decide(seen, asked.spec, NOW)
    assert isinstance(plan, Steps) == noted, plan
    if not noted:
        assert f"Meanwhile nodes that start bring 3.4.0 until {NODE} is in the cluster or gone" in plan.message
    back = decide(msgspec.structs.replace(seen, cluster=cluster), asked.spec, NOW)
    assert isinstance(back, Steps)
    assert back.steps == (NoteVersion(runs="2.19.4"),)


def one_is_upgraded(rolling: World) -> bool:
    return any(node.version == "3.4.0" for node in rolling.engine.look().nodes)


def it_dies_and_a_person_aborts(rolling: World) -> None:
    name = next(node.name for node in rolling.engine.look().nodes if node.version == "3.4.0")
    rolling.engine.crash(name)
    aborts(rolling)


def starts_again(rolling: World) -> None:
    assert isinstance(rolling, RollingWorld)
    rolling.start(rolling.restarts[0])


def test_the_one_upgraded_node_that_was_away_when_its_upgrade_was_aborted_starts_again() -> None:
    """The world lets no node start as an older version than wrote its data."""
    rolling = all_are_upgraded()
    rolling.when("dies", one_is_upgraded, it_dies_and_a_person_aborts)
    rolling.when("starts again", later(900), starts_again)
    rolling.run()
    assert rolling.summary()["versions"] == ["2.19.4", "3.4.0"], rolling.story()
    assert (rolling.parameters.values[VERSION], rolling.seen().node_version) == ("3.4.0", "3.4.0")
    assert len(rolling.engine.look().nodes) == 6


class DyingWorld(RollingWorld):
    """A node dies once an older version than was noted is to be noted, and before it is; it starts again later."""

    refused = ""

    def starts_again(self, _: World) -> None:
        self.start(SECOND)

    def apply(self, call: Call, step: AnyStep) -> Outcome:
        if isinstance(step, NoteVersion) and not self.refused:
            self.engine.crash(SECOND)
            self.when("starts again", later(600), self.starts_again)
        outcome = super().apply(call, step)
        self.refused = self.refused or outcome.message
        return outcome


def test_the_function_that_writes_notes_no_older_version_for_a_node_that_died_since_the_decision() -> None:
    rolling = DyingWorld(runs="2.19.4")
    rolling.parameters.values[VERSION] = "3.4.0"
    rolling.table.write(rows.partition(rolling.spec.name), rolling.seen().put("version", {"version": "3.4.0"}))
    rolling.run()
    assert f"nodes that start bring 3.4.0 until {SECOND}" in rolling.refused, rolling.story()
    assert rolling.summary()["versions"] == ["2.19.4", "3.4.0"]
    assert rolling.parameters.values[VERSION] == "3.4.0"
