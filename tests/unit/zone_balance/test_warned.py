"""An instance that EC2 takes back within minutes: which of its copies are moved first, by a table of cases."""

import msgspec
import pytest
from tests.unit.zone_balance.building import BOTH_SERVE, NOW, SIX, restarting, six, spec

from vagus.intent import leave
from vagus.steps import SaveLastCopies
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed

WARNED = msgspec.structs.replace(leave("n1", "claims-data-eu-west-1a", "2026-01-01T00:00:00Z", "event"), kind="spot")

# sentence -> (what is seen, the copies that are told to move: where to is the engine's deciders' to allow)
FIRST: dict[str, tuple[Observed, set[str]]] = {
    "its twin is started": (six(BOTH_SERVE, "a:n1,n3", intents=(WARNED,)), set()),
    "it has none": (six(BOTH_SERVE, "a:n1 b:n1,n3", intents=(WARNED,)), {"a"}),
    "its twin is still being made": (six(BOTH_SERVE, "a:n1,+n3", intents=(WARNED,)), {"a"}),
    "its twin stands on a node that a restart has in hand": (
        six(BOTH_SERVE, "a:n1,n3 b:n1,n5", intents=(WARNED,), others=(restarting("n3"),)),
        {"a"},
    ),
    "that restart has given the node back": (
        six(BOTH_SERVE, "a:n1,n3 b:n1,n5", intents=(WARNED,), others=(restarting("n3", holding=False),)),
        set(),
    ),
}


@pytest.mark.parametrize(("seen", "moved"), FIRST.values(), ids=FIRST.keys())
def test_what_has_no_other_started_copy_moves_first(seen: Observed, moved: set[str]) -> None:
    (step,) = (one for one in getattr(decide(seen, spec(), NOW), "steps", ()) if isinstance(one, SaveLastCopies))
    assert {move.index for move in step.copies} == moved
    assert {move.target for move in step.copies} <= {node.name for node in SIX} - {"n1", "n3"}
