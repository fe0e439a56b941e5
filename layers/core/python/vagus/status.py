"""How a cluster is and what Vagus does there, as data: what `vagus status` shows, what the sweep notes each minute, and
what figures, alarms and the dashboard are made of. Pure; nothing here does I/O.

Names of clusters, zones, nodes, shards' counts: no document, no secret, no patient data.
"""

from typing import Any, Literal

import msgspec

from vagus.group_safety import Violation

SKEW, SNAPSHOT = "byte skew", "last snapshot"
REPORT = "its agent's last report"
CERTIFICATE, LIFE = "first certificate to end", "least life left of a certificate"
"""Titles of lines that are figures too."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a capability, or a watch of its own, adds to a cluster's status: byte skew, the last snapshot, the
    end of a certificate. `of`: the zone or node that it is about; empty: the cluster. `wrong`: a person should look.
    `number`: what it says, for a figure: percent, or a moment (epoch seconds)."""

    title: str
    says: str
    of: str = ""
    wrong: bool = False
    number: float | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster at one look. `excluded_by_us`: nodes whose exclusion bears our mark. `unseen`: why there was none."""

    status: str = ""
    nodes: int = 0
    shards: int = 0
    unassigned: int = 0
    excluded_by_us: tuple[str, ...] = ()
    excluded_by_hand: tuple[str, ...] = ()
    unseen: str = ""


class NodeShown(msgspec.Struct, frozen=True, kw_only=True):
    """A node, or an instance whose node is not in the cluster (`version` is then empty).

    `lifecycle`: Auto Scaling's word for its instance; empty where no group has it. `disk` and `heap`: percent used,
    `None` where the node does not tell. `bytes`: of the shards on it. `event`: what intake took of it last.
    """

    name: str
    zone: str
    lifecycle: str = ""
    version: str = ""
    roles: tuple[str, ...] = ()
    manages: bool = False
    shards: int = 0
    bytes: int = 0
    disk: int | None = None
    heap: int | None = None
    event: str = ""


class ZoneShown(msgspec.Struct, frozen=True, kw_only=True):
    """A declared zone: its nodes in the cluster, and what the data nodes among them hold. `disk`: percent used of all
    their disks together."""

    zone: str
    nodes: int
    shards: int
    bytes: int
    disk: int | None = None


class GroupShown(msgspec.Struct, frozen=True, kw_only=True):
    """An Auto Scaling group. `leaving`: instance ids with Auto Scaling's own word. `declared`: its size in the file."""

    name: str
    zone: str
    desired: int
    declared: int
    in_service: int
    leaving: dict[str, str]
    unprotected: bool
    suspended: tuple[str, ...] = ()


class HookShown(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that a terminate hook holds. `since` ISO 8601; `seconds_left`: until AWS ends any wait. Both are
    empty (`None`) where AWS does not tell."""

    instance: str
    since: str = ""
    seconds_left: int | None = None


class IntentShown(msgspec.Struct, frozen=True, kw_only=True):
    """An open intent. Times are ISO 8601. `late`: its deadline has passed."""

    id: str
    kind: str
    capability: str
    source: str
    opened: str
    deadline: str = ""
    late: bool = False


class LeaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """A lease in force: which execution has been writing to this concern, for how many seconds without a pause."""

    concern: str
    holder: str
    seconds: int


class CapabilityShown(msgspec.Struct, frozen=True, kw_only=True):
    """A capability on a cluster: its head row, and the plan that was noted last. `link`: its run in the console;
    `paused`: by whom, since when and why; `approvals`: those in force, in a sentence each. `blocks`: what keeps it from
    going on; `unblocks`: who can do what about it."""

    name: str
    mode: str
    state: str
    since: str
    execution: str
    link: str
    paused_by: str
    paused: str
    approvals: tuple[str, ...]
    last_end: str
    message: str
    plan: dict[str, Any]
    blocks: str = ""
    unblocks: str = ""


class SafetyShown(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: when the sweep examined the groups last; empty before the first time, at most an hour after a deploy.
    `fault`: why it could not."""

    at: str = ""
    violations: tuple[Violation, ...] = ()
    fault: str = ""


Seen = Literal["now", "by the sweep"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of one cluster, as it was `at` (ISO 8601).

    `seen`: who looked at the cluster itself. A workstation outside the VPC shows what the sweep saw, and
    `not_from_here` says why. `wrong_cluster`: the UUID that answers in place of the noted one. `fault`: what could not
    be read; the rest is then empty.
    """

    cluster: str
    cell: str
    engine: str
    declared_nodes: int
    placement: str = "ec2"
    at: str = ""
    seen: Seen = "now"
    not_from_here: str = ""
    uuid: str = ""
    wrong_cluster: str = ""
    health: Health = Health()
    zones: tuple[ZoneShown, ...] = ()
    nodes: tuple[NodeShown, ...] = ()
    groups: tuple[GroupShown, ...] = ()
    safety: SafetyShown = SafetyShown()
    hooks: tuple[HookShown, ...] = ()
    intents: tuple[IntentShown, ...] = ()
    leases: tuple[LeaseShown, ...] = ()
    capabilities: tuple[CapabilityShown, ...] = ()
    lines: tuple[Shown, ...] = ()
    fault: str = ""


def needs_a_person(status: Status) -> bool:
    """Whether something stands there that only a person can change."""
    stopped = any(one.state == "paused" or one.plan.get("kind") in ("Ask", "Blocked") for one in status.capabilities)
    wrong = status.wrong_cluster or any(one.wrong for one in status.lines) or any(one.late for one in status.intents)
    return bool(status.fault or status.health.unseen or status.safety.violations or wrong) or stopped
