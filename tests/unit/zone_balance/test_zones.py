"""Which zones are forced, and who says so: tables keyed by a sentence."""

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.zone_balance.building import NOW, cluster, node, spec

from vagus.allocation import AWARENESS, FORCED
from vagus.cluster import Cluster, Node
from vagus.fleet import ClusterSpec
from vagus.instances import Group, Instance
from vagus.intent import STANDING
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import ForceZones
from vagus.zone_balance import zones
from vagus.zone_balance.forced_zones import needed, wanted
from vagus.zone_balance.looking import looked
from vagus.zone_balance.observed import Observed

A, B, C, D = (f"eu-west-1{letter}" for letter in "abcd")
AWARE = {AWARENESS: "zone"}


def in_zone(letter: str, configured: str = "abc", *, roles: Sequence[str] = ("cluster_manager", "data")) -> Node:
    """The node of a zone; `configured`: the zones of its own file, by letter."""
    zones = tuple(f"eu-west-1{one}" for one in configured)
    return msgspec.structs.replace(node(f"n{letter}", roles=roles), zone=f"eu-west-1{letter}", forced=zones)


def declared(stay: str, leave: str = "") -> ClusterSpec:
    both = tuple(f"eu-west-1{letter}" for letter in sorted(stay + leave))
    return msgspec.structs.replace(spec(), zones=both, zones_leaving=tuple(f"eu-west-1{letter}" for letter in leave))


def group(letter: str, instances: int = 1) -> Group:
    zone = f"eu-west-1{letter}"
    members = tuple(Instance(id=f"n{letter}{number}", zone=zone, lifecycle="InService") for number in range(instances))
    return Group(
        name=f"g{letter}", cluster="c", zone=zone, roles=("data",), desired=instances, instances=members, retains=True
    )


def seen(nodes: Sequence[Node], set_to: str = "", ours: bool = True, layout: str = "") -> Cluster:
    persistent = dict(AWARE)
    if set_to:
        value = ",".join(f"eu-west-1{letter}" for letter in set_to)
        persistent[FORCED] = value
        if ours:
            persistent[zones.MARK] = f'{{"set":"{value}","persistent":null,"transient":null}}'
    return cluster(nodes, layout, persistent=persistent)


CASES: dict[str, tuple[str, str, str, str, str, str, bool]] = {
    # live nodes, what all their files say, what is set, stays, leaves | wanted, needed
    "nothing changes": ("abc", "abc", "", "abc", "", "abc", False),
    "a zone without nodes is not forced yet": ("abc", "abc", "", "abcd", "", "abc", False),
    "a zone whose nodes have joined is": ("abcd", "abc", "", "abcd", "", "abcd", True),
    "one that was forced by a setting is away: it stays": ("abc", "abc", "abcd", "abcd", "", "abcd", True),
    "one that all files name is away: it stays": ("ab", "abc", "", "abc", "", "abc", False),
    "one that leaves has nodes: it stays": ("abcd", "abcd", "", "abc", "d", "abcd", False),
    "one that leaves is empty: it goes": ("abc", "abcd", "", "abc", "d", "abc", True),
    "one that was taken out at once has nodes: it stays": ("abcd", "abcd", "", "abc", "", "abcd", False),
}


@pytest.mark.parametrize("case", CASES)
def test_which_zones_are_wanted_and_whether_the_nodes_agree(case: str) -> None:
    live, files, set_to, stay, leave, then, differ = CASES[case]
    found = seen([in_zone(letter, files) for letter in live], set_to)
    said, groups = declared(stay, leave), [group(letter) for letter in live]
    assert "".join(zone[-1] for zone in wanted(found, said, groups)) == then
    assert needed(found, said, groups) is differ


def test_an_instance_without_a_node_keeps_its_zone_forced() -> None:
    """It may be booting, or hold data on its disk."""
    found = seen([in_zone(letter, "abcd") for letter in "abc"])
    assert wanted(found, declared("abc", "d"), [group("d")]) == (A, B, C, D)
    assert wanted(found, declared("abc", "d"), [group("d", 0)]) == (A, B, C)


def test_where_copies_are_not_forced_over_zones_we_do_not_begin_with_it() -> None:
    nodes = [in_zone(letter, "abc") for letter in "abcd"]
    assert not needed(cluster(nodes), declared("abcd"), [])
    assert not needed(seen([in_zone(letter, "") for letter in "abcd"]), declared("abcd"), [])


def plan(found: Cluster, said: ClusterSpec, groups: Sequence[Group] = ()) -> Plan | None:
    look = looked(Observed(cluster=found, groups=tuple(groups)), found, said, NOW)
    stages = (zones.force, zones.cannot_leave, zones.undeclared)
    return next((plan for stage in stages if (plan := stage(look))), None)


def test_a_zone_that_came_is_forced_by_one_update_with_its_mark() -> None:
    made = plan(seen([in_zone(letter) for letter in "abcd"]), declared("abcd"))
    assert isinstance(made, Steps)
    (step,) = made.steps
    assert isinstance(step, ForceZones)
    assert step.update.persistent[FORCED] == ",".join((A, B, C, D))
    assert step.update.persistent[zones.MARK]
    assert step.intent.kind in STANDING


def test_nothing_is_begun_while_the_cluster_is_not_green() -> None:
    yellow = seen([in_zone(letter) for letter in "abcd"], layout="x:na,-")
    assert plan(yellow, declared("abcd")) is None


def test_what_a_person_has_set_is_left_alone_and_said() -> None:
    theirs = plan(seen([in_zone(letter) for letter in "abcd"], "abc", ours=False), declared("abcd"))
    assert isinstance(theirs, Blocked)
    assert theirs.reason is Reason.ZONES_BY_HAND
    assert plan(seen([in_zone(letter) for letter in "abcd"], "abcd", ours=False), declared("abcd")) is None


def test_a_zone_whose_shards_could_go_nowhere_is_not_begun_with() -> None:
    four = [in_zone(letter, "abcd") for letter in "abcd"]
    made = plan(seen(four, layout="x:na,nb,nc,nd"), declared("abc", "d"), [group(letter) for letter in "abcd"])
    assert isinstance(made, Blocked)
    assert made.reason is Reason.ZONE_CANT_LEAVE
    assert "x" in made.message
    assert plan(seen(four, layout="x:na,nd"), declared("abc", "d"), [group(letter) for letter in "abcd"]) is None


def test_instances_in_a_zone_that_was_taken_out_are_told() -> None:
    four = [in_zone(letter, "abcd") for letter in "abcd"]
    made = plan(seen(four), declared("abc"), [group(letter) for letter in "abcd"])
    assert isinstance(made, Blocked)
    assert (made.reason, D in made.message) == (Reason.ZONE_UNDECLARED, True)
    three = [in_zone(letter) for letter in "abc"]
    assert plan(seen(three), declared("abc"), [group("d", 0)]) is None


def test_groups_of_a_zone_that_leaves_are_to_be_empty() -> None:
    sizes = declared("abc", "d").sizes()
    assert {size for name, size in sizes.items() if name.endswith(D)} == {0}
    assert all(size for name, size in sizes.items() if not name.endswith(D))
