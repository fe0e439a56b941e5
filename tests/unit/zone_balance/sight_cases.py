"""`decide` by what is seen: whether that is the cluster, all of it, and as large as declared."""

from tests.unit.zone_balance.building import (
    BOTH_SERVE,
    FIRST_WAITS,
    LAYOUT,
    ONE_EACH,
    SERVING,
    SIX,
    TWO_ZONES,
    UNREACHABLE,
    WAITING,
    Cases,
    cluster,
    demanding,
    group,
    observed,
    ours,
    six,
    three,
)

from vagus.cluster import Unseen
from vagus.reasons import Reason

OTHERS_SIZED = {"claims-data-eu-west-1b": 2, "claims-data-eu-west-1c": 2}

SIGHT: Cases = {
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
}

SIZES: Cases = {
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
