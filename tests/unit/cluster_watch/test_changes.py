"""What is news: told once, when it stays, and its end too. One event per change, whatever flickers."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vagus.cluster_watch.changes import known, news
from vagus.cluster_watch.model import Item, Standings


def replay(levels: str, looks: int = 1, over: int = 1) -> str:
    """The levels that are told when look after look finds these; `.`: nothing, `?`: not seen, ` `: nothing is told."""
    standings: Standings = {}
    told = ""
    for level in levels:
        items = [] if level == "." else [Item(key="k", level=None if level == "?" else level, looks=looks)]
        changes, standings = news(items, standings, over=over)
        assert len(changes) <= 1
        told += (changes[0].after or ".") if changes else " "
    return told


@pytest.mark.parametrize(
    ("found", "looks", "over", "told"),
    [
        ("aaaa", 1, 1, "a   "),
        ("aaaa", 2, 1, " a  "),
        ("a.a.", 2, 1, "    "),
        ("a..a", 1, 1, "a. a"),
        ("aa.aa", 1, 2, "a    "),
        ("aa..", 1, 2, "a  ."),
        ("abba", 2, 2, "  b "),
        ("a?a?", 2, 1, "  a "),
        ("a??.", 1, 1, "a  ."),
        ("ab.", 1, 1, "ab."),
    ],
)
def test_what_is_told_of_what_is_found(found: str, looks: int, over: int, told: str) -> None:
    assert replay(found, looks, over) == told


@given(st.text("ab.?", max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_never_the_same_twice_in_a_row_and_no_more_often_than_it_stays(found: str, looks: int, over: int) -> None:
    told = replay(found, looks, over).replace(" ", "")
    assert not told.startswith(".")
    assert all(one != next_ for one, next_ in itertools.pairwise(told))
    assert len(told) <= len(found) / min(looks, over)


@given(st.text("ab.", max_size=20), st.sampled_from("ab."))
def test_what_stays_is_told_in_the_end_and_remembered_without_change(found: str, last: str) -> None:
    standings: Standings = {}
    items: list[Item] = []
    for level in [*found, *([last] * 5)]:
        items = [] if level == "." else [Item(key="k", level=level, looks=3)]
        _, standings = news(items, standings, over=3)
    assert [one.told for one in standings.values()] == ([] if last == "." else [last])
    assert news(items, standings, over=3) == ((), standings)


def test_what_is_known_at_a_first_look_is_told_when_it_goes() -> None:
    standings = known([Item(key="n1", level="e1", about={"zone": "a"})])
    (gone,), after = news([], standings, over=1)
    assert (gone.key, gone.before, gone.after, gone.about, after) == ("n1", "e1", "", {"zone": "a"}, {})
