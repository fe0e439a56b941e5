"""Steps on votes: a manager that leaves is not waited for."""

from vagus.steps.base import OfNodes, Step


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


class GiveVotesBack(OfNodes, frozen=True, kw_only=True):
    """Clear the voting exclusion that is ours, then its mark."""

    title = "Clear the voting exclusion that is over"
    search = ("cluster:admin/settings/update", "cluster:admin/voting_config/clear_exclusions")
    protective = True
    in_every_mode = True

    @property
    def sentence(self) -> str:
        return f"clear the voting exclusion of {', '.join(self.nodes)}: it is no longer needed"
