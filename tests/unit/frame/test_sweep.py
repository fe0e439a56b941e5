"""The sweep: what it makes of each way that a run can end, and when it starts one."""

import msgspec
import pytest
from tests.unit.frame.parts import NOW, intent, put, seen
from tests.unit.frame.sweeping import ALONE, sweep_of
from tests.unit.simulation.declared import spec
from tests.unit.simulation.happenings import FIRST
from tests.unit.simulation.ports import Meter, wired
from tests.unit.simulation.world import World

from vagus.errors import Unreachable
from vagus.fleet import ClusterSpec
from vagus.intent import ExcludeNode
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.policy import Mode
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.room import Reads
from vagus.procedure.rows import Head
from vagus.procedure.sweep import BACK_OFF, Sweep, Swept, after_end, wants_run
from vagus.reasons import Reason
from vagus.rooms import ROOMS
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import NoteIdentity

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


def _swept(world: World, now: float | None = None) -> Swept:
    at = world.clock.now if now is None else now
    (found,) = sweep_of(world).run(at, world.iso())
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
    sweep = sweep_of(world, fleet)
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
    sweep = sweep_of(world)
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
        sweep_of(world),
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
    swept = sweep_of(world).run(world.clock.now, world.iso())
    assert [(one.cluster, one.result) for one in swept] == [("claims", swept[0].result), ("old", "undeclared")]
    assert "old-data-eu-west-1a stand in this cell: only the keeper minds them" in swept[1].message


@pytest.mark.parametrize(("mode", "quiet"), [("observe", True), ("approve", False), ("act", False)])
def test_sizes_that_nobody_gives_keep_no_observed_cluster_from_being_quiet(mode: Mode, quiet: bool) -> None:
    world = World(spec=spec(mode=mode))
    seen_uuid = Put(key="identity", data={"uuid": world.engine.uuid}, expected=0)
    world.table.write(rows.partition(world.spec.name), seen_uuid)
    results = [sweep_of(world).run(NOW + 60 * minute, "x")[0].result for minute in range(5)]
    assert (results.count("quiet") == 4) is quiet
