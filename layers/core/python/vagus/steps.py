"""The one vocabulary of steps: everything that Vagus may ever do to AWS or to a cluster.

From a step's class are derived its state in the state machine (`title`), the role of the function that does it
(`aws`), the cluster role (`search`), and the sentence of a dry run (`sentence`). A step is *protective* (it can only
keep data or give back what is ours) or *disturbing* (held back by stop, pause and approval). A protective
one that touches nothing but what is ours is done `in_every_mode`. Doing a step twice is harmless.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from vagus.cluster import ShardMove
from vagus.intent import Intent
from vagus.owned import SettingsUpdate

Resource = Literal["group", "instance", "node_command", "node_parameters", "node_version", "state_machine", "topic"]


LEGS_TOLD = 20
"""How many moves of a wave its sentence tells."""


class Grant(msgspec.Struct, frozen=True):
    """One permission on AWS. `resource` is resolved to ARNs and tag conditions by the construct that makes the role."""

    action: str
    resource: Resource


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """One act. Subclasses are frozen data; `sentence` says to a person what will be done."""

    title: ClassVar[str]
    aws: ClassVar[tuple[Grant, ...]] = ()
    search: ClassVar[tuple[str, ...]] = ()
    protective: ClassVar[bool] = False
    in_every_mode: ClassVar[bool] = False
    of_the_frame: ClassVar[bool] = False

    @property
    def sentence(self) -> str:
        """What this step does, for a person."""
        return self.title

    @property
    def subject(self) -> str:
        """What it is done to: the node, instance or cluster that a record names."""
        return ""

    @property
    def scope(self) -> tuple[str, ...]:
        """What an approval of this step has to name: each node, instance or group that it touches."""
        return tuple(self.subject.split(",")) if self.subject else ()

    @property
    def asked_about(self) -> tuple[str, ...]:
        """What makes two questions for approval of this kind the same: a person is asked once."""
        return self.scope

    @property
    def always_asked(self) -> bool:
        """Whether a person has to approve it in mode `act` too."""
        return False

    @property
    def version(self) -> str:
        """The version that it leads to, where there is one: an approval of one version is none of another."""
        return ""

    @property
    def moves(self) -> Mapping[str, int]:
        """The bytes that it moves, by what it is done to (`scope`): an approval is of no more than these."""
        return {}


# -- cluster settings ------------------------------------------------------------------------------------------------


class ExcludeNodes(Step, frozen=True, kw_only=True):
    """Note the demands in the intents' rows, then set what they make of the cluster's settings."""

    title = "Keep shards off the leaving nodes"
    search = ("cluster:admin/settings/update",)
    intents: tuple[Intent, ...]
    nodes: tuple[str, ...]
    update: SettingsUpdate
    moves: Mapping[str, int] = {}

    @property
    def sentence(self) -> str:
        return f"exclude {', '.join(self.nodes)} from allocation, so that the shards move elsewhere"

    @property
    def subject(self) -> str:
        return ",".join(self.nodes)


class PutSettingsRight(Step, frozen=True, kw_only=True):
    """Close what is over and give the cluster back what we had set for it."""

    title = "Put the cluster's settings right"
    search = ("cluster:admin/settings/update",)
    protective = True
    in_every_mode = True
    closes: tuple[str, ...]
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        closing = f"close {', '.join(self.closes)}" if self.closes else ""
        setting = "make the allocation settings what the open intents demand, and no more" if self.update else ""
        return " and ".join(part for part in (closing, setting) if part) or "nothing"

    @property
    def subject(self) -> str:
        return ",".join(self.closes)


class ForceZones(Step, frozen=True, kw_only=True):
    """Note the zones' intent, then have the engine force copies over these zones, whatever a node's own file says."""

    title = "Force copies over the zones that are declared"
    search = ("cluster:admin/settings/update",)
    intent: Intent
    zones: tuple[str, ...]
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"force copies over {', '.join(self.zones)}: some nodes still have other zones in their configuration"

    @property
    def subject(self) -> str:
        return ",".join(self.zones)


# -- shards ----------------------------------------------------------------------------------------------------------


class RaiseBalanceThreshold(Step, frozen=True, kw_only=True):
    """Note the demand in the intent's row, then let the engine's balancer bear counts that differ by more."""

    title = "Let bytes lead where shards stand"
    search = ("cluster:admin/settings/update",)
    intent: Intent
    value: float
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"raise the engine's balance threshold to {self.value}, so that it leaves shards where the bytes fit"

    @property
    def subject(self) -> str:
        return f"balance threshold {self.value}"


class MoveShards(Step, frozen=True, kw_only=True):
    """One wave, in one request and in this order: the engine's balancer reacts between two. `undone`: how many waves
    in a row, up to this one, the engine has moved on."""

    title = "Move shards where the bytes fit"
    search = ("cluster:admin/reroute",)
    legs: tuple[ShardMove, ...]
    undone: int = 0

    @property
    def sentence(self) -> str:
        total = sum(leg.bytes for leg in self.legs)
        said = "; ".join(f"{leg.sentence}: {leg.why}" for leg in self.legs[:LEGS_TOLD])
        more = f"; and {len(self.legs) - LEGS_TOLD} more" if len(self.legs) > LEGS_TOLD else ""
        return f"move {len(self.legs)} shards, {total} bytes, in one wave: {said}{more}"

    @property
    def subject(self) -> str:
        return ",".join(self.scope)

    @property
    def scope(self) -> tuple[str, ...]:
        """The nodes that shards come to."""
        return tuple(sorted({leg.target for leg in self.legs}))

    @property
    def asked_about(self) -> tuple[str, ...]:
        """Nothing: the wave is planned anew at each look."""
        return ()

    @property
    def moves(self) -> Mapping[str, int]:
        coming = dict.fromkeys(self.scope, 0)
        for leg in self.legs:
            coming[leg.target] += leg.bytes
        return coming


# -- votes -----------------------------------------------------------------------------------------------------------


class TakeVote(Step, frozen=True, kw_only=True):
    """Mark, then exclude a leaving manager from voting: what is elected and decided no longer waits for it."""

    title = "Take the leaving manager's vote"
    search = ("cluster:admin/settings/update", "cluster:admin/voting_config/add_exclusions")
    node: str

    @property
    def sentence(self) -> str:
        return f"take the vote of {self.node}, so that the others decide without it"

    @property
    def subject(self) -> str:
        return self.node


class GiveVotesBack(Step, frozen=True, kw_only=True):
    """Clear the voting exclusion that is ours, then its mark."""

    title = "Clear the voting exclusion that is over"
    search = ("cluster:admin/settings/update", "cluster:admin/voting_config/clear_exclusions")
    protective = True
    in_every_mode = True
    nodes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"clear the voting exclusion of {', '.join(self.nodes)}: it is no longer needed"

    @property
    def subject(self) -> str:
        return ",".join(self.nodes)


# -- instances that EC2 takes away by itself ---------------------------------------------------------------------------


class SaveLastCopies(Step, frozen=True, kw_only=True):
    """Flush what an instance holds that EC2 takes back within minutes, and move what has no other started copy.

    Protective: nobody can approve within two minutes, and it can only keep data.
    """

    title = "Save what only a reclaimed instance holds"
    search = ("indices:admin/flush*", "cluster:admin/reroute")
    protective = True
    intent: str
    instance: str
    indices: tuple[str, ...]
    copies: tuple[ShardMove, ...]

    @property
    def sentence(self) -> str:
        moved = ", ".join(f"{one.index}[{one.shard}] to {one.target}" for one in self.copies)
        first = f"move what has no other started copy: {moved}" if moved else "nothing on it is without another copy"
        return f"flush the shards of {self.instance}, which EC2 takes back; {first}"

    @property
    def subject(self) -> str:
        return self.instance


class ReplaceInstance(Step, frozen=True, kw_only=True):
    """Have its group end an instance and launch another: its terminate hook waits until it has been drained."""

    title = "Replace an instance that retires"
    aws = (Grant("autoscaling:TerminateInstanceInAutoScalingGroup", "group"),)
    intent: str
    instance: str
    group: str
    deadline: str

    @property
    def sentence(self) -> str:
        return f"have {self.group} replace instance {self.instance}, which EC2 ends at {self.deadline}"

    @property
    def subject(self) -> str:
        return self.instance


class NoteDeparture(Step, frozen=True, kw_only=True):
    """Note what an instance that went without us took along. What is safe closes its intent. `before`: what was noted
    as lost at first."""

    title = "Note what a departed instance took along"
    protective = True
    in_every_mode = True
    intent: str
    instance: str
    lost: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        if self.lost:
            return f"note that {self.instance} is gone, and no started copy is left of {', '.join(self.lost)}"
        again = f", {', '.join(self.before)} again or no more there" if self.before else ""
        return f"note that {self.instance} is gone, and every shard has a started copy elsewhere{again}"

    @property
    def subject(self) -> str:
        return self.instance


# -- instances -------------------------------------------------------------------------------------------------------


class _HookStep(Step, frozen=True, kw_only=True):
    instance: str
    group: str
    hook: str
    node: str | None = None

    @property
    def subject(self) -> str:
        return self.instance


class LetEmptyInstanceGo(_HookStep, frozen=True, kw_only=True):
    """CONTINUE, for a node that is in the cluster and proven empty."""

    title = "Let the empty instance go"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)

    @property
    def sentence(self) -> str:
        return f"let instance {self.instance} go: its node is proven empty"


class LetLostInstanceGo(_HookStep, frozen=True, kw_only=True):
    """CONTINUE, for a node that is absent while every shard has a started copy elsewhere."""

    title = "Let the lost instance go"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)

    @property
    def sentence(self) -> str:
        return f"let instance {self.instance} go: its node is lost, and every shard has a started copy elsewhere"


class LetReplaceableInstanceGo(_HookStep, frozen=True, kw_only=True):
    """CONTINUE by policy, for a node that can't be emptied while each of its shards has another started copy."""

    title = "Flush, and let one zone's instance go for its replacement"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)
    search = ("indices:admin/flush*",)
    indices: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return (
            f"let instance {self.instance} go: nothing may legally take its shards, each has another started copy, "
            "and the policy allows one zone at a time"
        )


class HoldInstance(_HookStep, frozen=True, kw_only=True):
    """ABANDON in a group that retains: the instance stays, is replaced, drained, and then ended by us."""

    title = "Hold the instance until its replacement has joined"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)
    protective = True

    @property
    def sentence(self) -> str:
        return f"hold instance {self.instance}: it is retained, and its group launches a replacement"


class ContinueLaunch(_HookStep, frozen=True, kw_only=True):
    """CONTINUE for a node that has joined: a launch is never abandoned after that, for shards may be on it.

    `finding`: what is not as it should be, and no reason to lose the node for; empty where nothing is.
    """

    title = "Let the launched instance into service"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)
    protective = True
    in_every_mode = True
    finding: str = ""

    @property
    def sentence(self) -> str:
        whole = f"although {self.finding}" if self.finding else "and the cluster is whole"
        return f"let instance {self.instance} into service: its node has joined, {whole}"


class AbandonLaunch(_HookStep, frozen=True, kw_only=True):
    """ABANDON for a launch whose node never joined, and to which by then no shard may go."""

    title = "Abandon the launch that never joined"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)

    @property
    def sentence(self) -> str:
        return f"abandon the launch of {self.instance}: its node has not joined; Auto Scaling launches another"


class _LaunchingStep(Step, frozen=True, kw_only=True):
    group: str

    @property
    def subject(self) -> str:
        return self.group


class SuspendLaunching(_LaunchingStep, frozen=True, kw_only=True):
    """Mark the group, suspend its process `Launch`, note that it was done."""

    title = "Suspend launching: it fails again and again"
    aws = (Grant("autoscaling:SuspendProcesses", "group"),)
    failures: int
    why: str = ""

    @property
    def sentence(self) -> str:
        last = self.why or "Auto Scaling says no why"
        return f"suspend launching in {self.group}: {self.failures} launches failed within an hour, the last: {last}"


class ResumeLaunching(_LaunchingStep, frozen=True, kw_only=True):
    """Resume the process `Launch` that we had suspended, then take the mark away."""

    title = "Let the group launch again"
    aws = (Grant("autoscaling:ResumeProcesses", "group"),)
    protective = True
    in_every_mode = True

    @property
    def sentence(self) -> str:
        return f"let {self.group} launch again: what we suspended, we resume"


class EndRetainedInstance(Step, frozen=True, kw_only=True):
    """Terminate an instance that was held, once its node (`None`: lost) is proven empty or its data safe elsewhere."""

    title = "End the retained instance, now empty"
    aws = (Grant("ec2:TerminateInstances", "instance"),)
    instance: str
    group: str
    node: str | None = None

    @property
    def sentence(self) -> str:
        why = (
            "its node is proven empty"
            if self.node
            else "its node is lost, and every shard has a started copy elsewhere"
        )
        return f"end the retained instance {self.instance}: {why}"

    @property
    def subject(self) -> str:
        return self.instance


class SetGroupSize(Step, frozen=True, kw_only=True):
    """Give a group the size that its fleet file declares, once per change; a smaller one node by node."""

    title = "Give the group its declared size"
    aws = (Grant("autoscaling:SetDesiredCapacity", "group"),)
    group: str
    desired: int
    declared: int

    @property
    def sentence(self) -> str:
        return f"set the size of {self.group} to {self.desired}, on the way to the declared {self.declared}"

    @property
    def subject(self) -> str:
        return self.group

    @property
    def scope(self) -> tuple[str, ...]:
        return (f"{self.group} to {self.declared}",)


class Heartbeat(Step, frozen=True, kw_only=True):
    """The keeper's only step: start a waiting hook's clock anew, that of a terminate or of a launch hook."""

    title = "Keep the instance waiting"
    aws = (Grant("autoscaling:RecordLifecycleActionHeartbeat", "group"),)
    protective = True
    instance: str
    group: str
    hook: str

    @property
    def sentence(self) -> str:
        return f"keep instance {self.instance} waiting"

    @property
    def subject(self) -> str:
        return self.instance


# -- nodes -----------------------------------------------------------------------------------------------------------


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
    """Take the next nodes in hand: no replica is allocated anew while they are away for a moment."""

    title = "Keep replicas where they are"
    search = ("cluster:admin/settings/update",)
    nodes: tuple[str, ...]
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"keep replicas where they are while {', '.join(self.nodes)} restarts"

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


class AllowAllocation(Step, frozen=True, kw_only=True):
    """Give back that replicas may be allocated: the nodes in hand are back, or will not be soon."""

    title = "Allow allocation again"
    search = ("cluster:admin/settings/update",)
    protective = True
    in_every_mode = True
    intent: str
    nodes: tuple[str, ...]
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"allow replicas to be allocated again after {', '.join(self.nodes)}"

    @property
    def subject(self) -> str:
        return ",".join(self.nodes)


# -- the frame's own -------------------------------------------------------------------------------------------------


class NoteIdentity(Step, frozen=True, kw_only=True):
    """Write down which cluster this is, once: from then on another UUID is another cluster, and no node forms one."""

    title = "Note which cluster this is"
    aws = (Grant("ssm:PutParameter", "node_parameters"),)
    protective = True
    in_every_mode = True
    uuid: str

    @property
    def sentence(self) -> str:
        return f"note that this cluster is {self.uuid}; nodes that start later join it and never form another"

    @property
    def subject(self) -> str:
        return self.uuid


class NoteVersion(Step, frozen=True, kw_only=True):
    """Write down which version runs, so that whatever the fleet file says next, nodes that start bring this one."""

    title = "Note which version nodes bring"
    aws = (Grant("ssm:PutParameter", "node_version"),)
    protective = True
    in_every_mode = True
    runs: str

    @property
    def sentence(self) -> str:
        return f"note that nodes run {self.runs}; one that starts brings that, until an upgrade was approved"

    @property
    def subject(self) -> str:
        return self.runs


class HandOver(Step, frozen=True, kw_only=True):
    """Start the next generation's execution before this one's history is full."""

    title = "Hand over to a new execution"
    aws = (Grant("states:StartExecution", "state_machine"),)
    protective = True
    of_the_frame = True

    @property
    def sentence(self) -> str:
        return "hand over to a new execution: this one's history grows long"


class EndRun(Step, frozen=True, kw_only=True):
    """Give the head row and the lease back, unless a new intent came meanwhile. `seq` is what the decision had seen."""

    title = "Note the end"
    protective = True
    of_the_frame = True
    seq: int
    reason: str
    message: str

    @property
    def sentence(self) -> str:
        return "note the end"


AnyStep = (
    ExcludeNodes
    | PutSettingsRight
    | ForceZones
    | RaiseBalanceThreshold
    | MoveShards
    | TakeVote
    | GiveVotesBack
    | SaveLastCopies
    | ReplaceInstance
    | NoteDeparture
    | LetEmptyInstanceGo
    | LetLostInstanceGo
    | LetReplaceableInstanceGo
    | HoldInstance
    | EndRetainedInstance
    | ContinueLaunch
    | AbandonLaunch
    | SuspendLaunching
    | ResumeLaunching
    | SetGroupSize
    | Heartbeat
    | BringVersion
    | KeepReplicas
    | RestartNodes
    | AllowAllocation
    | NoteIdentity
    | NoteVersion
    | HandOver
    | EndRun
)
"""Every kind there is; what a row or a message is decoded with."""

FRAME: tuple[type[Step], ...] = (NoteIdentity, HandOver, EndRun)
"""Kinds that every procedure has."""


def kind(step: Step | type[Step]) -> str:
    """The name under which a step is encoded, routed and recorded."""
    return (step if isinstance(step, type) else type(step)).__name__
