"""The layout while moves are tried on it: numbers instead of names, so that a hundred thousand copies stay cheap.

A move counts at its target at once. Its source keeps the bytes, and counts as a holder of the shard, until `landed`:
that is how the engine sees a relocation under way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import compress
from operator import ne

from vagus.cluster import Copy
from vagus.zone_balance.planner.model import Layout

Leg = tuple[int, int, int]
"""(copy, from node, to node)."""


class Board:
    """All lists are indexed by node, index or copy. `at` is -1 for a copy that stands nowhere.

    A shard is named by one of its copies; `twin` leads from each copy of it to the next, in a ring (lists of lists
    would cost a tenth of the whole plan).

    Nodes and indices are numbered in the order of their names, so that nothing depends on the order of the input.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.nodes = sorted(layout.nodes, key=lambda node: node.name)
        self.copies: tuple[Copy, ...] = layout.copies
        self._number_nodes()
        self._number_copies()
        self._place()

    def _number_nodes(self) -> None:
        self.node_of = {node.name: number for number, node in enumerate(self.nodes)}
        self.data = [node.holds_data for node in self.nodes]
        self.free = [node.disk_free for node in self.nodes]

    def _number_copies(self) -> None:
        copies, node_of = self.copies, self.node_of
        self.number: list[int] = [copy.shard for copy in copies]
        self.size: list[int] = [copy.bytes for copy in copies]
        self.primary: list[bool] = [copy.primary for copy in copies]
        names = [copy.index for copy in copies]
        self.names: list[str] = sorted(set(names))
        index_of = {name: number for number, name in enumerate(self.names)}
        self.index: list[int] = [index_of[name] for name in names]
        self._states: frozenset[str] = frozenset([copy.state for copy in copies])
        self.at = [node_of.get(copy.target or copy.node or "", -1) for copy in copies]
        self._ring()

    def _ring(self) -> None:
        every = range(len(self.index))
        numbers = max(self.number, default=0) + 1
        keys = [index * numbers + number for index, number in zip(self.index, self.number, strict=True)]
        first: dict[int, int] = {}
        self.shard = list(map(first.setdefault, keys, every))
        self.twin = twin = list(every)
        for copy, shard in self.followers():
            twin[copy], twin[shard] = twin[shard], copy

    def followers(self) -> Iterator[tuple[int, int]]:
        """Each copy but the first of its shard, with that shard."""
        return compress(enumerate(self.shard), map(ne, self.shard, range(len(self.shard))))

    def _place(self) -> None:
        """Everything where the look saw it."""
        self.leaving: list[tuple[int, int, int]] = []
        self._left: dict[tuple[int, int], int] = {}
        self._count_copies()
        self._count_all_primaries()
        self.frozen: set[int] = set()
        self.unassigned: list[int] = []
        if self._states != {"STARTED"} or -1 in self.at:
            for number, copy in enumerate(self.copies):
                if copy.state != "STARTED" or self.at[number] < 0:
                    self._not_started(number, copy, self.at[number])

    def _count_copies(self) -> None:
        on: list[list[int]] = [[] for _ in range(len(self.nodes) + 1)]  # the last is where -1 leads: nowhere
        places: list[list[int]] = [[] for _ in self.names]
        for number, (index, node) in enumerate(zip(self.index, self.at, strict=True)):
            on[node].append(number)
            places[index].append(node)
        size = self.size.__getitem__
        on.pop()
        self.count = [len(copies) for copies in on]
        self.load = [sum(map(size, copies)) for copies in on]
        self.on: list[dict[int, None]] = [dict.fromkeys(copies) for copies in on]
        self.holders = [_counted(nodes) for nodes in places]

    def _count_all_primaries(self) -> None:
        places: list[list[int]] = [[] for _ in self.names]
        for index, node in compress(zip(self.index, self.at, strict=True), self.primary):
            places[index].append(node)
        self.primary_holders = [_counted(nodes) for nodes in places]
        self.primaries = [0] * len(self.nodes)
        for held in self.primary_holders:
            for node, many in held.items():
                self.primaries[node] += many

    def _not_started(self, number: int, copy: Copy, node: int) -> None:
        """A shard with a copy that is not started stays as it is; what is on its way takes its room already."""
        self.frozen.update(self.copies_of(self.shard[number]))
        if node < 0:
            self.unassigned.append(number)
        elif copy.state in ("RELOCATING", "INITIALIZING"):
            self.free[node] -= copy.bytes

    def _count_primary(self, copy: int, node: int, by: int) -> None:
        self.primaries[node] += by
        held = self.primary_holders[self.index[copy]]
        held[node] = held.get(node, 0) + by

    # -- moves ---------------------------------------------------------------------------------------------------

    def move(self, copy: int, target: int) -> None:
        """Start a relocation."""
        source, size = self.at[copy], self.size[copy]
        self._transfer(copy, source, target)
        self.free[target] -= size
        left = (source, self.shard[copy])
        self.leaving.append((source, size, self.shard[copy]))
        self._left[left] = self._left.get(left, 0) + 1

    def retract(self, copy: int) -> None:
        """Take back the relocation that was started last, which is this copy's."""
        source, size, shard = self.leaving.pop()
        self._left[source, shard] -= 1
        target = self.at[copy]
        self._transfer(copy, target, source)
        self.free[target] += size

    def landed(self) -> None:
        """All that was under way has arrived: the sources are rid of it."""
        for source, size, _ in self.leaving:
            self.free[source] += size
        self.leaving.clear()
        self._left.clear()

    def apply(self, legs: Iterable[Leg]) -> None:
        """Move, and arrive."""
        for copy, _, target in legs:
            self.move(copy, target)
        self.landed()

    def unapply(self, legs: Iterable[Leg]) -> None:
        """Undo `apply`."""
        for copy, source, _ in reversed(tuple(legs)):
            self.move(copy, source)
        self.landed()

    def _transfer(self, copy: int, source: int, target: int) -> None:
        size = self.size[copy]
        self.at[copy] = target
        self.count[source] -= 1
        self.count[target] += 1
        self.load[source] -= size
        self.load[target] += size
        del self.on[source][copy]
        self.on[target][copy] = None
        held = self.holders[self.index[copy]]
        if held[source] == 1:
            del held[source]
        else:
            held[source] -= 1
        held[target] = held.get(target, 0) + 1
        if self.primary[copy]:
            self._count_primary(copy, source, -1)
            self._count_primary(copy, target, 1)

    # -- questions -----------------------------------------------------------------------------------------------

    def key(self, copy: int) -> tuple[int, int, int, int]:
        """Orders the copies of a node by size, and the same way whatever the order of the input."""
        return (self.size[copy], self.index[copy], self.number[copy], copy)

    def key_anywhere(self, copy: int) -> tuple[int, ...]:
        """Orders copies of several nodes, twins included, by size and the same way whatever the order of the input."""
        return (self.size[copy], self.index[copy], self.number[copy], self.at[copy], copy)

    def ranked(self, node: int) -> list[int]:
        """The copies on a node, smallest first; where some are of one size, as `key` has it."""
        size = self.size
        found = sorted(self.on[node], key=size.__getitem__)
        if len(set(map(size.__getitem__, found))) < len(found):
            found.sort(key=self.key)
        return found

    def copies_of(self, shard: int) -> list[int]:
        """All copies of a shard, in no order that matters."""
        found = [shard]
        while (copy := self.twin[found[-1]]) != shard:
            found.append(copy)
        return found

    def is_leaving(self, shard: int, node: int) -> bool:
        """Whether a copy of the shard is on its way off the node."""
        return self._left.get((node, shard), 0) > 0

    def primary_at(self, shard: int) -> int:
        """The node of a shard's primary; -1 where there is none."""
        return next((self.at[copy] for copy in self.copies_of(shard) if self.primary[copy]), -1)


def _counted(nodes: list[int]) -> dict[int, int]:
    """How often each node is among these; those that are nowhere (-1) aside."""
    found = dict(Counter(nodes))
    found.pop(-1, None)
    return found
