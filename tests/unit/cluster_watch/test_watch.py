"""The watch over a simulated cluster: what it tells when, once, and what it does when something does not answer."""

import json
from dataclasses import dataclass, field

import msgspec
import pytest

from vagus.aws.fake import FakeBus, FakeTable
from vagus.cluster_watch.every import Failed, every, failed
from vagus.cluster_watch.model import Change, Event, Told
from vagus.cluster_watch.watch import Watched, partition, watch
from vagus.errors import Unreachable
from vagus.events import WAKING, Hint, Ignored, parse
from vagus.fleet import ClusterSpec
from vagus.ports import SearchRead
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes

SPEC = msgspec.convert(
    {
        "name": "ward",
        "cell": "prod",
        "engine": {"version": "3.4.0"},
        "zones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "groups": {"data": {"roles": ["cluster_manager", "data"], "per_zone": 2}},
        "cluster_watch": {"skew_bytes": 500},
    },
    ClusterSpec,
)


@dataclass
class World:
    """Six nodes in three zones, and one watch a minute."""

    now: float = 1_700_000_000.0
    table: FakeTable = field(default_factory=FakeTable)
    bus: FakeBus = field(default_factory=FakeBus)

    def __post_init__(self) -> None:
        self.engine = FakeEngine(lambda: self.now, managers=3, delayed=90)
        for zone in SPEC.zones:
            for number in (1, 2):
                self.engine.start_node(f"{zone[-1]}{number}", zone, disk=10_000)
        self.engine.create_index("patients", shards=6, replicas=1, size=10)

    def minute(self) -> list[str]:
        """One watch a minute later: the kinds and keys of what it told."""
        self.now += 60
        told = watch(self.engine, self.table, self.bus, SPEC).told
        news = ((one.kind, change) for one in told for change in one.event.changes)
        return [f"{kind}: {change.key} {change.before}>{change.after}" for kind, change in news]

    def minutes(self, many: int) -> list[str]:
        return [said for _ in range(many) for said in self.minute()]


@pytest.fixture
def world() -> World:
    made = World()
    assert made.minutes(3) == []
    return made


def kinds(told: list[str]) -> list[str]:
    return [said.partition(":")[0] for said in told]


def test_a_first_look_at_a_healthy_cluster_tells_nothing_and_a_quiet_one_costs_no_write(world: World) -> None:
    before = world.table.read(partition("ward"))["watch"].version
    assert world.minutes(5) == []
    assert world.table.read(partition("ward"))["watch"].version == before == 1


def test_a_node_that_joins_is_told_once(world: World) -> None:
    world.engine.start_node("a3", "us-east-1a", disk=10_000)
    told = world.minutes(4)
    assert told == ["Node Joined: a3 >a3-1"]
    (event,) = (one.event for one in world.bus.taken)
    assert event.message == "ward: node a3 (us-east-1a) has joined"
    assert event.changes[0].about["zone"] == "us-east-1a"


def test_a_node_that_was_started_again_between_two_looks_is_told(world: World) -> None:
    world.engine.crash("b1")
    world.engine.start_node("b1", "us-east-1b")
    told = [said for said in world.minutes(4) if said.startswith("Node")]
    assert told == ["Node Joined: b1 b1-1>b1-2"]
    assert next(one for one in world.bus.taken if one.kind == "Node Joined").event.changes[0].facts == {
        "restarted": True
    }


def test_a_zone_that_goes_is_one_event_for_its_nodes_and_one_for_each_thing_that_follows(world: World) -> None:
    for name in ("c1", "c2"):
        world.engine.remove(name)
    told = world.minutes(6)
    assert kinds(told).count("Node Left") == 2
    assert [one.kind for one in world.bus.taken].count("Node Left") == 1
    left = next(one.event for one in world.bus.taken if one.kind == "Node Left")
    assert left.message == "ward: node c1 (us-east-1c) has left, and 1 more"
    assert [change.about["zone"] for change in left.changes] == ["us-east-1c", "us-east-1c"]
    assert kinds(told).count("Cluster Health Changed") <= 2


def test_red_is_told_at_once_and_green_again(world: World) -> None:
    world.engine.create_index("lonely", shards=1, replicas=0, size=10)
    (copy,) = (copy for copy in world.engine.look().copies if copy.index == "lonely")
    assert copy.node
    world.engine.crash(copy.node)
    told = world.minute()
    assert "Cluster Health Changed: cluster green>red" in told
    assert "Shards Unassigned: cluster >primaries" in told
    world.engine.start_node(copy.node, "us-east-1a")
    told = world.minutes(6)
    assert told[-1] == "Cluster Health Changed: cluster red>green" or "red>yellow" in str(told)
    assert "Shards Assigned: cluster primaries>" in told


def test_yellow_for_a_moment_is_no_news(world: World) -> None:
    world.engine.crash("b1")
    first = world.minute()
    world.engine.start_node("b1", "us-east-1b")
    told = [*first, *world.minutes(4)]
    assert not [said for said in told if said.startswith(("Cluster Health", "Shards"))]


def test_unassigned_shards_come_with_the_deciders_own_words(world: World) -> None:
    world.engine.create_index("wide", shards=1, replicas=6, size=10)
    told = world.minutes(3)
    assert "Shards Unassigned: cluster >replicas" in told
    event = next(one.event for one in world.bus.taken if one.kind == "Shards Unassigned")
    (shard, *_) = event.changes[0].facts["shards"]
    assert (shard["index"], shard["shard"], shard["primary"]) == ("wide", 0, False)
    assert shard["deciders"]


def test_a_disk_that_fills_is_told_at_each_level_and_a_little_less_is_no_end(world: World) -> None:
    def fill(name: str, used: float) -> None:
        """Its disk as if other things lay on it too."""
        machine = world.engine.machines[name]
        machine.disk = round(world.engine.shards.used(name) / used)

    told = []
    for used in (0.5, 0.82, 0.82, 0.87, 0.87, 0.91, 0.895, 0.895, 0.96, 0.5, 0.5, 0.5):
        fill("a1", used)
        told += [said for said in world.minute() if said.startswith("Watermark")]
    assert told == [
        "Watermark Near: a1 >near",
        "Watermark Near: a1 near>low",
        "Watermark Near: a1 low>high",
        "Watermark Near: a1 high>flood",
        "Watermark Far: a1 flood>",
    ]


def test_uneven_bytes_are_told_per_zone_and_wake_zone_balance(world: World) -> None:
    world.engine.create_index("large", shards=1, replicas=0, size=1000)
    told = world.minutes(4)
    (said,) = (one for one in told if one.startswith("Bytes Uneven"))
    zone = said.split(": ")[1].split(" ")[0]
    event = next(one for one in world.bus.taken if one.kind == "Bytes Uneven")
    assert zone in SPEC.zones
    assert event.event.changes[0].facts["skew"] > 0.2
    assert parse(delivered(event), {"ward": SPEC}) == Hint(cluster="ward", capability="zone_balance")


def test_a_cluster_that_can_not_be_seen_is_one_event_and_nothing_else_of_it_is_called_over(world: World) -> None:
    world.engine.crash("b1")
    assert "Node Left: b1 b1-1>" in world.minutes(2)
    world.engine.unreachable = True
    assert world.minutes(4) == ["Cluster Reachability Changed: cluster REACHABLE>UNREACHABLE"]
    world.engine.unreachable = False
    assert world.minute()[0] == "Cluster Reachability Changed: cluster UNREACHABLE>REACHABLE"


def test_a_denied_look_is_told_as_denied(world: World) -> None:
    world.engine.denied = "cluster:monitor/state"
    assert world.minutes(3) == ["Cluster Reachability Changed: cluster REACHABLE>DENIED"]


def test_what_the_bus_did_not_take_is_told_again_with_the_same_number(world: World) -> None:
    world.engine.start_node("a3", "us-east-1a", disk=10_000)
    world.bus.closed = True
    with pytest.raises(Unreachable):
        world.minute()
    world.bus.closed = False
    assert world.minutes(3) == ["Node Joined: a3 >a3-1"]
    assert [one.event.seq for one in world.bus.taken] == [1]


def test_numbers_grow_by_one(world: World) -> None:
    for zone in SPEC.zones:
        world.engine.start_node(f"{zone[-1]}3", zone, disk=10_000)
        world.minutes(3)
    assert [one.event.seq for one in world.bus.taken] == list(range(1, len(world.bus.taken) + 1))


# -- all clusters ------------------------------------------------------------------------------------------------------


def _none(_spec: ClusterSpec) -> FakeHandshakes:
    """No node shows anything."""
    return FakeHandshakes()


class Broken:
    """A cluster whose adapter has an error that nobody foresaw."""

    def look(self) -> None:
        raise RuntimeError("what is this")


def test_one_that_fails_keeps_no_other_from_being_watched(world: World) -> None:
    specs = [msgspec.structs.replace(SPEC, name=name) for name in ("first", "second", "third")]
    searches: dict[str, SearchRead] = {"first": world.engine, "second": Broken(), "third": world.engine}  # type: ignore[dict-item]
    for now in (0.0, 60.0, 120.0):
        seen = every(specs, lambda spec: searches[spec.name], world.table, world.bus, _none, now=now, seconds=60)
        assert [type(one) for one in seen] == [Watched, Failed, Watched]
        assert failed(seen) == ["second: RuntimeError: what is this"]


def test_one_that_hangs_has_failed_and_the_others_are_watched(world: World) -> None:
    import threading

    release = threading.Event()

    class Hanging:
        def look(self) -> None:
            release.wait(60)

    specs = [msgspec.structs.replace(SPEC, name=name) for name in ("first", "second")]
    searches: dict[str, SearchRead] = {"first": Hanging(), "second": world.engine}  # type: ignore[dict-item]
    try:
        seen = every(specs, lambda spec: searches[spec.name], world.table, world.bus, _none, now=0.0, seconds=2)
    finally:
        release.set()
    assert failed(seen) == ["first: not watched within 2 s"]
    assert isinstance(seen[1], Watched)


# -- events ------------------------------------------------------------------------------------------------------------


def delivered(told: Told) -> str:
    """As EventBridge delivers it."""
    envelope = {"source": "vagus.cluster", "detail-type": told.kind, "time": "2026-03-02T09:41:07Z"}
    return json.dumps({**envelope, "detail": json.loads(msgspec.json.encode(told.event))})


def test_an_event_too_large_is_cut_and_says_so(world: World) -> None:
    for number in range(70):
        world.engine.start_node(f"x{number}", "us-east-1a", roles=("data",), disk=10_000)
    world.minute()
    (joined,) = (one.event for one in world.bus.taken if one.kind == "Node Joined")
    assert (len(joined.changes), joined.more) == (50, 20)


@pytest.mark.parametrize("kind", WAKING)
def test_waking_events_have_zone_balance_look(kind: str) -> None:
    event = Event(
        cluster="ward", cell="prod", seq=1, message="", changes=(Change(key="k", before="", after="x", message=""),)
    )
    assert parse(delivered(Told(kind=kind, event=event)), {"ward": SPEC}) == Hint(
        cluster="ward", capability="zone_balance"
    )
    assert isinstance(parse(delivered(Told(kind=kind, event=event)), {}), Ignored)


def test_an_event_for_people_alone_is_a_no_op() -> None:
    event = Event(cluster="ward", cell="prod", seq=1, message="", changes=())
    assert isinstance(parse(delivered(Told(kind="Cluster Health Changed", event=event)), {"ward": SPEC}), Ignored)
