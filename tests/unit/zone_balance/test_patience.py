"""How long what is waited for may last, and how many looks may fail, before a person is told."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from tests.unit.zone_balance.building import (
    EMPTY,
    FIRST_GOES,
    FIRST_WAITS,
    GB,
    GOING,
    NOW,
    ONE_EACH,
    ONE_ZONE,
    RETAINED,
    SERVING,
    SIX,
    UNREACHABLE,
    WAITING,
    demanding,
    group,
    node,
    observed,
    ours,
    six,
    spec,
    three,
)

from vagus.plan import Ask, Blocked, Plan, Progress, Steps, Wait, pages
from vagus.procedure import consent
from vagus.procedure.pages import headline, told
from vagus.procedure.rows import Rows
from vagus.reasons import Reason
from vagus.rooms import ROOMS
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observed import Observed

SILENT = [*SIX[:1], *(node(f"n{number}", (number - 1) // 2, free=0, total=0) for number in range(2, 7))]
UNSURE: dict[str, tuple[Observed, Reason]] = {
    "nobody answers": (observed(UNREACHABLE, [group(0, FIRST_WAITS)]), Reason.UNREACHABLE),
    "an index is not shown": (six(FIRST_WAITS, counted_indices=3), Reason.CANNOT_SEE_ALL),
    "nodes do not tell their disks": (six(FIRST_WAITS, nodes=SILENT), Reason.NO_ROOM),
}


@pytest.mark.parametrize(("seen", "reason"), UNSURE.values(), ids=UNSURE.keys())
def test_a_look_that_can_not_be_decided_on_is_repeated_three_times_before_a_person_is_told(
    seen: Observed, reason: Reason
) -> None:
    seen = msgspec.structs.replace(seen, progress=Progress(bytes_left=7, at=NOW - 90, changed_at=NOW - 90))
    plans: list[Plan] = []
    for _ in range(5):
        plans.append(decide(seen, spec(), NOW))
        seen = msgspec.structs.replace(seen, progress=plans[-1].progress)
    assert [type(plan).__name__ for plan in plans] == ["Wait"] * 3 + ["Blocked"] * 2
    assert {plan.reason for plan in plans} == {reason}
    assert not any(pages(plan) for plan in plans[:3])
    assert seen.progress == Progress(bytes_left=7, at=NOW, changed_at=NOW, unseen=5)
    good = decide(six(FIRST_WAITS, progress=seen.progress), spec(), NOW)
    assert good.progress == Progress(bytes_left=7, at=NOW, changed_at=NOW)


def test_time_in_which_nothing_was_seen_is_no_stall() -> None:
    """Ten seconds without a move, two minutes without an answer: no more than ten seconds of a stall."""
    busy = six(FIRST_WAITS, persistent=ours("n1"), intents=(demanding("n1"),))
    before = decide(busy, spec(), NOW - 130).progress
    before = decide(msgspec.structs.replace(busy, progress=before), spec(), NOW - 120).progress
    for at in range(-110, 1, 10):
        away = observed(UNREACHABLE, [group(0, FIRST_WAITS)], progress=before)
        before = decide(away, spec(), NOW + at).progress
    plan = decide(msgspec.structs.replace(busy, progress=before), spec(), NOW + 1)
    assert plan.reason is Reason.SHARDS_MOVING
    assert plan.progress is not None
    assert plan.progress.at - plan.progress.changed_at == 11


def test_a_question_hides_no_stall() -> None:
    """n1 is drained and nothing moves; n3 is asked for, and nobody answers: a person is told of both."""
    nodes = [*SIX[:2], node("n3", 1, roles=("data",)), *SIX[3:]]
    waits = group(1, {"n3": WAITING, "n4": SERVING})
    drained = {"persistent": ours("n1"), "intents": (demanding("n1"),)}
    seen = six(FIRST_WAITS, "a:n1,n4 b:n2,n5 c:n3,n6", nodes=nodes, **drained)
    seen = msgspec.structs.replace(seen, groups=(seen.groups[0], waits, seen.groups[2]))
    asks, room, paged = spec(mode="approve", stall_seconds=300), ROOMS["zone_balance"], {}
    said: list[tuple[int, str]] = []
    for at in range(0, 601, 60):
        plan = consent.within(decide(seen, asks, NOW + at), room, asks, Rows(cluster="claims"), NOW + at)
        assert isinstance(plan, Ask)
        assert plan.open_deadline
        page, paged = told(plan, paged, NOW + at)
        said += [(at, headline(plan))] if page else []
        seen = msgspec.structs.replace(seen, progress=plan.progress)
    assert said == [(0, "APPROVAL_NEEDED"), (300, "APPROVAL_NEEDED, STALLED")]


def test_in_mode_observe_and_outside_of_a_run_it_is_told_at_once() -> None:
    seen = observed(UNREACHABLE, [group(0, FIRST_WAITS)])
    in_a_run = msgspec.structs.replace(seen, progress=Progress(bytes_left=0, at=NOW, changed_at=NOW))
    assert isinstance(decide(seen, spec(), NOW), Blocked)
    assert isinstance(decide(in_a_run, spec(mode="observe"), NOW), Blocked)


def mine(layout: str, members: Mapping[str, str] = FIRST_WAITS, **fields: Any) -> Observed:
    """n1 is excluded by us."""
    return six(members, layout, persistent=ours("n1"), intents=(demanding("n1"),), **fields)


STANDS, MOVES = "a:n1,n3 b:n2,n5", "a:n1>n2,n3 b:n2,n5"
# what is waited for -> (observed, policy, the reason while it may last, and after, and how many seconds that is)
PATIENCE: dict[str, tuple[Observed, dict[str, Any], Reason, Reason, int]] = {
    "no shard moves": (mine(STANDS), {}, Reason.SHARDS_MOVING, Reason.STALLED, 120),
    "the same shard is on its way": (mine(MOVES), {}, Reason.SHARDS_MOVING, Reason.STALLED, 7200),
    "it was let go and is still listed": (mine(EMPTY, FIRST_GOES), {}, Reason.INSTANCE_GOING, Reason.STALLED, 900),
    "a manager is replaced": (
        mine("a:n3,n5", {"n1": WAITING, "n2": GOING}),
        {},
        Reason.QUORUM,
        Reason.QUORUM,
        1500,
    ),
    "a replacement in another zone": (
        three(WAITING, GOING, SERVING),
        ONE_ZONE,
        Reason.REPLACEMENT_AWAITED,
        Reason.REPLACEMENT_AWAITED,
        1500,
    ),
}


@pytest.mark.parametrize(("seen", "policy", "while_it_may", "after", "most"), PATIENCE.values(), ids=PATIENCE.keys())
def test_what_lasts_is_waited_for_in_silence_and_then_told(
    seen: Observed, policy: dict[str, Any], while_it_may: Reason, after: Reason, most: int
) -> None:
    def at(seconds: float) -> Plan:
        return decide(msgspec.structs.replace(seen, progress=first.progress), spec(**policy), NOW + seconds)

    first = decide(seen, spec(**policy), NOW)
    for plan in (first, at(most - 1)):
        assert (plan.reason, pages(plan)) == (while_it_may, False), plan.message
    assert (at(most).reason, pages(at(most))) == (after, True)


def test_one_that_is_held_is_told_at_once() -> None:
    plan = decide(three(RETAINED, SERVING, SERVING), spec(**ONE_EACH), NOW)
    assert (plan.reason, pages(plan)) == (Reason.REPLACEMENT_AWAITED, True)


MIXED = "a:n1>n2,n3 b:n1,n5"
SAID = {
    "every node objects": ("n2: full\nn3: full\nn4: full\nn5: twin\nn6: full", Reason.STALLED),
    "one node is only busy": (
        "n2: reached the limit of incoming shard recoveries [2]\nn3: full\nn4: full\nn5: twin\nn6: full",
        Reason.SHARDS_MOVING,
    ),
    "one is busy, and objects as well": (
        "n2: reached the limit of incoming shard recoveries [2]; full\nn3: full\nn4: full\nn5: twin\nn6: full",
        Reason.STALLED,
    ),
    "one node does not object": ("n3: full\nn4: full\nn5: twin\nn6: full", Reason.SHARDS_MOVING),
    "nobody could say": ("no explanation: Unreachable: no node answered", Reason.SHARDS_MOVING),
}


@pytest.mark.parametrize(("said", "reason"), SAID.values(), ids=SAID.keys())
def test_a_copy_that_is_on_its_way_hides_none_that_is_stuck(said: str, reason: Reason) -> None:
    first = decide(mine(MIXED), spec(), NOW).progress
    later = msgspec.structs.replace(mine(MIXED), progress=first, explanation=f"b[0]: {said}")
    assert decide(later, spec(), NOW + 119).reason is Reason.SHARDS_MOVING
    assert decide(later, spec(), NOW + 120).reason is reason
    assert decide(later, spec(), NOW + 7200).reason is Reason.STALLED


CHANGES: dict[str, tuple[Observed, bool]] = {
    "another copy has left": (mine("a:n2,n3 b:n2,n1"), True),
    "it has begun to move, which may fail and begin again for ever": (mine(MOVES), False),
    "it goes elsewhere": (mine("a:n1>n6,n3 b:n2,n5"), False),
    "its index has grown": (mine(STANDS, size=2 * GB), False),
    "nothing": (mine(STANDS), False),
}


@pytest.mark.parametrize(("then", "changed"), CHANGES.values(), ids=CHANGES.keys())
def test_progress_is_in_the_set_of_copies(then: Observed, changed: bool) -> None:
    first = decide(mine(STANDS), spec(), NOW).progress
    progress = decide(msgspec.structs.replace(then, progress=first), spec(), NOW + 60).progress
    assert progress is not None
    assert progress.changed_at == (NOW + 60 if changed else NOW)


def test_a_step_in_between_sets_no_clock_back() -> None:
    first = decide(mine(STANDS), spec(), NOW).progress
    seen = mine(STANDS, sizes={}, desired=1, progress=first)
    plan = decide(seen, spec(), NOW + 60)
    assert isinstance(plan, Steps)
    assert plan.progress == first


def test_a_drain_that_stalls_says_why_in_the_deciders_own_words() -> None:
    progress = decide(mine(STANDS), spec(), NOW).progress
    stalled = mine(STANDS, progress=progress, explanation="a[0]: n2: the node is above the high watermark")
    plan = decide(stalled, spec(), NOW + 120)
    assert isinstance(plan, Wait)
    assert plan.page
    assert "the node is above the high watermark" in plan.message
