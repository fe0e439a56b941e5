"""Small clusters and groups for tables of cases: `n1` is the node of instance `n1`, in the zone that is given."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from vagus import owned
from vagus.allocation import shielded
from vagus.cluster import Cluster, Copy, CopyState, Node, Unseen
from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.instances import TERMINATE_HOOK, Group, Instance
from vagus.intent import AllocationPrimaries, ExcludeNode, Intent, Rolling, leave, restart
from vagus.policy import ZoneBalance
from vagus.reasons import Reason
from vagus.zone_balance.observed import Leaver, Observed, leavers

NOW = 1_767_225_600.0
ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
GB = 1 << 30
FORCED = {
    "cluster.routing.allocation.awareness.attributes": "zone",
    "cluster.routing.allocation.awareness.force.zone.values": ",".join(ZONES),
}

Cases = Mapping[str, tuple[Observed, Mapping[str, Any], str, Reason]]
"""Sentence -> what is seen, the policy, kinds of the plan's own steps (or of the plan), the reason."""


def node(
    name: str,
    zone: int = 0,
    *,
    roles: Sequence[str] = ("cluster_manager", "data"),
    free: int = 90 * GB,
    total: int = 100 * GB,
) -> Node:
    """A node with a disk of 100 GB. `zone` counts the zones."""
    return Node(
        name=name,
        zone=ZONES[zone],
        address="127.0.0.1",
        roles=tuple(roles),
        version="3.4.0",
        ephemeral_id=f"{name}-1",
        disk_total=total,
        disk_free=free,
    )


def copies(layout: str, *, size: int = GB) -> tuple[Copy, ...]:
    """Copies in short: `a:n1,n2 b:n1>n3,-` is a shard of index `a` with its primary on n1 and a replica on n2, and one
    of `b` whose primary moves from n1 to n3 and whose replica is unassigned. `+n1`: initializing there."""
    found: list[Copy] = []
    for shard in layout.split():
        index, _, places = shard.partition(":")
        for number, place in enumerate(places.split(",")):
            found.append(_copy(index, place, primary=number == 0, size=size))
    return tuple(found)


def _copy(index: str, place: str, *, primary: bool, size: int) -> Copy:
    def made(state: CopyState, where: str | None, target: str | None = None) -> Copy:
        return Copy(index=index, shard=0, primary=primary, state=state, node=where, target=target, bytes=size)

    if place == "-":
        return made("UNASSIGNED", None)
    if place.startswith("+"):
        return made("INITIALIZING", place[1:])
    source, _, target = place.partition(">")
    return made("RELOCATING" if target else "STARTED", source, target or None)


def cluster(
    nodes: Sequence[Node],
    layout: str = "",
    *,
    persistent: Mapping[str, str] | None = None,
    transient: Mapping[str, str] | None = None,
    status: Literal["green", "yellow", "red"] | None = None,
    size: int = GB,
    **fields: Any,
) -> Cluster:
    """A cluster of these nodes; its status follows from the copies unless it is given."""
    held = copies(layout, size=size)
    indices = len({copy.index for copy in held})
    seen: dict[str, Any] = {
        "uuid": "uuid-1",
        "manager": nodes[0].name if nodes else "",
        "visible_indices": indices,
        "counted_indices": indices,
        "voters": tuple(one.name for one in nodes if one.may_be_manager),
    }
    return Cluster(
        nodes=tuple(nodes),
        copies=held,
        status=status or _status(held),
        persistent=persistent or {},
        transient=transient or {},
        **{**seen, **fields},
    )


def _status(held: Sequence[Copy]) -> Literal["green", "yellow", "red"]:
    if not all(copy.active for copy in held if copy.primary):
        return "red"
    return "green" if all(copy.active for copy in held) else "yellow"


def ours(*names: str, hand: Sequence[str] = ()) -> dict[str, str]:
    """The persistent settings with these exclusions of ours, beside others set by hand."""
    return {owned.EXCLUDE: ",".join(sorted((*names, *hand))), owned.MARK: ",".join(sorted(names))}


def group(zone: int, members: Mapping[str, str], *, desired: int | None = None, **fields: Any) -> Group:
    """The data nodes' group of a zone: instance -> lifecycle."""
    instances = tuple(Instance(id=name, zone=ZONES[zone], lifecycle=state) for name, state in members.items())
    serving = sum(state == "InService" for state in members.values())
    given: dict[str, Any] = {"roles": ("cluster_manager", "data"), "retains": True, "hook": TERMINATE_HOOK}
    return Group(
        name=f"claims-data-{ZONES[zone]}",
        cluster="claims",
        zone=ZONES[zone],
        desired=serving if desired is None else desired,
        instances=instances,
        **{**given, **fields},
    )


def spec(*, per_zone: int = 2, **policy: Any) -> ClusterSpec:
    """The declared cluster `claims`, in three zones."""
    return ClusterSpec(
        name="claims",
        cell="hospital-a",
        engine=Engine(version="3.4.0"),
        zones=ZONES,
        groups={"data": NodeGroup(roles=("cluster_manager", "data"), per_zone=per_zone)},
        zone_balance=ZoneBalance(**{"mode": "act", **policy}),
    )


def observed(seen: Any, groups: Sequence[Group], *, declared: ClusterSpec | None = None, **fields: Any) -> Observed:
    """One look; identity and sizes are noted unless something else is given."""
    given: dict[str, Any] = {"identity": "uuid-1", "sizes": (declared or spec()).sizes()}
    return Observed(cluster=seen, groups=tuple(groups), **{**given, **fields})


def demanding(name: str, **fields: str) -> Intent:
    """An open intent that demands the exclusion of that node. `fields`: `let_go` and `held`, in ISO 8601."""
    opened = leave(name, f"claims-data-{ZONES[0]}", "2026-01-01T00:00:00Z", "event")
    return msgspec.structs.replace(opened, demands=(ExcludeNode(node=name),), **fields)


def restarting(*names: str, holding: bool = True) -> Intent:
    """A restart that has these nodes in hand, or had them last."""
    asked = restart({}, "2026-01-01T00:00:00Z", "anna")
    return msgspec.structs.replace(
        asked, rolling=Rolling(taken=names), demands=(AllocationPrimaries(),) if holding else ()
    )


def leaver(seen: Cluster, name: str, state: str = "Terminating:Wait") -> Leaver:
    """A leaving instance as the rules see it."""
    return leavers(observed(seen, [group(0, {name: state})]), seen, shielded(seen))[0]


# -- the clusters of most cases: two nodes in a zone, or one -----------------------------------------------------------

WAITING, RETAINED, GOING, SERVING = "Terminating:Wait", "Terminating:Retained", "Terminating:Proceed", "InService"
SIX = [node(f"n{number}", (number - 1) // 2) for number in range(1, 7)]
THREE = [node(f"n{number}", number - 1) for number in range(1, 4)]
TWO_ZONES = [group(1, {"n3": SERVING, "n4": SERVING}), group(2, {"n5": SERVING, "n6": SERVING})]
LAYOUT = "a:n1,n3 b:n2,n5"


OF_THE_CLUSTER = (
    "persistent",
    "transient",
    "status",
    "stores",
    "voters",
    "voting_exclusions",
    "uuid",
    "counted_indices",
    "size",
)


def six(first: Mapping[str, str], layout: str = LAYOUT, *, nodes: list[Any] = SIX, **fields: Any) -> Observed:
    """Six nodes, two in a zone; `first`: the members of the first zone's group. Other fields go where they belong."""
    of_the_cluster = {name: fields.pop(name) for name in OF_THE_CLUSTER if name in fields}
    of_the_group = {name: fields.pop(name) for name in ("retains", "hook", "desired", "most") if name in fields}
    of_the_cluster["persistent"] = FORCED | of_the_cluster.get("persistent", {})
    seen = cluster(nodes, layout, **of_the_cluster)
    return observed(seen, [group(0, first, **of_the_group), *TWO_ZONES], **fields)


def three(*states: str, layout: str = "a:n1,n2,n3", nodes: list[Any] = THREE, **fields: Any) -> Observed:
    """Three nodes, one in a zone, a copy in each."""
    of_the_group = {name: fields.pop(name) for name in ("retains", "hook") if name in fields}
    groups = [group(zone, {f"n{zone + 1}": state}, desired=1, **of_the_group) for zone, state in enumerate(states)]
    votes = {name: fields.pop(name) for name in ("voters", "voting_exclusions") if name in fields}
    seen = cluster(nodes, layout, persistent=FORCED | fields.pop("persistent", {}), **votes)
    return observed(seen, groups, declared=spec(per_zone=1), **fields)


BOTH_SERVE = {"n1": SERVING, "n2": SERVING}
FIRST_WAITS = {"n1": WAITING, "n2": SERVING}
FIRST_GOES = {"n1": GOING, "n2": SERVING}
FIRST_RETAINED = {"n1": RETAINED, "n2": SERVING}
VOTELESS: dict[str, Any] = {"voters": ("n2", "n3", "n4"), "voting_exclusions": ("n1",)}
"""The vote of n1 has been taken."""
EMPTY = "a:n2,n3 b:n2,n5"
UNREACHABLE = Unseen(reason="UNREACHABLE", message="nobody answered")
JUST_NOW, LONG_AGO = "2025-12-31T23:59:50Z", "2025-12-31T23:54:59Z"
ONE_EACH = {"per_zone": 1}
ONE_ZONE = {"per_zone": 1, "nowhere_to_go": "one_zone_at_a_time"}
