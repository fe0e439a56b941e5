"""Where to launch, whom to take: pure choices over the members of a group."""

from collections import Counter
from collections.abc import Iterable

from vagus_local.emulator.autoscaling.model import Member


def emptiest_zone(zones: list[str], members: Iterable[Member]) -> str:
    """The zone with the fewest counted members; among equals the one named first."""
    count = Counter(m.zone for m in members if m.counted)
    return min(zones, key=lambda zone: count[zone])


def victims(members: Iterable[Member], number: int, policies: list[str]) -> list[Member]:
    """Whom scale-in takes, one after the other from the fullest zone. Protected members are never taken."""
    left, taken = [m for m in members if m.counted], []
    for _ in range(number):
        free = [m for m in left if m.state == "InService" and not m.protected]
        if not free:
            break
        count = Counter(m.zone for m in left)
        fullest = max(count[m.zone] for m in free)
        chosen = _by_policy([m for m in free if count[m.zone] == fullest], policies)
        left.remove(chosen)
        taken.append(chosen)
    return taken


def _by_policy(members: list[Member], policies: list[str]) -> Member:
    policy = policies[0] if policies else "Default"
    if policy == "NewestInstance":
        return max(members, key=lambda m: m.launched)
    if policy == "OldestInstance":
        return min(members, key=lambda m: m.launched)
    return min(members, key=lambda m: (m.template_version, m.launched))  # Default, OldestLaunchTemplate


def imbalance(zones: list[str], members: Iterable[Member]) -> str | None:
    """The zone that AZRebalance would take one from: it has at least two more than the emptiest."""
    count = Counter(m.zone for m in members if m.counted)
    if not zones or not count:
        return None
    fullest = max(zones, key=lambda zone: count[zone])
    return fullest if count[fullest] - min(count[zone] for zone in zones) > 1 else None
