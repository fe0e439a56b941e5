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
from vagus.events import Hint, Ignored, parse
from vagus.intent import leave
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

SAYS: dict[str, Hint | Ignored] = {
    "terminate_lifecycle_action": LEAVES,
    "terminate_lifecycle_action_with_metadata": LEAVES,
    "terminate_successful": LOOK,
    "launch_successful": LOOK,
    "launch_unsuccessful": Ignored("no capability reacts to aws.autoscaling 'EC2 Instance Launch Unsuccessful'"),
    "launch_lifecycle_action": Ignored(
        "no capability reacts to aws.autoscaling 'EC2 Instance-launch Lifecycle Action'"
    ),
    "unknown_to_vagus": Ignored("no capability reacts to aws.ec2 'EC2 Instance Rebalance Recommendation'"),
    "terminate_of_another_group": Ignored("group web-frontend belongs to no declared cluster"),
}
MALFORMED = {
    "malformed_no_instance": "EC2InstanceId",
    "malformed_transition": "LifecycleTransition",
    "malformed_detail": "detail",
    "malformed_not_json": "JSON is malformed",
}


def _text(case: str) -> str:
    return (EVENTS / f"{case}.json").read_text()


def _edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(_text("terminate_lifecycle_action"))
    edit(event)
    return event


def _outcome(event: dict[str, Any]) -> Hint | Ignored | Malformed:
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
    assert isinstance(_outcome(event), Hint | Ignored | Malformed)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_in_they_are_malformed(noise: bytes) -> None:
    with pytest.raises(Malformed):
        parse(noise, FLEET)
