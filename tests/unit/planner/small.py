"""Clusters in a line: node `a1` is in zone a; `x0:a1,b1=50` is shard 0 of index x, primary on a1, replica on b1."""

from collections.abc import Mapping

from vagus.cluster import Copy, CopyState
from vagus.zone_balance.planner.model import Index, Layout, Node, Settings

AWARE = Settings(awareness=("zone",), forced={"zone": ("a", "b", "c")})
LOOSE = Settings()
DISK = 10_000


def layout(
    nodes: str,
    shards: str,
    settings: Settings = LOOSE,
    indices: Mapping[str, Index] | None = None,
    spent: Mapping[str, int] | None = None,
    **more: Mapping[str, str],
) -> Layout:
    """Nodes with a disk of 10,000. `spent`: bytes on a disk besides the shards; `versions`, `warm`, `hosts` by node."""
    copies = tuple(copy for shard in shards.split() for copy in _copies(shard))
    used = {name: (spent or {}).get(name, 0) for name in nodes.split()}
    for copy in copies:
        if copy.node in used:
            used[copy.node] += copy.bytes
    return Layout(
        nodes=tuple(_node(name, used[name], more) for name in nodes.split()),
        copies=copies,
        settings=settings,
        indices=indices or {},
    )


def _node(name: str, used: int, more: Mapping[str, Mapping[str, str]]) -> Node:
    return Node(
        name=name,
        zone=name[0],
        disk_total=DISK,
        disk_free=DISK - used,
        version=more.get("versions", {}).get(name, "3.4.0"),
        attributes={"temp": more.get("temp", {}).get(name, "hot")},
        address=more.get("hosts", {}).get(name, name),
        roles=tuple(more.get("roles", {}).get(name, "data").split("+")),
    )


def _copies(shard: str) -> list[Copy]:
    name, _, rest = shard.partition(":")
    places, _, size = rest.partition("=")
    found = []
    for number, place in enumerate(places.split(",")):
        source, _, target = place.partition(">")
        state: CopyState = "UNASSIGNED" if place == "-" else "RELOCATING" if target else "STARTED"
        found.append(
            Copy(
                index=name[:-1],
                shard=int(name[-1]),
                primary=number == 0,
                state=state,
                node=None if place == "-" else source,
                target=target or None,
                bytes=int(size or 1),
            )
        )
    return found
