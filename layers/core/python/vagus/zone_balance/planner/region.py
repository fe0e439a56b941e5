"""Nodes whose weights the engine compares, with what the band needs to know of them."""

from collections.abc import Iterable


class Region:
    """Nodes that are compared with each other. `low` and `high`: their counts; `spread`: widest n_ia - n_ib."""

    def __init__(self, nodes: Iterable[int], count: list[int]) -> None:
        self.nodes = sorted(nodes)
        self.members = frozenset(self.nodes)
        self.many: dict[int, int] = {}
        for node in self.nodes:
            self.many[count[node]] = self.many.get(count[node], 0) + 1
        self.low = min(self.many, default=0)
        self.high = max(self.many, default=0)
        self.spread = 1
        self.ordered: list[int] | None = None

    def recount(self, old: int, new: int) -> None:
        """A node of it has `new` copies instead of `old`."""
        self.ordered = None
        self.many[old] -= 1
        if not self.many[old]:
            del self.many[old]
        self.many[new] = self.many.get(new, 0) + 1
        if new < self.low or old == self.low:
            self.low = min(self.many)
        if new > self.high or old == self.high:
            self.high = max(self.many)
