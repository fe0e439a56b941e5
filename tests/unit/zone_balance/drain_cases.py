"""`decide` while an instance is drained: it is excluded, its shards move, and what was set is given back."""

from tests.unit.zone_balance.building import (
    BOTH_SERVE,
    EMPTY,
    FIRST_GOES,
    FIRST_WAITS,
    GB,
    GOING,
    JUST_NOW,
    SERVING,
    SIX,
    WAITING,
    Cases,
    demanding,
    ours,
    six,
)

from vagus import owned
from vagus.reasons import Reason

TAKING: Cases = {
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
}

WAITING_FOR_SHARDS: Cases = {
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
}

TIDYING: Cases = {
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
}
