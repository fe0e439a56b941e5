"""Steps of restarts and upgrades: a node is taken in hand, restarted, given back."""

import msgspec

from vagus.intent import AllocationPrimaries, Demand
from vagus.owned import SettingsUpdate
from vagus.steps.base import Grant, OfNodes, Step
from vagus.weights import Weighing


class _OfAnUpgrade(Step, frozen=True, kw_only=True):
    """`wanted`: the version that an upgrade brings, in which case it is asked for in every mode; none for a restart."""

    intent: str
    wanted: str = ""

    @property
    def always_asked(self) -> bool:
        return bool(self.wanted)

    @property
    def version(self) -> str:
        return self.wanted


class StageEngine(_OfAnUpgrade, frozen=True, kw_only=True):
    """Have one node bring and check the new version, while it serves: an archive that nobody can start with is found
    before any node is told to bring it. `step` names the command."""

    title = "Bring and check the new version on one node"
    aws = (Grant("ssm:SendCommand", "node_command"),)
    node: str
    step: str

    @property
    def sentence(self) -> str:
        return f"have {self.node} bring and check {self.wanted}, and stop nothing"

    @property
    def subject(self) -> str:
        return self.node


class BringVersion(_OfAnUpgrade, frozen=True, kw_only=True):
    """From now on nodes that start bring the new version."""

    title = "Have nodes that start bring the new version"
    aws = (Grant("ssm:PutParameter", "node_version"),)

    @property
    def sentence(self) -> str:
        return f"have nodes that start bring {self.wanted}"

    @property
    def subject(self) -> str:
        return self.wanted


class KeepReplicas(_OfAnUpgrade, frozen=True, kw_only=True):
    """Take the next nodes in hand: no replica is allocated anew, and no search sent to their zone, while they are away
    for a moment. `weighing`: how searches are led away; `None`: they are not (or already)."""

    title = "Keep replicas where they are"
    search = ("cluster:admin/settings/update", "cluster:admin/routing/awareness/weights/put")
    nodes: tuple[str, ...]
    update: SettingsUpdate
    demands: tuple[Demand, ...] = (AllocationPrimaries(),)
    weighing: Weighing | None = None

    @property
    def sentence(self) -> str:
        led = ", and ask that searches go to other zones," if self.weighing else ""
        return f"keep replicas where they are{led} while {', '.join(self.nodes)} restarts"

    @property
    def subject(self) -> str:
        return ",".join(self.nodes)


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A node's process as it was decided on: `started` in epoch milliseconds; `step` names the restart of it."""

    node: str
    ephemeral_id: str
    started: int
    step: str


class RestartNodes(_OfAnUpgrade, frozen=True, kw_only=True):
    """Flush, then restart the search process of the nodes in hand; each start brings the version that is told."""

    title = "Flush, and restart the nodes"
    aws = (Grant("ssm:SendCommand", "node_command"),)
    search = ("indices:admin/flush*",)
    processes: tuple[Process, ...]

    @property
    def sentence(self) -> str:
        names = ", ".join(one.node for one in self.processes)
        return f"restart {names}" + (f" with {self.wanted}" if self.wanted else "")

    @property
    def subject(self) -> str:
        return ",".join(one.node for one in self.processes)


class LeadSearchesBack(OfNodes, frozen=True, kw_only=True):
    """Have a zone searched again once none of its nodes in hand is about to stop: what has left the cluster is asked
    for nothing before its copies are active again. `demands`: what they demand from then on; `update`: of settings,
    once no weights stand; `weighing`: `None` where none of ours do."""

    title = "Lead searches back to the zone"
    search = ("cluster:admin/settings/update", "cluster:admin/routing/awareness/weights/delete")
    protective = True
    in_every_mode = True
    intent: str
    demands: tuple[Demand, ...]
    update: SettingsUpdate
    weighing: Weighing | None

    @property
    def sentence(self) -> str:
        return f"have every zone searched again: of {', '.join(self.nodes)} none is about to stop"


class AllowAllocation(OfNodes, frozen=True, kw_only=True):
    """Give back that replicas may be allocated, and their zone searched: the nodes in hand are back, or will not be
    soon."""

    title = "Allow allocation again"
    search = ("cluster:admin/settings/update", "cluster:admin/routing/awareness/weights/delete")
    protective = True
    in_every_mode = True
    intent: str
    update: SettingsUpdate
    weighing: Weighing | None = None

    @property
    def sentence(self) -> str:
        searched = ", and every zone to be searched," if self.weighing else ""
        return f"allow replicas to be allocated again{searched} after {', '.join(self.nodes)}"
