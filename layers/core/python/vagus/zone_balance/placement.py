"""Where shards could legally go: the questions that the engine's deciders answer, asked before anything is moved.

It is a necessary condition, not the engine's own choice: it models same shard, awareness (forced values included),
exclusion by name, versions and the high disk watermark. What it can't see (index filters, per-node limits) the engine
says later, in its own words, when a drain stalls.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from vagus.allocation import AWARENESS, FORCED, HIGH, LOW, THRESHOLD, reserve, shielded
from vagus.cluster import Cluster, Copy, Node
from vagus.owned import excluded


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Copies that can't be placed: `nowhere`: no legal node; `no_room`: no space on the legal ones."""

    nowhere: tuple[Copy, ...] = ()
    no_room: tuple[Copy, ...] = ()


def fit(cluster: Cluster, going: frozenset[str]) -> Fit:
    """Whether all copies on the nodes of `going` find a place on the others; largest first, to the emptiest node."""
    board = _Board(cluster, _open(cluster, going))
    moving = [copy for copy in cluster.copies if _ends_on(copy) in going and not _shrinks_away(cluster, copy, going)]
    nowhere: list[Copy] = []
    no_room: list[Copy] = []
    for copy in sorted(moving, key=lambda copy: (-copy.bytes, copy.index, copy.shard)):
        legal = board.legal(copy)
        if not legal:
            nowhere.append(copy)
        elif not board.place(copy, legal):
            no_room.append(copy)
    return Fit(nowhere=tuple(nowhere), no_room=tuple(no_room))


def places(cluster: Cluster, going: frozenset[str], copies: Iterable[Copy]) -> list[tuple[Copy, str]]:
    """A legal node with room for each of these copies that has one, smallest first."""
    board = _Board(cluster, _open(cluster, going))
    found: list[tuple[Copy, str]] = []
    for copy in sorted(copies, key=lambda copy: (copy.bytes, copy.index, copy.shard)):
        legal = board.legal(copy)
        if legal and (target := board.place(copy, legal)):
            found.append((copy, target))
    return found


def placeable(cluster: Cluster, copies: Iterable[Copy]) -> Iterator[Copy]:
    """Those of these unassigned copies that some node may legally take, however little room there is. Lazy: of the
    thousands that a lost node leaves, the first will do."""
    board = _Board(cluster, _open(cluster))
    return (copy for copy in copies if board.may_take(copy))


def _open(cluster: Cluster, going: frozenset[str] = frozenset()) -> list[Node]:
    """Nodes that may take shards: they hold data, and nothing keeps shards off them."""
    closed = going | shielded(cluster) | excluded(cluster)
    return [node for node in cluster.nodes if node.holds_data and node.name not in closed]


def _shrinks_away(cluster: Cluster, copy: Copy, going: frozenset[str]) -> bool:
    """A replica that the engine itself takes away when its node is excluded, as `auto_expand_replicas` says.

    Seen on 3.4.0: the security plugin's index has a copy on every data node (0-all), so none could move anywhere.
    """
    if copy.index not in cluster.auto_expanding:
        return False
    twins = (twin for twin in cluster.copies if twin.id == copy.id and twin.active)
    return any(twin.node not in going for twin in twins)


class _Board:
    """The layout while copies are placed one by one."""

    def __init__(self, cluster: Cluster, targets: list[Node]) -> None:
        self._targets = targets
        coming = _arriving(cluster)
        self._room = {node.name: _spare(cluster, node, coming[node.name]) for node in targets}
        self._zones = zones(cluster)
        self._zone_of = {node.name: node.zone for node in cluster.nodes}
        self._release = {node.name: node.release for node in cluster.nodes}
        self._primary = {copy.id: copy.node or "" for copy in cluster.copies if copy.primary and copy.active}
        self._where: dict[tuple[str, int], list[str]] = {}
        for copy in cluster.copies:
            self._where.setdefault(copy.id, []).append(_ends_on(copy))

    def legal(self, copy: Copy) -> list[Node]:
        """The nodes that may take it: none of its other copies there, its zone not over its share, and not older than
        the node that it is copied from (its primary's): in the middle of an upgrade, copies only go forward."""
        return [node for node in self._targets if self._fits(copy, node)]

    def may_take(self, copy: Copy) -> bool:
        """Whether there is any."""
        return any(self._fits(copy, node) for node in self._targets)

    def _fits(self, copy: Copy, node: Node) -> bool:
        least = self._release.get(self._primary.get(copy.id, copy.node or ""), ())
        return node.name not in self._where[copy.id] and node.release >= least and self._share(copy, node)

    def _share(self, copy: Copy, node: Node) -> bool:
        if not self._zones:
            return True
        others = list(self._where[copy.id])
        others.remove(_ends_on(copy))
        in_zone = sum(self._zone_of.get(name) == node.zone for name in others) + 1
        return in_zone <= math.ceil((len(others) + 1) / len(self._zones))

    def place(self, copy: Copy, legal: list[Node]) -> str:
        """Put it on the legal node with most room, and tell which; empty if it fits on none."""
        best = max(legal, key=lambda node: (self._room[node.name], node.name))
        if self._room[best.name] < copy.bytes:
            return ""
        self._room[best.name] -= copy.bytes
        self._where[copy.id].remove(_ends_on(copy))
        self._where[copy.id].append(best.name)
        return best.name


def _ends_on(copy: Copy) -> str:
    """The node on which a copy stands once its relocation is over; an unassigned one counts, and stands nowhere."""
    return copy.target or copy.node or ""


def zones(cluster: Cluster) -> frozenset[str]:
    """The zones that awareness counts: live and forced. Empty where awareness of zones is off."""
    if "zone" not in [name.strip() for name in cluster.setting(AWARENESS).split(",")]:
        return frozenset()
    forced = {zone.strip() for zone in cluster.setting(FORCED).split(",") if zone.strip()}
    return frozenset(forced | {node.zone for node in cluster.nodes if node.holds_data})


def spare(cluster: Cluster, node: Node) -> int:
    """Bytes that a node can take before its high watermark, with what is already on its way to it taken off.

    One that is over its low watermark takes nothing.
    """
    return _spare(cluster, node, _arriving(cluster)[node.name])


def _spare(cluster: Cluster, node: Node, coming: int) -> int:
    free = node.disk_free - coming
    if cluster.setting(THRESHOLD, "true") == "false":
        return free
    if free < reserve(cluster.setting(LOW, "85%"), node.disk_total):
        return 0
    return free - reserve(cluster.setting(HIGH, "90%"), node.disk_total)


def _arriving(cluster: Cluster) -> Counter[str]:
    """Bytes on their way, by node: in one pass, for there may be a hundred thousand copies."""
    found: Counter[str] = Counter()
    for copy in cluster.copies:
        if where := copy.target or (copy.node if copy.state == "INITIALIZING" else None):
            found[where] += copy.bytes
    return found


def started_elsewhere(cluster: Cluster, copies: Iterable[Copy], node: str) -> bool:
    """Whether every one of these copies has an active twin on another node."""
    active = {(copy.id, copy.node) for copy in cluster.copies if copy.active}
    return all(any(shard == copy.id and where != node for shard, where in active) for copy in copies)
