"""The sweep: what it makes of each way that a run can end, and when it starts one."""

from collections.abc import Iterator
from threading import Barrier, Event
from typing import Any

import msgspec
import pytest
from tests.unit.frame.parts import NOW, intent, put, seen
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import FIRST
from tests.unit.simulation.ports import Meter, wired
from tests.unit.simulation.world import World

from vagus.cluster import Cluster
from vagus.errors import Denied, Unreachable
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.intent import ExcludeNode
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.policy import Mode
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.records import iso
from vagus.procedure.room import Reads
from vagus.procedure.rows import Head
from vagus.procedure.sweep import BACK_OFF, ShakenOnce, Sweep, Swept, after_end, wants_run
from vagus.reasons import Reason
from vagus.rooms import ROOMS
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.snapshots import Snapshots
from vagus.status import SNAPSHOT, Status
from vagus.steps import NoteIdentity

ALONE = {"zone_balance": ROOMS["zone_balance"]}
RAN = Head(state="running", generation=3, execution="claims-zone_balance-3")

ENDED: dict[str, tuple[str, int, str, float, int]] = {
    "a person's Stop in the console is a pause": ("ABORTED", 0, "paused", 0.0, 0),
    "a failed one is tried again after a minute": ("FAILED", 0, "idle", NOW + 60, 1),
    "so is one that timed out": ("TIMED_OUT", 0, "idle", NOW + 60, 1),
    "a second time after five": ("FAILED", 1, "idle", NOW + 300, 2),
    "a third time after fifteen": ("FAILED", 2, "idle", NOW + 900, 3),
    "then it is a pause": ("FAILED", 3, "paused", 0.0, 3),
    "one that ended well without a note may start at once": ("SUCCEEDED", 2, "idle", 0.0, 2),
}


@pytest.mark.parametrize(("status", "failures", "state", "not_before", "after"), ENDED.values(), ids=ENDED.keys())
def test_after_an_end_that_was_not_noted(status: str, failures: int, state: str, not_before: float, after: int) -> None:
    settled = after_end(msgspec.structs.replace(RAN, failures=failures), status, NOW)
    assert (settled.state, settled.not_before, settled.failures) == (state, not_before, after)
    assert settled.execution == ""
    assert settled.generation == RAN.generation
    assert bool(settled.paused_by) is (state == "paused")


DONE = Done(reason=Reason.NOTHING_LEAVES, message="x")
BLOCKED = Blocked(reason=Reason.WRONG_CLUSTER, message="x")

WANTED: dict[str, tuple[Plan, str, bool]] = {
    "something is to be done": (
        Steps(steps=(NoteIdentity(uuid="u"),), reason=Reason.NOTING, message="x"),
        "NOTHING_LEAVES",
        True,
    ),
    "something is to be waited for": (Wait(seconds=1, reason=Reason.SHARDS_MOVING, message="x"), "", True),
    "a rule stands against a waiting instance": (
        Blocked(reason=Reason.NO_ROOM, message="x", open_deadline=True),
        "NO_ROOM",
        True,
    ),
    "a person has to be told": (BLOCKED, "NOTHING_LEAVES", True),
    "a person was told": (BLOCKED, "WRONG_CLUSTER", False),
    "nothing, as before": (DONE, "NOTHING_LEAVES", False),
    "nothing, and there never was anything": (DONE, "", False),
    "nothing, after something that a person was told of": (DONE, "WRONG_CLUSTER", True),
}


def _of(*about: str) -> Blocked:
    return Blocked(reason=Reason.NOT_REPLACEABLE, message="x", about=about)


TOLD: dict[str, tuple[Blocked, tuple[str, ...], bool]] = {
    "of nobody in particular": (_of(), (), False),
    "of the same one": (_of("i-1 protected"), ("NOT_REPLACEABLE: i-1 protected",), False),
    "of another": (_of("i-2 protected"), ("NOT_REPLACEABLE: i-1 protected",), True),
    "of another cause": (_of("i-1 on standby"), ("NOT_REPLACEABLE: i-1 protected",), True),
    "of two, in another order": (_of("b", "a"), ("NOT_REPLACEABLE: a", "NOT_REPLACEABLE: b"), False),
    "of one more": (_of("a", "b"), ("NOT_REPLACEABLE: a",), True),
    "of one that is over, which is noted": (_of("a"), ("NOT_REPLACEABLE: a", "NOT_REPLACEABLE: b"), True),
    "by an older version, which noted nobody": (_of("i-1"), (), True),
}


@pytest.mark.parametrize(("plan", "told", "wanted"), TOLD.values(), ids=TOLD.keys())
def test_a_person_was_told_under_the_same_reason(plan: Blocked, told: tuple[str, ...], wanted: bool) -> None:
    assert wants_run(plan, Head(reason="NOT_REPLACEABLE", told=told)) is wanted


@pytest.mark.parametrize(("plan", "reason", "wanted"), WANTED.values(), ids=WANTED.keys())
def test_whether_a_plan_is_worth_an_execution(plan: Plan, reason: str, wanted: bool) -> None:
    assert wants_run(plan, Head(reason=reason)) is wanted


def _sweep(world: World) -> Sweep:
    return Sweep(
        reads=Reads(
            groups=world.groups,
            search=lambda _: world.engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        fleet={world.spec.name: world.spec},
        rooms=ALONE,
        executions={"zone_balance": world.machines},
    )


def _swept(world: World, now: float | None = None) -> Swept:
    at = world.clock.now if now is None else now
    (found,) = _sweep(world).run(at, world.iso())
    return found


def test_a_quiet_cluster_is_looked_at_every_fifth_minute() -> None:
    world = World().known()
    results = [_swept(world, NOW + 60 * minute).result for minute in range(10)]
    assert results.count("idle") == 2
    assert results.count("quiet") == 8
    assert world.machines.started == {}


def test_a_size_of_a_group_that_is_declared_no_more_keeps_nobody_busy() -> None:
    world = World().known()
    put(world.table, sizes={**seen(world.table).sizes, "claims-data-eu-west-1z": 2})
    results = [_swept(world, NOW + 60 * minute).result for minute in range(5)]
    assert results.count("quiet") == 4


def test_a_leaving_instance_that_no_event_told_of_starts_a_run() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    assert _swept(world).result == "started"
    assert world.head().state == "running"


def test_a_run_that_goes_on_is_left_alone() -> None:
    world = World().known()
    put(world.table, head__zone_balance=RAN)
    world.machines.start(RAN.execution, {})
    assert _swept(world).result == "running"


def test_a_run_that_was_never_started_is() -> None:
    world = World().known()
    put(world.table, head__zone_balance=RAN)
    assert _swept(world).result == "started"
    assert world.machines.status(RAN.execution) == "RUNNING"


def test_a_stop_in_the_console_is_a_pause_of_which_a_person_is_told_once() -> None:
    world = World().known().when("scale in", lambda _: True, lambda world: world.groups.scale_in(FIRST))
    world.when("stop", lambda world: FIRST in world.excluded(), lambda world: world.stop("claims-zone_balance-1"))
    world.run(hours=1)
    assert "Stop" in world.head().paused_by
    assert world.pages == ["claims: PAUSED"]
    assert [_swept(world).result for _ in range(3)] == ["paused"] * 3
    assert list(world.machines.started) == ["claims-zone_balance-1", "claims-zone_balance-2"]
    assert world.instances("Terminating:Wait") == [FIRST]


def test_failed_runs_are_started_again_three_times() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    for generation in range(1, 2 + len(BACK_OFF)):
        assert _swept(world).result == "started"
        world.machines.end(f"claims-zone_balance-{generation}", "FAILED")
        assert _swept(world).result == ("failed" if generation <= len(BACK_OFF) else "paused")
        assert _swept(world).result == ("idle" if generation <= len(BACK_OFF) else "started")
        world.clock.now += BACK_OFF[min(generation, len(BACK_OFF)) - 1]
    assert len(world.machines.started) == 2 + len(BACK_OFF), "the last one tells a person, and does nothing"


def test_a_cluster_that_fails_keeps_no_other_from_being_looked_at() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    broken = msgspec.structs.replace(world.spec, name="broken")

    def search(spec: ClusterSpec) -> FakeEngine:
        if spec is broken:
            raise KeyError("a part that nobody foresaw")
        return world.engine

    both = Sweep(
        reads=Reads(
            groups=world.groups, search=search, commands=lambda _: world.commands, handshakes=lambda _: FakeHandshakes()
        ),
        table=world.table,
        fleet={"broken": broken, "claims": world.spec},
        rooms=ALONE,
        executions={"zone_balance": world.machines},
    )
    swept = both.run(world.clock.now, world.iso())
    assert {(one.cluster, one.result) for one in swept} == {("broken", "failed"), ("claims", "started")}


def test_each_minute_another_cluster_is_the_first() -> None:
    world = World().known()
    fleet = {name: msgspec.structs.replace(world.spec, name=name) for name in "abc"}
    sweep = Sweep(
        reads=Reads(
            groups=world.groups,
            search=lambda _: world.engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        fleet=fleet,
        rooms=ALONE,
        executions={"zone_balance": world.machines},
    )
    firsts = [sweep.run(minute * 60.0, world.iso())[0].cluster for minute in range(4)]
    assert firsts == ["a", "b", "c", "a"]


def test_an_unreachable_cluster_is_told_and_not_taken_for_empty() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    world.engine.unreachable = True
    with pytest.raises(Unreachable):
        world.engine.look()
    found = _swept(world)
    assert (found.result, found.message) == ("started", "no node answered")


def test_groups_are_described_once_for_all() -> None:
    world = World().known()
    world.groups.scale_in(FIRST)
    meter = Meter()
    sweep = _sweep(world)
    counted = msgspec.structs.replace(
        sweep,
        reads=Reads(
            groups=wired(world.groups, "sweep", meter),
            search=sweep.reads.search,
            commands=sweep.reads.commands,
            handshakes=sweep.reads.handshakes,
        ),
        fleet={"claims": world.spec, "other": msgspec.structs.replace(world.spec, name="other")},
    )
    assert len(counted.run(world.clock.now, world.iso())) == 2
    assert meter.calls == ["sweep.describe"]


def _two_rooms(world: World, meter: Meter) -> Sweep:
    """zone_balance, and the same under another name, lease and state machine."""
    other = msgspec.structs.replace(ROOMS["zone_balance"], name="other", concern="trust")
    engine = wired(world.engine, "search", meter)
    return msgspec.structs.replace(
        _sweep(world),
        reads=Reads(
            groups=world.groups,
            search=lambda _: engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        rooms={"zone_balance": ROOMS["zone_balance"], "other": other},
        executions={"zone_balance": world.machines, "other": world.machines},
    )


@pytest.mark.parametrize("reachable", [True, False])
def test_a_cluster_is_looked_at_once_for_all_capabilities(reachable: bool) -> None:
    world, meter = World().known(), Meter()
    world.groups.scale_in(FIRST)
    world.engine.unreachable = not reachable
    swept = _two_rooms(world, meter).run(world.clock.now, world.iso())
    assert {one.capability: one.result for one in swept} == {"zone_balance": "started", "other": "started"}
    assert meter.calls == ["search.look"]
    assert sorted(world.machines.started) == ["claims-other-1", "claims-zone_balance-1"]


def test_an_intent_of_another_capability_is_nobody_elses() -> None:
    world = World().known()
    foreign = msgspec.structs.replace(intent(), id="other-1", capability="other", demands=(ExcludeNode(node=FIRST),))
    put(world.table, intent__other_1=foreign)
    assert _swept(world).result == "idle"
    assert seen(world.table).intents_of("zone_balance") == ()
    assert seen(world.table).intents_of("other") == (foreign,)


def test_a_cluster_whose_file_was_deleted_is_told_by_the_groups_that_still_stand() -> None:
    world = World().known()
    world.groups.create("old-data-eu-west-1a", cluster="old", zone="eu-west-1a", desired=0)
    swept = _sweep(world).run(world.clock.now, world.iso())
    assert [(one.cluster, one.result) for one in swept] == [("claims", swept[0].result), ("old", "undeclared")]
    assert "old-data-eu-west-1a stand in this cell: only the keeper minds them" in swept[1].message


@pytest.mark.parametrize(("mode", "quiet"), [("observe", True), ("approve", False), ("act", False)])
def test_sizes_that_nobody_gives_keep_no_observed_cluster_from_being_quiet(mode: Mode, quiet: bool) -> None:
    world = World(spec=spec(mode=mode))
    seen_uuid = Put(key="identity", data={"uuid": world.engine.uuid}, expected=0)
    world.table.write(rows.partition(world.spec.name), seen_uuid)
    results = [_sweep(world).run(NOW + 60 * minute, "x")[0].result for minute in range(5)]
    assert (results.count("quiet") == 4) is quiet


# -- clusters that hang ----------------------------------------------------------------------------------------------


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
    sweep = Sweep(
        reads=Reads(
            groups=world.groups,
            search=lambda spec: Hanging(let_go) if spec.name in hanging else world.engine,
            commands=lambda _: world.commands,
            handshakes=lambda _: FakeHandshakes(),
        ),
        table=world.table,
        fleet=fleet,
        rooms=ALONE,
        executions={"zone_balance": world.machines},
        tell=told.append,
        **more,
    )
    return sweep, told


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


# -- what is shown ---------------------------------------------------------------------------------------------------


def _an_hour(world: World, told: list[Status]) -> list[Swept]:
    sweep = msgspec.structs.replace(_sweep(world), tell=told.append)
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
