"""decide(observed, spec, now): one case for each thing that can be decided, keyed by the sentence that it proves."""

from typing import Any

import pytest
from tests.unit.zone_balance.building import (
    BOTH_SERVE,
    EMPTY,
    FIRST_GOES,
    FIRST_RETAINED,
    FIRST_WAITS,
    GB,
    GOING,
    JUST_NOW,
    LAYOUT,
    LONG_AGO,
    NOW,
    ONE_EACH,
    ONE_ZONE,
    RETAINED,
    SERVING,
    SIX,
    TWO_ZONES,
    UNREACHABLE,
    VOTELESS,
    WAITING,
    cluster,
    demanding,
    group,
    observed,
    ours,
    restarting,
    six,
    spec,
    three,
)

from vagus import owned
from vagus.cluster import Unseen
from vagus.plan import Blocked, Done, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import kind
from vagus.zone_balance import voting
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed

# sentence -> (observed, policy, kinds of the plan's own steps, or of the plan; reason)
OTHERS_SIZED = {"claims-data-eu-west-1b": 2, "claims-data-eu-west-1c": 2}
DEMANDED: dict[str, Any] = {"intents": (demanding("n1"),)}

CASES: dict[str, tuple[Observed, dict[str, Any], str, Reason]] = {
    # sight
    "nothing leaves": (six(BOTH_SERVE), {}, "Done", Reason.NOTHING_LEAVES),
    "a cluster seen for the first time is noted": (six(BOTH_SERVE, identity=None), {}, "NoteIdentity", Reason.NOTING),
    "a cluster with half of its managers has not formed": (
        six(BOTH_SERVE, "", nodes=SIX[:3], identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "a cluster without a UUID has not formed": (
        six(BOTH_SERVE, uuid="_na_", identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "a cluster that never formed is given its nodes": (
        observed(UNREACHABLE, [group(0, {})], identity=None, sizes={}),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a certified cluster that never had a node is given none before its trust is published": (
        observed(UNREACHABLE, [group(0, {})], identity=None, sizes={}, trust_published=False),
        {},
        "Done",
        Reason.TRUST_AWAITED,
    ),
    "nor where something answers that has not formed": (
        observed(cluster([], uuid="_na_"), [group(0, {})], identity=None, sizes={}, trust_published=False),
        {},
        "Done",
        Reason.TRUST_AWAITED,
    ),
    "one node that serves is proof enough that nodes boot, whatever is published": (
        observed(UNREACHABLE, [group(0, {"n1": "InService"})], identity=None, sizes={}, trust_published=False),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "so is a size that was asked for": (
        observed(UNREACHABLE, [group(0, {}, desired=1)], identity=None, sizes={}, trust_published=False),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "or one that was given": (
        observed(UNREACHABLE, [group(0, {})], identity=None, sizes=OTHERS_SIZED, trust_published=False),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a cluster that has formed is given its sizes, whatever is published": (
        six(BOTH_SERVE, sizes={}, desired=1, trust_published=False),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a cluster that never formed and has its nodes is waited for": (
        observed(UNREACHABLE, [group(0, BOTH_SERVE)], identity=None),
        {},
        "Done",
        Reason.FORMING,
    ),
    "that no identity was noted does not prove that an instance which waits holds nothing": (
        observed(UNREACHABLE, [group(0, FIRST_WAITS)], identity=None, sizes={}),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "nor do fewer managers than are declared": (
        six(FIRST_WAITS, "", nodes=SIX[:3], identity=None),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "another cluster answers": (six(FIRST_WAITS, uuid="uuid-2"), {}, "Blocked", Reason.WRONG_CLUSTER),
    "an index that we can't see": (six(FIRST_WAITS, counted_indices=3), {}, "Blocked", Reason.CANNOT_SEE_ALL),
    "an error is never empty": (
        observed(UNREACHABLE, [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    "a permission is missing": (
        observed(Unseen(reason="DENIED", message="indices:monitor"), [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.DENIED,
    ),
    "a cluster that is asked too much is not empty either": (
        observed(Unseen(reason="THROTTLED", message="429"), [group(0, FIRST_WAITS)]),
        {},
        "Blocked",
        Reason.UNREACHABLE,
    ),
    # taking
    "a leaving node that holds shards is excluded": (six(FIRST_WAITS), {}, "ExcludeNodes", Reason.DRAINING),
    "so is one that holds nothing yet, for shards may still come": (
        six(FIRST_WAITS, EMPTY),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "a red cluster takes nothing new": (six(FIRST_WAITS, "a:n1,n3 b:-,-"), {}, "Blocked", Reason.CLUSTER_RED),
    "a yellow one may": (six(FIRST_WAITS, "a:n1,n3 b:n2,-"), {}, "ExcludeNodes", Reason.DRAINING),
    "no room": (six(FIRST_WAITS, "a:n1,n3", size=200 * GB), {}, "Blocked", Reason.NO_ROOM),
    "a person excluded it already": (
        six(FIRST_WAITS, persistent={owned.EXCLUDE: "n1"}),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "a person removed our exclusion": (
        six(FIRST_WAITS, intents=(demanding("n1"),), persistent={owned.MARK: "n1"}),
        {},
        "Blocked",
        Reason.REMOVED_BY_HAND,
    ),
    "a person removed our exclusion, and the instance has gone since": (
        six(
            {"n2": SERVING},
            EMPTY,
            nodes=SIX[1:],
            intents=(demanding("n1", let_go=JUST_NOW),),
            persistent={owned.MARK: "n1"},
        ),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    # letting go
    "proven empty": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),), **VOTELESS),
        {},
        "LetEmptyInstanceGo",
        Reason.LETTING_GO,
    ),
    "let go just now, and AWS still shows it as waiting": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1", let_go=JUST_NOW),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "proven empty, and its vote still counts": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "TakeVote",
        Reason.LETTING_GO,
    ),
    "its vote was taken, and is counted still": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1") | {voting.MARK: "n1"}, voting_exclusions=("n1",), **DEMANDED),
        {},
        "Wait",
        Reason.VOTE_LEAVING,
    ),
    "empty, and somebody else's voting exclusion stands": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), voting_exclusions=("n4",), **DEMANDED),
        {},
        "Blocked",
        Reason.VOTES_EXCLUDED,
    ),
    "empty, while another's vote is still to be given back": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1") | {voting.MARK: "n3"}, nodes=[*SIX[:2], *SIX[3:]]),
        {},
        "GiveVotesBack",
        Reason.TIDYING,
    ),
    "empty, and no vote may be taken at all": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1") | {voting.MOST: "0"}, **DEMANDED),
        {},
        "Blocked",
        Reason.VOTES_EXCLUDED,
    ),
    "empty, marked, and the exclusion never came to be": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1") | {voting.MARK: "n1"}),
        {},
        "TakeVote",
        Reason.LETTING_GO,
    ),
    "let go, and still in the cluster: its vote stays taken": (
        six(
            FIRST_GOES,
            EMPTY,
            persistent=ours("n1") | {voting.MARK: "n1"},
            intents=(demanding("n1", let_go=JUST_NOW),),
            **VOTELESS,
        ),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "its node has gone: the exclusion is cleared": (
        six({"n2": SERVING}, EMPTY, nodes=SIX[1:], persistent={voting.MARK: "n1"}, voting_exclusions=("n1",)),
        {},
        "GiveVotesBack",
        Reason.TIDYING,
    ),
    "it is back in service: the exclusion is cleared": (
        six(BOTH_SERVE, persistent={voting.MARK: "n1"}, **VOTELESS),
        {},
        "GiveVotesBack",
        Reason.TIDYING,
    ),
    "nobody leaves, and a person excluded a vote: theirs": (
        six(BOTH_SERVE, voting_exclusions=("n4",)),
        {},
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "ours is over, and somebody else's stands beside it": (
        six({"n2": SERVING}, EMPTY, nodes=SIX[1:], persistent={voting.MARK: "n1"}, voting_exclusions=("n1", "n4")),
        {},
        "Blocked",
        Reason.VOTES_EXCLUDED,
    ),
    "one zone at a time: its vote is taken first": (
        three(WAITING, SERVING, SERVING),
        ONE_ZONE,
        "TakeVote",
        Reason.LETTING_GO,
    ),
    "let go five minutes ago, and AWS still shows it as waiting: once more": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1", let_go=LONG_AGO),), **VOTELESS),
        {},
        "LetEmptyInstanceGo",
        Reason.LETTING_GO,
    ),
    "ended just now, and AWS still shows it as retained": (
        six(FIRST_RETAINED, EMPTY, nodes=SIX[1:], intents=(demanding("n1", let_go=JUST_NOW),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "proven empty, and held": (
        six(FIRST_RETAINED, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),), **VOTELESS),
        {},
        "EndRetainedInstance",
        Reason.LETTING_GO,
    ),
    "a store of an unassigned shard on its disk is not empty": (
        six(FIRST_WAITS, "a:n2,- b:n2,n5", persistent=ours("n1"), intents=(demanding("n1"),), stores=("n1",)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "a shard on its way to it is not empty": (
        six(FIRST_WAITS, "a:n2>n1,n3", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "empty while the cluster is red goes nowhere": (
        six(FIRST_WAITS, "a:n2,n3 b:-,-", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "empty, and its vote is needed": (
        six(
            FIRST_WAITS,
            EMPTY,
            persistent=ours("n1"),
            intents=(demanding("n1"),),
            voters=("n1", "n2", "m8", "m9"),
        ),
        {},
        "Blocked",
        Reason.QUORUM,
    ),
    "lost, and every shard stands elsewhere": (
        six(FIRST_WAITS, EMPTY, nodes=SIX[1:]),
        {},
        "LetLostInstanceGo",
        Reason.LETTING_GO,
    ),
    "lost, and a shard has no copy": (
        six(FIRST_WAITS, "a:-,- b:n2,n5", nodes=SIX[1:]),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "lost, and held before": (six(FIRST_RETAINED, EMPTY, nodes=SIX[1:]), {}, "EndRetainedInstance", Reason.LETTING_GO),
    "lost, and the only active copy is on an instance that was let go": (
        six({"n1": WAITING, "n2": GOING}, "a:n2,-", nodes=SIX[1:]),
        {},
        "Blocked",
        Reason.LOST_WITH_DATA,
    ),
    "proven empty, and another manager is in hand of a restart": (
        six(
            FIRST_WAITS,
            EMPTY,
            intents=(demanding("n1"),),
            others=(restarting("n3"),),
            **VOTELESS,
            persistent=ours("n1"),
        ),
        {},
        "Wait",
        Reason.QUORUM,
    ),
    "proven empty, and that manager is back": (
        six(
            FIRST_WAITS,
            EMPTY,
            intents=(demanding("n1"),),
            others=(restarting("n3", holding=False),),
            **VOTELESS,
            persistent=ours("n1"),
        ),
        {},
        "LetEmptyInstanceGo",
        Reason.LETTING_GO,
    ),
    "lost, and the only active copy is on a node in hand of a restart": (
        six(FIRST_WAITS, "a:n2,-", nodes=SIX[1:], others=(restarting("n2"),)),
        {},
        "Wait",
        Reason.LOST_WITH_DATA,
    ),
    # nowhere to go
    "nowhere to go: it is held": (three(WAITING, SERVING, SERVING), ONE_EACH, "HoldInstance", Reason.HOLDING),
    "nowhere to go, and held: its replacement is awaited": (
        three(RETAINED, SERVING, SERVING),
        ONE_EACH,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "held just now, and AWS still shows it as waiting": (
        three(WAITING, SERVING, SERVING, intents=(demanding("n1", held=JUST_NOW),)),
        ONE_EACH,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "held five minutes ago, and AWS still shows it as waiting: once more": (
        three(WAITING, SERVING, SERVING, intents=(demanding("n1", held=LONG_AGO),)),
        ONE_EACH,
        "HoldInstance",
        Reason.HOLDING,
    ),
    "held although one that was let go is still listed": (
        three(
            WAITING,
            WAITING,
            SERVING,
            layout="a:n1,n3",
            persistent=ours("n2"),
            intents=(demanding("n2", let_go=JUST_NOW),),
        ),
        ONE_EACH,
        "HoldInstance",
        Reason.HOLDING,
    ),
    "nowhere to go in a group that would not retain it": (
        three(WAITING, SERVING, SERVING, retains=False),
        ONE_EACH,
        "Blocked",
        Reason.NOWHERE_TO_GO,
    ),
    "nowhere to go, and the policy lets one zone go": (
        three(WAITING, SERVING, SERVING, voters=("n2",), voting_exclusions=("n1",)),
        ONE_ZONE,
        "LetReplaceableInstanceGo",
        Reason.LETTING_GO,
    ),
    "one zone at a time: not while the cluster is yellow": (
        three(WAITING, SERVING, SERVING, layout="a:n1,n2,n3 b:n2,-"),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "one zone at a time: not while another that was let go still serves": (
        three(WAITING, GOING, SERVING, layout="a:n1,n2,n3"),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "one zone at a time: not while another was let go and AWS does not show it": (
        three(WAITING, WAITING, SERVING, intents=(demanding("n2", let_go=JUST_NOW),)),
        ONE_ZONE,
        "Wait",
        Reason.REPLACEMENT_AWAITED,
    ),
    "let go by the policy long ago and still there: it is answered once more, never drained": (
        three(WAITING, SERVING, SERVING, intents=(demanding("n1", let_go=LONG_AGO),), **VOTELESS),
        ONE_ZONE,
        "LetReplaceableInstanceGo",
        Reason.LETTING_GO,
    ),
    "one zone at a time never takes an only copy": (
        three(WAITING, SERVING, SERVING, layout="a:n1,n2,n3 b:n1", persistent={owned.EXCLUDE: "n2,n3"}),
        ONE_ZONE,
        "HoldInstance",
        Reason.HOLDING,
    ),
    # waiting
    "shards are moving": (
        six(FIRST_WAITS, "a:n1>n2,n3", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.SHARDS_MOVING,
    ),
    "it was let go and has still to leave": (
        six(FIRST_GOES, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "a manager waits for one that was let go": (
        six({"n1": WAITING, "n2": GOING}, "a:n3,n5", persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.QUORUM,
    ),
    "a manager waits for one that was let go, though AWS does not show it": (
        six(
            {"n1": WAITING, "n2": WAITING},
            "a:n3,n5",
            persistent=ours("n1", "n2"),
            intents=(demanding("n1"), demanding("n2", let_go=JUST_NOW)),
        ),
        {},
        "Wait",
        Reason.QUORUM,
    ),
    "an instance whose group has no hook that we know": (
        six(FIRST_WAITS, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),), hook=None),
        {},
        "Blocked",
        Reason.NOWHERE_TO_GO,
    ),
    # tidying
    "it is gone: its intent is closed and its exclusion given back": (
        six({"n2": SERVING}, EMPTY, nodes=SIX[1:], persistent=ours("n1"), intents=(demanding("n1", let_go=JUST_NOW),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "it is back in service: the same": (
        six(BOTH_SERVE, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "its instance is gone and its node not yet: nothing is given back": (
        six({"n2": SERVING}, EMPTY, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "a stale exclusion of ours is mended": (
        six(BOTH_SERVE, persistent=ours("n9")),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "a demand whose exclusion was never written is taken anew": (
        six(FIRST_WAITS, intents=(demanding("n1"),)),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "and not past a rule that trips by now": (
        six(FIRST_WAITS, "a:n1,n3 b:-,-", intents=(demanding("n1"),)),
        {},
        "Blocked",
        Reason.CLUSTER_RED,
    ),
    "a transient twin that hides our exclusion is merged": (
        six(FIRST_WAITS, persistent=ours("n1"), transient={owned.EXCLUDE: "n6"}, intents=(demanding("n1"),)),
        {},
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    # sizes
    "a size that the group's bounds do not allow is not asked for": (
        six(BOTH_SERVE, sizes=OTHERS_SIZED, desired=1, most=1),
        {},
        "Blocked",
        Reason.SIZE_OUT_OF_BOUNDS,
    ),
    "and holds nothing back": (
        six(FIRST_WAITS, sizes={}, desired=1, most=1),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "a group is given its declared size": (six(BOTH_SERVE, sizes={}, desired=1), {}, "SetGroupSize", Reason.SIZING),
    "a group that people made larger keeps its size": (
        observed(cluster(SIX, LAYOUT), [group(0, {**BOTH_SERVE, "n7": SERVING}), *TWO_ZONES]),
        {},
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "a group grows after a leaving node was excluded": (
        six(FIRST_WAITS, sizes={}, desired=3),
        {},
        "ExcludeNodes",
        Reason.DRAINING,
    ),
    "and after one was held": (
        three(WAITING, SERVING, SERVING, sizes={}),
        ONE_EACH,
        "HoldInstance",
        Reason.HOLDING,
    ),
    "but before its shards have moved, which may be what they wait for": (
        six(FIRST_WAITS, sizes={}, desired=1, persistent=ours("n1"), intents=(demanding("n1"),)),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
    "a group grows even while a drain is blocked": (
        six(FIRST_WAITS, "a:n1,n3 b:-,-", sizes={}, desired=1),
        {},
        "SetGroupSize",
        Reason.SIZING,
    ),
}


def _said(plan: Plan) -> str:
    return kind(plan.steps[0]) if isinstance(plan, Steps) else type(plan).__name__


@pytest.mark.parametrize(("seen", "policy", "said", "reason"), CASES.values(), ids=CASES.keys())
def test_decided(seen: Observed, policy: dict[str, Any], said: str, reason: Reason) -> None:
    plan = decide(seen, spec(**policy), NOW)
    assert (_said(plan), plan.reason) == (said, reason), plan.message
    assert plan.message


@pytest.mark.parametrize(("seen", "policy", "said", "reason"), CASES.values(), ids=CASES.keys())
def test_while_a_hook_waits_a_block_is_a_wait(
    seen: Observed, policy: dict[str, Any], said: str, reason: Reason
) -> None:
    plan = decide(seen, spec(**policy), NOW)
    if isinstance(plan, Blocked):
        assert plan.open_deadline is seen.deadline()
    if isinstance(plan, Done):
        assert not seen.deadline(), "a waiting instance is never done with"
