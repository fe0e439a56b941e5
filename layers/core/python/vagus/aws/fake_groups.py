"""In-memory Auto Scaling groups with terminate hooks, as `ports.GroupsWrite` and as a world to be moved about.

    Pending -> [Pending:Wait] -> InService -> Terminating:Wait -> Terminating:Proceed -> gone
                                                               -> Terminating:Retained -> gone (by `terminate` only)

A terminate hook can't be refused: CONTINUE, ABANDON and its time-out all end it, except that ABANDON (also a time-out,
whose default it is) retains where the group's policy says so. A launch hook ends in service, also by its time-out (our
default is CONTINUE); ABANDON ends the launch as a failed one, and another is tried a while later. Time passes only as
the clock says; every call first lets happen what was due by then.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from vagus.aws.fake_members import FakeGroup, FakeMember, end_try, event, expiry, facts, seen
from vagus.errors import Refused
from vagus.group_safety import GroupFacts
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK, Group, Launch

Clock = Callable[[], float]

RELAUNCH_SECONDS = 60.0
"""Until a launch that failed is tried again: AWS backs off too."""


class FakeGroups:
    """Groups by name. `launch_seconds` and `end_seconds`: how long EC2 takes. `events`: what EventBridge was given.
    `name`: the id of the n-th instance, for a test whose nodes have ids already. `lag`: by how many seconds what
    `describe` shows is behind.

    `second_hook` (of a group): for how many seconds a hook of somebody else holds an instance after ours was answered
    with CONTINUE. AWS shows it as waiting meanwhile.

    `replaces` (of a group): whether a replacement is launched as soon as an instance begins to leave, or when it is
    gone or retained. AWS does the one or the other by policy and by cause, so that both have to be lived with.
    """

    def __init__(
        self,
        clock: Clock,
        launch_seconds: float = 0.0,
        end_seconds: float = 0.0,
        name: Callable[[int], str] = "i-{:017x}".format,
        lag: float = 0.0,
    ) -> None:
        self._clock = clock
        self._name = name
        self._launch_seconds = launch_seconds
        self._end_seconds = end_seconds
        self._lag = lag
        self._groups: dict[str, FakeGroup] = {}
        self._loose: dict[str, FakeGroup] = {}
        self._launched = 0
        self.events: list[dict[str, Any]] = []
        self.completed: list[tuple[str, str]] = []

    # -- the world's side ----------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *,
        cluster: str,
        zone: str,
        roles: Sequence[str] = ("cluster_manager", "data"),
        desired: int = 0,
        most: int = 10,
        retains: bool = True,
        hook: str | None = TERMINATE_HOOK,
        timeout: float = 3600.0,
        replaces: Literal["at_once", "when_gone"] = "at_once",
        second_hook: float = 0.0,
        replaces_early: bool = False,
        launch_hook: str | None = None,
    ) -> None:
        """A new group; its instances are launched."""
        group = FakeGroup(name, cluster, zone, tuple(roles), most, retains, hook, timeout, replaces, second_hook)
        group.replaces_early, group.launch_hook = replaces_early, launch_hook
        self._groups[name] = group
        self._resize(group, desired, self._clock())
        self.settle()

    def scale_in(self, instance: str, *, decrement: bool = True) -> None:
        """`TerminateInstanceInAutoScalingGroup`: it begins to leave; without `decrement` it is replaced."""
        self.settle()
        now = self._clock()
        group, member = self._member(instance)
        if member.lifecycle == "InService":
            group.desired -= decrement
            self._leave(group, member, now)
            self._reconcile(group, now)
        self.settle()

    def lose(self, instance: str) -> None:
        """The instance is gone at once, without any hook: hardware."""
        self.settle()
        self._loose.pop(instance, None)
        group = next((one for one in self._groups.values() if instance in one.members), None)
        if group is not None:
            self._gone(group, group.members[instance], self._clock())
            self._reconcile(group, self._clock())
        self.settle()

    def hold_launches(self, group: str, hook: str = LAUNCH_HOOK) -> None:
        """From now on each launch meets this hook."""
        self._groups[group].launch_hook = hook

    def launches_from(self, group: str, template: str) -> None:
        """From now on instances are launched from this (`lt-1:2`; "": from `$Latest`); those that run stay as they
        are."""
        self._groups[group].template = template

    def protect(self, instance: str, *, protected: bool = True) -> None:
        """A person protects an instance from scale-in, or no more."""
        self._member(instance)[1].protected = protected

    def suspend(self, group: str, *processes: str) -> None:
        """A person suspends these processes, and no other but `Launch`."""
        self._groups[group].also_suspended = processes

    def drop_hook(self, group: str) -> None:
        """A person deletes the terminate hook."""
        self._groups[group].hook = None

    def refuse_launches(self, group: str, why: str) -> None:
        """From now on EC2 can't launch in this group; "": it can again."""
        self._groups[group].refusal = why

    def detach(self, instance: str) -> None:
        """A person takes an instance out of its group: it runs on, and no hook is asked."""
        self.settle()
        group, member = self._member(instance)
        del group.members[instance]
        self._loose[instance] = group
        self._reconcile(group, self._clock())
        self.settle()
        del member

    def attach(self, instance: str, *, held: bool = False) -> None:
        """A person puts it back; the group grows by it. `held`: by the launch hook, as for `stand_by`."""
        self.settle()
        group, now = self._loose.pop(instance), self._clock()
        group.members[instance] = FakeMember(
            instance,
            launched=now,
            lifecycle="Pending" if held else "InService",
            changes_at=now,
            template=group.template,
        )
        group.desired += 1
        self.settle()

    def stand_by(self, instance: str, *, back: bool = False, held: bool = False) -> None:
        """A person sets an instance aside, or has it serve again: nobody replaces it. `held`: it meets the launch hook
        on its way back. Auto Scaling's life cycle leads it through Pending, and the documentation leaves open whether
        its hook holds it there: both are tried. No launch is told of it either way."""
        self.settle()
        group, member = self._member(instance)
        now = self._clock()
        member.turn(("Pending" if held else "InService") if back else "Standby", now)
        member.changes_at = now
        group.desired += 1 if back else -1
        self.settle()

    def settle(self) -> None:
        """Let happen what is due by now, in the order of time."""
        while (found := self._next_due(self._clock())) is not None:
            at, group, member = found
            if member is None:
                group.retry_at = None
            else:
                self._change(group, member, at)
            self._reconcile(group, at)

    def existing(self) -> dict[str, Group]:
        """Every instance that runs (retained ones too) with its group."""
        self.settle()
        found = {one.id: group for group, one in self._all() if one.lifecycle != "Pending"} | self._loose
        return {name: seen(group, self._clock(), 0.0) for name, group in found.items()}

    def expires(self, instance: str) -> float:
        """When its hook runs out. AWS tells nobody; a test may know."""
        return self._member(instance)[1].expires

    # -- the port ------------------------------------------------------------------------------------------------

    def describe(self, clusters: Sequence[str] | None = None) -> tuple[Group, ...]:
        """The groups of these clusters, or of all."""
        self.settle()
        found = (one for one in self._groups.values() if clusters is None or one.cluster in clusters)
        return tuple(seen(one, self._clock(), self._lag) for one in found)

    def of_cluster(self, cluster: str) -> tuple[GroupFacts, ...]:
        """The groups of one cluster as `vagus.group_safety` judges them: safe, but for hook, time-out and retention."""
        self.settle()
        return tuple(facts(one) for _, one in sorted(self._groups.items()) if one.cluster == cluster)

    def hooks(self, group: str) -> tuple[str | None, str | None]:
        """Our terminate hook and our launch hook."""
        found = self._groups[group]
        terminate = found.hook if found.hook == TERMINATE_HOOK else None
        return terminate, found.launch_hook if found.launch_hook == LAUNCH_HOOK else None

    def groups_of(self, instances: Sequence[str]) -> dict[str, str]:
        """The group of each of these instances that is in one."""
        self.settle()
        return {member.id: group.name for group, member in self._all() if member.id in instances}

    def waiting_since(self, group: str, instance: str) -> datetime | None:
        """When its terminating activity began."""
        self.settle()
        member = self._groups[group].members.get(instance)
        since = member.waiting_since if member else None
        return None if since is None else datetime.fromtimestamp(since, UTC)

    def launches(self, group: str, since: datetime) -> tuple[Launch, ...]:
        """Every try to launch that began since then, newest first."""
        self.settle()
        return tuple(one for one in reversed(self._groups[group].tries) if one.started >= since.timestamp())

    def complete(self, group: str, hook: str, instance: str, result: Literal["CONTINUE", "ABANDON"]) -> bool:
        """End a waiting hook. `False`: none waits."""
        found = self._waiting(group, hook, instance)
        if found is None:
            return False
        self.completed.append((instance, result))
        member = found.members[instance]
        if member.lifecycle == "Terminating:Wait":
            self._answered(found, member, result, self._clock())
        elif result == "CONTINUE":
            self._serve(found, member, self._clock())
        else:
            self._abandoned(found, member, self._clock())
        self._reconcile(found, self._clock())
        self.settle()
        return True

    def heartbeat(self, group: str, hook: str, instance: str) -> bool:
        """Start a waiting hook's time-out anew, within the cap. `False`: none waits."""
        found = self._waiting(group, hook, instance)
        if found is None:
            return False
        member = found.members[instance]
        member.expires = expiry(found, member, self._clock())
        return True

    def set_desired(self, group: str, desired: int) -> None:
        """Give a group a size within its bounds."""
        self.settle()
        if group not in self._groups or not 0 <= desired <= self._groups[group].most:
            raise Refused(f"{group}: no such group, or {desired} is outside its bounds")
        self._resize(self._groups[group], desired, self._clock())
        self.settle()

    def suspend_launching(self, group: str) -> None:
        """Suspend the process `Launch`."""
        self.settle()
        self._groups[group].suspended = True

    def resume_launching(self, group: str) -> None:
        """Resume it: what is missing is launched."""
        self.settle()
        found = self._groups[group]
        found.suspended, found.retry_at = False, None
        self._reconcile(found, self._clock())
        self.settle()

    def replace(self, instance: str) -> None:
        """End an instance through its group, which launches another."""
        if instance in self.groups_of([instance]):
            self.scale_in(instance, decrement=False)

    def terminate(self, instance: str) -> None:
        """End an instance, whatever hook waits. It takes a while; one that is gone is as good as done."""
        self.settle()
        for _, member in self._all():
            if member.id == instance and member.ends_at is None:
                member.ends_at = self._clock() + self._end_seconds
        self.settle()

    # -- how things happen ---------------------------------------------------------------------------------------

    def _next_due(self, now: float) -> tuple[float, FakeGroup, FakeMember | None] | None:
        found: list[tuple[float, FakeGroup, FakeMember | None]] = [
            (at, group, one) for group, one in self._all() if (at := one.due(now)) is not None
        ]
        found += [(at, group, None) for group in self._groups.values() if (at := group.retry_at) and at <= now]
        return min(found, key=lambda item: (item[0], item[2].id if item[2] else item[1].name), default=None)

    def _all(self) -> Iterator[tuple[FakeGroup, FakeMember]]:
        return ((group, one) for group in self._groups.values() for one in group.members.values())

    def _change(self, group: FakeGroup, member: FakeMember, at: float) -> None:
        if member.ends_at is not None and member.ends_at <= at:
            self._gone(group, member, at)
            return
        match member.lifecycle:
            case "Pending" if group.launch_hook:
                member.turn("Pending:Wait", at)
                member.held_since = at
                member.expires = expiry(group, member, at)
                self._emit("EC2 Instance-launch Lifecycle Action", group, member, at)
            case "Pending" | "Pending:Wait":
                self._serve(group, member, at)
            case "Terminating:Wait" if member.answered:
                self._proceed(member, at)
            case "Terminating:Wait":
                self._answered(group, member, "ABANDON", at)
            case _:
                self._gone(group, member, at)

    def _resize(self, group: FakeGroup, desired: int, now: float) -> None:
        group.desired = desired
        self._reconcile(group, now)

    def _reconcile(self, group: FakeGroup, now: float) -> None:
        counted = group.counted()
        if not group.suspended and group.retry_at is None:
            for _ in range(group.desired - len(counted)):
                self._launch(group, now)
        serving = sorted((one for one in counted if one.lifecycle == "InService"), key=lambda one: one.launched)
        for member in serving[: max(0, len(counted) - group.desired)]:
            self._leave(group, member, now)

    def _serve(self, group: FakeGroup, member: FakeMember, now: float) -> None:
        member.turn("InService", now)
        end_try(group, member, now)
        self._emit("EC2 Instance Launch Successful", group, member, now)

    def _abandoned(self, group: FakeGroup, member: FakeMember, now: float) -> None:
        """No terminate hook is met; another launch is tried, after a while as after any that failed."""
        why = "Lifecycle action completed with ABANDON result"
        end_try(group, member, now, why)
        self._emit("EC2 Instance Launch Unsuccessful", group, member, now)
        group.retry_at = now + RELAUNCH_SECONDS
        self._proceed(member, now)

    def _launch(self, group: FakeGroup, now: float) -> None:
        if group.refusal:
            group.tries.append(Launch(instance="", started=now, ended=now, failed=True, why=group.refusal))
            self._emit("EC2 Instance Launch Unsuccessful", group, FakeMember("", launched=now), now)
            group.retry_at = now + RELAUNCH_SECONDS
            return
        self._launched += 1
        name = self._name(self._launched)
        group.tries.append(Launch(instance=name, started=now))
        due = now + self._launch_seconds
        group.members[name] = FakeMember(name, launched=now, changes_at=due, template=group.template)

    def _leave(self, group: FakeGroup, member: FakeMember, now: float) -> None:
        member.waiting_since = now
        if group.hook is None:
            self._proceed(member, now)
            return
        member.turn("Terminating:Wait", now)
        member.expires = expiry(group, member, now)
        self._emit("EC2 Instance-terminate Lifecycle Action", group, member, now)

    def _answered(self, group: FakeGroup, member: FakeMember, result: str, now: float) -> None:
        if result == "ABANDON" and group.retains:
            member.turn("Terminating:Retained", now)
        elif result == "CONTINUE" and group.second_hook:
            member.answered, member.expires = True, now + group.second_hook
        else:
            self._proceed(member, now)

    def _proceed(self, member: FakeMember, now: float) -> None:
        member.turn("Terminating:Proceed", now)
        member.changes_at = now + self._end_seconds

    def _gone(self, group: FakeGroup, member: FakeMember, now: float) -> None:
        del group.members[member.id]
        group.gone.append((now, member))
        self._emit("EC2 Instance Terminate Successful", group, member, now)

    def _member(self, instance: str) -> tuple[FakeGroup, FakeMember]:
        return next((group, one) for group, one in self._all() if one.id == instance)

    def _waiting(self, group: str, hook: str, instance: str) -> FakeGroup | None:
        self.settle()
        found = self._groups.get(group)
        member = found.members.get(instance) if found else None
        if found is None or member is None:
            return None
        held = {"Terminating:Wait": found.hook, "Pending:Wait": found.launch_hook}.get(member.lifecycle)
        return found if held == hook and not member.answered else None

    def _emit(self, detail_type: str, group: FakeGroup, member: FakeMember, now: float) -> None:
        self.events.append(event(detail_type, group, member, now, number=len(self.events) + 1))
