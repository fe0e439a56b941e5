"""10,000 events for 500 clusters through one intake and one table: doubled, shuffled, late, unknown and malformed.
Nothing is lost, nothing is done twice."""

import random
from collections import Counter
from typing import Any

from tests.unit.simulation.declared import START, spec
from tests.unit.simulation.world import World

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.errors import Malformed
from vagus.events import Ignored
from vagus.fleet import Fleet
from vagus.procedure import intake, records

CLUSTERS = 500
EVENTS = 10_000
LEAVE = 2

UNKNOWN: list[Any] = [
    {"source": "aws.ec2", "detail-type": "EBS Volume Notification", "time": "2026-01-01T00:00:00Z", "detail": {}},
    {
        "source": "aws.autoscaling",
        "detail-type": "EC2 Instance-terminate Lifecycle Action",
        "time": "2026-01-01T00:00:00Z",
        "detail": {
            "AutoScalingGroupName": "somebody-elses-group",
            "EC2InstanceId": "i-0",
            "LifecycleHookName": "theirs",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        },
    },
]
MALFORMED: list[Any] = [
    "not JSON",
    {"source": "aws.autoscaling"},
    {
        "source": "aws.autoscaling",
        "detail-type": "EC2 Instance-terminate Lifecycle Action",
        "time": "2026-01-01T00:00:00Z",
        "detail": {"AutoScalingGroupName": "c-000-data-eu-west-1a"},
    },
]


def _nobody(_: Any) -> dict[str, str]:
    """No instance of this cell is in a group: Spot warnings and the like come for others."""
    return {}


class Cell:
    """500 clusters that share one intake, one state table and one state machine."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  (a shuffle that can be repeated, no secret)
        self.table, self.machines = FakeTable(), FakeExecutions()
        self.results: Counter[str] = Counter()
        self.worlds = [self._world(number) for number in range(CLUSTERS)]
        self.fleet: Fleet = {world.spec.name: world.spec for world in self.worlds}

    def _world(self, number: int) -> World:
        world = World(
            spec=spec(name=f"c-{number:03d}"), table=self.table, machines=self.machines, events="never", calm=60.0
        ).known()
        world.engine.create_index("notes", shards=1, replicas=1, size=0)
        for node in world.instances()[:LEAVE]:
            world.groups.scale_in(node)
        return world

    def events(self) -> list[Any]:
        """Every real event once, then copies of them, the unknown and the malformed, up to the number; shuffled."""
        real = [event for world in self.worlds for event in world.groups.events]
        noise = [*UNKNOWN, *MALFORMED]
        more = [self.random.choice(noise if number % 4 == 0 else real) for number in range(EVENTS - len(real))]
        found = [*real, *more]
        self.random.shuffle(found)
        return found

    def take(self, event: Any) -> None:
        try:
            executions = {"zone_balance": self.machines}
            match intake.take(event, self.fleet, self.table, executions, START + 60, records.iso(START + 60), _nobody):
                case tuple():
                    self.results["taken"] += 1
                case Ignored():
                    self.results["ignored"] += 1
        except Malformed:
            self.results["malformed"] += 1

    def run(self) -> None:
        for world in self.worlds:
            world.stir()
            world.run()


def test_of_ten_thousand_events_nothing_is_lost_and_nothing_done_twice() -> None:
    cell = Cell(seed=1)
    events = cell.events()
    early, late = events[: EVENTS * 3 // 4], events[EVENTS * 3 // 4 :]
    for event in early:
        cell.take(event)
    assert len(cell.machines.started) == len({payload["cluster"] for payload in cell.machines.started.values()})
    cell.run()
    for event in late:  # copies that come after all is over, and events that the queue had held back
        cell.take(event)
    cell.run()

    assert cell.results.total() == EVENTS
    assert cell.results["malformed"] == sum(event in MALFORMED for event in events)
    assert cell.results["ignored"] == sum(event in UNKNOWN for event in events)
    for world in cell.worlds:
        left = sorted(world.oracle.let_go)
        assert left == sorted(f"i-{number:017x}" for number in range(1, LEAVE + 1)), world.story()
        assert Counter(world.groups.completed) == Counter({(node, "CONTINUE"): 1 for node in left})
        assert world.seen().closed == {f"leave-{node}" for node in left}
        assert world.seen().intents == ()
        assert world.head().state == "idle"
