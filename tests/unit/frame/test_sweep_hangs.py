"""The sweep where clusters hang: each has its time, and none keeps another from being looked at."""

from collections.abc import Iterator
from threading import Barrier, Event
from typing import Any

import msgspec
import pytest
from tests.unit.frame.sweeping import sweep_of
from tests.unit.simulation.world import World

from vagus.cluster import Cluster
from vagus.errors import Unreachable
from vagus.fleet import ClusterSpec
from vagus.procedure.sweep import Sweep
from vagus.status import Status


class Hanging:
    """A cluster whose nodes take a connection and never answer, until the test lets them."""

    def __init__(self, let_go: Event) -> None:
        self._let_go = let_go

    def look(self) -> Cluster:
        self._let_go.wait(60)
        raise Unreachable("the nodes were let go")

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        raise Unreachable(f"nobody explains {index}[{shard}] {primary} on {node}")


@pytest.fixture
def let_go() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def _many(world: World, hanging: set[str], let_go: Event, **more: Any) -> tuple[Sweep, list[Status]]:
    """Five clusters, of which some hang; the first of the turn among them."""
    told: list[Status] = []
    fleet = {name: msgspec.structs.replace(world.spec, name=name) for name in "abcde"}

    def search(spec: ClusterSpec) -> Any:
        return Hanging(let_go) if spec.name in hanging else world.engine

    return sweep_of(world, fleet, search, tell=told.append, **more), told


def test_clusters_that_hang_keep_no_other_from_being_looked_at(let_go: Event) -> None:
    world = World().known()
    sweep, told = _many(world, {"a", "b", "c"}, let_go, at_once=3, look_seconds=5)
    swept = {one.cluster: one for one in sweep.run(0.0, world.iso())}
    assert {name for name, one in swept.items() if "no answer within" in one.message} == {"a", "b", "c"}
    assert "no answer within" not in swept["e"].message
    unseen = {status.cluster for status in told if status.health.unseen}
    assert (unseen, {status.cluster for status in told} - unseen) == ({"a", "b", "c"}, {"d", "e"})


def test_a_sweep_ends_in_time_and_names_those_it_did_not_reach(let_go: Event) -> None:
    world = World().known()
    sweep, told = _many(world, {"a"}, let_go, at_once=1, seconds=0.2, look_seconds=60)
    swept = [one for one in sweep.run(0.0, world.iso()) if one.cluster in sweep.fleet]
    assert [(one.cluster, one.result) for one in swept] == [(name, "failed") for name in "abcde"]
    assert all("ran out" in one.message for one in swept)
    assert told == []


def test_several_clusters_are_looked_at_at_the_same_time(let_go: Event) -> None:
    """Each look waits for the other: one after the other neither would end."""
    world, both = World().known(), Barrier(2)
    sweep, _ = _many(world, set(), let_go, at_once=2, look_seconds=60)

    class Meeting(Hanging):
        def look(self) -> Cluster:
            both.wait(60)
            return world.engine.look()

    pair = {name: spec for name, spec in sweep.fleet.items() if name in "ab"}
    reads = msgspec.structs.replace(sweep.reads, search=lambda _: Meeting(let_go))
    swept = msgspec.structs.replace(sweep, fleet=pair, reads=reads).run(0.0, world.iso())
    assert [one.result for one in swept if one.result == "failed"] == []
    assert not both.broken
