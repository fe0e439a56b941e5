"""Owned settings: what the open demands make of a cluster's settings, and what stays a person's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.zone_balance.building import cluster, node

from vagus.cluster import Cluster
from vagus.intent import ExcludeNode
from vagus.owned import EXCLUDE, MARK, TOKEN, SettingsUpdate, converge, excluded, ours

NODES = [node("n1")]

# set (persistent, mark, transient), demanded -> written to persistent, to transient, removed by hand
Case = tuple[str | None, str | None, str | None, str, dict[str, str | None] | None, dict[str, None], tuple[str, ...]]

CASES: dict[str, Case] = {
    "nothing is wanted and nothing is set": (None, None, None, "", None, {}, ()),
    "a demand is set and marked at once": (None, None, None, "n1", {EXCLUDE: "n1", MARK: "n1"}, {}, ()),
    "several are set together": (None, None, None, "n2 n1", {EXCLUDE: "n1,n2", MARK: "n1,n2"}, {}, ()),
    "it is set already": ("n1", "n1", None, "n1", None, {}, ()),
    "no demand is left: both are cleared": ("n1", "n1", None, "", {EXCLUDE: None, MARK: None}, {}, ()),
    "one of two ends": ("n1,n2", "n1,n2", None, "n2", {EXCLUDE: "n2", MARK: "n2"}, {}, ()),
    "what a person set stays beside ours": ("n9", None, None, "n1", {EXCLUDE: "n1,n9", MARK: "n1"}, {}, ()),
    "what a person set stays when ours ends": ("n1,n9", "n1", None, "", {EXCLUDE: "n9", MARK: None}, {}, ()),
    "what a person set is not taken for ours": ("n1", None, None, "n1", None, {}, ()),
    "a person's own layout is left as it is": (" n9 ,n8", None, None, "", None, {}, ()),
    "a person's transient one is left alone while nothing is wanted": (None, None, "n9", "", None, {}, ()),
    "a transient one would win: it is merged, not dropped": (
        None,
        None,
        "n9",
        "n1",
        {EXCLUDE: "n1,n9", MARK: "n1"},
        {EXCLUDE: None},
        (),
    ),
    "a transient one that came later is merged too": (
        "n1",
        "n1",
        "n9",
        "n1",
        {EXCLUDE: "n1,n9", MARK: "n1"},
        {EXCLUDE: None},
        (),
    ),
    "a transient one that says the same hides nothing": (None, None, "n1,n9", "n1", None, {}, ()),
    "a person's own that a transient one hides is wanted too": (
        "n1",
        None,
        "n9",
        "n1",
        {EXCLUDE: "n1,n9", MARK: None},
        {EXCLUDE: None},
        (),
    ),
    "one of ours that a person removed is not set again, and keeps its mark": (
        None,
        "n1",
        None,
        "n1",
        None,
        {},
        ("n1",),
    ),
    "nor when another is wanted": (None, "n1", None, "n1 n2", {EXCLUDE: "n2", MARK: "n1,n2"}, {}, ("n1",)),
    "its mark goes with its demand": (None, "n1", None, "", {EXCLUDE: None, MARK: None}, {}, ()),
    "a name of ours that nobody demands is stale": ("n7,n9", "n7", None, "n1", {EXCLUDE: "n1,n9", MARK: "n1"}, {}, ()),
}


def _seen(exclusion: str | None, mark: str | None, transient: str | None) -> Cluster:
    persistent = {name: value for name, value in ((EXCLUDE, exclusion), (MARK, mark)) if value is not None}
    return cluster(NODES, persistent=persistent, transient={EXCLUDE: transient} if transient is not None else {})


def _demands(names: str) -> list[ExcludeNode]:
    return [ExcludeNode(node=name) for name in names.split()]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_converge(case: Case) -> None:
    exclusion, mark, transient, wanted, persistent, cleared, removed = case
    found = converge(_seen(exclusion, mark, transient), _demands(wanted))
    assert found.update == (
        SettingsUpdate(persistent=persistent, transient=cleared) if persistent else SettingsUpdate()
    )
    assert found.removed_by_hand == removed


NAMES = st.lists(st.sampled_from(["n1", "n2", "n3", "n4"]), unique=True, max_size=4)


def _applied(seen: Cluster, update: SettingsUpdate) -> Cluster:
    layers = []
    for before, change in ((seen.persistent, update.persistent), (seen.transient, update.transient)):
        layers.append({name: value for name, value in {**before, **change}.items() if value is not None})
    return cluster(NODES, persistent=layers[0], transient=layers[1])


@given(hand=NAMES, mine=NAMES, transient=st.none() | NAMES, wanted=NAMES, then=NAMES)
def test_it_settles_in_one_write_and_gives_back_exactly_what_was_ours(
    hand: list[str], mine: list[str], transient: list[str] | None, wanted: list[str], then: list[str]
) -> None:
    seen = _seen(
        ",".join([*hand, *mine]) or None, ",".join(mine) or None, None if transient is None else ",".join(transient)
    )
    by_hand = excluded(seen) - ours(seen)
    settled = _applied(seen, converge(seen, _demands(" ".join(wanted))).update)
    assert not converge(settled, _demands(" ".join(wanted))).update, "a second write changes nothing"
    assert set(wanted) <= excluded(settled)
    assert ours(settled) == set(wanted) - by_hand
    later = _applied(settled, converge(settled, _demands(" ".join(then))).update)
    end = _applied(later, converge(later, []).update)
    assert excluded(end) == by_hand
    assert ours(end) == frozenset()


def test_the_leases_token_is_never_taken_for_a_mark() -> None:
    assert not TOKEN.startswith(MARK)
