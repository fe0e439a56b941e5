"""decide(observed, spec, now): one case for each thing that can be decided, keyed by the sentence that it proves."""

from typing import Any

import pytest
from tests.unit.zone_balance.building import NOW, spec
from tests.unit.zone_balance.drain_cases import TAKING, TIDYING, WAITING_FOR_SHARDS
from tests.unit.zone_balance.letting_go_cases import LETTING_GO, NOWHERE_TO_GO
from tests.unit.zone_balance.sight_cases import SIGHT, SIZES

from vagus.plan import Blocked, Done, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import kind
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed

TABLES = (SIGHT, TAKING, LETTING_GO, NOWHERE_TO_GO, WAITING_FOR_SHARDS, TIDYING, SIZES)
CASES = {sentence: case for table in TABLES for sentence, case in table.items()}
assert len(CASES) == sum(map(len, TABLES)), "two cases of one sentence"


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
