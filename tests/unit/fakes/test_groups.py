"""What fake groups do beyond the contract: a second hook, a lag, an ending that takes a while."""

from dataclasses import dataclass
from typing import Any

import pytest

from vagus.aws.fake_groups import FakeGroups

GROUP, HOOK, ONE = "claims-data-eu-west-1a", "vagus-terminate", "i-1"


@dataclass
class Clock:
    """The only time there is."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _leaving(clock: Clock, second_hook: float = 0.0, **options: Any) -> FakeGroups:
    """One instance, that has been waiting for a while."""
    groups = FakeGroups(clock, name="i-{}".format, **options)
    groups.create(GROUP, cluster="claims", zone="eu-west-1a", desired=1, second_hook=second_hook)
    groups.scale_in(ONE)
    clock.now += 100
    return groups


def _shown(groups: FakeGroups) -> list[str]:
    return [one.lifecycle for group in groups.describe() for one in group.instances]


def test_a_second_hook_holds_it_after_ours_was_answered(clock: Clock) -> None:
    groups = _leaving(clock, second_hook=60)
    assert groups.complete(GROUP, HOOK, ONE, "CONTINUE")
    clock.now += 59
    assert _shown(groups) == ["Terminating:Wait"]
    assert not groups.complete(GROUP, HOOK, ONE, "CONTINUE")
    assert not groups.heartbeat(GROUP, HOOK, ONE)
    clock.now += 1
    assert _shown(groups) == []


def test_an_abandon_waits_for_no_other_hook(clock: Clock) -> None:
    groups = _leaving(clock, second_hook=60)
    assert groups.complete(GROUP, HOOK, ONE, "ABANDON")
    assert _shown(groups) == ["Terminating:Retained"]


def test_what_is_described_lags_and_what_exists_does_not(clock: Clock) -> None:
    groups = _leaving(clock, lag=30)
    groups.complete(GROUP, HOOK, ONE, "CONTINUE")
    assert groups.existing() == {}
    clock.now += 29
    assert _shown(groups) == ["Terminating:Wait"]
    clock.now += 1
    assert _shown(groups) == []


def test_a_retained_instance_is_listed_until_it_has_ended(clock: Clock) -> None:
    groups = _leaving(clock, end_seconds=10)
    groups.complete(GROUP, HOOK, ONE, "ABANDON")
    groups.terminate(ONE)
    clock.now += 9
    groups.terminate(ONE)
    assert _shown(groups) == ["Terminating:Retained"]
    clock.now += 1
    assert _shown(groups) == []
