"""Instance refresh: every member of a group is replaced, as fast as launches and terminations let it.

What AWS does, with MinHealthyPercentage 100: it launches up to MaxHealthyPercentage of the desired size (200: as many
again), takes an old instance out for each new one that has come into service, and looks for more to replace. A launch
hook holds back the new ones, and so the refresh; a terminate hook holds the old ones only, which no longer count.

Instances that are protected from scale-in are waited for (`Wait`), left as they are (`Ignore`) or replaced (`Refresh`).

Simplified: no checkpoints, no skip matching, no roll-back, no warm-up, no MinHealthyPercentage below 100 (refused).
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from vagus_local.emulator.autoscaling import lifecycle, model
from vagus_local.emulator.autoscaling.model import Group, Member
from vagus_local.emulator.autoscaling.query import Refusal, invalid

Protected = Literal["Wait", "Ignore", "Refresh"]


@dataclass
class Refresh:
    """One refresh. `old`: the instances that it began with. `healthy`: the most, in percent of the desired size."""

    old: tuple[str, ...]
    healthy: int
    protected: Protected
    started: datetime = field(default_factory=model.now)
    ended: datetime | None = None
    status: str = "InProgress"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


def start(group: Group, preferences: dict[str, Any]) -> Refresh:
    """Begin. One at a time per group."""
    if _current(group) is not None:
        raise Refusal("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the request.")
    policy = group.extra.get("InstanceMaintenancePolicy") or {}
    least = int(preferences.get("MinHealthyPercentage", policy.get("MinHealthyPercentage", 90)))
    most = int(preferences.get("MaxHealthyPercentage", policy.get("MaxHealthyPercentage", 100)))
    if least < 100 or most <= 100:
        raise invalid("The local stack knows instance refreshes that launch first (100 % at least, more at most).")
    found = Refresh(tuple(group.members), most, preferences.get("ScaleInProtectedInstances", "Ignore"))
    group.refreshes.insert(0, found)
    lifecycle.reconcile(group)
    return found


def cancel(group: Group) -> Refresh:
    """What is under way is not rolled back: nothing more is begun."""
    found = _current(group)
    if found is None:
        raise Refusal("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
    found.status, found.ended = "Cancelled", model.now()
    return found


def go_on(group: Group) -> None:
    """Called whenever the group changes: launch what may be launched beside what is to be replaced."""
    found = _current(group)
    if found is None or "InstanceRefresh" in group.suspended:
        return
    wanted = [m for m in _left(group, found) if not (m.protected and found.protected == "Ignore")]
    if not wanted:
        found.status, found.ended = "Successful", model.now()
        return
    room = max(1, group.desired * (found.healthy - 100) // 100)
    coming = sum(1 for member in group.members.values() if member.replaces)
    free = [m for m in wanted if not _being_replaced(group, m) and not (m.protected and found.protected == "Wait")]
    for member in free[: max(0, room - coming)]:
        if lifecycle.launch(group, "an instance was launched in response to an instance refresh.", member) is None:
            lifecycle.try_later(group)
            return


def percentage(group: Group, of: Refresh) -> int:
    """How much of it is done."""
    return 100 if not of.old else 100 * (len(of.old) - len(_left(group, of))) // len(of.old)


def left(group: Group, of: Refresh) -> int:
    """How many instances are still to be replaced."""
    return len(_left(group, of))


def _current(group: Group) -> Refresh | None:
    return next((one for one in group.refreshes if one.status == "InProgress"), None)


def _left(group: Group, of: Refresh) -> list[Member]:
    """Those that it began with and that still count: one that waits in its terminate hook no longer does."""
    return [member for name, member in group.members.items() if name in of.old and member.counted]


def _being_replaced(group: Group, old: Member) -> bool:
    return any(member.replaces == old.instance for member in group.members.values())
