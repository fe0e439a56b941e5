"""Steps on groups and their instances: what is launched, replaced, ended, and how many there are."""

from vagus.steps.base import Grant, Step


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
    times: int = 1

    @property
    def sentence(self) -> str:
        last = self.why or "Auto Scaling says no why"
        again = f", for the {self.times}th time in a row" if self.times > 1 else ""
        failed = f"{self.failures} launches failed within an hour{again}, the last: {last}"
        return f"suspend launching in {self.group}: {failed}"


class ResumeLaunching(_LaunchingStep, frozen=True, kw_only=True):
    """Resume the process `Launch` that we had suspended, then take the mark away."""

    title = "Let the group launch again"
    aws = (Grant("autoscaling:ResumeProcesses", "group"),)
    protective = True
    in_every_mode = True

    @property
    def sentence(self) -> str:
        return f"let {self.group} launch again: what we suspended, we resume"


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
