"""Whom a renewal tells, and when: cases, and clusters of any size with any nodes deaf."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vagus.certificates import telling
from vagus.certificates.telling import (
    AGAIN_SECONDS,
    AT_ONCE,
    DEAF_AGAIN_SECONDS,
    FORGOTTEN_SECONDS,
    PATIENCE_SECONDS,
)
from vagus.trust import Told, told_as

NOW, WHAT = 1_000_000.0, "bundle 1,2"
NODES = tuple(f"i-{number:03}" for number in range(60))


def told(first: float, last: float | None = None, what: str = WHAT) -> Told:
    """So many seconds ago."""
    return Told(what=what, first=NOW - first, last=NOW - (first if last is None else last))


def noted(known: Mapping[str, Told]) -> dict[str, Told]:
    """As the row has it."""
    return {told_as(one.what, node): one for node, one in known.items()}


CASES: dict[str, tuple[tuple[str, ...], int, dict[str, Told], tuple[str, ...]]] = {
    "nobody has it: the first alone": (NODES[:3], 3, {}, NODES[:1]),
    "the first is at it: nobody else": (NODES[:3], 3, {NODES[0]: told(10)}, ()),
    "the first has it: the others at once": (NODES[1:3], 3, {NODES[0]: told(10)}, NODES[1:3]),
    "one of them is slower: it is not told again": (NODES[2:3], 3, {NODES[1]: told(9), NODES[2]: told(9)}, ()),
    "too slow: told again": (NODES[2:3], 3, {NODES[2]: told(AGAIN_SECONDS)}, NODES[2:3]),
    "the first is deaf: the second, alone": (
        NODES[:3],
        3,
        {NODES[0]: told(PATIENCE_SECONDS, 5)},
        NODES[1:2],
    ),
    "the first two are deaf: the third, alone": (
        NODES[:4],
        4,
        {one: told(PATIENCE_SECONDS, 5) for one in NODES[:2]},
        NODES[2:3],
    ),
    "a deaf one, a while later: told again": (
        NODES[:1],
        3,
        {NODES[0]: told(2 * PATIENCE_SECONDS, DEAF_AGAIN_SECONDS)},
        NODES[:1],
    ),
    "many: twenty at once": (NODES[1:], 60, {}, NODES[1:21]),
    "more, when half of them have it": (
        NODES[11:],
        60,
        {one: told(9) for one in NODES[1:21]},
        NODES[21:31],
    ),
    "not before": (NODES[10:], 60, {one: told(9) for one in NODES[1:21]}, ()),
    "told of something else": (NODES[1:2], 3, {NODES[1]: told(5, what="bundle 1")}, NODES[1:2]),
    "told on another occasion, months ago": (NODES[1:2], 3, {NODES[1]: told(FORGOTTEN_SECONDS)}, NODES[1:2]),
    "nothing is pending": ((), 3, {NODES[0]: told(5)}, ()),
}


@pytest.mark.parametrize("case", CASES)
def test_who_is_told(case: str) -> None:
    pending, all_of_them, known, expected = CASES[case]
    assert telling.to_tell(pending, NODES[:all_of_them], noted(known), WHAT, NOW) == expected


ELSEWHERE: dict[str, tuple[int, tuple[str, ...], dict[str, Told], tuple[str, ...]]] = {
    "the first is deaf to something else: the second, alone": (3, NODES[:1], {}, NODES[1:2]),
    "all are: the first": (3, NODES[:3], {}, NODES[:1]),
    "told of something else alone: it is not at it": (3, (), {NODES[0]: told(60, what="leaf of 1")}, NODES[:1]),
    "in a group: the last": (31, NODES[:10], {}, NODES[10:30]),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_who_is_deaf_to_something_else_is_the_last_to_be_told(case: str) -> None:
    all_of_them, elsewhere, known, expected = ELSEWHERE[case]
    pending = NODES[: min(all_of_them, 30)]
    found = telling.to_tell(pending, NODES[:all_of_them], noted(known), WHAT, NOW, elsewhere=elsewhere)
    assert found == expected


def _goes_on(nodes: tuple[str, ...], deaf: frozenset[str], takes: int, seconds: int) -> tuple[dict[str, int], set[str]]:
    """How often each was told, and who has it, after so long; each look is checked."""
    known: dict[str, Told] = {}
    keys = {one: told_as(WHAT, one) for one in nodes}
    count = dict.fromkeys(nodes, 0)
    for now in range(0, seconds, 5):
        pending = tuple(one for one in nodes if one in deaf or not count[one] or now - known[keys[one]].first < takes)
        for one in telling.to_tell(pending, nodes, known, WHAT, float(now)):
            since = telling.known((one,), known, WHAT, float(now))
            first = since[one].first if since else float(now)
            known[keys[one]] = Told(what=WHAT, first=first, last=float(now))
            count[one] += 1
        assert len(telling.at_it(pending, known, WHAT, float(now))) <= AT_ONCE
    return count, set(nodes) - set(pending)


@settings(deadline=None)
@given(
    size=st.integers(1, 60),
    deaf=st.frozensets(st.integers(0, 59), max_size=4),
    takes=st.integers(0, int(AGAIN_SECONDS) - 5),
)
def test_whoever_is_not_deaf_has_it_after_being_told_once_whoever_comes_first(
    size: int, deaf: frozenset[int], takes: int
) -> None:
    nodes = NODES[:size]
    lost = frozenset(NODES[number] for number in deaf if number < size)
    count, done = _goes_on(nodes, lost, takes, 3600)
    assert done == set(nodes) - lost
    assert {count[one] for one in done} <= {1}
    assert all(count[one] >= 2 for one in lost), "a deaf one is told again"


def test_what_is_told_survives_as_data() -> None:
    row = {told_as(WHAT, NODES[0]): Told(what=WHAT, first=1.0, last=2.0, refused="InvalidInstanceId")}
    assert msgspec.convert(msgspec.to_builtins(row), dict[str, Told]) == row
