"""What the sweep shows: the last snapshot, and what it saw of nodes and endpoints while it decided."""

import msgspec
from tests.unit.frame.parts import NOW
from tests.unit.frame.sweeping import sweep_of
from tests.unit.simulation.world import World

from vagus.errors import Denied
from vagus.handshake import Handshake
from vagus.procedure.records import iso
from vagus.procedure.sweep import ShakenOnce, Swept
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.snapshots import Snapshots
from vagus.status import SNAPSHOT, Status


def _an_hour(world: World, told: list[Status]) -> list[Swept]:
    sweep = msgspec.structs.replace(sweep_of(world), tell=told.append)
    return [one for minute in range(60) for one in sweep.run(NOW + 60 * minute, world.iso())]


def test_the_last_snapshot_is_looked_up_once_an_hour_and_shown_from_then_on() -> None:
    world, told = World().known(), list[Status]()
    asked = list[bool]()
    world.engine.newest_snapshot = NOW - 7200
    snapshots = world.engine.snapshots

    def counted(*, newest: bool) -> Snapshots:
        asked.append(newest)
        return snapshots(newest=newest)

    world.engine.snapshots = counted  # type: ignore[method-assign]
    assert not [one for one in _an_hour(world, told) if one.result == "failed"]
    assert asked == [True]
    (line,) = [line for line in told[-1].lines if line.title == SNAPSHOT]
    assert (line.says, line.number) == (f"ended {iso(NOW - 7200)}", NOW - 7200)


def test_why_the_snapshots_could_not_be_listed_is_shown_and_fails_nothing() -> None:
    world, told = World().known(), list[Status]()

    def denied(*, newest: bool) -> Snapshots:
        raise Denied("cluster:admin/snapshot/get", f"no ({newest})")

    world.engine.snapshots = denied  # type: ignore[method-assign]
    assert not [one for one in _an_hour(world, told) if one.result == "failed"]
    (line,) = [line for line in told[-1].lines if line.title == SNAPSHOT]
    assert "could not be listed" in line.says
    assert line.number is None


def test_the_last_snapshot_that_was_known_grows_older_while_they_cannot_be_listed() -> None:
    world, told = World().known(), list[Status]()
    world.engine.newest_snapshot = NOW - 7200
    _an_hour(world, told)

    def denied(*, newest: bool) -> Snapshots:
        raise Denied("cluster:admin/snapshot/get", f"no ({newest})")

    world.engine.snapshots = denied  # type: ignore[method-assign]
    _an_hour(world, told)
    (line,) = [line for line in told[-1].lines if line.title == SNAPSHOT]
    assert line.says.startswith(f"unknown, the last that was known ended {iso(NOW - 7200)}, the snapshots could not")
    assert (line.number, line.wrong) == (NOW - 7200, True)


def test_a_snapshot_that_could_not_be_noted_is_a_failure_of_its_own() -> None:
    world, told = World().known(), list[Status]()

    def broken(*, newest: bool) -> Snapshots:
        raise AttributeError(f"a fault of ours ({newest})")

    world.engine.snapshots = broken  # type: ignore[method-assign]
    failed = [one for one in _an_hour(world, told) if one.result == "failed"]
    assert [(one.capability, "a fault of ours" in one.message) for one in failed] == [("snapshots", True)]
    assert told


def test_nodes_are_shaken_once_for_the_decision_and_the_status() -> None:
    shaken = list[str]()

    class Counted(FakeHandshakes):
        def all(self, bundle: str) -> tuple[Handshake, ...]:
            shaken.append(bundle)
            return super().all(bundle)

    once = ShakenOnce(Counted())
    assert once.all("a") == once.all("a")
    once.all("b")
    assert shaken == ["a", "b"]


def test_an_endpoint_is_called_once_for_the_decision_and_the_status() -> None:
    asked = list[str]()

    class Counted(FakeHandshakes):
        def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
            asked.append(f"{name}:{port}")
            return super().endpoint(name, port, bundle)

    once = ShakenOnce(Counted(Handshake(instance="a", address="a", port=443, answered=True)))
    assert once.endpoint("a", 443, "pem") == once.endpoint("a", 443, "pem")
    assert once.endpoint("a", 443, "pem").answered
    once.endpoint("b", 443, "pem")
    assert asked == ["a:443", "b:443"]


def test_an_endpoint_that_is_still_at_it_is_not_called_again() -> None:
    class Slow(FakeHandshakes):
        def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
            again = once.endpoint(name, port, bundle)  # meanwhile, from where the status is made
            assert not again.answered
            return super().endpoint(name, port, bundle)

    once = ShakenOnce(Slow())
    assert once.endpoint("a", 443, "pem").failure == "no TLS handshake"
