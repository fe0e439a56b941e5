"""How long a replacement of the authority takes with ten times as many nodes, in the seconds of played nodes.

A node shows what it took up after the engine's five seconds between two looks at its files. The calls of AWS take no
time here; declared clients, whom a person acknowledges, there are none.
"""

from dataclasses import dataclass

from cryptography import x509
from tests.unit.certificates.world import PlayedNode, World

from benchmarks.figure import Figure, against
from vagus.handshake import Handshake

FEW, MANY = 10, 100
"""Nodes in each of three zones."""
LOOKS_EVERY = 5.0
"""Seconds between two looks of the engine at its files."""


@dataclass(frozen=True)
class Before:
    """What a node shows until it has read its files anew."""

    until: float
    shown: Handshake


class Lagging(World):
    """Nodes that show a moment later what they took up."""

    def __init__(self, per_zone: int) -> None:
        super().__init__(per_zone=per_zone)
        self._before: dict[tuple[str, int], Before] = {}
        self._trusted: list[x509.Name] = []

    def install_trust(self, instance: str) -> bool:
        for port in (9200, 9300):
            shown = super()._shown(instance, self.nodes[instance], port, self._trusted)
            self._before[instance, port] = Before(self.now + LOOKS_EVERY, shown)
        return super().install_trust(instance)

    def check(self) -> None:
        """Everybody against everybody is the tests' matter, and takes its square of time."""

    def _shown(self, instance: str, node: PlayedNode, port: int, trusted: list[x509.Name]) -> Handshake:
        self._trusted = trusted
        before = self._before.get((instance, port))
        if before is not None and self.now < before.until and before.shown.answered:
            return before.shown
        return super()._shown(instance, node, port, trusted)


def figures() -> list[Figure]:
    """Seconds that pass between the wish and the end."""
    few, many = seconds(FEW), seconds(MANY)
    name = f"an authority replaced on {3 * MANY} nodes, against {3 * FEW}"
    return [against(name, many, few, "s", MANY / FEW)]


def seconds(per_zone: int) -> float:
    """Of one replacement, on so many nodes in each zone."""
    world = Lagging(per_zone).known()
    world.now += LOOKS_EVERY
    began = world.now
    world.rotate().run()
    if world.trust.generations != (2,):
        raise AssertionError(f"the authority was not replaced: {world.trust.generations}")
    return world.now - began
