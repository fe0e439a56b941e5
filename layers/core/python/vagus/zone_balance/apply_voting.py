"""How votes are taken and given back: mark first, act, undo, unmark last."""

from collections.abc import Mapping

from vagus.cluster import Cluster
from vagus.owned import TOKEN, SettingsUpdate
from vagus.procedure.foreign import foreign
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import GiveVotesBack, Step, TakeVote
from vagus.zone_balance import rules, voting
from vagus.zone_balance.checking import afresh, red, says

METADATA = "cluster.metadata.vagus."


def _may_take(writes: Writes, seen: Rows, step: TakeVote, token: int) -> str | None:
    found = afresh(writes, seen, step.node)
    if found is None:
        return f"{step.node} no longer leaves"
    if not voting.votes(found.cluster, step.node):
        return f"{step.node} has no vote"
    return (
        foreign(found.cluster, seen, token)
        or red(found.cluster)
        or says(voting.may_not_take(found.cluster, step.node))
        or says(rules.manager_may_not_go(found.cluster, found.rest, found.one))
    )


def _take(writes: Writes, _seen: Rows, step: TakeVote, token: int) -> None:
    writes.search.update_settings(SettingsUpdate(persistent={voting.MARK: step.node, TOKEN: str(token)}))
    writes.search.take_vote(step.node)


def _may_give_back(writes: Writes, seen: Rows, step: GiveVotesBack, token: int) -> str | None:
    cluster, groups = writes.search.look(), writes.groups.describe([writes.spec.name])
    if others := voting.others(cluster):
        return f"{', '.join(others)} is excluded by somebody else"
    if voting.marked(cluster) != set(step.nodes) or not voting.over(cluster, groups, seen.intents):
        return f"the exclusion of {', '.join(step.nodes)} is needed still, or no longer ours"
    return foreign(cluster, seen, token)


def _give_back(writes: Writes, _seen: Rows, step: GiveVotesBack, _token: int) -> None:
    """Where the mark was set and no exclusion followed, there is none to clear."""
    cluster = writes.search.look()
    if cluster.voting_exclusions:
        writes.search.clear_votes_taken(gone=not any(cluster.node(name) for name in step.nodes))
    writes.search.update_settings(SettingsUpdate(persistent=_unmarked(cluster)))


def _unmarked(cluster: Cluster) -> dict[str, str | None]:
    """The lease's token goes with the last mark of ours."""
    left = [name for name in cluster.persistent if name.startswith(METADATA) and name not in (voting.MARK, TOKEN)]
    return {voting.MARK: None} if left else {voting.MARK: None, TOKEN: None}


HANDLERS: Mapping[type[Step], Handler] = {
    TakeVote: Handler(_may_take, _take),
    GiveVotesBack: Handler(_may_give_back, _give_back),
}
