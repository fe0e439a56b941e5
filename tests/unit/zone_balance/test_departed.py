"""What is missing although nobody is: a table of cases keyed by a sentence."""

import msgspec
import pytest
from tests.unit.zone_balance.building import BOTH_SERVE, NOW, SERVING, SIX, six, spec

from vagus.cluster import Cluster
from vagus.plan import Blocked, Progress, Wait
from vagus.reasons import Reason
from vagus.zone_balance.decide import decide
from vagus.zone_balance.departed import UNEXPLAINED_SECONDS
from vagus.zone_balance.observed import Observed

GONE = "a:-,- b:n2,n5"


def run(seconds: float) -> Progress:
    """A run that has seen this for so long."""
    return Progress(bytes_left=0, about="LOST_WITH_DATA a[0]", at=NOW - 1, changed_at=NOW - seconds)


SAID: dict[str, tuple[Observed, type, Reason]] = {
    "every shard stands somewhere": (six(BOTH_SERVE, "a:n1,- b:n2,n5"), object, Reason.NOTHING_LEAVES),
    "one stands nowhere, and the sweep asks": (six(BOTH_SERVE, GONE), Blocked, Reason.LOST_WITH_DATA),
    "a run waits whether it is just being made": (
        six(BOTH_SERVE, GONE, progress=run(UNEXPLAINED_SECONDS - 1)),
        Wait,
        Reason.LOST_WITH_DATA,
    ),
    "it is not": (six(BOTH_SERVE, GONE, progress=run(UNEXPLAINED_SECONDS)), Blocked, Reason.LOST_WITH_DATA),
    "it recovers": (six(BOTH_SERVE, "a:+n1,- b:n2,n5"), object, Reason.NOTHING_LEAVES),
    "a node that is missing may bring it": (six(BOTH_SERVE, GONE, nodes=SIX[1:]), object, Reason.NOTHING_LEAVES),
    "one that comes, and is not there, may bring it": (
        six({**BOTH_SERVE, "n7": "Pending:Wait"}, GONE, desired=3),
        Wait,
        Reason.LAUNCHING,
    ),
    "one on standby that is missing may bring it": (
        six({"n1": "Standby", "n2": SERVING}, GONE, nodes=SIX[1:], desired=1),
        object,
        Reason.NOTHING_LEAVES,
    ),
}


def saying(reason: str, status: str) -> Observed:
    """A shard stands nowhere in a run that has looked for an hour, and the engine says this of its primary."""
    found = six(BOTH_SERVE, GONE, progress=run(3600))
    assert isinstance(found.cluster, Cluster)
    copies = tuple(
        msgspec.structs.replace(one, nowhere=(reason, status if one.primary else "no_attempt"))
        if one.index == "a"
        else one
        for one in found.cluster.copies
    )
    return msgspec.structs.replace(found, cluster=msgspec.structs.replace(found.cluster, copies=copies))


SAID |= {
    "the engine says that no copy is left": (
        saying("NODE_LEFT", "no_valid_shard_copy"),
        Blocked,
        Reason.LOST_WITH_DATA,
    ),
    "it may stand nowhere": (saying("CLUSTER_RECOVERED", "deciders_no"), Blocked, Reason.LOST_WITH_DATA),
    "it waits for its turn": (saying("CLUSTER_RECOVERED", "deciders_throttled"), object, Reason.NOTHING_LEAVES),
    "the engine still asks the disks": (saying("NODE_LEFT", "fetching_shard_data"), object, Reason.NOTHING_LEAVES),
    "it is new": (saying("INDEX_CREATED", "deciders_no"), object, Reason.NOTHING_LEAVES),
    "it is restored": (saying("NEW_INDEX_RESTORED", "no_attempt"), object, Reason.NOTHING_LEAVES),
    "a run's first look has its patience before it": (
        six(BOTH_SERVE, GONE, progress=Progress(bytes_left=0, at=NOW, changed_at=NOW)),
        Wait,
        Reason.LOST_WITH_DATA,
    ),
}


@pytest.mark.parametrize(("seen", "plan", "reason"), SAID.values(), ids=SAID.keys())
def test_shards_that_stand_nowhere(seen: Observed, plan: type, reason: Reason) -> None:
    said = decide(seen, spec(), NOW)
    assert (said.reason, isinstance(said, plan)) == (reason, True), said.message


def test_the_message_names_them_and_the_way_out() -> None:
    message = decide(six(BOTH_SERVE, GONE), spec(), NOW).message
    assert "no copy of a[0] is assigned" in message
    assert "vagus:cluster=claims" in message
    assert message.index("restore the shards") < message.index("Delete their indices last, and only if")
    assert "no_valid_shard_copy" in message
