"""A soak is its seed: what comes when is drawn from it alone."""

import json

from hypothesis import given
from hypothesis import strategies as st

from vagus_local.emulator_process import ROOT
from vagus_local.soak.hands import sampled
from vagus_local.soak.schedule import drawn, picked

WEIGHTS = {"crash": 1, "scale_in": 4, "stop": 2}
seeds = st.integers(0, 2**32)


@given(seeds)
def test_the_same_seed_is_the_same_soak(seed: int) -> None:
    assert drawn(seed, 600, WEIGHTS) == drawn(seed, 600, WEIGHTS)


@given(seeds)
def test_acts_come_in_order_within_the_time_and_each_kind_comes_early(seed: int) -> None:
    acts = drawn(seed, 600, WEIGHTS)
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    assert all(0 <= act.at < 600 for act in acts)
    assert {act.name for act in acts[: len(WEIGHTS)]} == set(WEIGHTS)


def test_different_seeds_are_different_soaks() -> None:
    assert len({tuple(drawn(seed, 600, WEIGHTS)) for seed in range(20)}) == 20


@given(st.floats(0, 1, exclude_max=True), st.lists(st.integers(), max_size=9))
def test_a_choice_falls_on_one_of_what_there_is(choice: float, of: list[int]) -> None:
    assert picked(choice, of) in (of or [None])


def test_the_flood_is_made_of_the_samples_that_a_bus_would_take() -> None:
    entries = sampled(ROOT / "events")
    assert {entry["Source"] for entry in entries} >= {"aws.autoscaling", "aws.ec2", "aws.health", "vagus.cluster"}
    assert all(entry["DetailType"] and json.loads(entry["Detail"]) is not None for entry in entries)
