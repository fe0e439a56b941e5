"""Each safety rule, named for its violation."""

import pytest
from tests.unit.zone_balance.building import FORCED, GB, cluster, leaver, node, ours

from vagus.cluster import Cluster
from vagus.owned import VOTES
from vagus.reasons import Reason
from vagus.zone_balance import rules

THREE = [node(f"n{number}", number - 1) for number in range(1, 4)]
DATA = [node(f"d{number}", number - 1, roles=("data",)) for number in range(1, 4)]
FIVE = [node(f"n{number}", number % 3) for number in range(1, 6)]

RED = {
    "a green cluster is not red": (cluster(THREE, "a:n1,n2"), False),
    "nor is a yellow one": (cluster(THREE, "a:n1,-"), False),
    "a primary that stands nowhere": (cluster(THREE, "a:-,-"), True),
    "a primary that is not there yet": (cluster(THREE, "a:+n1"), True),
}


@pytest.mark.parametrize(("seen", "trips"), RED.values(), ids=RED.keys())
def test_cluster_red(seen: Cluster, trips: bool) -> None:
    found = rules.pause(seen)
    assert (found is not None and found.reason is Reason.CLUSTER_RED) is trips


def test_a_red_cluster_names_the_shards() -> None:
    found = rules.cluster_red(cluster(THREE, "a:-,- b:n1"))
    assert found is not None
    assert "a[0]" in found.message
    assert "b[0]" not in found.message


QUORUM: dict[str, tuple[Cluster, set[str], str, bool]] = {
    "one of three may go": (cluster(THREE), set(), "n1", False),
    "one of five may go": (cluster(FIVE), set(), "n1", False),
    "one of two may not": (cluster(THREE[:2]), set(), "n1", True),
    "the last may not": (cluster(THREE[:1]), set(), "n1", True),
    "one of three may not where another is away": (cluster(THREE[:2], voters=("n1", "n2", "n3")), set(), "n1", True),
    "one of five may where another is away": (
        cluster(FIVE[:4], voters=tuple(one.name for one in FIVE)),
        set(),
        "n1",
        False,
    ),
    "a data node has no vote": (cluster([*DATA, THREE[0]]), set(), "d1", False),
    "a second one waits for the first": (cluster(FIVE, persistent=ours("n2")), {"n2"}, "n1", True),
    "a data node that leaves keeps no manager waiting": (cluster([*FIVE, *DATA]), {"d1"}, "n1", False),
    "one waits for another whose vote was taken": (cluster(FIVE, persistent={VOTES: "n2"}), set(), "n1", True),
    "whose own vote was taken may go": (cluster(FIVE, persistent={VOTES: "n1"}), set(), "n1", False),
    "one whose vote was taken has left": (
        cluster([one for one in FIVE if one.name != "n2"], persistent={VOTES: "n2"}),
        set(),
        "n1",
        False,
    ),
    "without voters known, all who may vote count": (cluster(THREE, voters=()), set(), "n1", False),
}


@pytest.mark.parametrize(("seen", "taken", "name", "trips"), QUORUM.values(), ids=QUORUM.keys())
def test_quorum_would_break(seen: Cluster, taken: set[str], name: str, trips: bool) -> None:
    others = tuple(leaver(seen, other) for other in sorted(taken))
    found = rules.quorum_would_break(seen, others, leaver(seen, name))
    assert (found is not None and found.reason is Reason.QUORUM) is trips


GOING = {
    "nobody else was let go": (cluster(FIVE), set(), False),
    "another manager was let go and is still there": (cluster(FIVE), {"n2"}, True),
    "a data node was let go and is still there": (cluster([*FIVE, *DATA]), {"d1"}, False),
}


@pytest.mark.parametrize(("seen", "gone", "trips"), GOING.values(), ids=GOING.keys())
def test_manager_may_not_go(seen: Cluster, gone: set[str], trips: bool) -> None:
    found = rules.manager_may_not_go(seen, seen.without(frozenset(gone)), leaver(seen, "n1"))
    assert (found is not None) is trips


def test_a_vote_that_is_about_to_vanish_is_no_vote() -> None:
    seen = cluster(THREE)
    rest = seen.without(frozenset({"n2"}))
    assert rules.quorum_would_break(seen, (), leaver(seen, "n1")) is None
    assert rules.quorum_would_break(rest, (), leaver(seen, "n1")) is not None


NOWHERE = {
    "another node of the zone takes it": (cluster([*THREE, node("n4", 0)], "a:n1,n2,n3", persistent=FORCED), False),
    "a copy in each zone, one node each": (cluster(THREE, "a:n1,n2,n3", persistent=FORCED), True),
    "it holds nothing": (cluster(THREE, "a:n2,n3", persistent=FORCED), False),
}


@pytest.mark.parametrize(("seen", "trips"), NOWHERE.values(), ids=NOWHERE.keys())
def test_nowhere_to_go(seen: Cluster, trips: bool) -> None:
    found = rules.nowhere_to_go(seen, (), leaver(seen, "n1"))
    assert (found is not None and found.reason is Reason.NOWHERE_TO_GO) is trips


ROOM = {
    "there is room": (cluster(THREE, "a:n1,n2", size=10 * GB), False),
    "the only target would pass its watermark": (
        cluster([THREE[0], THREE[1], node("n3", 2, free=12 * GB)], "a:n1,n2", size=GB),
        True,
    ),
}


@pytest.mark.parametrize(("seen", "trips"), ROOM.values(), ids=ROOM.keys())
def test_no_room(seen: Cluster, trips: bool) -> None:
    found = rules.no_room(seen, (), leaver(seen, "n1"))
    assert (found is not None and found.reason is Reason.NO_ROOM) is trips


MISSING = {
    "every shard has an active copy": (cluster(THREE, "a:n1,- b:n2"), False),
    "one has none": (cluster(THREE, "a:-,- b:n2", status="red"), True),
    "a copy that is not there yet is none": (cluster(THREE, "a:+n1"), True),
    "a cluster without indices lacks nothing": (cluster(THREE), False),
}


@pytest.mark.parametrize(("seen", "trips"), MISSING.values(), ids=MISSING.keys())
def test_some_shard_has_no_active_copy(seen: Cluster, trips: bool) -> None:
    found = rules.some_shard_has_no_active_copy(seen)
    assert (found is not None and found.reason is Reason.LOST_WITH_DATA) is trips


def test_a_copy_on_an_instance_that_was_let_go_is_none() -> None:
    seen = cluster(THREE, "a:n2,-")
    assert rules.some_shard_has_no_active_copy(seen.without(frozenset({"n2"}))) is not None


def test_admission_tells_the_first_rule_that_trips() -> None:
    both = cluster(THREE[:2], "a:n1,n2")  # no majority without n1, and nowhere to go either
    found = rules.admission(both, (), leaver(both, "n1"))
    assert found is not None
    assert found.reason is Reason.QUORUM
