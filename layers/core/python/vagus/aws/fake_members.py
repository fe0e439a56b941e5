"""What `FakeGroups` remembers of a group and of its instances, and how AWS shows and tells it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from vagus.group_safety import LAUNCHING, TERMINATING, GroupFacts, Hook, Machine
from vagus.instances import Group, Instance, Launch

LONGEST_HOOK = 48 * 3600.0
"""Seconds after which heartbeats no longer help (or 100 times the time-out, if that is sooner)."""


@dataclass
class FakeMember:
    """An instance in its group. Times are the clock's seconds."""

    id: str
    launched: float
    lifecycle: str = "Pending"
    changes_at: float = 0.0
    waiting_since: float | None = None
    held_since: float = 0.0
    expires: float = 0.0
    answered: bool = False
    ends_at: float | None = None
    template: str = ""
    protected: bool = False
    turns: list[tuple[float, str]] = field(default_factory=list)

    def turn(self, lifecycle: str, now: float) -> None:
        """It is in another state from now on; the ones before are kept for a description that lags."""
        self.turns.append((now, self.lifecycle))
        self.lifecycle = lifecycle

    def shown(self, at: float) -> str:
        """The state that it was in at that time."""
        return next((before for since, before in self.turns if since > at), self.lifecycle)

    def due(self, now: float) -> float | None:
        """When it changes next, if that is by now."""
        at = {
            "Pending": self.changes_at,
            "Pending:Wait": self.expires,
            "Terminating:Wait": self.expires,
            "Terminating:Proceed": self.changes_at,
        }.get(self.lifecycle)
        found = min((time for time in (at, self.ends_at) if time is not None), default=None)
        return found if found is not None and found <= now else None


@dataclass
class FakeGroup:
    """A group. `timeout` and `second_hook`: seconds that hooks last; `tries`: launches, oldest first."""

    name: str
    cluster: str
    zone: str
    roles: tuple[str, ...]
    most: int
    retains: bool
    hook: str | None
    timeout: float
    replaces: Literal["at_once", "when_gone"]
    second_hook: float
    launch_hook: str | None = None
    replaces_early: bool = False
    desired: int = 0
    refusal: str = ""
    retry_at: float | None = None
    suspended: bool = False
    also_suspended: tuple[str, ...] = ()
    template: str = "lt-1:1"
    tries: list[Launch] = field(default_factory=list)
    members: dict[str, FakeMember] = field(default_factory=dict)
    gone: list[tuple[float, FakeMember]] = field(default_factory=list)

    def counted(self) -> list[FakeMember]:
        """Members that count toward the desired size."""
        states = COUNTED if self.replaces == "at_once" else (*COUNTED, *ON_THE_WAY)
        return [one for one in self.members.values() if one.lifecycle in states]


COUNTED = ("Pending", "Pending:Wait", "InService")
ON_THE_WAY = ("Terminating:Wait", "Terminating:Proceed")


def end_try(group: FakeGroup, member: FakeMember, now: float, failure: str = "") -> None:
    """The launch of this instance has ended, well or with a failure."""
    at = next((n for n, one in enumerate(group.tries) if one.instance == member.id and one.ended is None), None)
    if at is not None:
        group.tries[at] = msgspec.structs.replace(group.tries[at], ended=now, failed=bool(failure), why=failure)


def expiry(group: FakeGroup, member: FakeMember, now: float) -> float:
    """When a hook runs out that begins, or is kept alive, now."""
    start = member.waiting_since if member.waiting_since is not None else member.held_since
    return min(now + group.timeout, start + min(LONGEST_HOOK, 100 * group.timeout))


def seen(group: FakeGroup, now: float, lag: float) -> Group:
    """The group as a description shows it, `lag` seconds late."""
    listed = [*group.members.values(), *(one for at, one in group.gone if at > now - lag)]
    instances = tuple(
        Instance(
            id=one.id,
            zone=group.zone,
            lifecycle=one.shown(now - lag),
            template=one.template,
            protected=one.protected,
        )
        for one in sorted(listed, key=lambda one: one.id)
    )
    return Group(
        name=group.name,
        cluster=group.cluster,
        zone=group.zone,
        roles=group.roles,
        desired=group.desired,
        instances=instances,
        retains=group.retains,
        hook=group.hook,
        most=group.most,
        replaces_early=group.replaces_early,
        launch_hook=group.launch_hook,
        suspended=tuple(sorted({*group.also_suspended, *(("Launch",) if group.suspended else ())})),
        template=group.template,
    )


def facts(group: FakeGroup) -> GroupFacts:
    """The group as `vagus.group_safety` judges it."""
    hook = Hook(name=group.hook or "", transition=TERMINATING, timeout=int(group.timeout), default_result="ABANDON")
    launch = Hook(name=group.launch_hook or "", transition=LAUNCHING, timeout=3600, default_result="CONTINUE")
    made = ("its launch template", *(f"instance {name}" for name in sorted(group.members)))
    return GroupFacts(
        name=group.name,
        zones=(group.zone,),
        roles=group.roles,
        health_checks=("EC2",),
        hooks=((hook,) if group.hook else ()) + ((launch,) if group.launch_hook else ()),
        retains=group.retains,
        healthy=(100, 200),
        machines=tuple(
            Machine(what=what, spot=False, tokens_required=True, kept_volumes=("/dev/sdf",)) for what in made
        ),
    )


def event(detail_type: str, group: FakeGroup, member: FakeMember, now: float, number: int) -> dict[str, Any]:
    """As EventBridge has it: the envelope, and the fields of Auto Scaling's own detail."""
    detail: dict[str, Any] = {"AutoScalingGroupName": group.name, "EC2InstanceId": member.id}
    if detail_type.endswith("Lifecycle Action"):
        comes = "launch" in detail_type
        detail |= {
            "LifecycleActionToken": f"token-{member.id}",
            "LifecycleHookName": group.launch_hook if comes else group.hook,
            "LifecycleTransition": LAUNCHING if comes else TERMINATING,
        }
    return {
        "version": "0",
        "id": f"event-{number}",
        "detail-type": detail_type,
        "source": "aws.autoscaling",
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "detail": detail,
    }
