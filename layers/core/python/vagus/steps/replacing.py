"""The step of a replacement: an instance ends through its group, which launches another from its template."""

from vagus.steps.base import Grant, Step


class ReplaceNext(Step, frozen=True, kw_only=True):
    """Note it, then have the group end one instance and launch another: its terminate hook waits until zone_balance has
    drained it. A person is asked in every mode.

    `launched_from`: what the instance was launched from, `template`: what its group launches from now, both as
    `lt-0abc:3` ("": unknown). `bytes`: what its node holds, which has to move.
    """

    title = "Have the next instance replaced"
    aws = (Grant("autoscaling:TerminateInstanceInAutoScalingGroup", "group"),)
    intent: str
    instance: str
    group: str
    launched_from: str = ""
    template: str = ""
    bytes: int = 0

    @property
    def sentence(self) -> str:
        why = f" ({self.launched_from}, now {self.template})" if self.launched_from != self.template else ""
        return f"have {self.group} replace {self.instance}{why}, once it has been drained ({self.bytes / 1e9:,.1f} GB)"

    @property
    def subject(self) -> str:
        return self.instance

    @property
    def always_asked(self) -> bool:
        return True

    @property
    def version(self) -> str:
        """A yes to one template is none to another."""
        return self.template
