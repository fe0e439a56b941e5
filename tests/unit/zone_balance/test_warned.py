"""An instance that EC2 takes back: which of its copies are moved first where that is within minutes, and when it is
replaced where it is at a set time; by tables of cases."""

import msgspec
import pytest
from tests.unit.zone_balance.building import BOTH_SERVE, JUST_NOW, LONG_AGO, NOW, SIX, restarting, six, spec

from vagus.intent import Intent, Rolling, leave, replace
from vagus.plan import Plan, Steps, Wait
from vagus.steps import ReplaceInstance, SaveLastCopies
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


def asked_for(name: str, at: str) -> Intent:
    """`vagus replace` asked for this one then."""
    return msgspec.structs.replace(
        replace((), LONG_AGO, "ada"), rolling=Rolling(taken=(name,), taken_at=at, sent_at=at)
    )


RETIRES = msgspec.structs.replace(WARNED, id="retire-n1", kind="retire", deadline="2026-01-15T00:00:00Z")
COPIES = "a:n2,n3"

# sentence -> (what is seen, whether it is replaced now)
NEXT: dict[str, tuple[Observed, bool]] = {
    "nothing else is on its way": (six(BOTH_SERVE, COPIES, intents=(RETIRES,)), True),
    "another was asked to be replaced a moment ago, and is shown as before": (
        six(BOTH_SERVE, COPIES, intents=(RETIRES,), others=(asked_for("n2", JUST_NOW),)),
        False,
    ),
    "that was in vain": (six(BOTH_SERVE, COPIES, intents=(RETIRES,), others=(asked_for("n2", LONG_AGO),)), True),
    "it is gone": (six(BOTH_SERVE, COPIES, intents=(RETIRES,), others=(asked_for("n9", JUST_NOW),)), True),
    "nobody was asked for yet": (six(BOTH_SERVE, COPIES, intents=(RETIRES,), others=(asked_for("n2", ""),)), True),
}


@pytest.mark.parametrize(("seen", "now"), NEXT.values(), ids=NEXT.keys())
def test_one_that_retires_is_replaced_only_when_nobody_else_was_asked_for(seen: Observed, now: bool) -> None:
    plan: Plan = decide(seen, spec(), NOW)
    if now:
        assert isinstance(plan, Steps), plan
        assert isinstance(plan.steps[0], ReplaceInstance)
    else:
        assert isinstance(plan, Wait), plan
        assert "n2 was asked to be replaced just now" in plan.message
