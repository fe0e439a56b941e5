"""The simulated engine does what a drain depends on. (The contract tests hold its port against real nodes.)"""

import pytest
from tests.unit.zone_balance.building import FORCED

from vagus.errors import Denied, Refused, Unreachable
from vagus.owned import EXCLUDE, MARK, SettingsUpdate
from vagus.search.fake import FakeEngine

NAMES = ("n1", "n2", "n3", "n4", "n5", "n6")


class Sim:
    """Six nodes, two in a zone, with forced awareness; `now` is the clock."""

    def __init__(self, *, nodes: int = 6, disk: int = 1_000_000, delayed: float = 0.0) -> None:
        self.now = 0.0
        self.engine = FakeEngine(lambda: self.now, speed=1000.0, delayed=delayed)
        for number, name in enumerate(NAMES[:nodes]):
            self.engine.start_node(name, f"eu-west-1{'abc'[number // 2]}", disk=disk)
        self.engine.update_settings(SettingsUpdate(persistent=FORCED))

    def exclude(self, *names: str) -> None:
        self.engine.update_settings(SettingsUpdate(persistent={EXCLUDE: ",".join(names) or None}))

    def on(self, name: str) -> list[str]:
        return [f"{copy.index}{'p' if copy.primary else 'r'} {copy.state}" for copy in self.engine.look().on(name)]


def test_copies_of_a_shard_share_neither_node_nor_zone() -> None:
    sim = Sim()
    sim.engine.create_index("a", shards=6, replicas=2, size=10)
    copies = sim.engine.look().copies
    zones = {node.name: node.zone for node in sim.engine.look().nodes}
    for shard in range(6):
        assert len({zones[str(copy.node)] for copy in copies if copy.shard == shard}) == 3


def test_more_copies_than_forced_zones_allow_stay_unassigned() -> None:
    sim = Sim(nodes=2)
    sim.engine.create_index("a", replicas=1)
    assert sim.engine.look().status == "yellow"


def test_bytes_take_time_and_a_copy_serves_until_it_has_moved() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=1, size=10_000)
    (source, target) = ("n1", "n2")
    sim.exclude(source)
    assert sim.on(source) == ["ap RELOCATING"]
    assert sim.engine.look().status == "green"
    sim.now = 9.9
    assert sim.on(source) == ["ap RELOCATING"]
    sim.now = 10.0
    assert (sim.on(source), sim.on(target)) == ([], ["ap STARTED"])


def test_a_node_moves_two_at_a_time() -> None:
    sim = Sim()
    sim.engine.create_index("a", shards=18, replicas=0, size=10_000)
    sim.exclude("n1")
    assert sorted(sim.on("n1")) == ["ap RELOCATING", "ap RELOCATING", "ap STARTED"]


def test_a_full_disk_takes_nothing() -> None:
    sim = Sim(nodes=2, disk=10_000)
    sim.engine.create_index("a", replicas=0, size=8_900)
    sim.engine.create_index("b", replicas=0, size=8_900)
    sim.exclude("n1")
    sim.now = 100.0
    assert sim.on("n1") == ["ap STARTED"]
    assert "watermark" in sim.engine.explain("a", 0, primary=True)


def test_a_replica_is_promoted_and_another_is_built() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=1, size=10_000)
    sim.engine.crash("n1")
    assert sim.engine.look().status == "yellow"
    sim.now = 10.0
    assert sim.engine.look().status == "green"
    assert sim.engine.shards.in_sync()[("a", 0)].isdisjoint({"n1"})


def test_a_replica_is_built_elsewhere_only_after_the_delay() -> None:
    sim = Sim(delayed=60.0)
    sim.engine.create_index("a", replicas=1, size=10_000)
    replica = next(str(copy.node) for copy in sim.engine.look().copies if not copy.primary)
    sim.engine.crash(replica)
    sim.now = 59.0
    assert sim.engine.look().status == "yellow"
    sim.engine.start_node(replica, "eu-west-1b")
    assert sim.engine.look().status == "green", "its own store is still there"


def test_an_only_copy_is_gone_while_its_node_is_and_comes_back_with_it() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=0)
    sim.engine.crash("n1")
    sim.now = 10_000.0
    assert sim.engine.look().status == "red"
    assert sim.engine.look().stores == (), "an absent node shows no store"
    sim.engine.start_node("n1", "eu-west-1a")
    assert sim.engine.look().status == "green"


def test_a_stale_copy_never_becomes_primary() -> None:
    sim = Sim(nodes=4)
    sim.engine.create_index("a", replicas=1, size=10_000)
    primary, replica = (str(copy.node) for copy in sim.engine.look().copies)
    sim.engine.crash(replica)
    sim.engine.crash(primary)
    sim.engine.voters = ("n2",)  # a manager goes on, wherever the two were
    sim.engine.start_node(replica, "eu-west-1b")
    assert sim.engine.look().status == "red"
    sim.engine.start_node(primary, "eu-west-1a")
    assert sim.engine.look().status != "red"


def test_an_exhausted_copy_is_unassigned_while_its_store_stays() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=0)
    sim.engine.exhaust("a", 0, "n1")
    seen = sim.engine.look()
    assert (seen.status, seen.stores, sim.on("n1")) == ("red", ("n1",), [])


def test_it_tells_why_a_copy_stands_nowhere_after_its_node_left() -> None:
    """As seen on real nodes (`tests/integration/contracts/test_search_real.py`)."""
    sim = Sim(delayed=60.0)
    sim.engine.create_index("only", replicas=0)
    sim.engine.create_index("each", replicas=1)
    lost = {str(copy.node) for copy in sim.engine.look().copies if copy.index == "only" or not copy.primary}
    for node in sorted(lost):
        sim.engine.crash(node)
    told = {copy.index: copy.nowhere for copy in sim.engine.look().copies if copy.state == "UNASSIGNED"}
    assert told == {"only": ("NODE_LEFT", "no_valid_shard_copy"), "each": ("NODE_LEFT", "no_attempt")}


def test_an_instance_that_is_gone_takes_its_disk_along() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=0)
    sim.engine.remove("n1")
    assert sim.engine.shards.in_sync()[("a", 0)] == frozenset()


def test_replicas_come_and_go_with_the_nodes_where_they_expand() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=0, expands=True)
    sim.now = 100.0
    assert len(sim.engine.look().copies) == 6
    sim.exclude("n1", "n3")
    sim.now = 200.0
    assert len(sim.engine.look().copies) == 4
    assert (sim.on("n1"), sim.on("n3")) == ([], [])


def test_a_settings_update_holds_as_a_whole_or_not_at_all() -> None:
    sim = Sim()
    before = dict(sim.engine.persistent)
    with pytest.raises(Refused):
        sim.engine.update_settings(SettingsUpdate(persistent={MARK: "n1", "no.such.setting": "x"}))
    assert sim.engine.persistent == before


def test_a_transient_setting_wins_and_null_clears_it() -> None:
    sim = Sim()
    sim.engine.create_index("a", replicas=0, size=0)
    sim.engine.update_settings(SettingsUpdate(persistent={EXCLUDE: "n1"}, transient={EXCLUDE: "n6"}))
    assert sim.on("n1") == ["ap STARTED"]
    sim.engine.update_settings(SettingsUpdate(transient={EXCLUDE: None}))
    assert sim.on("n1") == []
    assert EXCLUDE not in sim.engine.transient


def test_without_a_majority_nobody_answers() -> None:
    sim = Sim(nodes=3)
    sim.engine.crash("n1")
    assert sim.engine.look().voters == ("n1", "n2", "n3"), "three voters stay three"
    sim.engine.crash("n2")
    with pytest.raises(Unreachable):
        sim.engine.look()
    sim.engine.start_node("n2", "eu-west-1a")
    assert sim.engine.look().uuid == "uuid-1"


def test_voters_follow_the_managers_as_an_odd_number() -> None:
    sim = Sim(nodes=5)
    assert len(sim.engine.look().voters) == 5
    sim.engine.crash("n5")
    assert len(sim.engine.look().voters) == 3
    sim.engine.start_node("n6", "eu-west-1c")
    assert len(sim.engine.look().voters) == 5


def test_a_cluster_forms_when_more_than_half_of_its_managers_have_joined() -> None:
    engine = FakeEngine(lambda: 0.0, managers=3)
    engine.start_node("n1", "eu-west-1a")
    with pytest.raises(Unreachable):
        engine.look()
    engine.start_node("n2", "eu-west-1b")
    assert engine.look().uuid == "uuid-1"


def test_what_is_hidden_is_counted_and_not_seen() -> None:
    sim = Sim()
    sim.engine.create_index("a")
    sim.engine.create_index("b")
    sim.engine.hidden.add("a")
    seen = sim.engine.look()
    assert (seen.visible_indices, seen.counted_indices) == (1, 2)
    assert {copy.index for copy in seen.copies} == {"b"}


def test_a_denied_action_is_named() -> None:
    sim = Sim()
    sim.engine.denied = "cluster:admin/settings/update"
    with pytest.raises(Denied) as raised:
        sim.exclude("n1")
    assert raised.value.action == "cluster:admin/settings/update"


def test_what_does_not_exist_can_not_be_explained_and_has_nothing_to_flush() -> None:
    sim = Sim()
    sim.engine.flush(["a"])
    with pytest.raises(Refused):
        sim.engine.explain("a", 0, primary=True)
