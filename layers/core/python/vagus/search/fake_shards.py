"""The shards of the simulated cluster: where copies are, where they may go, and when they arrive. See `fake`.

Kept apart from `vagus.zone_balance.placement` on purpose: what that module believes of the engine is tested against
this one, so they share no code.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from vagus.cluster import Copy, ShardMove
from vagus.search.fake_copies import HeldCopy, HeldShard, Machine, Rules, version

CONCURRENT = 2
"""Recoveries that a node takes, and gives, at a time."""


class Shards:
    """All shards of a cluster."""

    def __init__(self, *, speed: float, delayed: float) -> None:
        self.speed = speed
        self._delayed = delayed
        self._shards: dict[tuple[str, int], HeldShard] = {}

    # -- seen ----------------------------------------------------------------------------------------------------

    def copies(self) -> tuple[Copy, ...]:
        """Every copy as routing has it."""
        return tuple(
            Copy(
                index=shard.index,
                shard=shard.number,
                primary=copy.primary,
                state=copy.state,
                node=copy.node,
                target=copy.target,
                bytes=shard.size if copy.state != "UNASSIGNED" else 0,
                nowhere=shard.nowhere(copy),
            )
            for shard in self._shards.values()
            for copy in shard.copies
        )

    def status(self) -> Literal["green", "yellow", "red"]:
        """As the engine computes it."""
        shards = self._shards.values()
        if not all(shard.primary.active for shard in shards):
            return "red"
        return "green" if all(copy.active for shard in shards for copy in shard.copies) else "yellow"

    def used(self, node: str) -> int:
        """Bytes on a node's disk."""
        return sum(shard.size for shard in self._shards.values() if node in shard.stores)

    def stores_of_unassigned(self) -> tuple[str, ...]:
        """Nodes whose disk holds a store of a shard that has no active copy: what else lies about is not needed."""
        found: set[str] = set()
        for shard in self._shards.values():
            if not any(copy.active for copy in shard.copies):
                found |= shard.stores
        return tuple(sorted(found))

    def in_sync(self) -> dict[tuple[str, int], frozenset[str]]:
        """The truth that no API tells: the nodes, up or down, whose disk has every acknowledged write of a shard."""
        return {key: frozenset(shard.in_sync) for key, shard in self._shards.items() if not shard.fresh}

    # -- what happens to them ------------------------------------------------------------------------------------

    def create(self, index: str, number: int, *, replicas: int, size: int, expands: bool = False) -> None:
        """A new, empty shard. `expands`: replicas come and go with the nodes (`auto_expand_replicas: 0-all`)."""
        copies = [HeldCopy(primary=True), *(HeldCopy(primary=False) for _ in range(replicas))]
        self._shards[(index, number)] = HeldShard(index, number, size, copies, expands=expands)

    def set_replicas(self, index: str, replicas: int) -> None:
        """Copies that stand nowhere go first."""
        for shard in self._shards.values():
            if shard.index != index:
                continue
            while len(shard.copies) <= replicas:
                shard.copies.append(HeldCopy(primary=False, reason="REPLICA_ADDED"))
            while len(shard.copies) > replicas + 1:
                rest = [copy for copy in shard.copies if not copy.primary]
                first = min(rest, key=lambda copy: (copy.active, copy.node or ""))
                shard.copies.remove(first)
                shard.in_sync.discard(first.node or "")

    def expanding(self) -> frozenset[str]:
        """Indices whose replicas come and go with the nodes."""
        return frozenset(shard.index for shard in self._shards.values() if shard.expands)

    def node_left(self, node: str, now: float, nodes: Mapping[str, Machine]) -> None:
        """Its copies are unassigned, its disk keeps them; a started replica is promoted: one on the newest version."""
        for shard in self._shards.values():
            for copy in shard.copies:
                self._left(copy, node, now)
            self._promote(shard, nodes)
            if shard.primary.active:
                shard.in_sync.discard(node)  # from the next write on, its copy is stale

    @staticmethod
    def _left(copy: HeldCopy, node: str, now: float) -> None:
        if copy.node == node:  # its relocation, if it had one, is given up as well
            copy.lose("NODE_LEFT")
            copy.unassigned_since = now
        elif copy.target == node:
            copy.state, copy.target = "STARTED", None

    @staticmethod
    def _promote(shard: HeldShard, nodes: Mapping[str, Machine]) -> None:
        if shard.primary.active:
            return
        active = [copy for copy in shard.copies if copy.active]
        heir = max(active, key=lambda copy: version(nodes[copy.node or ""].version), default=None)
        if heir is not None:
            shard.primary.primary = False
            heir.primary = True
            return
        for copy in shard.copies:  # a replica can't go on recovering without its primary
            if copy.state == "INITIALIZING" and not copy.primary:
                copy.lose("PRIMARY_FAILED")

    def disk_gone(self, node: str) -> None:
        """Its disk is gone for good."""
        for shard in self._shards.values():
            shard.in_sync.discard(node)
            shard.stores.discard(node)
            shard.exhausted.discard(node)

    def exhaust(self, index: str, number: int, node: str, nodes: Mapping[str, Machine]) -> None:
        """The copy on that node fails and isn't tried there again."""
        shard = self._shards[(index, number)]
        shard.exhausted.add(node)
        for copy in shard.copies:
            if copy.node == node:
                copy.lose("ALLOCATION_FAILED")
        self._promote(shard, nodes)
        if shard.primary.active:
            shard.in_sync.discard(node)

    def advance(self, rules: Rules, now: float) -> None:
        """Let arrive what is due, in the order of time, and let allocation go on after each arrival."""
        self._arrivals(rules, now)
        self._allocate(rules, now)
        self._arrivals(rules, now)  # what takes no time

    def _arrivals(self, rules: Rules, now: float) -> None:
        while (due := self._next(now)) is not None:
            shard, copy = due
            at = copy.ready_at
            self._arrive(shard, copy)
            self._clean(rules)
            self._allocate(rules, at)

    def _next(self, now: float) -> tuple[HeldShard, HeldCopy] | None:
        due = [
            (shard, copy)
            for shard in self._shards.values()
            for copy in shard.copies
            if copy.state in ("INITIALIZING", "RELOCATING") and copy.ready_at <= now
        ]
        return min(due, key=lambda pair: pair[1].ready_at, default=None)

    @staticmethod
    def _arrive(shard: HeldShard, copy: HeldCopy) -> None:
        here = copy.target or copy.node or ""
        if copy.state == "RELOCATING" and copy.node is not None:
            shard.in_sync.discard(copy.node)
        copy.node, copy.target, copy.state = here, None, "STARTED"
        shard.stores.add(here)
        shard.in_sync.add(here)
        shard.fresh = False

    def _clean(self, rules: Rules) -> None:
        """A node deletes what it no longer holds once every copy is active elsewhere."""
        for shard in self._shards.values():
            if all(copy.active for copy in shard.copies):
                shard.stores -= {name for name in shard.stores if name in rules.nodes} - set(shard.places())
                shard.exhausted &= shard.stores

    # -- allocation ----------------------------------------------------------------------------------------------

    def _allocate(self, rules: Rules, now: float) -> None:
        for shard in self._shards.values():
            if shard.expands:
                _expand(shard, rules)
        if rules.enabled == "none":
            return
        for shard in self._shards.values():
            if shard.primary.state == "UNASSIGNED":
                self._place_primary(rules, shard, now)
            if shard.primary.active and rules.enabled == "all":
                self._place_replicas(rules, shard, now)
        for shard in self._shards.values():
            for copy in shard.copies:
                if copy.state == "STARTED" and copy.node in rules.excluded:
                    self._move(rules, shard, copy, now)

    def _place_primary(self, rules: Rules, shard: HeldShard, now: float) -> None:
        """A new shard goes to the emptiest legal node; an old one only to an in-sync store, excluded or not."""
        if shard.fresh:
            legal = [node for node in rules.nodes.values() if not self.why_not(rules, *shard.key, None, node)]
            target = min(legal, key=lambda node: (self._count(node.name), node.name), default=None)
            if target is not None:
                shard.primary.recover(target.name, now)
            return
        homes = [name for name in sorted(shard.in_sync - shard.exhausted) if name in rules.nodes]
        free = [name for name in homes if name not in shard.places()]
        if free:
            shard.primary.recover(free[0], now)

    def _place_replicas(self, rules: Rules, shard: HeldShard, now: float) -> None:
        for copy in shard.copies:
            if copy.state != "UNASSIGNED" or copy.primary:
                continue
            legal = [node for node in rules.nodes.values() if not self.why_not(rules, *shard.key, None, node)]
            legal = [node for node in legal if self._free_hands(node.name)]
            held = [node for node in legal if node.name in shard.stores]
            if not held and now < copy.unassigned_since + self._delayed:
                continue
            target = min(held or legal, key=lambda node: (self._count(node.name), node.name), default=None)
            if target is not None:
                quick = held or math.isinf(copy.unassigned_since)  # its own store, or of a new index
                copy.recover(target.name, now if quick else now + shard.size / self.speed)

    def _move(self, rules: Rules, shard: HeldShard, copy: HeldCopy, now: float) -> None:
        if copy.node is None or not self._free_hands(copy.node):
            return
        legal = [node for node in rules.nodes.values() if not self.why_not(rules, *shard.key, copy.node, node)]
        legal = [node for node in legal if self._free_hands(node.name)]
        target = min(legal, key=lambda node: (self._count(node.name), node.name), default=None)
        if target is not None:
            copy.state, copy.target, copy.ready_at = "RELOCATING", target.name, now + shard.size / self.speed

    def reroute(self, rules: Rules, moves: Iterable[ShardMove], now: float) -> tuple[str, ...]:
        """Move commands one after the other, whatever is under way already; those that can't be, and why."""
        refused = []
        for move in moves:
            if why := self._moved(rules, move, now):
                refused.append(f"{move.index}[{move.shard}] from {move.source} to {move.target}: {why}")
        return tuple(refused)

    def _moved(self, rules: Rules, move: ShardMove, now: float) -> str:
        shard = self._shards.get((move.index, move.shard))
        found = [copy for copy in shard.copies if copy.node == move.source] if shard else []
        if shard is None or not found or found[0].state != "STARTED":
            return "the shard is not started on that node"
        if move.target not in rules.nodes:
            return "no such node"
        if why := self.why_not(rules, move.index, move.shard, move.source, rules.nodes[move.target]):
            return why
        copy = found[0]
        copy.state, copy.target, copy.ready_at = "RELOCATING", move.target, now + shard.size / self.speed
        return ""

    def delete(self, index: str) -> None:
        """An index is gone, its stores too."""
        self._shards = {key: shard for key, shard in self._shards.items() if key[0] != index}

    def why_not(self, rules: Rules, index: str, number: int, leaves: str | None, node: Machine) -> str:
        """Why a copy (that would leave a node, or is unassigned) may not go there, in the deciders' words."""
        shard = self._shards[(index, number)]
        places = shard.places()
        if node.name in rules.excluded:
            return f'node matches cluster setting [cluster.routing.allocation.exclude] filters [_name:"{node.name}"]'
        if node.name in places:
            return "a copy of this shard is already allocated to this node"
        if self._older(rules, shard, node):
            return f"cannot allocate a copy to a node with version [{node.version}] that is older than the primary's"
        if node.name in shard.exhausted:
            return "shard has exceeded the maximum number of retries"
        if self._crowded(rules, shard, leaves, node):
            return "there are too many copies of the shard allocated to nodes with attribute [zone]"
        if self._full(rules, shard, node):
            return "the node is above the watermark cluster setting"
        return ""

    @staticmethod
    def _older(rules: Rules, shard: HeldShard, node: Machine) -> bool:
        """A copy never goes to a node that is older than the node of its primary."""
        source = rules.nodes.get(shard.primary.node or "")
        return source is not None and version(node.version) < version(source.version)

    def _crowded(self, rules: Rules, shard: HeldShard, leaves: str | None, node: Machine) -> bool:
        if not rules.zones:
            return False
        ends = [copy.target or copy.node for copy in shard.copies]
        if leaves is not None:
            ends.remove(leaves)
        in_zone = sum(name is not None and name in rules.nodes and rules.nodes[name].zone == node.zone for name in ends)
        return in_zone + 1 > math.ceil(len(shard.copies) / len(rules.zones))

    def _full(self, rules: Rules, shard: HeldShard, node: Machine) -> bool:
        if not rules.threshold:
            return False
        coming = sum(
            other.size
            for other in self._shards.values()
            for copy in other.copies
            if node.name == (copy.target or (copy.node if copy.state == "INITIALIZING" else None))
            and node.name not in other.stores
        )
        used = self.used(node.name) + coming
        return used > rules.low * node.disk or used + shard.size > rules.high * node.disk

    def _count(self, node: str) -> int:
        return sum(node in shard.places() for shard in self._shards.values())

    def _free_hands(self, node: str) -> bool:
        busy = [
            copy
            for shard in self._shards.values()
            for copy in shard.copies
            if copy.state in ("INITIALIZING", "RELOCATING") and node in copy.places
        ]
        return len(busy) < CONCURRENT


def _expand(shard: HeldShard, rules: Rules) -> None:
    """As many copies as there are nodes that may hold one; a copy that stands on none of them goes first."""
    eligible = set(rules.nodes) - rules.excluded
    while len(shard.copies) < len(eligible):
        shard.copies.append(HeldCopy(primary=False, reason="REPLICA_ADDED"))
    while len(shard.copies) > max(1, len(eligible)):
        replicas = [copy for copy in shard.copies if not copy.primary]
        first = min(replicas, key=lambda copy: (copy.node in eligible, copy.node or ""))
        shard.copies.remove(first)
        shard.in_sync.discard(first.node or "")
