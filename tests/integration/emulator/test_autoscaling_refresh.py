"""Instance refresh, as AWS documents it: launch first, end later, and as fast as hooks let it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, until


def refreshing(aws: Aws, size: int = 2, *, most: int = 200, **preferences: Any) -> list[str]:
    """A group whose launches meet a hook, and its refresh under way; the instances that are to be replaced."""
    aws.group(DesiredCapacity=size)
    old = aws.in_service()
    aws.hook(name="come", going=False)
    asked = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": most, **preferences}
    aws.autoscaling.start_instance_refresh(AutoScalingGroupName="nodes", Preferences=asked)
    return old


def coming(aws: Aws) -> list[str]:
    return [one for one, state in aws.members().items() if state == "Pending:Wait"]


def shown(aws: Aws) -> dict[str, Any]:
    found: dict[str, Any] = aws.autoscaling.describe_instance_refreshes(AutoScalingGroupName="nodes")[
        "InstanceRefreshes"
    ][0]
    return found


def test_it_goes_on_when_a_launch_hook_is_answered_and_not_before(aws: Aws) -> None:
    old = refreshing(aws, most=150)
    for _ in old:
        (new,) = until(lambda: coming(aws))
        left = len(set(old) & set(aws.in_service()))
        assert (shown(aws)["Status"], shown(aws)["InstancesToUpdate"]) == ("InProgress", left)
        aws.complete(new, hook="come")
        until(lambda still=left: len(set(old) & set(aws.members())) < still)  # type: ignore[misc]  # a default
    until(lambda: shown(aws)["Status"] == "Successful")
    assert shown(aws)["PercentageComplete"] == 100
    assert not set(old) & set(aws.members())
    assert len(aws.in_service()) == 2


def test_as_many_come_at_once_as_the_percentages_allow(aws: Aws) -> None:
    old = refreshing(aws, 3)
    assert len(until(lambda: coming(aws))) == 3
    assert sorted(aws.in_service()) == sorted(old)


def test_a_terminate_hook_holds_an_old_one_and_not_the_refresh(aws: Aws) -> None:
    """So that only the launch hook can pace it."""
    old = refreshing(aws, most=150)
    aws.hook()
    for _ in old:
        aws.complete(until(lambda: coming(aws))[0], hook="come")
    until(lambda: shown(aws)["Status"] == "Successful")
    assert {aws.members()[one] for one in old} == {"Terminating:Wait"}


def test_a_launch_that_is_abandoned_is_tried_again_and_costs_no_old_one(aws: Aws) -> None:
    old = refreshing(aws, 1)
    (new,) = until(lambda: coming(aws))
    aws.complete(new, "ABANDON", hook="come")
    (again,) = until(lambda: [one for one in coming(aws) if one != new])
    assert aws.in_service() == old
    aws.complete(again, hook="come")
    until(lambda: shown(aws)["Status"] == "Successful")
    until(lambda: list(aws.members()) == [again])


def test_protected_ones_are_waited_for(aws: Aws) -> None:
    aws.group(DesiredCapacity=1)
    (old,) = aws.in_service()
    protect = {"AutoScalingGroupName": "nodes", "InstanceIds": [old]}
    aws.autoscaling.set_instance_protection(**protect, ProtectedFromScaleIn=True)
    asked = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200, "ScaleInProtectedInstances": "Wait"}
    aws.autoscaling.start_instance_refresh(AutoScalingGroupName="nodes", Preferences=asked)
    assert (list(aws.members()), shown(aws)["Status"]) == ([old], "InProgress")


def test_one_at_a_time_and_a_cancelled_one_begins_nothing_more(aws: Aws) -> None:
    old = refreshing(aws, most=150)
    with pytest.raises(ClientError, match="already in progress"):
        aws.autoscaling.start_instance_refresh(
            AutoScalingGroupName="nodes", Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
        )
    (new,) = coming(aws)
    aws.autoscaling.cancel_instance_refresh(AutoScalingGroupName="nodes")
    aws.complete(new, hook="come")
    until(lambda: len(set(old) & set(aws.members())) == 1)
    assert shown(aws)["Status"] == "Cancelled"
    assert coming(aws) == []
