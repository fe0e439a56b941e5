"""Steps on lifecycle hooks: what lets an instance go, holds it, lets it into service, keeps it waiting."""

from vagus.steps.base import Grant, Step


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


class NoteJoined(Step, frozen=True, kw_only=True):
    """Note that the nodes of these instances, which still come, are in the cluster: from then on shards may be on them,
    and their launch is never abandoned, whatever becomes of their process."""

    title = "Note that a launched node has joined"
    protective = True
    in_every_mode = True
    instances: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"note that {', '.join(self.instances)} joined: its launch is not given up any more"

    @property
    def subject(self) -> str:
        return ",".join(self.instances)


class AbandonLaunch(_HookStep, frozen=True, kw_only=True):
    """ABANDON for a launch whose node never joined, and to which by then no shard may go."""

    title = "Abandon the launch that never joined"
    aws = (Grant("autoscaling:CompleteLifecycleAction", "group"),)

    @property
    def sentence(self) -> str:
        return f"abandon the launch of {self.instance}: its node has not joined; Auto Scaling launches another"


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
