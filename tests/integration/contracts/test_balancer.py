"""The planner's model of the engine's balancer on a handful of random layouts of real nodes: model and engine agree.

The whole proof (six nodes, both versions, 84 layouts and more) is `make bench NAME=balancer_model`.
"""

import random
from collections.abc import Iterator

import pytest
from benchmarks._balancer import CASES, Case, Lab
from tests.integration.contracts.search_world import RealSearch

SEED = 11
LAYOUTS = 2
SHARDS = {"one": 1, "two": 1, "three": 2, "four": 3, "five": 4}


@pytest.fixture
def lab(real_search: RealSearch) -> Iterator[Lab]:
    made = Lab(real_search.cluster, real_search.client("vagus-read").look, random.Random(SEED))  # noqa: S311
    made.indices(SHARDS, replicas=1)
    yield made
    made.clear()


def test_what_the_model_says_of_a_layout_the_engine_does(lab: Lab) -> None:
    some = [case for case in CASES if case.name in ("defaults", "other factors", "primaries preferred")]
    seen = [one for case in some for one in lab.under(case, LAYOUTS)]
    assert [one for one in seen if one.rests == one.moved] == []
    assert len(seen) == len(some) * LAYOUTS


def test_a_layout_that_is_tipped_on_purpose_is_seen_by_both(lab: Lab) -> None:
    (seen,) = lab.under(Case(name="tipped", lone_moves=2), 1)
    assert (seen.rests, seen.moved) == (False, True)
