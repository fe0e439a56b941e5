"""Intake: what one event does, once or more often, and what it must not do."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from tests.unit.frame.parts import CLUSTER, ISO, NOW, RivalTable, head, intent, put, seen
from tests.unit.zone_balance.building import spec

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.errors import Conflict, Malformed, Unreachable
from vagus.events import Hint, Ignored
from vagus.procedure import head as heads
from vagus.procedure import intake
from vagus.procedure.rows import Head

FLEET = {CLUSTER: spec()}
ONE, TWO, UNKNOWN = (f"i-{number:017x}" for number in (1, 2, 99))


def _event(kind: str = "EC2 Instance-terminate Lifecycle Action", **detail: Any) -> dict[str, Any]:
    return {
        "source": "aws.autoscaling",
        "detail-type": kind,
        "time": "2026-01-01T00:00:00Z",
        "detail": {
            "AutoScalingGroupName": "claims-data-eu-west-1a",
            "EC2InstanceId": ONE,
            "LifecycleHookName": "vagus-terminate",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            **detail,
        },
    }


GROUPS = {ONE: "claims-data-eu-west-1a", TWO: "web"}


def _groups_of(instances: Sequence[str]) -> dict[str, str]:
    return {one: GROUPS[one] for one in instances if one in GROUPS}


def _take(event: Any, table: FakeTable, executions: FakeExecutions) -> tuple[Hint, ...] | Ignored:
    return intake.take(event, FLEET, table, {"zone_balance": executions}, NOW, ISO, _groups_of)


def test_a_leaving_instance_opens_an_intent_and_starts_a_run() -> None:
    table, executions = FakeTable(), FakeExecutions()
    assert isinstance(_take(_event(), table, executions), tuple)
    assert [one.instance for one in seen(table).intents] == [ONE]
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_twice_is_once() -> None:
    table, executions = FakeTable(), FakeExecutions()
    for _ in range(2):
        _take(_event(), table, executions)
    assert head(table).seq == 1
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_an_adopted_group_is_known_under_its_own_name() -> None:
    declared = spec()
    theirs = msgspec.structs.replace(declared.groups["data"], adopted={"eu-west-1a": "search-blue"})
    fleet = {CLUSTER: msgspec.structs.replace(declared, groups={"data": theirs})}
    table, executions = FakeTable(), FakeExecutions()
    event = _event(AutoScalingGroupName="search-blue")
    assert intake.take(event, fleet, table, {"zone_balance": executions}, NOW, ISO, _groups_of)
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_an_activity_has_its_cluster_looked_at_without_an_intent() -> None:
    table, executions = FakeTable(), FakeExecutions()
    _take(_event("EC2 Instance Launch Successful"), table, executions)
    assert seen(table).intents == ()
    assert list(executions.started) == ["claims-zone_balance-1"]


NOT_OURS = {
    "another kind": _event("EC2 Auto Scaling Instance Refresh Started"),
    "another source": {**_event(), "source": "aws.ec2"},
    "another group": _event(AutoScalingGroupName="web-eu-west-1a"),
    "a group that only begins like one of ours": _event(AutoScalingGroupName="claims-data-eu-west-1a-old"),
}


@pytest.mark.parametrize("event", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_what_is_not_ours_is_a_no_op_that_says_why(event: Any) -> None:
    table, executions = FakeTable(), FakeExecutions()
    found = _take(event, table, executions)
    assert isinstance(found, Ignored)
    assert found.why
    assert (table.partitions(), executions.started) == ((), {})


MALFORMED = {
    "no JSON": "{",
    "no envelope": {},
    "no instance": {**_event(), "detail": {"AutoScalingGroupName": "claims-data-eu-west-1a"}},
    "another transition": _event(LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING"),
    "a detail of another type": {**_event(), "detail": []},
}


@pytest.mark.parametrize("event", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_can_not_be_read_is_told_and_does_nothing(event: Any) -> None:
    table, executions = FakeTable(), FakeExecutions()
    with pytest.raises(Malformed, match="event"):
        _take(event, table, executions)
    assert (table.partitions(), executions.started) == ((), {})


def test_an_event_for_a_run_that_goes_on_is_seen_by_it() -> None:
    table, executions = FakeTable(), FakeExecutions()
    _take(_event(), table, executions)
    _take(_event(EC2InstanceId=TWO), table, executions)
    assert head(table).seq == 2
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_an_event_for_a_stopped_capability_is_kept_and_starts_nothing() -> None:
    table, executions = FakeTable(), FakeExecutions()
    put(table, head__zone_balance=Head(state="paused", paused_by="ada"))
    _take(_event(), table, executions)
    assert [one.instance for one in seen(table).intents] == [ONE]
    assert executions.started == {}


def test_what_died_between_the_intent_and_the_start_is_made_up_for_by_the_next_delivery() -> None:
    table, executions = FakeTable(), FakeExecutions()
    heads.open_intent(table, CLUSTER, intent())
    _take(_event(), table, executions)
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_a_start_that_fails_is_raised_so_that_the_queue_shows_the_event_again() -> None:
    class Deaf(FakeExecutions):
        def start(self, name: str, payload: object) -> bool:
            raise Unreachable(f"{name}: {payload}")

    table = FakeTable()
    with pytest.raises(Unreachable):
        _take(_event(), table, Deaf())
    executions = FakeExecutions()
    _take(_event(), table, executions)
    assert list(executions.started) == ["claims-zone_balance-1"]


def test_so_is_a_race_that_is_lost_again_and_again() -> None:
    def rival(number: int) -> Any:
        return lambda table: heads.open_intent(table, CLUSTER, intent(f"i-{number}"))

    table = RivalTable(*(rival(number) for number in range(2, 2 + heads.ATTEMPTS)))
    with pytest.raises(Conflict):
        _take(_event(), table, FakeExecutions())


def test_one_that_ended_without_us_opens_an_intent_that_it_be_judged() -> None:
    table, executions = FakeTable(), FakeExecutions()
    _take(_event("EC2 Instance Terminate Successful"), table, executions)
    assert [one.id for one in seen(table).intents] == [f"gone-{ONE}"]


def test_the_end_of_one_that_was_to_leave_opens_nothing() -> None:
    table, executions = FakeTable(), FakeExecutions()
    _take(_event(), table, executions)
    _take(_event("EC2 Instance Terminate Successful"), table, executions)
    assert [one.id for one in seen(table).intents] == [f"leave-{ONE}"]


def _spot(instance: str) -> dict[str, Any]:
    detail = {"instance-id": instance, "instance-action": "terminate"}
    return _event("EC2 Spot Instance Interruption Warning") | {"source": "aws.ec2", "detail": detail}


def test_a_spot_warning_is_an_intent_with_a_deadline_for_the_cluster_whose_instance_it_is() -> None:
    table, executions = FakeTable(), FakeExecutions()
    _take(_spot(ONE), table, executions)
    (found,) = seen(table).intents
    assert (found.id, found.kind, found.deadline) == (f"spot-{ONE}", "spot", "2026-01-01T00:02:00Z")
    assert found.group == "claims-data-eu-west-1a"
    assert list(executions.started) == ["claims-zone_balance-1"]


@pytest.mark.parametrize("instance", [TWO, UNKNOWN])
def test_a_warning_for_an_instance_of_no_declared_cluster_is_a_no_op(instance: str) -> None:
    table, executions = FakeTable(), FakeExecutions()
    assert _take(_spot(instance), table, executions) == Ignored(f"{instance}: of no declared cluster")
    assert executions.started == {}
