"""Auto Scaling groups and their instances as AWS describes them: frozen data, made by `vagus.aws`."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Zone = str

TERMINATE_HOOK = "vagus-terminate"
"""The name of the hook that our templates put on each group."""
LAUNCH_HOOK = "vagus-launch"
"""The name of the other: it holds a launch until the node has joined and the cluster is whole."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a group. `lifecycle` is Auto Scaling's own word, such as `Terminating:Wait`. `template`: what it was
    launched from, as `lt-0abc:3` ("": AWS does not say). `protected`: somebody protects it from scale-in."""

    id: str
    zone: Zone
    lifecycle: str
    healthy: bool = True
    template: str = ""
    protected: bool = False

    @property
    def waits_to_leave(self) -> bool:
        """A terminate hook holds it: it can be outlived, not refused."""
        return self.lifecycle == "Terminating:Wait"

    @property
    def retained(self) -> bool:
        """Its hook ended with ABANDON and the group kept it: billed, replaced, ours to end."""
        return self.lifecycle == "Terminating:Retained"

    @property
    def leaving(self) -> bool:
        """It goes, or would go, as soon as its data is safe."""
        return self.waits_to_leave or self.retained

    @property
    def launching(self) -> bool:
        """It comes: launched, and not in service yet. Its node may be in the cluster, with shards, all the same."""
        return self.lifecycle.startswith("Pending")

    @property
    def waits_to_serve(self) -> bool:
        """A launch hook holds it."""
        return self.lifecycle == "Pending:Wait"

    @property
    def stays(self) -> bool:
        """It serves, or a person has set it aside: nothing takes it away."""
        return self.lifecycle in ("InService", "Standby", "EnteringStandby")

    @property
    def let_go(self) -> bool:
        """Nothing holds it any more: its node may vanish at any moment, and nothing may lean on it."""
        return self.lifecycle.startswith(("Terminat", "Detach")) and not self.leaving


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One try to launch an instance, as Auto Scaling's activities tell it. Times are epoch seconds.

    `instance` is empty where EC2 gave none. `ended` is `None` while it is under way: a launch hook may hold it.
    `failed`: EC2 could not, or the launch hook was answered with ABANDON. `why`: Auto Scaling's own words.
    """

    instance: str
    started: float
    ended: float | None = None
    failed: bool = False
    why: str = ""


class Suspended(msgspec.Struct, frozen=True, kw_only=True):
    """The mark that we suspended launching in a group: `at` when it was made, `done` when the process was suspended
    (`None`: it may be, or not). ISO 8601. `times`: how often in a row, with no launch in between that succeeded."""

    at: str
    why: str = ""
    done: str | None = None
    times: int = 1


class TriedAgain(msgspec.Struct, frozen=True, kw_only=True):
    """When a suspension of ours was over by itself (ISO 8601), and the how manieth in a row it was."""

    at: str
    times: int


class Launches(msgspec.Struct, frozen=True, kw_only=True):
    """The row of what is ours of a cluster's launches. `marks`: by group. `forgiven`: a group's failures before this
    time no longer count, for a person said so. `answered`: when we last answered an instance's launch hook, which AWS
    shows late. `joined`: when the node of an instance that still comes was first seen in the cluster. ISO 8601.
    `again`: groups that were let launch again, of which nobody knows yet whether they do."""

    marks: Mapping[str, Suspended] = {}
    again: Mapping[str, TriedAgain] = {}
    forgiven: Mapping[str, str] = {}
    answered: Mapping[str, str] = {}
    joined: Mapping[str, str] = {}


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """An Auto Scaling group of a declared cluster. `retains`: whether an abandoned terminate hook retains. `least` and
    `most`: its bounds. `replaces_early`: whether it launches a replacement when EC2 recommends a rebalance.
    `template`: what it launches from, as an instance's; "" where that is no number (`$Latest`, `$Default`), or differs
    from instance to instance."""

    name: str
    cluster: str
    zone: Zone
    roles: tuple[str, ...]
    desired: int
    instances: tuple[Instance, ...]
    retains: bool
    hook: str | None = TERMINATE_HOOK
    launch_hook: str | None = LAUNCH_HOOK
    suspended: tuple[str, ...] = ()
    mode: Literal["declared", "adopted"] = "declared"
    least: int = 0
    most: int = 10_000
    replaces_early: bool = False
    template: str = ""

    def behind(self, instance: Instance) -> bool:
        """Whether a member was launched from something else than the group launches from now; not where one of both
        is unknown."""
        return bool(self.template and instance.template) and instance.template != self.template

    def allows(self, size: int) -> bool:
        """Whether Auto Scaling takes that as its desired size."""
        return self.least <= size <= self.most

    @property
    def short(self) -> bool:
        """Fewer instances serve, or come, than are asked for: one is being replaced, or none can be launched."""
        return sum(one.launching or one.lifecycle == "InService" for one in self.instances) < self.desired

    @property
    def unprotected(self) -> bool:
        """An ABANDON, or a hook that runs out, would end the instance with its data."""
        return not self.retains or self.hook is None


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """What EC2 says of one instance that asks for a certificate. `cell` and `cluster` are its tags, "" without one."""

    instance: str
    state: str
    addresses: tuple[str, ...]
    cell: str
    cluster: str
