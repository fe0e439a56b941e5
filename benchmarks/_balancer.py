"""The planner's model of the engine's balancer, held against the engine itself on random layouts of real nodes.

A layout is made while the balancer is switched off, read, and judged by the model; then the balancer is switched on,
and what the engine does is compared. Nobody waits for anything: the settings update and the reroute call that follow
are cluster-state updates that end when the balancer has had its say.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import msgspec

from vagus.cluster import Cluster, Copy
from vagus.zone_balance.planner import reading
from vagus.zone_balance.planner.board import Board
from vagus.zone_balance.planner.deciders import Deciders
from vagus.zone_balance.planner.engine import Engine
from vagus.zone_balance.planner.model import Layout, Node
from vagus_local.cluster import LocalCluster

ROUTING = "cluster.routing.allocation."
REBALANCE = "cluster.routing.rebalance.enable"
TRIES = 12
"""Random moves that are tried for one that the engine accepts."""
PREFIX = "balanced-"

Setting = str | float | bool | None
SearchLook = Callable[[], Cluster]
Moves = Callable[[Cluster], list[dict[str, object]]]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Settings under which layouts are made. `last` is set after the others: 2.19 drops the primaries' constraints when
    a factor is changed while they are on (its own bug, seen). `lone_moves`: so many copies moved alone, all from one
    node and to one (`None`: drawn)."""

    name: str
    first: Mapping[str, Setting] = {}
    last: Mapping[str, Setting] = {}
    exclude_a_node: bool = False
    lone_moves: int | None = None


CASES = (
    Case(name="defaults"),
    Case(name="one node excluded", exclude_a_node=True),
    Case(name="other factors", first={"balance.index": 0.3, "balance.shard": 0.7, "balance.threshold": 1.5}),
    Case(name="threshold below one", first={"balance.threshold": 0.5}),
    Case(name="threshold raised", first={"balance.threshold": 3.0}),
    Case(name="primaries preferred", last={"balance.prefer_primary": True}),
    Case(
        name="primaries rebalanced",
        last={"balance.prefer_primary": True, "rebalance.primary.enable": True},
    ),
)
CLEARED = (
    "balance.index",
    "balance.shard",
    "balance.threshold",
    "balance.prefer_primary",
    "rebalance.primary.enable",
    "exclude._name",
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One layout: what the model said (`rests`: nothing would move), whether the engine moved something, and what the
    model says of the layout in which the engine came to rest."""

    case: str
    rests: bool
    moved: bool
    resting_layout_rests: bool


class Look(msgspec.Struct, frozen=True):
    """Where every copy stands, and on its way to where."""

    cluster: Cluster

    @property
    def places(self) -> frozenset[tuple[str, int, str | None]]:
        """Each copy by the node on which it ends."""
        return frozenset((copy.index, copy.shard, copy.target or copy.node) for copy in self.cluster.copies)

    @property
    def settled(self) -> bool:
        """Whether no copy is on its way."""
        return all(copy.state == "STARTED" for copy in self.cluster.copies)


def layout(cluster: Cluster) -> Layout:
    """What was seen, as the planner takes it. Every index without filters or limits of its own."""
    nodes = tuple(
        Node(
            name=node.name,
            zone=node.zone,
            disk_total=node.disk_total,
            disk_free=node.disk_free,
            roles=node.roles,
            version=node.version,
            attributes={"zone": node.zone},
        )
        for node in cluster.nodes
    )
    flat = {**cluster.defaults, **cluster.persistent, **cluster.transient}
    return Layout(nodes=nodes, copies=cluster.copies, settings=reading.settings(flat, cluster.nodes[0].version))


def rests(cluster: Cluster) -> bool:
    """What the model says: the balancer would move nothing."""
    seen = layout(cluster)
    board = Board(seen)
    return Engine(board, Deciders(board), seen.settings.threshold, 0).stirs() is None


class Lab:
    """One running cluster on which layouts are made. `look` reads it; `draw` decides everything that is random."""

    def __init__(self, cluster: LocalCluster, look: SearchLook, draw: random.Random) -> None:
        self._cluster, self._look, self._draw = cluster, look, draw

    def indices(self, shards: Mapping[str, int], replicas: int) -> None:
        """Empty indices: sizes never enter the engine's formula."""
        for name, number in shards.items():
            said = {"number_of_shards": number, "number_of_replicas": replicas, "refresh_interval": "-1"}
            self._cluster.call("PUT", f"/{PREFIX}{name}", {"settings": said})
        self._cluster.wait_green()

    def clear(self) -> None:
        """Give everything back."""
        self._cluster.call("DELETE", f"/{PREFIX}*")
        self._set({REBALANCE: None, **{ROUTING + name: None for name in CLEARED}})
        self._settled()

    def under(self, case: Case, layouts: int) -> Iterator[Seen]:
        """Layouts made and judged under a case's settings, each from where the engine rested before."""
        self._set({ROUTING + name: None for name in CLEARED})
        excluded = {"exclude._name": self._draw.choice(self._look().nodes).name} if case.exclude_a_node else {}
        self._set({ROUTING + name: value for name, value in {**case.first, **excluded}.items()})
        for name, value in case.last.items():
            self._set({ROUTING + name: value})
        self._set({REBALANCE: "all"})
        self._come_to_rest()
        for _ in range(layouts):
            yield self._one(case)

    def _one(self, case: Case) -> Seen:
        self._set({REBALANCE: "none"})
        self._disturb(case)
        before = self._settled()
        said = rests(before.cluster)
        self._set({REBALANCE: "all"})
        self._cluster.call("POST", "/_cluster/reroute?metric=none")
        moved = Look(self._look()).places != before.places
        at_rest = self._come_to_rest()
        return Seen(case=case.name, rests=said, moved=moved, resting_layout_rests=rests(at_rest.cluster))

    # -- making layouts ------------------------------------------------------------------------------------------

    def _disturb(self, case: Case) -> None:
        """Some exchanges, which keep counts, and now and then a lone move, which does not."""
        if case.lone_moves is not None:
            self._pile_up(case.lone_moves)
            return
        for _ in range(self._draw.randint(0, 4)):
            self._try(self._exchange)
            self._settled()
        for _ in range(self._draw.choice((0, 0, 1, 1, 2))):
            self._try(self._lone_move)
            self._settled()

    def _pile_up(self, many: int) -> None:
        """The fullest node is given copies of the emptiest one, one by one."""
        held = Counter(copy.node for copy in self._look().copies)
        full, empty = max(held, key=lambda name: (held[name], name)), min(held, key=lambda name: (held[name], name))
        moved = 0
        for copy in _ours(self._look()):
            commands = [_move(copy, full or "")]
            asked = {"commands": commands}
            if copy.node == empty and moved < many:
                moved += self._cluster.try_call("POST", "/_cluster/reroute?metric=none", asked)[0] == 200
                self._settled()

    def _try(self, some: Moves) -> None:
        for _ in range(TRIES):
            commands = some(self._look())
            status, _ = self._cluster.try_call("POST", "/_cluster/reroute?metric=none", {"commands": commands})
            if status == 200:
                return

    def _lone_move(self, cluster: Cluster) -> list[dict[str, object]]:
        copy = self._draw.choice(_ours(cluster))
        return [_move(copy, self._draw.choice(_data(cluster, but=copy.node)))]

    def _exchange(self, cluster: Cluster) -> list[dict[str, object]]:
        one = self._draw.choice(_ours(cluster))
        other = self._draw.choice([copy for copy in _ours(cluster) if copy.node != one.node])
        return [_move(one, other.node or ""), _move(other, one.node or "")]

    # -- waiting -------------------------------------------------------------------------------------------------

    def _set(self, settings: Mapping[str, Setting]) -> None:
        if settings:
            self._cluster.call("PUT", "/_cluster/settings", {"persistent": settings})

    def _settled(self) -> Look:
        """The look in which nothing relocates: in another one, a moment later, the next move may have begun."""
        looks: list[Look] = []

        def settled() -> bool:
            looks.append(Look(self._look()))
            return looks[-1].settled

        self._cluster.wait_until(settled, "without relocations", 180)
        return looks[-1]

    def _come_to_rest(self) -> Look:
        """The engine's balancer has nothing more to do: a reroute changes nothing, and nothing is on its way then.

        While as many copies relocate as may, a reroute does not ask the balancer at all.
        """
        while True:
            before = self._settled()
            self._cluster.call("POST", "/_cluster/reroute?metric=none")
            after = Look(self._look())
            if after.settled and after.places == before.places:
                return before


def _ours(cluster: Cluster) -> list[Copy]:
    return [copy for copy in cluster.copies if copy.index.startswith(PREFIX)]


def _data(cluster: Cluster, but: str | None) -> list[str]:
    return [node.name for node in cluster.nodes if node.holds_data and node.name != but]


def _move(copy: Copy, target: str) -> dict[str, object]:
    said = {"index": copy.index, "shard": copy.shard, "from_node": copy.node, "to_node": target}
    return {"move": said}
