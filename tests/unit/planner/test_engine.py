"""The engine's balancer: its formula by the numbers of its documentation, and when it is at rest."""

import pytest
from tests.unit.planner.small import AWARE, layout

from vagus.zone_balance.planner.board import Board
from vagus.zone_balance.planner.deciders import Deciders
from vagus.zone_balance.planner.engine import Engine
from vagus.zone_balance.planner.model import Layout, Settings


def engine(cluster: Layout, spare: int = 1) -> Engine:
    """The engine with the cluster's own threshold."""
    board = Board(cluster)
    return Engine(board, Deciders(board), cluster.settings.threshold, spare)


def on(*, ours: tuple[int, int], others: tuple[int, int]) -> Layout:
    """Index x has `ours` copies on a1 and a2, other indices of one copy each have `others`."""
    shards = [f"x{number}:a1" for number in range(ours[0])]
    shards += [f"x{number + ours[0]}:a2" for number in range(ours[1])]
    letters = iter("abcdefghijklmnopqrstuvw")
    shards += [f"{next(letters)}0:a1" for _ in range(others[0])] + [f"{next(letters)}0:a2" for _ in range(others[1])]
    return layout("a1 a2", " ".join(shards))


@pytest.mark.parametrize(
    ("more_of_the_index", "more_at_all", "rests"),
    [
        (2, -1, True),
        (2, 0, False),
        (1, 1, True),
        (1, 2, False),
        (0, 2, True),
        (0, 3, False),
        (-1, 3, True),
        (-1, 4, False),
    ],
)
def test_the_table_of_the_defaults(more_of_the_index: int, more_at_all: int, rests: bool) -> None:
    """n_ia - n_ib, and the largest n_a - n_b at which no copy of the index goes from a to b."""
    ours = (2, 2 - more_of_the_index) if more_of_the_index < 2 else (3, 1)
    others = more_at_all - more_of_the_index
    cluster = on(ours=ours, others=(max(0, others) + 3, max(0, -others) + 3))
    found = engine(cluster)
    heavy_to_light = [(heavy, light) for _, heavy, light in found.tipped(found.board.names.index("x"))]
    assert ((0, 1) not in heavy_to_light) == rests


def test_closed_to_a_move_by_awareness_it_is_at_rest_however_uneven_the_zones() -> None:
    shards = " ".join(f"x{number}:a1,b{number % 2 + 1},c{number % 3 + 1}" for number in range(6))
    assert engine(layout("a1 b1 b2 c1 c2 c3", shards, AWARE)).stirs() is None


def test_without_awareness_the_same_layout_stirs() -> None:
    shards = " ".join(f"x{number}:a1,b{number % 2 + 1},c{number % 3 + 1}" for number in range(6))
    assert engine(layout("a1 b1 b2 c1 c2 c3", shards)).stirs() is not None


def test_a_relocation_counts_at_its_target() -> None:
    assert engine(layout("a1 a2", "x0:a1 x1:a1>a2")).stirs() is None
    assert engine(layout("a1 a2", "x0:a1 x1:a1")).stirs() is not None


def test_a_higher_threshold_lets_it_rest() -> None:
    assert engine(layout("a1 a2", "x0:a1 x1:a1", Settings(threshold=2.0))).stirs() is None


def test_a_threshold_under_one_is_one() -> None:
    assert engine(layout("a1 a2", "x0:a1", Settings(threshold=0.1))).stirs() is None


def test_it_leans_where_a_node_is_short_of_copies() -> None:
    leaning = engine(layout("a1 a2", "x0:a1 x1:a1 y0:a2 z0:a2 u0:a2"))
    assert leaning.stirs() is None
    assert [leaning.board.names[index] for index in leaning.leaning()] == ["x"]
    assert engine(layout("a1 a2", "x0:a1 y0:a2")).leaning() == []


def test_preferred_primaries_weigh_a_million_in_32_bit_floats() -> None:
    """1.55 becomes 1.5625 next to a million: documented, and seen on real clusters."""
    cluster = layout("a1 a2 a3", "x0:a1 x1:a1 x2:a2,a1 x3:a2,a1 y0:a2", Settings(prefer_primary=True))
    weighed = engine(cluster)
    assert weighed.weight(0, 0) - weighed.weight(0, 1) == 1.5625
    assert weighed.weight(0, 0) > 1_000_000 > weighed.weight(0, 2)


def test_the_mean_of_an_index_is_no_whole_number_although_that_of_all_copies_is() -> None:
    """0.45 * (2 - 1) + 0.55 * (1 - 2/3) = 0.6333, next to a million 0.625: as the engine's log has it, 130 times."""
    weighed = engine(layout("a1 a2 a3", "x0:a1,a2 y0:a1 z0:a3", Settings(prefer_primary=True)))
    assert weighed.weight(0, 0) == 1_000_000.625


def test_primaries_on_a_node_weigh_where_they_are_rebalanced() -> None:
    weighed = engine(layout("a1 a2", "x0:a1 y0:a1", Settings(rebalance_primary=True)))
    assert weighed.weight(0, 0) - weighed.weight(0, 1) == pytest.approx(0.45 * 2 + 0.55 + 10, abs=1e-5)


@pytest.mark.parametrize(("spare", "widest"), [(0, 1), (1, 1), (2, 0), (3, -1)])
def test_the_more_is_spared_the_closer_an_index_must_lie(spare: int, widest: int) -> None:
    assert engine(layout("a1 a2", "x0:a1"), spare).widest == widest
