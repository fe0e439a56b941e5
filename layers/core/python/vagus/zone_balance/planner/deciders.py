"""May this copy go to that node? The engine's own deciders, one small predicate each, named for the violation.

Those that the engine answers with THROTTLE are in `waves`: a move command ignores them, so that we keep them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from vagus.allocation import reserve
from vagus.zone_balance.planner.board import Board
from vagus.zone_balance.planner.model import Index, Node

Filters = tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]
NONE = Index()


class Deciders:
    """Asks only those that can say no with these settings. `eligible[index]`: the nodes that its filters admit."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.settings = board.layout.settings
        self._watermarks()
        self._zones()
        self.versions = [_version(node.version) for node in board.nodes]
        self.hosts = Counter(node.address for node in board.nodes)
        self.rules = [board.layout.indices.get(name, NONE) for name in board.names]
        self._eligible()
        self._asked = tuple((name, denies) for name, (applies, denies) in DECIDERS.items() if applies(self))

    def _watermarks(self) -> None:
        nodes, settings = self.board.nodes, self.settings
        self.low = [reserve(settings.watermark_low, node.disk_total) for node in nodes]
        self.high = [reserve(settings.watermark_high, node.disk_total) for node in nodes]

    def _zones(self) -> None:
        """Per awareness attribute: each node's value, and how many values there are, forced ones included."""
        self.awareness: list[tuple[list[str | None], int]] = []
        for name in self.settings.awareness:
            values = [node.attribute(name) for node in self.board.nodes]
            live = {value for value, data in zip(values, self.board.data, strict=True) if value and data}
            self.awareness.append((values, max(1, len(live | set(self.settings.forced.get(name, ()))))))

    def _eligible(self) -> None:
        nodes, settings = self.board.nodes, self.settings
        cluster: Filters = (settings.include, settings.exclude, settings.require)
        self.open = [node.holds_data and passes(node, cluster) for node in nodes]
        roles = {role for node in nodes for role in node.roles}
        known: dict[str, frozenset[int]] = {}
        everywhere = frozenset(number for number, open_ in enumerate(self.open) if open_)
        self.eligible: list[frozenset[int]] = []
        for rule in self.rules:
            own: Filters = (rule.include, rule.exclude, rule.require)
            if not any(own) and not rule.tier_preference:
                self.eligible.append(everywhere)
                continue
            tier = next((tier for tier in rule.tier_preference if tier in roles), None)
            signature = repr((own, tier))
            if signature not in known:
                found = (n for n in everywhere if passes(nodes[n], own) and _in_tier(nodes[n], tier))
                known[signature] = frozenset(found)
            self.eligible.append(known[signature])

    def allows(self, copy: int, node: int) -> bool:
        """Whether no decider says NO."""
        return not any(denies(self, copy, node) for _, denies in self._asked)

    def denial(self, copy: int, node: int) -> str:
        """The decider that says NO; empty where none does."""
        return next((name for name, denies in self._asked if denies(self, copy, node)), "")

    def may_move(self, copy: int) -> bool:
        """Whether the copy is started, and so are its twins, and nothing holds it where it is."""
        board = self.board
        return copy not in board.frozen and not (board.primary[copy] and self._snapshot(copy))

    def _snapshot(self, copy: int) -> bool:
        taken = self.board.layout.snapshots
        return bool(taken) and (self.board.names[self.board.index[copy]], self.board.number[copy]) in taken

    def must_leave(self, copy: int) -> str:
        """The decider that will not let the copy stay where it is; empty where it may stay."""
        board = self.board
        node = board.at[copy]
        if not board.data[node]:
            return ""  # another pool, with a balancer of its own
        if node not in self.eligible[board.index[copy]]:
            return "filter"
        if self.settings.disk_threshold and board.free[node] < self.high[node]:
            return "disk_threshold"
        if self.awareness and zone_has_its_share(self, copy, node):
            return "awareness"
        return "shards_limit" if self.limited and over_limit(self, copy, node, 0) else ""

    @property
    def limited(self) -> bool:
        """Whether any limit of shards per node is set."""
        of_indices = (limit for rule in self.rules for limit in (rule.shards_per_node, rule.primaries_per_node))
        return max((self.settings.shards_per_node, self.settings.primaries_per_node, *of_indices)) > -1


# -- the deciders ----------------------------------------------------------------------------------------------------


def holds_a_copy(deciders: Deciders, copy: int, node: int) -> bool:
    """same_shard: the target has a copy of this shard, or one that is only on its way off."""
    board = deciders.board
    shard = board.shard[copy]
    at, twin = board.at, board.twin
    other = twin[shard]
    while at[other] != node:
        if other == shard:
            return board.is_leaving(shard, node)
        other = twin[other]
    return True


def host_holds_a_copy(deciders: Deciders, copy: int, node: int) -> bool:
    """same_shard.host: another node of the same host has a copy of this shard."""
    board = deciders.board
    host = board.nodes[node].address
    twins = (twin for twin in board.copies_of(board.shard[copy]) if twin != copy and board.at[twin] >= 0)
    return any(board.nodes[board.at[twin]].address == host for twin in twins)


def not_eligible(deciders: Deciders, copy: int, node: int) -> bool:
    """filter, pool and tier: the cluster's or the index's filters keep it off this node."""
    return node not in deciders.eligible[deciders.board.index[copy]]


def disk_is_short(deciders: Deciders, copy: int, node: int) -> bool:
    """disk_threshold: below the low watermark's reserve now, or below the high one's once the copy is there."""
    free = deciders.board.free[node]
    return free < deciders.low[node] or free - deciders.board.size[copy] < deciders.high[node]


def zone_has_its_share(deciders: Deciders, copy: int, node: int) -> bool:
    """awareness: with this copy the target's zone would hold more than copies / zones, rounded up."""
    board = deciders.board
    at = board.at
    twins = board.copies_of(board.shard[copy])
    for values, many in deciders.awareness:
        value = values[node]
        if value is None:
            return True
        here = 1
        for twin in twins:
            if twin != copy and at[twin] >= 0 and values[at[twin]] == value:
                here += 1
        if here > -(-len(twins) // many):
            return True
    return False


def version_is_older(deciders: Deciders, copy: int, node: int) -> bool:
    """node_version: a primary may not go to an older node, a replica not to one older than its primary's."""
    board, versions = deciders.board, deciders.versions
    shard = board.shard[copy]
    source = board.at[copy] if board.primary[copy] else board.primary_at(shard)
    if source >= 0 and versions[node] < versions[source]:
        return True
    if not deciders.rules[board.index[copy]].segment_replication or not board.primary[copy]:
        return False
    replicas = (twin for twin in board.copies_of(shard) if twin != copy and board.at[twin] >= 0)
    return any(versions[node] > versions[board.at[replica]] for replica in replicas)


def limit_is_reached(deciders: Deciders, copy: int, node: int) -> bool:
    """shards_limit: the node holds as many copies (of the index, or at all) as it may."""
    return over_limit(deciders, copy, node, 1)


def over_limit(deciders: Deciders, copy: int, node: int, more: int) -> bool:
    """Whether `more` copies like this one would be too many for the node."""
    board, settings = deciders.board, deciders.settings
    index = board.index[copy]
    rule = deciders.rules[index]
    limits = [
        (board.count[node], settings.shards_per_node),
        (board.holders[index].get(node, 0), rule.shards_per_node),
    ]
    if board.primary[copy]:
        limits.append((board.primaries[node], settings.primaries_per_node))
        limits.append((board.primary_holders[index].get(node, 0), rule.primaries_per_node))
    return any(0 <= limit < held + more for held, limit in limits)


Denies = Callable[[Deciders, int, int], bool]

DECIDERS: Mapping[str, tuple[Callable[[Deciders], bool], Denies]] = {
    "same_shard": (lambda _: True, holds_a_copy),
    "filter": (lambda _: True, not_eligible),
    "disk_threshold": (lambda deciders: deciders.settings.disk_threshold, disk_is_short),
    "awareness": (lambda deciders: bool(deciders.awareness), zone_has_its_share),
    "shards_limit": (lambda deciders: deciders.limited, limit_is_reached),
    "node_version": (lambda deciders: len(set(deciders.versions)) > 1, version_is_older),
    "same_host": (
        lambda deciders: deciders.settings.same_host and max(deciders.hosts.values(), default=0) > 1,
        host_holds_a_copy,
    ),
}
"""Each decider by the engine's name: when it can say no at all, and whether it does."""


# -- filters ---------------------------------------------------------------------------------------------------------


def passes(node: Node, filters: Filters) -> bool:
    """include: any value of any key matches; exclude: none does; require: every value of every key does."""
    include, exclude, require = filters
    return (
        (not include or any(_matches(node, include)))
        and not any(_matches(node, exclude))
        and all(_matches(node, require))
    )


def _matches(node: Node, wanted: Mapping[str, str]) -> list[bool]:
    return [
        fnmatchcase(_value(node, key) or "", pattern.strip())
        for key, patterns in wanted.items()
        for pattern in patterns.split(",")
        if pattern.strip()
    ]


def _value(node: Node, key: str) -> str | None:
    match key:
        case "_name":
            return node.name
        case "_id":
            return node.id
        case "_ip" | "_host" | "_host_ip" | "_publish_ip":
            return node.address
        case _:
            return node.attribute(key)


def _in_tier(node: Node, tier: str | None) -> bool:
    return tier is None or tier in node.roles or "data" in node.roles


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("-")[0].split(".") if part.isdigit())
