"""`decide` before an instance is let go: proven empty, lost, or with nowhere for its shards to go."""

from typing import Any

from tests.unit.zone_balance.building import (
    BOTH_SERVE,
    EMPTY,
    FIRST_GOES,
    FIRST_RETAINED,
    FIRST_WAITS,
    GOING,
    JUST_NOW,
    LONG_AGO,
    ONE_EACH,
    ONE_ZONE,
    RETAINED,
    SERVING,
    SIX,
    VOTELESS,
    WAITING,
    Cases,
    demanding,
    ours,
    restarting,
    six,
    three,
)

from vagus import owned
from vagus.reasons import Reason
from vagus.zone_balance import voting

DEMANDED: dict[str, Any] = {"intents": (demanding("n1"),)}

LETTING_GO: Cases = {
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
}

NOWHERE_TO_GO: Cases = {
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
}
