"""Whether a cluster is whole enough for an instance that comes to serve, so that an instance refresh may go on. Pure.

Green is whole. So is yellow where nothing is under way, every shard serves, and no copy that is missing could stand
anywhere, not even once every instance that is still expected has joined: an index with more replicas than there are
nodes, or zones, for them stays like that whoever comes. Relocations are no recovery, and hold no launch of a green
cluster: a drain may wait for a person. While one copy is missing they count where they go to a node that comes: what
leaves a node may make room there for what is missing.
"""

from collections.abc import Iterator
from itertools import islice

from vagus.cluster import Cluster, Copy, Node
from vagus.instances import Group
from vagus.zone_balance.looking import Look
from vagus.zone_balance.placement import placeable

SHOWN = 5
"""How many shards a sentence names."""


def why_not(look: Look) -> str:
    """Why an instance refresh must not go on yet, for a person; empty where it may."""
    return _recovers(look) or _still_holds(look)


def lasting(look: Look) -> str:
    """What is not as it should be, and stays so whoever comes; empty of a green cluster."""
    missing = _missing(look.cluster)
    return f"no node may take what is missing of {_listed(missing)}, and none that comes could" if missing else ""


def _recovers(look: Look) -> str:
    cluster = look.cluster
    missing = _missing(cluster)
    if not missing and cluster.status == "green":
        return ""
    said = f"the cluster is {cluster.status}"
    if not missing or any(copy.primary or copy.state == "INITIALIZING" for copy in missing):
        return f"{said}: copies of {_listed(missing)} are not active" if missing else said
    if arriving := [copy for copy in cluster.copies if copy.target in _coming(look)]:
        return f"{said}, and {_listed(arriving)} moves to a node that comes"
    could = list(islice(placeable(_expected(look), missing), SHOWN))
    return f"{said}: copies of {_listed(could)} are not active" if could else ""


def _missing(cluster: Cluster) -> list[Copy]:
    return [copy for copy in cluster.copies if not copy.active]


def _still_holds(look: Look) -> str:
    full = [name for name in sorted(look.still_go & look.observed.let_go()) if look.cluster.on(name)]
    return f"{', '.join(full)} goes with copies that have to be built elsewhere" if full else ""


def _listed(copies: list[Copy]) -> str:
    return ", ".join(sorted({f"{copy.index}[{copy.shard}]" for copy in copies})[:SHOWN])


def _coming(look: Look) -> frozenset[str]:
    return frozenset(one.id for group in look.observed.groups for one in group.instances if one.launching)


def _expected(look: Look) -> Cluster:
    """The cluster as it would be with every instance that is listed, or still to be launched, in it, and empty."""
    absent = tuple(node for group in look.observed.groups for node in _absent(look.cluster, group))
    return look.cluster.joined_by(absent)


def _absent(cluster: Cluster, group: Group) -> Iterator[Node]:
    """Those of a group that should be in the cluster and are not."""
    listed = [one.id for one in group.instances if one.launching or one.lifecycle == "InService"]
    names = [name for name in listed if cluster.node(name) is None]
    names += [f"{group.name} {number}" for number in range(group.desired - len(listed))]
    newest = max(cluster.nodes, key=lambda node: node.release).version if cluster.nodes else ""
    for name in names:
        yield Node(
            name=name,
            zone=group.zone,
            address="",
            roles=group.roles,
            version=newest,  # it could take what any node holds
            ephemeral_id="",
            disk_total=0,
            disk_free=0,
        )
