"""Instances that come: who is let into service, who is given up, when launching stops. Tables keyed by a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.zone_balance.building import (
    NOW,
    SERVING,
    SIX,
    TWO_ZONES,
    UNREACHABLE,
    cluster,
    demanding,
    group,
    node,
    observed,
    ours,
    six,
    spec,
)

from vagus.instances import Launch, Launches, Suspended, TriedAgain
from vagus.intent import gone
from vagus.plan import Blocked, Plan, Progress, Steps, Wait
from vagus.reasons import Reason
from vagus.steps import AbandonLaunch, ContinueLaunch, ExcludeNodes, SuspendLaunching, kind
from vagus.zone_balance.decide import decide
from vagus.zone_balance.launching import FAILED_SECONDS, JOIN_SECONDS, SERVED_SECONDS, WHOLE_SECONDS, rest
from vagus.zone_balance.observed import Observed

A = "claims-data-eu-west-1a"
COMING = {"n1": SERVING, "n2": SERVING, "n7": "Pending:Wait"}
SEVEN = [*SIX, node("n7", 0)]
WHOLE, YELLOW, RED = "a:n1,n3 b:n2,n5", "a:n1,n3 b:n2,-", "a:n1,n3 b:-,-"
RECENTLY, AN_HOUR_AGO = "2025-12-31T23:58:00Z", "2025-12-31T22:59:00Z"
JOINED = Launches(joined={"n7": RECENTLY})


def launched(ago: float) -> dict[str, tuple[Launch, ...]]:
    return {A: (Launch(instance="n7", started=NOW - ago),)}


def failed(*ago: float) -> dict[str, tuple[Launch, ...]]:
    """Failed launches that ended so many seconds ago."""
    return {A: tuple(Launch(instance="", started=NOW - at, ended=NOW - at, failed=True, why="quota") for at in ago)}


def comes(
    layout: str = WHOLE, *, joined: bool = True, ago: float = 60.0, state: str = "Pending:Wait", **fields: Any
) -> Observed:
    """`n7` comes, and it is noted that it has joined, if it has."""
    first = {**COMING, "n7": state}
    given = {"launches": launched(ago), "suspended": JOINED if joined else Launches(), **fields}
    return six(first, layout, nodes=SEVEN if joined else SIX, desired=3, **given)


def stops(ago: Sequence[float], first: Mapping[str, str] | None = None, **fields: Any) -> Observed:
    held = {name: fields.pop(name) for name in ("suspended_processes",) if name in fields}
    members = first or {"n1": SERVING, "n2": SERVING}
    groups = [group(0, members, desired=3, suspended=held.get("suspended_processes", ())), *TWO_ZONES]
    return observed(cluster(SIX, WHOLE), groups, launches=failed(*ago), **fields)


def marked(at: str = RECENTLY, *, done: str | None = RECENTLY, times: int = 1, **more: Any) -> Launches:
    return Launches(marks={A: Suspended(at=at, why="quota", done=done, times=times)}, **more)


def tried_again(at: str, times: int, **more: Any) -> Launches:
    return Launches(again={A: TriedAgain(at=at, times=times)}, **more)


def waited(seconds: float) -> Progress:
    """For so long nobody else comes."""
    return Progress(bytes_left=0, about="LAUNCHING n7", at=NOW - 1, changed_at=NOW - seconds)


MINUTES = (60.0, 120.0, 180.0)
GIVEN_UP = {"intents": (demanding("n7"),), "persistent": ours("n7")}

CASES: dict[str, tuple[Observed, str, Reason]] = {
    "its node has joined and the cluster is whole": (comes(), "ContinueLaunch", Reason.ADMITTING),
    "it has joined and can't serve yet: that is noted": (
        comes(YELLOW, suspended=Launches()),
        "NoteJoined",
        Reason.LAUNCHING,
    ),
    "a copy has still to recover": (comes(YELLOW), "Wait", Reason.LAUNCHING),
    "a shard is nowhere, and nobody is missing": (comes(RED), "Blocked", Reason.LOST_WITH_DATA),
    "a primary recovers": (comes("a:n1,n3 b:+n2,-"), "Wait", Reason.LAUNCHING),
    "it has not come so far as its hook": (comes(state="Pending"), "Wait", Reason.LAUNCHING),
    "its hook was answered already": (comes(state="Pending:Proceed"), "Wait", Reason.LAUNCHING),
    "its hook was answered moments ago, and AWS shows it late": (
        comes(suspended=Launches(answered={"n7": RECENTLY}, joined={"n7": RECENTLY})),
        "Wait",
        Reason.LAUNCHING,
    ),
    "its hook was answered long ago, and still waits": (
        comes(suspended=Launches(answered={"n7": AN_HOUR_AGO})),
        "ContinueLaunch",
        Reason.ADMITTING,
    ),
    "another was let go with its copies, and serves still": (
        six(
            {**COMING, "n1": "Terminating:Proceed"},
            WHOLE,
            nodes=SEVEN,
            launches=launched(60.0),
            intents=(demanding("n1", let_go=RECENTLY),),
            persistent=ours("n1"),
            suspended=JOINED,
        ),
        "Wait",
        Reason.INSTANCE_GOING,
    ),
    "not whole for six hours: it is never abandoned": (
        comes(YELLOW, ago=SERVED_SECONDS),
        "ContinueLaunch",
        Reason.ADMITTING,
    ),
    "a shard moves, which is no recovery": (comes("a:n1,n3 b:n2>n7,n5"), "ContinueLaunch", Reason.ADMITTING),
    "its node has still to join": (comes(joined=False), "Wait", Reason.LAUNCHING),
    "its node never joined: first no shard may go to it": (
        comes(joined=False, ago=JOIN_SECONDS),
        "ExcludeNodes",
        Reason.GIVING_UP,
    ),
    "no shard may go to it: then its launch is abandoned": (
        comes(joined=False, ago=JOIN_SECONDS, **GIVEN_UP),
        "AbandonLaunch",
        Reason.GIVING_UP,
    ),
    "it joined after all: what kept shards off it is taken away": (
        comes(ago=JOIN_SECONDS, **GIVEN_UP),
        "PutSettingsRight",
        Reason.TIDYING,
    ),
    "it is not there, and a shard has no copy elsewhere: it may hold it": (
        comes(RED, joined=False, ago=JOIN_SECONDS),
        "Wait",
        Reason.LAUNCHING,
    ),
    "it is not there, and was: its process starts again": (
        comes(joined=False, ago=JOIN_SECONDS, suspended=JOINED),
        "Wait",
        Reason.LAUNCHING,
    ),
    "it is not there, and is a voter: it has been there": (
        comes(joined=False, ago=JOIN_SECONDS, voters=("n1", "n3", "n5", "n7")),
        "Wait",
        Reason.LAUNCHING,
    ),
    "its launch could not be asked for: that proves nothing": (
        six(COMING, WHOLE, desired=3),
        "Wait",
        Reason.LAUNCHING,
    ),
    "it was attached, or left standby: no launch of it is seen, and it may have joined long ago": (
        six(COMING, WHOLE, desired=3, launches={A: ()}),
        "Wait",
        Reason.LAUNCHING,
    ),
    "it was attached, and has joined": (
        comes(launches={A: ()}, suspended=Launches()),
        "ContinueLaunch",
        Reason.ADMITTING,
    ),
    "it was attached, has joined, and a copy has still to recover": (
        comes(YELLOW, launches={A: ()}),
        "Wait",
        Reason.LAUNCHING,
    ),
    "it was attached, and the cluster has not been whole for six hours since it joined": (
        comes(YELLOW, launches={A: ()}, suspended=Launches(joined={"n7": "2025-12-31T18:00:00Z"})),
        "ContinueLaunch",
        Reason.ADMITTING,
    ),
    "suspended by us, and its launches can't be asked for: that is no success": (
        observed(
            cluster(SIX, WHOLE),
            [group(0, {"n1": SERVING, "n2": SERVING}, desired=3, suspended=("Launch",)), *TWO_ZONES],
            suspended=marked(AN_HOUR_AGO),
        ),
        "Blocked",
        Reason.LAUNCHES_FAIL,
    ),
    "a group without our launch hook goes its own way": (
        observed(cluster(SEVEN, WHOLE), [group(0, COMING, launch_hook=None), *TWO_ZONES]),
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "three launches failed within an hour": (stops(MINUTES), "SuspendLaunching", Reason.LAUNCHING_STOPS),
    "two did": (stops(MINUTES[:2]), "Done", Reason.NOTHING_LEAVES),
    "three did, one of them longer ago": (
        stops((60.0, 120.0, FAILED_SECONDS + 1.0)),
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "marked, and whether it was suspended nobody knows": (
        stops(MINUTES, suspended=marked(done=None)),
        "SuspendLaunching",
        Reason.LAUNCHING_STOPS,
    ),
    "suspended by us: a person is told": (
        stops(MINUTES, suspended=marked(), suspended_processes=("Launch",)),
        "Blocked",
        Reason.LAUNCHES_FAIL,
    ),
    "suspended by us, and AWS shows it late": (stops(MINUTES, suspended=marked()), "Blocked", Reason.LAUNCHES_FAIL),
    "suspended by a person: theirs": (
        stops(MINUTES, suspended_processes=("Launch",)),
        "Done",
        Reason.NOTHING_LEAVES,
    ),
    "suspended by us an hour ago": (
        stops((FAILED_SECONDS + 1.0,) * 3, suspended=marked(AN_HOUR_AGO), suspended_processes=("Launch",)),
        "ResumeLaunching",
        Reason.LAUNCHING_RESUMES,
    ),
    "a person said to try again": (
        stops(MINUTES, suspended=marked(forgiven={A: "2025-12-31T23:59:30Z"}), suspended_processes=("Launch",)),
        "ResumeLaunching",
        Reason.LAUNCHING_RESUMES,
    ),
    "a person resumed it in AWS": (
        stops(MINUTES, suspended=marked(done="2025-12-31T23:50:00Z")),
        "ResumeLaunching",
        Reason.LAUNCHING_RESUMES,
    ),
    "suspended by us an hour ago, for the second time in a row: that lasts two hours": (
        stops((FAILED_SECONDS + 1.0,) * 3, suspended=marked(AN_HOUR_AGO, times=2), suspended_processes=("Launch",)),
        "Blocked",
        Reason.LAUNCHES_FAIL,
    ),
    "its group is gone": (
        observed(cluster(SIX, WHOLE), TWO_ZONES, suspended=marked()),
        "ResumeLaunching",
        Reason.LAUNCHING_RESUMES,
    ),
}


def _said(plan: Plan) -> str:
    return kind(plan.steps[0]) if isinstance(plan, Steps) else type(plan).__name__


@pytest.mark.parametrize(("seen", "said", "reason"), CASES.values(), ids=CASES.keys())
def test_decided(seen: Observed, said: str, reason: Reason) -> None:
    plan = decide(seen, spec(), NOW)
    assert (_said(plan), plan.reason) == (said, reason), plan.message


TOLD: dict[str, tuple[Observed, bool]] = {
    "not whole for a while": (comes(YELLOW, ago=WHOLE_SECONDS - 1), False),
    "not whole for an hour": (comes(YELLOW, ago=WHOLE_SECONDS), True),
    "booting": (comes(joined=False, ago=JOIN_SECONDS - 1), False),
    "not joined for half an hour, and not to be given up": (comes(RED, joined=False, ago=2 * JOIN_SECONDS), True),
    "joined, and away since, for less than an hour": (
        comes(joined=False, ago=WHOLE_SECONDS - 1, suspended=JOINED),
        False,
    ),
    "joined, and away since": (comes(joined=False, ago=WHOLE_SECONDS, suspended=JOINED), True),
    "attached, and its node is not there": (comes(joined=False, launches={A: ()}, progress=waited(1799)), False),
    "attached, and its node has not been there for half an hour": (
        comes(joined=False, launches={A: ()}, progress=waited(1800)),
        True,
    ),
}


@pytest.mark.parametrize(("seen", "told"), TOLD.values(), ids=TOLD.keys())
def test_a_person_is_told_of_what_lasts(seen: Observed, told: bool) -> None:
    plan = decide(seen, spec(), NOW)
    assert isinstance(plan, Wait)
    assert plan.page is told


def test_the_order_of_giving_up_is_shown_whole() -> None:
    plan = decide(comes(joined=False, ago=JOIN_SECONDS), spec(), NOW)
    assert isinstance(plan, Steps)
    assert [type(step) for step in plan.steps[:2]] == [ExcludeNodes, AbandonLaunch]


def test_what_is_not_as_it_should_be_stands_in_the_step() -> None:
    late = decide(comes(YELLOW, ago=SERVED_SECONDS), spec(), NOW)
    elsewhere = decide(six(COMING, WHOLE, nodes=[*SIX, node("n7", 1)], launches=launched(60.0)), spec(), NOW)
    for plan, words in ((late, "the cluster is yellow"), (elsewhere, "says zone eu-west-1b")):
        assert isinstance(plan, Steps)
        assert isinstance(plan.steps[0], ContinueLaunch)
        assert words in plan.steps[0].sentence


SERVES_SINCE = Launch(instance="n7", started=NOW - 1200.0, ended=NOW - 1000.0)
TIMES: dict[str, tuple[Launches, tuple[Launch, ...], int]] = {
    "the first": (Launches(), (), 1),
    "tried again an hour ago": (tried_again(AN_HOUR_AGO, 1), (), 2),
    "the fourth": (tried_again(AN_HOUR_AGO, 3), (), 4),
    "one was launched since": (tried_again(AN_HOUR_AGO, 3), (SERVES_SINCE,), 1),
    "one was launched before": (tried_again(RECENTLY, 3), (SERVES_SINCE,), 4),
    "tried again a day ago, and all was well": (tried_again("2025-12-31T00:00:00Z", 3), (), 1),
}


@pytest.mark.parametrize(("noted", "more", "times"), TIMES.values(), ids=TIMES.keys())
def test_failures_soon_after_another_try_are_the_same_trouble(
    noted: Launches, more: tuple[Launch, ...], times: int
) -> None:
    seen = stops(MINUTES, suspended=noted)
    seen = msgspec.structs.replace(seen, launches={A: (*seen.launches[A], *more)})
    plan = decide(seen, spec(), NOW)
    assert isinstance(plan, Steps)
    assert isinstance(plan.steps[0], SuspendLaunching)
    assert plan.steps[0].times == times


@pytest.mark.parametrize(("times", "hours"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (99, 24)])
def test_each_suspension_in_a_row_lasts_twice_as_long_up_to_a_day(times: int, hours: int) -> None:
    assert rest(Suspended(at=RECENTLY, times=times)) == hours * 3600


def test_launches_that_fail_are_heeded_before_the_cluster_has_formed() -> None:
    groups = [group(zone, {}, desired=2) for zone in range(3)]
    forming = observed(UNREACHABLE, groups, launches=failed(*MINUTES), identity=None)
    plan = decide(forming, spec(), NOW)
    assert isinstance(plan, Steps)
    assert isinstance(plan.steps[0], SuspendLaunching)
    assert "quota" in plan.message
    stopped = observed(UNREACHABLE, groups, launches=failed(*MINUTES), identity=None, suspended=marked())
    told = decide(stopped, spec(), NOW)
    assert isinstance(told, Blocked)
    assert (told.reason, told.open_deadline) == (Reason.LAUNCHES_FAIL, False)
    assert told.about == tuple(f"{name} since {mark.at}" for name, mark in marked().marks.items())


DRAINS: Mapping[str, Any] = {"persistent": ours("n1"), "intents": (demanding("n1"),)}
LEAVES = {"n1": "Terminating:Wait", "n2": SERVING}


def test_a_suspension_is_told_beside_what_is_waited_for_and_sets_none_of_its_clocks_back() -> None:
    seen = stops(MINUTES, LEAVES, suspended=marked(), suspended_processes=("Launch",))
    assert isinstance(decide(seen, spec(), NOW), Steps), "the drain goes on"
    alone = decide(six(LEAVES, WHOLE, **DRAINS), spec(), NOW)
    plan = decide(six(LEAVES, WHOLE, launches=failed(*MINUTES), suspended=marked(), **DRAINS), spec(), NOW)
    assert isinstance(alone, Wait)
    assert isinstance(plan, Wait)
    assert (plan.reason, plan.page) == (Reason.LAUNCHES_FAIL, True)
    assert len(plan.about) == 1, "the same as at the end: told once"
    assert alone.message in plan.message
    assert (plan.progress, plan.seconds, plan.foreseen) == (alone.progress, alone.seconds, alone.foreseen)


def test_a_suspension_hides_no_drain_that_stalls_and_no_data_that_is_lost() -> None:
    held: dict[str, Any] = {"launches": failed(*MINUTES), "suspended": marked()}
    first = decide(six(LEAVES, WHOLE, **held, **DRAINS), spec(), NOW)
    later = NOW + spec().zone_balance.stall_seconds
    stalled = decide(six(LEAVES, WHOLE, **held, **DRAINS, progress=first.progress), spec(), later)
    assert isinstance(stalled, Wait)
    assert (stalled.reason, stalled.page) == (Reason.STALLED, True)
    gone_without_us = gone("n9", A, RECENTLY)
    known = msgspec.structs.replace(gone_without_us, lost=("a[0]",))
    lost = decide(six(LEAVES, "a:-,- b:n2,n5", **held, intents=(known,)), spec(), NOW)
    for plan in (stalled, lost):
        assert "launching is suspended" in plan.message
    at_rest = six({"n1": SERVING, "n2": SERVING}, "a:-,- b:n2,n5", **held, intents=(known,))
    assert decide(at_rest, spec(), NOW).reason is Reason.LOST_WITH_DATA
