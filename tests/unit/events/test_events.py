"""What each event in `events/` says, and what is made of one that is wrong. Tables keyed by the file's name."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vagus.errors import Malformed
from vagus.events import Hint, Ignored, Notice, Parsed, of_clusters, parse
from vagus.intent import gone, leave
from vagus_cli import fleet_files

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events/zone_balance"
FLEET = fleet_files.load(ROOT / "fleet")

INSTANCE = "i-0a1b2c3d4e5f60718"
LEAVES = Hint(
    cluster="demo",
    capability="zone_balance",
    intent=leave(INSTANCE, "demo-data-us-east-1a", "2026-03-02T09:41:07Z", "event"),
)
LOOK = Hint(cluster="demo", capability="zone_balance")

ENDED = Hint(
    cluster="demo",
    capability="zone_balance",
    intent=gone(INSTANCE, "demo-data-us-east-1a", "2026-03-02T09:44:51Z"),
)
NOTICED = {"instances": (INSTANCE,), "opened": "2026-03-02T09:41:07Z"}

SAYS: dict[str, Parsed] = {
    "terminate_lifecycle_action": LEAVES,
    "terminate_lifecycle_action_with_metadata": LEAVES,
    "terminate_successful": ENDED,
    "launch_successful": LOOK,
    "launch_unsuccessful": LOOK,
    "launch_lifecycle_action": LOOK,
    "launch_from_the_warm_pool": LOOK,
    "terminate_into_the_warm_pool": LEAVES,
    "launch_into_the_warm_pool": Ignored(
        f"{INSTANCE} is in the warm pool of demo-data-us-east-1a, which a search cluster must not have "
        "(rule kept_in_a_warm_pool): delete the pool"
    ),
    "terminate_from_the_warm_pool": Ignored(
        f"{INSTANCE} is in the warm pool of demo-data-us-east-1a, which a search cluster must not have "
        "(rule kept_in_a_warm_pool): delete the pool"
    ),
    "spot_interruption_warning": Notice(kind="spot", deadline="2026-03-02T09:43:07Z", **NOTICED),
    "rebalance_recommendation": Notice(kind="rebalance", **NOTICED),
    "instance_retirement_scheduled": Notice(
        kind="retire", deadline="2026-03-16T08:00:00Z", number="1234abc01232a4012345678-1", **NOTICED
    ),
    "instance_retirement_over": Ignored("AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED is over"),
    "health_of_another_kind": Ignored("no capability reacts to AWS_EC2_OPERATIONAL_ISSUE of AWS Health"),
    "unknown_to_vagus": Ignored("no capability reacts to aws.ec2 'EC2 Instance State-change Notification'"),
    "terminate_of_another_group": Ignored("group web-frontend belongs to no declared cluster"),
}
MALFORMED = {
    "malformed_no_instance": "EC2InstanceId",
    "malformed_instance": "EC2InstanceId 'i-0A1B2C3D4E5F60718' is no instance's id",
    "malformed_launched_instance": "EC2InstanceId 'i-0A1B2C3D4E5F60718' is no instance's id",
    "malformed_ended_instance": "EC2InstanceId 'i-0A1B2C3D4E5F60718' is no instance's id",
    "malformed_warned_instance": "instance-id 'arn:.*' is no instance's id",
    "malformed_transition": "LifecycleTransition",
    "malformed_launch_transition": "LifecycleTransition",
    "malformed_detail": "detail",
    "malformed_not_json": "JSON is malformed",
    "malformed_health_start": "startTime",
}


def _text(case: str) -> str:
    return (EVENTS / f"{case}.json").read_text()


def _edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(_text("terminate_lifecycle_action"))
    edit(event)
    return event


def _outcome(event: dict[str, Any]) -> Parsed | Malformed:
    try:
        return parse(event, FLEET)
    except Malformed as error:
        return error


def test_every_event_file_has_its_line_here() -> None:
    assert {file.stem for file in EVENTS.glob("*.json")} == SAYS.keys() | MALFORMED.keys()


@pytest.mark.parametrize("case", SAYS)
def test_an_event_is_a_hint_or_an_explicit_no_op(case: str) -> None:
    assert parse(_text(case), FLEET) == SAYS[case]


@pytest.mark.parametrize("case", SAYS)
def test_text_bytes_and_a_decoded_event_say_the_same(case: str) -> None:
    text = _text(case)
    assert parse(text, FLEET) == parse(text.encode(), FLEET) == parse(json.loads(text), FLEET)


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_event_names_what_is_wrong(case: str) -> None:
    with pytest.raises(Malformed, match=MALFORMED[case]):
        parse(_text(case), FLEET)


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no source": lambda event: event.pop("source"),
    "no detail-type": lambda event: event.pop("detail-type"),
    "no detail": lambda event: event.pop("detail"),
    "no time": lambda event: event.pop("time"),
    "detail is a list": lambda event: event.update(detail=[]),
    "detail is null": lambda event: event.update(detail=None),
    "the group is a number": lambda event: event["detail"].update(AutoScalingGroupName=7),
    "the instance is null": lambda event: event["detail"].update(EC2InstanceId=None),
    "a transition that there is not": lambda event: event["detail"].update(LifecycleTransition="autoscaling:GONE"),
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_an_event_that_lacks_what_its_kind_has_is_malformed(sentence: str) -> None:
    with pytest.raises(Malformed):
        parse(_edited(BROKEN[sentence]), FLEET)


def test_a_field_that_aws_adds_one_day_changes_nothing() -> None:
    later = _edited(lambda event: event.update({"trace": "x", "detail": event["detail"] | {"Priority": {"a": [1]}}}))
    assert parse(later, FLEET) == LEAVES


IDS = {
    "i-0a1b2c3d4e5f60718": True,
    "i-0a1b2c3d": True,
    "": False,
    "i-": False,
    "i-0a1b2c3": False,
    "i-0a1b2c3d4": False,
    "i-0a1b2c3d4e5f607180": False,
    "i-0a1b2c3d,i-0a1b2c3e": False,
    "*": False,
    "i-0a1b2c3d\n": False,
}


@pytest.mark.parametrize(("instance", "good"), IDS.items(), ids=[repr(one) for one in IDS])
def test_what_leaves_has_an_instances_id(instance: str, good: bool) -> None:
    """It becomes an exclusion by name: a pattern, or a list, would keep shards off others."""
    said = _outcome(_edited(lambda event: event["detail"].update(EC2InstanceId=instance)))
    assert isinstance(said, Hint if good else Malformed)


def test_what_a_group_of_others_has_for_an_id_is_no_matter_of_ours() -> None:
    foreign = {"AutoScalingGroupName": "web-frontend", "EC2InstanceId": "i-1"}
    assert isinstance(_outcome(_edited(lambda event: event["detail"].update(foreign))), Ignored)


def test_the_same_event_twice_is_one_intent() -> None:
    again = _edited(lambda event: event.update(id="another", time="2026-03-02T09:42:00Z"))
    hint = parse(again, FLEET)
    assert isinstance(hint, Hint)
    assert hint.intent is not None
    assert hint.intent.id == f"leave-{INSTANCE}"


@given(
    where=st.sampled_from(["source", "detail-type", "time", "detail", "id"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=8,
    ),
)
def test_whatever_stands_in_a_field_parse_says_something_or_malformed(where: str, value: Any) -> None:
    event = copy.deepcopy(json.loads(_text("terminate_lifecycle_action")))
    event[where] = value
    assert isinstance(_outcome(event), Hint | Notice | Ignored | Malformed)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_in_they_are_malformed(noise: bytes) -> None:
    with pytest.raises(Malformed):
        parse(noise, FLEET)


RETIREMENT = _text("instance_retirement_scheduled")
GROUPS = {INSTANCE: "demo-data-us-east-1a", "i-theirs": "web-frontend"}


def _retiring(*instances: str, **detail: str) -> Notice:
    event: dict[str, Any] = json.loads(RETIREMENT)
    event["detail"] |= {"affectedEntities": [{"entityValue": one} for one in instances], **detail}
    notice = parse(event, FLEET)
    assert isinstance(notice, Notice)
    return notice


def test_a_notice_of_several_instances_is_a_hint_for_each_that_a_declared_cluster_has() -> None:
    hints = of_clusters(_retiring(INSTANCE, "i-theirs", "i-gone"), GROUPS, FLEET)
    assert isinstance(hints, tuple)
    (hint,) = hints
    assert hint.cluster == "demo"
    assert hint.intent is not None
    assert hint.intent.id == f"retire-{INSTANCE}-1234abc01232a4012345678-1"
    assert hint.intent.deadline == "2026-03-16T08:00:00Z"


@pytest.mark.parametrize("instances", [(), ("i-theirs",), ("i-gone", "i-theirs")])
def test_a_notice_of_nobody_that_we_know_is_an_explicit_no_op(instances: tuple[str, ...]) -> None:
    assert isinstance(of_clusters(_retiring(*instances), GROUPS, FLEET), Ignored)


def test_a_later_notice_of_the_same_instance_is_another_intent_and_a_copy_is_none() -> None:
    ids = {
        hint.intent.id
        for number in ("1-1", "1-1", "1-2")
        for hint in of_clusters(_retiring(INSTANCE, communicationId=number), GROUPS, FLEET)
        if isinstance(hint, Hint) and hint.intent
    }
    assert len(ids) == 2


@pytest.mark.parametrize(
    "start", ["Mon, 16 Mar 2026 08:00:00 GMT", "2026-03-16T08:00:00Z", "2026-03-16T10:00:00+02:00"]
)
def test_health_tells_times_in_either_way(start: str) -> None:
    assert _retiring(INSTANCE, startTime=start).deadline == "2026-03-16T08:00:00Z"
