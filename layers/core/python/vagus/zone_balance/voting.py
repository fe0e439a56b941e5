"""The vote of a manager that leaves: taken before it goes, given back when it has gone. Pure.

Voting exclusions are no setting, and clearing them clears everybody's. So: mark first (`cluster.metadata.vagus.voting`,
which means "may be ours"), act, undo, unmark last. One manager at a time. An exclusion that is not marked is somebody
else's: none of ours is set beside it, and it is never cleared.
"""

from collections.abc import Iterable

from vagus.cluster import Cluster
from vagus.instances import Group
from vagus.intent import Intent
from vagus.owned import VOTES, names
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import GiveVotesBack, TakeVote
from vagus.zone_balance.looking import Look
from vagus.zone_balance.rules import Violation

MARK = VOTES
MOST = "cluster.max_voting_config_exclusions"


def marked(cluster: Cluster) -> frozenset[str]:
    """The nodes whose vote we may have taken."""
    return names(cluster.persistent.get(MARK))


def others(cluster: Cluster) -> tuple[str, ...]:
    """Voting exclusions that are not ours."""
    return tuple(sorted(set(cluster.voting_exclusions) - marked(cluster)))


def votes(cluster: Cluster, name: str) -> bool:
    """Whether a node's vote counts, or may count again."""
    node = cluster.node(name)
    if node is None or not node.may_be_manager:
        return False
    return name in cluster.voters or name not in cluster.voting_exclusions


def may_not_take(cluster: Cluster, name: str) -> Violation | None:
    """Why a node's vote can't be taken now."""
    if foreign := others(cluster):
        return Violation(
            Reason.VOTES_EXCLUDED,
            f"voting exclusions of somebody else stand ({', '.join(foreign)}): clear them when they are no longer "
            "needed (DELETE /_cluster/voting_config_exclusions), for ours could not be cleared without them",
        )
    if waits := marked(cluster) - {name}:
        return Violation(Reason.QUORUM, f"{name} waits: managers leave one at a time, after {', '.join(sorted(waits))}")
    if cluster.setting(MOST, "10") == "0":
        return Violation(Reason.VOTES_EXCLUDED, f"{MOST} is 0: no vote can be taken, and no manager leaves without")
    return None


def stands(cluster: Cluster, name: str) -> Violation | None:
    """Why a node may not go because of its vote: it has to be taken, and can't be now, or is counted still."""
    if not votes(cluster, name):
        return None
    if name in cluster.voting_exclusions:
        return Violation(Reason.VOTE_LEAVING, f"the vote of {name} was taken, and is still counted")
    return may_not_take(cluster, name)


def to_take(cluster: Cluster, name: str) -> TakeVote | None:
    """The step that a leaver's vote asks for before it may go; `None`: none, or it can't be done now."""
    if not votes(cluster, name) or name in cluster.voting_exclusions:
        return None
    return None if may_not_take(cluster, name) else TakeVote(node=name)


# -- giving back -----------------------------------------------------------------------------------------------------


def over(cluster: Cluster, groups: Iterable[Group], intents: Iterable[Intent]) -> bool:
    """Whether nobody needs the exclusion that may be ours: each marked node has left the cluster, or stays in it.

    One that was let go serves on for a while; it is needed until the node has left.
    """
    listed = {one.id: one for group in groups for one in group.instances}
    leaving = {intent.instance for intent in intents if intent.kind == "leave"}

    def stays(name: str) -> bool:
        return listed[name].stays if name in listed else name not in leaving

    return bool(marked(cluster)) and all(cluster.node(name) is None or stays(name) for name in marked(cluster))


def give_back(look: Look) -> Plan | None:
    """Clear the exclusion, then the mark, once the node has gone or stays after all."""
    if not over(look.cluster, look.observed.groups, look.observed.intents) or others(look.cluster):
        return None
    step = GiveVotesBack(nodes=tuple(sorted(marked(look.cluster))))
    return Steps(steps=(step,), reason=Reason.TIDYING, message=step.sentence)


def entangled(look: Look) -> Plan | None:
    """Ours is no longer needed, and somebody else's stands beside it: clearing would clear both."""
    foreign = others(look.cluster)
    if not foreign or not over(look.cluster, look.observed.groups, look.observed.intents):
        return None
    return Blocked(
        reason=Reason.VOTES_EXCLUDED,
        message=f"the voting exclusion of {', '.join(sorted(marked(look.cluster)))} is no longer needed, and "
        f"{', '.join(foreign)} is excluded by somebody else: when that may go too, clear both "
        "(DELETE /_cluster/voting_config_exclusions)",
    )
