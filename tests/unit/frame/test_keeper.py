"""The keeper alone holds a waiting instance: without any table, past any failure, past its hook's time-out."""

from collections.abc import Sequence

import pytest

from vagus.aws.fake import FakeGroups
from vagus.errors import Throttled, Unreachable
from vagus.instances import Group
from vagus.procedure import keeper
from vagus.steps import Heartbeat

HOUR = 3600.0


class Deaf(FakeGroups):
    """One instance's heartbeat fails; `error` is how."""

    error: Exception = Throttled("slow down")

    def heartbeat(self, group: str, hook: str, instance: str) -> bool:
        if instance.endswith("1"):
            raise self.error
        return super().heartbeat(group, hook, instance)


def _groups(
    clock: list[float], kind: type[FakeGroups] = FakeGroups, *, hook: str | None = "vagus-terminate"
) -> FakeGroups:
    groups = kind(lambda: clock[0])
    for zone in "ab":
        groups.create(f"claims-data-{zone}", cluster="claims", zone=zone, desired=1, hook=hook)
    groups.create("other-data-a", cluster="other", zone="a", desired=1)
    return groups


def _all_leave(groups: FakeGroups) -> list[str]:
    names = [one.id for group in groups.describe() for one in group.instances]
    for name in names:
        groups.scale_in(name)
    return names


def _quiet(_result: str, _beat: Heartbeat) -> None:
    """Nobody is told."""


def test_it_holds_an_instance_past_its_hooks_time_out() -> None:
    clock = [0.0]
    groups = _groups(clock)
    first, *_ = _all_leave(groups)
    for _ in range(10 * 60):
        clock[0] += 60
        keeper.keep(groups, _quiet)
    lifecycles = {one.id: one.lifecycle for group in groups.describe(["claims"]) for one in group.instances}
    assert clock[0] == 10 * HOUR
    assert lifecycles[first] == "Terminating:Wait"


def test_without_it_the_hook_runs_out_and_the_group_retains() -> None:
    clock = [0.0]
    groups = _groups(clock)
    first, *_ = _all_leave(groups)
    clock[0] += HOUR
    lifecycles = {one.id: one.lifecycle for group in groups.describe(["claims"]) for one in group.instances}
    assert lifecycles[first] == "Terminating:Retained"


def test_it_keeps_every_instance_that_waits_and_no_others() -> None:
    """Also of a cluster whose fleet file is gone."""
    clock = [0.0]
    groups = _groups(clock)
    first, second, other = [one.id for group in groups.describe() for one in group.instances]
    groups.scale_in(first)
    groups.scale_in(other)
    assert [beat.instance for beat in keeper.keep(groups, _quiet).sent] == [first, other]
    assert second not in {beat.instance for beat in keeper.keep(groups, _quiet).sent}


FAILURES = {
    "AWS asks for patience": Throttled("slow down"),
    "nobody answers": Unreachable("time-out"),
    "something that nobody foresaw": KeyError("x"),
}


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_with_one_keeps_no_other_from_being_kept(error: Exception) -> None:
    clock = [0.0]
    groups = _groups(clock, Deaf)
    assert isinstance(groups, Deaf)
    groups.error = error
    _all_leave(groups)
    kept = keeper.keep(groups, _quiet)
    assert len(kept.sent) == 2
    assert len(kept.failed) == 1
    assert type(error).__name__ in kept.failed[0]


def test_a_record_that_can_not_be_written_stops_no_heartbeat() -> None:
    clock = [0.0]
    groups = _groups(clock)
    _all_leave(groups)

    def note(_result: str, beat: Heartbeat) -> None:
        raise Unreachable(f"no table for {beat.instance}")

    kept = keeper.keep(groups, note)
    assert len(kept.sent) == 3
    assert len(kept.failed) == 3


def test_a_group_without_a_hook_of_ours_is_told_as_unprotected() -> None:
    groups = _groups([0.0], hook=None)
    assert keeper.keep(groups, _quiet).unprotected == ("claims-data-a", "claims-data-b")


def test_a_heartbeat_that_aws_had_no_time_for_is_tried_again_at_once() -> None:
    class Busy(FakeGroups):
        tries = 0

        def heartbeat(self, group: str, hook: str, instance: str) -> bool:
            self.tries += 1
            if self.tries == 1:
                raise Throttled("slow down")
            return super().heartbeat(group, hook, instance)

    groups = _groups([0.0], Busy)
    _all_leave(groups)
    assert keeper.keep(groups, _quiet).failed == ()


def test_an_instance_whose_hook_is_gone_is_not_recorded_as_kept() -> None:
    groups = _groups([0.0])
    first, *_ = _all_leave(groups)
    described = groups.describe()
    groups.complete("claims-data-a", "vagus-terminate", first, "CONTINUE")

    class Late(FakeGroups):
        """Describes what was a moment ago."""

        def describe(self, clusters: Sequence[str] | None = None) -> tuple[Group, ...]:
            return tuple(group for group in described if clusters is None or group.cluster in clusters)

        def heartbeat(self, group: str, hook: str, instance: str) -> bool:
            return groups.heartbeat(group, hook, instance)

    assert first not in {beat.instance for beat in keeper.keep(Late(lambda: 0.0), _quiet).sent}


def test_groups_that_can_not_be_described_are_told() -> None:
    class Gone(FakeGroups):
        def describe(self, clusters: object = None) -> tuple[()]:
            raise Unreachable(f"no answer for {clusters}")

    with pytest.raises(Unreachable):
        keeper.keep(Gone(lambda: 0.0), _quiet)


def test_an_instance_that_waits_to_serve_is_kept_by_its_launch_hook() -> None:
    """Whether its node has joined is for others to know."""
    clock = [0.0]
    groups = _groups(clock)
    groups.hold_launches("claims-data-a")
    groups.set_desired("claims-data-a", 2)
    for _ in range(5 * 60):
        clock[0] += 60
        (beat,) = keeper.keep(groups, _quiet).sent
    assert (beat.hook, beat.group) == ("vagus-launch", "claims-data-a")
    clock[0] += HOUR
    states = {one.id: one.lifecycle for group in groups.describe(["claims"]) for one in group.instances}
    assert states[beat.instance] == "InService", "without it the launch goes on: nothing ends by running out of time"
