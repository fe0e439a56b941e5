"""Steps of the frame's own: what every procedure has."""

from vagus.steps.base import Grant, Step


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
    """Give the head row and the lease back, unless a new intent came meanwhile. `seq` is what the decision had seen.
    `told`: of what a person was told, by `pages.told_at_the_end`."""

    title = "Note the end"
    protective = True
    of_the_frame = True
    seq: int
    reason: str
    message: str
    told: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return "note the end"
