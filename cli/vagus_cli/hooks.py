"""Terminate hooks that wait: since when, and when each would end if nobody kept it.

AWS tells neither start nor expiry of a waiting hook: the start is read from the scaling activity, heartbeats from our
own records, which the keeper writes after it sent them.
"""

from collections.abc import Mapping

import msgspec

from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.instances import Group, Instance
from vagus.ports import GroupsRead, Table
from vagus.procedure import records
from vagus.procedure.records import iso
from vagus.steps import Heartbeat, kind

HEARTBEAT_SECONDS = 3600.0
"""HeartbeatTimeout of our hooks."""
LONGEST_SECONDS = 48 * 3600.0
"""AWS ends a wait after 48 hours, whatever heartbeats come."""
DAY = 86_400.0


class OpenHook(msgspec.Struct, frozen=True, kw_only=True):
    """One. Times are ISO 8601, empty where nobody can tell. `then`: what AWS does with the instance at the end."""

    instance: str
    group: str
    hook: str
    since: str
    last_heartbeat: str
    ends_unkept: str
    ends_at_latest: str
    then: str

    @property
    def sentence(self) -> str:
        """For a person."""
        kept = f", last kept at {self.last_heartbeat}" if self.last_heartbeat else ""
        ends = f"; without heartbeats it ends at {self.ends_unkept}, at the latest at {self.ends_at_latest}"
        return (
            f"{self.instance} waits since {self.since or 'nobody knows when'}{kept}"
            f"{ends if self.ends_unkept else ''}: then it is {self.then}"
        )


def open_hooks(groups: GroupsRead, spec: ClusterSpec, kept: Mapping[str, float]) -> tuple[OpenHook, ...]:
    """Of one cluster. `kept`: instance to its last heartbeat (epoch seconds)."""
    if not spec.reached:
        return ()
    return tuple(
        _open(groups, group, instance, kept.get(instance.id))
        for group in groups.describe([spec.name])
        for instance in group.instances
        if instance.waits_to_leave
    )


def heartbeats(table: Table, cluster: str, now: float) -> dict[str, float]:
    """Each instance's last heartbeat of today and yesterday; none where records can't be read."""
    try:
        found = [one for day in (now - DAY, now) for one in records.read(table, cluster, iso(day)[:10])]
    except VagusError:
        return {}
    return {one.subject: records.epoch(one.at) for one in found if one.step == kind(Heartbeat)}


def _open(groups: GroupsRead, group: Group, instance: Instance, kept: float | None) -> OpenHook:
    began = groups.waiting_since(group.name, instance.id)
    since = None if began is None else began.timestamp()
    last = max((at for at in (since, kept) if at is not None), default=None)
    return OpenHook(
        instance=instance.id,
        group=group.name,
        hook=group.hook or "",
        since=_shown(since),
        last_heartbeat=_shown(kept),
        ends_unkept=_shown(last, HEARTBEAT_SECONDS),
        ends_at_latest=_shown(since, LONGEST_SECONDS),
        then="ENDED, with its data: the group does not retain"
        if group.unprotected
        else "retained, and nothing is lost",
    )


def _shown(at: float | None, more: float = 0.0) -> str:
    return "" if at is None else iso(at + more)
