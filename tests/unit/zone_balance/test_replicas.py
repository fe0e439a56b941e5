"""Which replicas follow the zones, and which never: tables keyed by a sentence."""

from collections.abc import Sequence

import msgspec
import pytest
from tests.unit.zone_balance.building import GB, NOW
from tests.unit.zone_balance.test_zones import declared, group, in_zone, seen

from vagus.cluster import Cluster
from vagus.fleet import ClusterSpec
from vagus.intent import AwareZones, Intent
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import SetReplicas
from vagus.zone_balance import replicas, zones
from vagus.zone_balance.looking import Look, looked
from vagus.zone_balance.observed import Observed

ABCD = tuple(f"eu-west-1{letter}" for letter in "abcd")
OPEN = Intent(
    id="zones",
    capability="zone_balance",
    kind="zones",
    opened="2026-01-01T00:00:00Z",
    source="sweep",
    demands=(AwareZones(values=ABCD),),
)


def following(said: ClusterSpec) -> ClusterSpec:
    return msgspec.structs.replace(said, zone_balance=msgspec.structs.replace(said.zone_balance, replicas="with_zones"))


def look(found: Cluster, said: ClusterSpec, intents: Sequence[Intent] = ()) -> Look:
    groups = tuple(group(letter) for letter in "abcd")
    return looked(Observed(cluster=found, groups=groups, intents=tuple(intents)), found, said, NOW)


def asked(one: Look) -> Plan | None:
    return next((plan for stage in (replicas.follow, replicas.lower) if (plan := stage(one))), None)


def came(layout: str, set_to: str = "abcd") -> Cluster:
    """Four zones live, of which three stand in every node's own file."""
    return seen([in_zone(letter) for letter in "abcd"], set_to, layout=layout)


def goes(layout: str) -> Cluster:
    return seen([in_zone(letter, "abcd") for letter in "abcd"], layout=layout)


COMES: dict[str, tuple[str, str, str]] = {
    # layout, what is set | indices raised
    "one with a copy in each of the three gets a fourth": ("x:na,nb,nc", "abcd", "x"),
    "two of them at once": ("x:na,nb,nc y:nb,nc,na", "abcd", "x,y"),
    "one with fewer keeps them": ("x:na,nb", "abcd", ""),
    "one with more keeps them": ("x:na,nb,nc,nd", "abcd", ""),
    "the engine's own is left alone": (".tasks:na,nb,nc", "abcd", ""),
    "the zone is not forced yet: that goes first": ("x:na,nb,nc", "", ""),
    "not while a copy is missing": ("x:na,nb,nc y:na,-", "abcd", ""),
}


@pytest.mark.parametrize(("layout", "set_to", "indices"), COMES.values(), ids=COMES.keys())
def test_a_zone_that_came_is_given_copies(layout: str, set_to: str, indices: str) -> None:
    made = asked(look(came(layout, set_to), following(declared("abcd"))))
    assert ",".join(_indices(made)) == indices
    assert made is None or (made.reason, _step(made).before, _step(made).replicas) == (Reason.REPLICAS_CHANGE, 2, 3)


GOES: dict[str, tuple[str, str]] = {
    # layout | indices lowered to two replicas
    "as many copies as zones: one fewer": ("x:na,nb,nc,nd", "x"),
    "what can go is left to the drain": ("x:na,nb,nd", ""),
    "the engine's own is left alone, and the zone can't leave": (".x:na,nb,nc,nd", ""),
}


@pytest.mark.parametrize(("layout", "indices"), GOES.values(), ids=GOES.keys())
def test_a_zone_that_is_to_go_gives_up_what_could_go_nowhere(layout: str, indices: str) -> None:
    one = look(goes(layout), following(declared("abc", "d")))
    made = asked(one)
    assert ",".join(_indices(made)) == indices
    assert made is None or (_step(made).before, _step(made).replicas, _step(made).moves) == (3, 2, {})
    assert (zones.cannot_leave(one) is not None) == bool("nd" in layout and "nc" in layout)


def test_what_is_stuck_with_no_more_copies_than_zones_stay_is_not_given_more() -> None:
    """Only `nb` would be open to a copy of it, and has one."""
    found = goes("x:nd,nb")
    shut = {**found.persistent, "cluster.routing.allocation.exclude._name": "na,nc"}
    assert asked(look(msgspec.structs.replace(found, persistent=shut), following(declared("abc", "d")))) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [(came("x:na,nb,nc"), declared("abcd")), (goes("x:na,nb,nc,nd"), declared("abc", "d"))],
    ids=["a zone comes", "a zone is to go"],
)
def test_nothing_is_changed_while_versions_are_mixed(found: Cluster, said: ClusterSpec) -> None:
    assert asked(look(found, following(said))) is not None
    first, *others = found.nodes
    mixed = msgspec.structs.replace(found, nodes=(msgspec.structs.replace(first, version="3.5.0"), *others))
    assert asked(look(mixed, following(said))) is None


def test_replicas_are_kept_unless_the_fleet_file_says_otherwise() -> None:
    assert asked(look(came("x:na,nb,nc"), declared("abcd"))) is None
    assert asked(look(goes("x:na,nb,nc,nd"), declared("abc", "d"))) is None


def test_no_index_is_left_without_a_replica() -> None:
    two = seen([in_zone(letter, "ab") for letter in "ab"], layout="x:na,nb")
    one = look(two, following(declared("a", "b")))
    assert asked(one) is None
    assert zones.cannot_leave(one) is not None


def test_an_index_is_raised_once() -> None:
    """A person has lowered it again, while the nodes' files still differ."""
    noted = msgspec.structs.replace(OPEN, raised=("x",))
    made = asked(look(came("x:na,nb,nc y:na,nb,nc"), following(declared("abcd")), [noted]))
    assert _indices(made) == ("y",)
    assert replicas.noted([noted], _step(made)) == msgspec.structs.replace(OPEN, raised=("x", "y"))
    assert replicas.noted([], _step(made)) is None


def test_what_would_come_is_told_by_bytes_and_does_not_come_where_it_does_not_fit() -> None:
    made = asked(look(came("x:na,nb,nc"), following(declared("abcd"))))
    assert _step(made).moves == {"x": GB}
    full = came("x:na,nb,nc")
    nodes = tuple(
        msgspec.structs.replace(node, disk_free=10 * GB + 1) if node.name == "nd" else node for node in full.nodes
    )
    blocked = asked(look(msgspec.structs.replace(full, nodes=nodes), following(declared("abcd"))))
    assert isinstance(blocked, Blocked)
    assert blocked.reason is Reason.NO_ROOM_FOR_REPLICAS
    assert "eu-west-1d" in blocked.message


def _step(made: Plan | None) -> SetReplicas:
    assert isinstance(made, Steps)
    assert isinstance(made.steps[0], SetReplicas)
    return made.steps[0]


def _indices(made: Plan | None) -> tuple[str, ...]:
    return _step(made).indices if made else ()
