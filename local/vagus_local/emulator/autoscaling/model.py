"""Groups, their members, hooks and activities. Mutable on purpose: the state of a service, guarded by `lock`."""

import datetime
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from ministack.core import responses

type LifecycleState = Literal[
    "Pending",
    "Pending:Wait",
    "Pending:Proceed",
    "InService",
    "Terminating",
    "Terminating:Wait",
    "Terminating:Proceed",
    "Terminating:Retained",
    "Standby",
]
type Result = Literal["CONTINUE", "ABANDON"]

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)

lock = threading.RLock()
"""Held around every read or change of the store: requests, timers and state changes of instances come in threads."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Hook:
    """A lifecycle hook; `timeout` in seconds, unscaled."""

    name: str
    transition: str
    timeout: int = 3600
    default: Result = "ABANDON"
    metadata: str = ""
    target: str = ""
    role: str = ""

    @property
    def longest(self) -> int:
        """Seconds that heartbeats can keep an instance waiting: the smaller of 48 h and 100 times the time-out."""
        return min(48 * 3600, 100 * self.timeout)


@dataclass
class Wait:
    """One hook's wait of one instance. `started` is monotonic, for the cap."""

    hook: Hook
    started: float
    beats: int = 0
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    timer: threading.Timer | None = None


@dataclass
class Activity:
    """A scaling activity; `status` is one of AWS's ScalingActivityStatusCode."""

    description: str
    cause: str
    details: dict[str, str]
    status: str = "InProgress"
    message: str = ""
    progress: int = 0
    started: datetime.datetime = field(default_factory=now)
    ended: datetime.datetime | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def finish(self, status: str, message: str = "") -> None:
        self.status, self.message, self.progress, self.ended = status, message, 100, now()


@dataclass
class Member:
    """An instance in a group. `template_version` is the number that it was launched from."""

    instance: str
    zone: str
    subnet: str
    instance_type: str
    template: dict[str, str]
    template_version: int
    activity: Activity
    protected: bool = False
    state: LifecycleState = "Pending"
    health: Literal["Healthy", "Unhealthy"] = "Healthy"
    waits: dict[str, Wait] = field(default_factory=dict)
    replaces: str | None = None
    launched: datetime.datetime = field(default_factory=now)

    @property
    def counted(self) -> bool:
        """Whether it counts toward desired capacity."""
        return self.state == "InService" or self.state.startswith("Pending")

    @property
    def leaving(self) -> bool:
        return self.state.startswith("Terminating")


@dataclass
class Group:
    """An Auto Scaling group. `extra` is what is only kept to be shown again."""

    name: str
    arn: str
    minimum: int
    maximum: int
    desired: int
    subnets: list[str] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    template: dict[str, str] = field(default_factory=dict)
    policies: list[str] = field(default_factory=lambda: ["Default"])
    protect_new: bool = False
    retain: bool = False
    deletion_protection: str = "none"
    launch_before_terminate: bool = False
    tags: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    suspended: dict[str, str] = field(default_factory=dict)
    refreshes: list[Any] = field(default_factory=list)
    retrying: bool = False
    created: datetime.datetime = field(default_factory=now)

    def counted(self) -> list[Member]:
        return [m for m in self.members.values() if m.counted]

    def hooks_of(self, transition: str) -> list[Hook]:
        return [h for h in self.hooks.values() if h.transition == transition]

    def begin(self, description: str, cause: str, zone: str, subnet: str) -> Activity:
        """Start an activity, newest first as AWS lists them."""
        details = {"Availability Zone": zone} | ({"Subnet ID": subnet} if subnet else {})
        activity = Activity(description, cause, details)
        self.activities.insert(0, activity)
        return activity


groups = responses.AccountRegionScopedDict()
"""Group name -> Group, per account and Region of the current request."""


def find(name: str) -> Group | None:
    group: Group | None = groups.get(name)
    return group


def all_groups() -> list[Group]:
    return list(groups.values())


def group_of(instance: str) -> tuple[Group, Member] | None:
    """The group that an instance is in, and its membership."""
    for group in all_groups():
        if member := group.members.get(instance):
            return group, member
    return None
