"""Last: primaries even across zones, where a legal exchange of a primary for a replica of near size allows it.

A primary can't be made a replica in place, and where each zone holds a copy of every shard no copy may change zones:
then nothing is done. A zone's fair part of the primaries goes by its copies.
"""

from collections.abc import Iterator

from vagus.zone_balance.planner.board import Leg
from vagus.zone_balance.planner.desk import Desk
from vagus.zone_balance.planner.level import best_first

PRIMARIES = 64
PARTNERS = 8
"""How many primaries of a zone, smallest first, and partners for each, are tried for one exchange."""

Zones = dict[str, list[int]]


def even_primaries(desk: Desk) -> None:
    """Exchange until no zone has too many primaries, or none can give any."""
    for zones in tiers(desk):
        while (pair := uneven(desk, zones)) and _exchange(desk, zones[pair[0]], zones[pair[1]]):
            pass


def tiers(desk: Desk) -> list[Zones]:
    """The open nodes by zone, for each tier."""
    found: dict[str, Zones] = {}
    for (zone, tier), nodes in sorted(desk.groups.items()):
        found.setdefault(tier, {})[zone] = nodes
    return [zones for _, zones in sorted(found.items())]


def uneven(desk: Desk, zones: Zones) -> tuple[str, str] | None:
    """The zones with most and fewest primaries beyond their fair part, if they differ by more than the policy's skew.

    A difference of one primary each way can't be evened.
    """
    board = desk.board
    copies = {zone: sum(board.count[node] for node in nodes) for zone, nodes in zones.items()}
    primaries = {zone: sum(board.primaries[node] for node in nodes) for zone, nodes in zones.items()}
    every = sum(copies.values())
    if len(zones) < 2 or not every:
        return None
    fair = {zone: sum(primaries.values()) * copies[zone] / every for zone in zones}
    over = {zone: primaries[zone] - fair[zone] for zone in zones}
    most = max(sorted(over), key=lambda zone: over[zone])
    least = min(sorted(over), key=lambda zone: over[zone])
    if over[most] - over[least] < 2 or over[most] <= desk.policy.skew * fair[most]:
        return None
    return most, least


def _exchange(desk: Desk, rich: list[int], poor: list[int]) -> bool:
    board = desk.board
    giving = sorted(board.key_anywhere(copy) for node in rich for copy in board.on[node] if board.primary[copy])
    replicas = sorted(board.key_anywhere(copy) for node in poor for copy in board.on[node] if not board.primary[copy])
    for key in giving[:PRIMARIES]:
        for partner in best_first(replicas, key[0], PARTNERS):
            there, back = _legs(desk, key[-1], partner[-1])
            if not desk.keeps_bytes(there, back):
                continue
            if _taken(desk, there, back) or _taken(desk, back, there):
                return True
    return False


def _taken(desk: Desk, *legs: Leg) -> bool:
    """Take an exchange, unless it crowds an index: what was spread for robustness' sake would be undone, and redone at
    every look."""
    crowding = [
        index for copy, source, target in legs if _crowds(desk, index := desk.board.index[copy], source, target)
    ]
    if not desk.attempt("primaries", *legs):
        return False
    if all(desk.engine.spread(index) <= desk.engine.widest for index in crowding):
        return True
    desk.untake(legs)
    desk.units.pop()
    return False


def _crowds(desk: Desk, index: int, source: int, target: int) -> bool:
    """Whether a move would make the copies of an index less even between these two nodes."""
    held = desk.board.holders[index]
    return held.get(target, 0) >= held.get(source, 0)


def _legs(desk: Desk, primary: int, replica: int) -> tuple[Leg, Leg]:
    here, there = desk.board.at[primary], desk.board.at[replica]
    return (primary, here, there), (replica, there, here)


def in_each(desk: Desk) -> Iterator[tuple[str, str]]:
    """Each pair of zones that still differ."""
    for zones in tiers(desk):
        if pair := uneven(desk, zones):
            yield pair
