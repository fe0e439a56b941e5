"""The keeper: keeps waiting instances waiting. It can only lengthen a wait.

It obeys no mode, lease, stop, pause or approval, reads no table, no cluster and no fleet file (one that is deleted in
the middle of a drain must not end its instance), and goes on past any single failure: the fewer parts it has, the fewer
can take it down. An instance that is proven empty is let go by its procedure, which
needs no silence from the keeper (ADR 0004).
"""

from collections.abc import Callable, Collection

import msgspec

from vagus.errors import Transient
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK, Group, Instance
from vagus.ports import GroupsWrite
from vagus.steps import Heartbeat


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What one round did: heartbeats sent, and those that failed with why. Waiting instances without a hook of ours
    are `unprotected`."""

    sent: tuple[Heartbeat, ...] = ()
    failed: tuple[str, ...] = ()
    unprotected: tuple[str, ...] = ()


def due(groups: Collection[Group]) -> tuple[Heartbeat, ...]:
    """A heartbeat for each waiting instance. A hook that was not seen is tried all the same: at worst none waits."""
    return tuple(
        Heartbeat(instance=instance.id, group=group.name, hook=_hook(group, instance))
        for group in groups
        for instance in group.instances
        if instance.waits_to_leave or instance.waits_to_serve
    )


def _hook(group: Group, instance: Instance) -> str:
    return (group.hook or TERMINATE_HOOK) if instance.waits_to_leave else (group.launch_hook or LAUNCH_HOOK)


def keep(groups: GroupsWrite, note: Callable[[str, Heartbeat], None]) -> Kept:
    """One round, for every group of the cell. `note` is told of each heartbeat after it was sent; if that fails, the
    keeper still goes on. Raises only if the groups themselves can't be described."""
    described = groups.describe()
    sent: list[Heartbeat] = []
    failed: list[str] = []
    for beat in due(described):
        try:
            if _beat(groups, beat):  # else no hook waits any more
                sent.append(beat)
                note("sent", beat)
        except Exception as error:  # noqa: BLE001  (whatever one raises, the other instances must be kept)
            failed.append(f"{beat.instance}: {type(error).__name__}: {error}")
    return Kept(sent=tuple(sent), failed=tuple(failed), unprotected=_unprotected(described))


def _beat(groups: GroupsWrite, beat: Heartbeat) -> bool:
    """A heartbeat twice is harmless, so one that AWS had no time for is tried again."""
    try:
        return groups.heartbeat(beat.group, beat.hook, beat.instance)
    except Transient:
        return groups.heartbeat(beat.group, beat.hook, beat.instance)


def _unprotected(groups: Collection[Group]) -> tuple[str, ...]:
    return tuple(group.name for group in groups if group.unprotected)
