"""Each check before an instance is replaced, by a table of cases keyed by a sentence; who is behind, in which order."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rolling_upgrade.replacing import GROUP, made

from vagus.cluster import CopyState
from vagus.instances import Group, Instance, Launches, Suspended, TriedAgain
from vagus.intent import replace
from vagus.plan import Blocked, Done, Plan
from vagus.procedure.records import iso
from vagus.reasons import Reason
from vagus.rolling_upgrade import on_the_way, replaceable, replacing
from vagus.rolling_upgrade.looking import looked
from vagus.rolling_upgrade.observed import Observed
from vagus.rolling_upgrade.replaceable import Question
from vagus.snapshots import Snapshots

Change = Callable[[Question], Question]


def question() -> Question:
    """Three green nodes of 3.4.0, of which the first is to be replaced."""
    world = made()
    world.clock.now += 60
    cluster = world.engine.look()
    observed = Observed(cluster=cluster, groups=world.groups.describe(), version="3.4.0", snapshots=Snapshots())
    first = replaceable.candidates(observed, cluster)[0]
    return Question(observed=observed, cluster=cluster, spec=world.spec, one=first)


def seen(**changed: Any) -> Change:
    return lambda asked: msgspec.structs.replace(asked, observed=msgspec.structs.replace(asked.observed, **changed))


def cluster(**changed: Any) -> Change:
    return lambda asked: msgspec.structs.replace(asked, cluster=msgspec.structs.replace(asked.cluster, **changed))


def group(**changed: Any) -> Change:
    return lambda asked: _one(asked, group=msgspec.structs.replace(asked.one.group, **changed))


def instance(**changed: Any) -> Change:
    return lambda asked: _one(asked, instance=msgspec.structs.replace(asked.one.instance, **changed))


def holds(gigabytes: int) -> Change:
    """The declared volume has 100 GiB."""
    return lambda asked: _one(asked, bytes=gigabytes * 10**9)


def _one(asked: Question, **changed: Any) -> Question:
    return msgspec.structs.replace(asked, one=msgspec.structs.replace(asked.one, **changed))


def unhooked(asked: Question) -> Question:
    return seen(unhooked=frozenset({asked.one.group.name}))(asked)


def both(*changes: Change) -> Change:
    return lambda asked: reduce(lambda one, change: change(one), changes, asked)


def away(asked: Question) -> Question:
    return _one(asked, node=None)


def another_runs(version: str) -> Change:
    """The replacement of the one before brought it."""

    def change(asked: Question) -> Question:
        first, *others = asked.cluster.nodes
        chosen = first if first.name != asked.one.id else others[0]
        newer = msgspec.structs.replace(chosen, version=version)
        nodes = tuple(newer if node is chosen else node for node in asked.cluster.nodes)
        return cluster(nodes=nodes)(asked)

    return change


def two_voters(asked: Question) -> Question:
    others = [name for name in asked.cluster.voters if name != asked.one.id]
    return cluster(voters=(asked.one.id, others[0]))(asked)


def _lacks(*suspended: str, ours: bool = False) -> Change:
    """The group of the first has no instance left, which has gone."""

    def change(asked: Question) -> Question:
        groups = tuple(
            msgspec.structs.replace(one, instances=(), suspended=suspended) if one.name == asked.one.group.name else one
            for one in asked.observed.groups
        )
        return seen(groups=groups, stopped=frozenset({asked.one.group.name} if ours else ()))(asked)

    return change


def same(asked: Question) -> Question:
    return asked


NO = Reason.NOT_REPLACEABLE
NOW = 1_767_225_660.0
SECOND = "claims-data-eu-west-1b"
"""The group of the one that goes first: the manager's is another."""
CASES: dict[str, tuple[Change, Reason | None, str]] = {
    "nothing stands against it": (same, None, ""),
    "nobody would drain it": (seen(undrained="zone_balance observes"), NO, "wait to leave for ever: zone_balance"),
    "its group would not retain it": (group(retains=False), NO, "does not retain"),
    "its group has no hook of ours": (group(hook=None), NO, "no terminate hook"),
    "its group's hook was deleted since": (unhooked, NO, "no terminate hook"),
    "it is protected": (instance(protected=True), NO, "--no-protected-from-scale-in"),
    "it is on standby": (instance(lifecycle="Standby"), NO, "exit-standby"),
    "launching is suspended": (group(suspended=("Launch",)), NO, "resume-processes"),
    "launching is suspended by us": (
        both(group(suspended=("Launch",)), seen(stopped=frozenset({SECOND}))),
        NO,
        "failed",
    ),
    "terminating is suspended": (group(suspended=("Terminate",)), NO, "the process Terminate"),
    "something else is suspended": (group(suspended=("AZRebalance",)), None, ""),
    "its replacement would bring another version": (seen(version="3.5.0"), Reason.VERSION_PATH, "bring 3.5.0"),
    "no version was noted": (seen(version=None), None, ""),
    "another node runs another version": (another_runs("4.1.0"), Reason.VERSION_PATH, "runs 4.1.0"),
    "another node does, and no version was noted": (
        both(another_runs("4.1.0"), seen(version=None)),
        Reason.VERSION_PATH,
        "is to bring 3.4.0",
    ),
    "another node does, and its own is away": (both(another_runs("4.1.0"), away), Reason.VERSION_PATH, "runs 4.1.0"),
    "what it holds fits": (holds(90), None, ""),
    "what it holds would be above the low watermark": (holds(92), Reason.NO_ROOM, "a volume of 100 GiB"),
    "one of two voters": (two_voters, Reason.QUORUM, "1 of 2 voters"),
    "the cluster is red": (cluster(status="red"), Reason.CLUSTER_RED, "red"),
    "a snapshot runs": (seen(snapshots=Snapshots(running=("nightly",))), Reason.SNAPSHOT_RUNNING, "nightly"),
    "snapshots could not be listed": (seen(snapshots=None), Reason.SNAPSHOT_RUNNING, "could not be listed"),
    "its node is away": (away, None, ""),
}


@pytest.mark.parametrize("sentence", CASES)
def test_what_stands_against_it(sentence: str) -> None:
    change, reason, words = CASES[sentence]
    found = replaceable.against(change(question()))
    assert (found.reason if found else None) == reason
    assert words in (found.message if found else "")


@pytest.mark.parametrize("reason", [NO, Reason.VERSION_PATH, Reason.NO_ROOM])
def test_what_stands_under_a_reason_with_several_causes_is_told_for_itself(reason: Reason) -> None:
    """Else the second cause would never be told: a person puts the first right, and nothing goes on."""
    found = [replaceable.against(change(question())) for change, because, _ in CASES.values() if because is reason]
    abouts = [one.about for one in found if one is not None]
    assert all(abouts)
    assert len(set(abouts)) >= len(abouts) - 2  # its hook is missing by three ways, of which one is told


def test_who_can_be_replaced_goes_before_whom_somebody_has_to_set_right() -> None:
    world = made(2)
    first, *others = replaceable.candidates(_observed(world), world.engine.look())
    world.groups.protect(first.id)
    found = replaceable.candidates(_observed(world), world.engine.look())
    assert [one.id for one in found] == [*(one.id for one in others), first.id]


def test_one_whose_node_is_away_goes_first() -> None:
    world = made(2)
    last = replaceable.candidates(_observed(world), world.engine.look())[-2]
    world.engine.crash(last.id)
    assert replaceable.candidates(_observed(world), world.engine.look())[0].id == last.id


def _observed(world: Any) -> Observed:
    return Observed(cluster=world.engine.look(), groups=world.groups.describe())


TEMPLATES = st.sampled_from(["", "lt-1:1", "lt-1:2", "lt-2:2"])


@given(now=TEMPLATES, was=TEMPLATES)
def test_unknown_is_never_behind(now: str, was: str) -> None:
    one = Instance(id="i-1", zone="a", lifecycle="InService", template=was)
    found = Group(name=GROUP, cluster="c", zone="a", roles=(), desired=1, instances=(one,), retains=True, template=now)
    assert found.behind(one) == (now != was and "" not in (now, was))


LACKING: dict[str, tuple[Change, Reason | None, str]] = {
    "it launches": (_lacks(), Reason.YIELDING, "has to launch it first"),
    "its launches failed": (_lacks("Launch", ours=True), Reason.YIELDING, "`vagus resume claims`"),
    "a person has suspended its launching": (_lacks("Launch"), NO, "aws autoscaling resume-processes"),
    "something else is suspended there": (_lacks("AZRebalance"), Reason.YIELDING, "has to launch it first"),
}


@pytest.mark.parametrize("sentence", LACKING)
def test_while_a_group_lacks_an_instance_no_other_groups_goes(sentence: str) -> None:
    """A template that does not launch costs one node, and not one in each zone."""
    change, reason, words = LACKING[sentence]
    plan = _planned(change(question()))
    assert isinstance(plan, Blocked if reason is NO else Done)
    assert plan.reason == reason
    assert words in plan.message


def _planned(asked: Question) -> Plan:
    wanted = replace((), "2026-01-01T00:00:00+00:00", "ada")
    look = looked(msgspec.structs.replace(asked.observed, intents=(wanted,)), asked.cluster, asked.spec, NOW)
    plan = replacing.replaced(look)
    assert plan is not None
    return plan


def copy_is(state: CopyState) -> Change:
    """A replica is in that state, and its node is none, or another."""

    def change(asked: Question) -> Question:
        replica = next(one for one in asked.cluster.copies if not one.primary)
        others = [one for one in asked.cluster.copies if one is not replica]
        return cluster(copies=(*others, msgspec.structs.replace(replica, state=state, node=None)), status="yellow")(
            asked
        )

    return change


def dead(asked: Question) -> Question:
    """The first one's node is in the cluster no more."""
    return cluster(nodes=tuple(node for node in asked.cluster.nodes if node.name != asked.one.id))(asked)


RECOVERS: dict[str, tuple[Change, Reason]] = {
    "a copy is unassigned": (copy_is("UNASSIGNED"), Reason.RECOVERING),
    "a copy is unassigned, and the first is dead": (both(copy_is("UNASSIGNED"), dead), Reason.REPLACING),
    "a copy moves, and the first is dead": (both(copy_is("INITIALIZING"), dead), Reason.RECOVERING),
}


@pytest.mark.parametrize("sentence", RECOVERS)
def test_before_one_whose_node_is_away_only_shards_that_move_are_waited_for(sentence: str) -> None:
    """What it held may have nowhere else to go: the wait would have no end."""
    change, reason = RECOVERS[sentence]
    assert _planned(change(question())).reason == reason


@pytest.mark.parametrize("mode", ["adopted", "declared"])
def test_who_approves_reads_that_the_engine_of_an_adopted_template_is_not_known(mode: str) -> None:
    asked = question()
    groups = tuple(msgspec.structs.replace(one, mode=mode) for one in asked.observed.groups)
    assert ("is not known" in _planned(seen(groups=groups)(asked)).message) == (mode == "adopted")


def test_ours_is_what_we_suspended_or_let_begin_again_a_moment_ago() -> None:
    """AWS shows it late: else a person would be told to resume what was resumed."""

    def at(seconds: float) -> str:
        return iso(NOW - seconds)

    launches = Launches(
        marks={"marked": Suspended(at=at(9000))},
        again={"just tried": TriedAgain(at=at(60), times=1), "tried long ago": TriedAgain(at=at(600), times=1)},
        forgiven={"just forgiven": at(60), "forgiven long ago": at(600)},
    )
    assert on_the_way.stopped(launches, NOW) == {"marked", "just tried", "just forgiven"}
