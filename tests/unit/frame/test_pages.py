"""When a person is told: once, when it comes back, and while it keeps an instance waiting."""

import msgspec
import pytest
from tests.unit.frame.parts import NOW

from vagus.cluster import ShardMove
from vagus.owned import SettingsUpdate
from vagus.plan import Ask, Blocked, Done, Plan, Steps, Wait
from vagus.procedure import pages
from vagus.procedure.loop import Call
from vagus.procedure.pages import AGAIN_SECONDS, FORGOTTEN_SECONDS, Paged, Told
from vagus.reasons import Reason
from vagus.steps import ExcludeNodes, MoveShards

MINUTE = 60.0
STALLED = Wait(seconds=30, reason=Reason.STALLED, message="x", page=True)
MOVING = Wait(seconds=30, reason=Reason.SHARDS_MOVING, message="x")
FULL = Blocked(reason=Reason.NO_ROOM, message="x", open_deadline=True)
ANOTHER = Blocked(reason=Reason.WRONG_CLUSTER, message="x")
DONE = Done(reason=Reason.NOTHING_LEAVES, message="x")


def _asks(*nodes: str, meanwhile: Wait | None = None, waits: bool = True) -> Ask:
    step = ExcludeNodes(intents=(), nodes=nodes, update=SettingsUpdate())
    return Ask(
        reason=Reason.APPROVAL_NEEDED,
        message="x",
        steps=(step,),
        seconds=60,
        meanwhile=meanwhile,
        open_deadline=waits,
    )


def _deaf(*nodes: str) -> Wait:
    return Wait(seconds=15, reason=Reason.NODE_NOT_RENEWED, message="x", about=nodes, page=True)


def _goes_on(asked: Ask) -> Steps:
    return Steps(reason=Reason.DRAINING, message="x", steps=asked.steps)


def _moves(target: str) -> Ask:
    leg = ShardMove(index="notes", shard=0, primary=True, source="i-0", target=target, bytes=1, why="x")
    return Ask(reason=Reason.APPROVAL_NEEDED, message="x", steps=(MoveShards(legs=(leg,)),), seconds=60)


def _looks(plans: list[Plan], every: float = MINUTE) -> list[int]:
    """The numbers of the looks whose plan was told."""
    paged: Paged = {}
    told = []
    for number, plan in enumerate(plans):
        page, paged = pages.told(plan, paged, NOW + number * every)
        if page:
            told.append(number)
    return told


DAY = int(86_400 / MINUTE)
FOUR_HOURS = int(AGAIN_SECONDS / MINUTE)

TOLD: dict[str, tuple[list[Plan], list[int]]] = {
    "once, however often it is looked at": ([FULL] * 60, [0]),
    "each reason for itself": ([FULL, STALLED, FULL, STALLED], [0, 1]),
    "not again when it was away for nine minutes": ([STALLED, *[MOVING] * 8, STALLED], [0]),
    "again when it was away for ten": ([STALLED, *[MOVING] * 9, STALLED], [0, 10]),
    "every four hours while an instance waits, blocked": ([FULL] * DAY, list(range(0, DAY, FOUR_HOURS))),
    "every four hours while an instance waits, stalled": ([STALLED] * DAY, list(range(0, DAY, FOUR_HOURS))),
    "once where no instance waits": ([ANOTHER] * DAY, [0]),
    "asked once for each step": ([*[_asks("i-1")] * 30, *[_asks("i-2")] * 2], [0, 30]),
    "once for moves, which are planned anew at each look": ([_moves(f"i-{look}") for look in range(30)], [0]),
    "asked once for the same nodes, in whatever order": ([_asks("i-1", "i-2"), _asks("i-2", "i-1")], [0]),
    "asked anew for the next moves once the last were done": (
        [_moves("i-1"), _goes_on(_moves("i-1")), MOVING, _moves("i-2")],
        [0, 3],
    ),
    "asked again every four hours while something waits with a deadline": (
        [_asks("i-1")] * DAY,
        list(range(0, DAY, FOUR_HOURS)),
    ),
    "asked once where nothing waits": ([_asks("i-1", waits=False)] * DAY, [0]),
    "of a stall too that a question would hide, as soon as it is one": (
        [*[_asks("i-1", meanwhile=MOVING)] * 5, *[_asks("i-1", meanwhile=STALLED)] * 5, STALLED],
        [0, 5],
    ),
    "of a stall once, whether or not a question comes beside it": (
        [STALLED, _asks("i-1", meanwhile=STALLED), STALLED],
        [0, 1],
    ),
    "of each that it is about, and not again when one of them is well": (
        [_deaf("i-1"), _deaf("i-1", "i-2"), _deaf("i-2"), _deaf("i-2", "i-3")],
        [0, 1, 3],
    ),
    "of all at once when it is told again": (
        [*[_deaf("i-1")] * 60, *[_deaf("i-1", "i-2")] * (FOUR_HOURS + 1)],
        [0, 60, 60 + FOUR_HOURS],
    ),
    "of the same nodes once, waited for or not": (
        [_deaf("i-1"), msgspec.structs.replace(FULL, about=("i-1",), reason=Reason.NODE_NOT_RENEWED)],
        [0],
    ),
    "never of what goes well": ([MOVING, DONE], []),
}


@pytest.mark.parametrize(("plans", "told"), TOLD.values(), ids=TOLD.keys())
def test_a_person_is_told(plans: list[Plan], told: list[int]) -> None:
    assert _looks(plans) == told


def test_what_is_over_is_not_carried_along_for_ever() -> None:
    _, paged = pages.told(DONE, {"STALLED": Told(NOW, NOW)}, NOW + FORGOTTEN_SECONDS)
    assert paged == {}


def test_a_call_of_an_older_version_lists_reasons_that_were_told_already() -> None:
    old = msgspec.convert({"cluster": "c", "capability": "x", "generation": 1, "paged": ["STALLED"]}, Call)
    page, paged = pages.told(STALLED, pages.read(old.paged, NOW), NOW)
    assert not page
    assert paged == {"STALLED": Told(NOW, NOW)}


def test_a_page_says_why_what_comes_and_where_to_see_it() -> None:
    said = pages.text(_asks("i-1"), "claims zone_balance (mode approve)", "https://console.invalid/7")
    assert said.splitlines()[0] == "claims zone_balance (mode approve): Ask APPROVAL_NEEDED"
    assert "- exclude i-1 from allocation" in said
    assert said.endswith("Execution: https://console.invalid/7")
    bare = pages.text(FULL, "claims zone_balance (mode act)", "https://console.invalid/7")
    assert "foreseen" not in bare


def test_a_page_that_asks_says_what_stalls_meanwhile() -> None:
    stalls = msgspec.structs.replace(STALLED, message="no shard moves")
    said = pages.text(_asks("i-1", meanwhile=stalls), "claims", "https://console.invalid/7")
    assert said.splitlines()[0] == "claims: Ask APPROVAL_NEEDED, STALLED"
    assert "Meanwhile: no shard moves" in said
    assert "Meanwhile" not in pages.text(_asks("i-1", meanwhile=MOVING), "claims", "https://console.invalid/7")


def test_a_page_of_many_steps_says_how_many_it_left_out() -> None:
    many = msgspec.structs.replace(_asks("i-1"), foreseen=tuple(_asks(f"i-{n}").steps[0] for n in range(30)))
    assert "and 11 more" in pages.text(many, "claims", "https://console.invalid/7")


def test_what_was_told_travels_as_json() -> None:
    call = Call(cluster="c", capability="x", generation=1, paged={"STALLED": Told(NOW, NOW + 1)})
    assert msgspec.json.decode(msgspec.json.encode(call), type=Call) == call
