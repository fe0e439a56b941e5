"""Who pressed Stop in the console: what CloudTrail says, and what becomes of it on the head row, in either order."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.frame.parts import NOW

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.errors import Malformed
from vagus.events import DETAILS, SOURCES, Hint, Ignored, Stopped, parse
from vagus.fleet import Fleet
from vagus.ports import Put
from vagus.procedure import intake, people, rows
from vagus.procedure.rows import Head
from vagus.procedure.sweep import after_end
from vagus_cli import fleet_files

ROOT = Path(__file__).parents[3]
EVENT: dict[str, Any] = json.loads((ROOT / "events/people/stop_execution.json").read_text())
ANNA = "arn:aws:sts::111122223333:assumed-role/on-call/anna"
RUN = "demo-zone_balance-7"
RUNS = Head(state="running", generation=7, execution=RUN)
BY_ANNA = f"{ANNA}, by {people.CONSOLE}"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return fleet_files.load(ROOT / "fleet")


def _event(edit: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(json.dumps(EVENT))
    edit(event["detail"])
    return event


def test_a_stop_of_a_run_of_ours_has_a_name(fleet: Fleet) -> None:
    assert parse(EVENT, fleet) == Stopped(
        cluster="demo", capability="zone_balance", execution=RUN, person=ANNA, at="2026-03-02T12:04:10Z"
    )


def _of(arn: str) -> Callable[[dict[str, Any]], object]:
    return lambda detail: detail.update(requestParameters={"executionArn": arn})


IGNORED: dict[str, Callable[[dict[str, Any]], object]] = {
    "another call, such as each start of ours": lambda detail: detail.update(eventName="StartExecution"),
    "a stop that was refused": lambda detail: detail.update(errorCode="AccessDenied"),
    "another's machine": _of("arn:aws:states:us-east-1:111122223333:execution:theirs:demo-zone_balance-7"),
    "a cluster that is not declared": _of("arn:aws:states:us-east-1:1:execution:vagus-local-zone_balance:x-y-7"),
    "a name that is none of ours": _of("arn:aws:states:us-east-1:1:execution:vagus-local-zone_balance:byhand"),
}


@pytest.mark.parametrize("edit", IGNORED.values(), ids=IGNORED.keys())
def test_what_is_none_of_ours_is_an_explicit_no_op(fleet: Fleet, edit: Callable[[dict[str, Any]], object]) -> None:
    assert isinstance(parse(_event(edit), fleet), Ignored)


@pytest.mark.parametrize("key", ["userIdentity", "requestParameters"])
def test_one_that_lacks_what_it_should_have_is_malformed(fleet: Fleet, key: str) -> None:
    with pytest.raises(Malformed):
        parse(_event(lambda detail: detail.pop(key)), fleet)


def test_the_rule_lets_no_other_call_in() -> None:
    assert set(DETAILS) <= set(SOURCES)
    assert DETAILS["aws.states"] == {"eventName": ["StopExecution"]}


def _after_the_event(fleet: Fleet, head: Head) -> Head:
    table, machines = FakeTable(), FakeExecutions()
    table.write(rows.partition("demo"), Put(key="head#zone_balance", data=_plain(head), expected=0))
    taken = intake.take(EVENT, fleet, table, {"zone_balance": machines}, NOW, "x", lambda _: {})
    assert taken == ()
    assert machines.started == {}, "a stop starts nothing"
    return rows.read(table, "demo").head("zone_balance")


def _plain(head: Head) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(head)
    return plain


def test_the_event_before_the_sweep(fleet: Fleet) -> None:
    named = _after_the_event(fleet, RUNS)
    assert (named.state, named.paused_by) == ("running", BY_ANNA)
    settled = after_end(named, "ABORTED", NOW)
    assert (settled.state, settled.paused_by, settled.not_before) == ("paused", BY_ANNA, 0.0)
    assert settled.paused_why == f"{RUN}: ABORTED"


def test_the_sweep_before_the_event(fleet: Fleet) -> None:
    unnamed = after_end(RUNS, "ABORTED", NOW)
    assert unnamed.paused_by == people.UNNAMED
    assert "CloudTrail" in unnamed.paused_by
    named = _after_the_event(fleet, unnamed)
    assert (named.state, named.paused_by, named.paused_why) == ("paused", BY_ANNA, f"{RUN}: ABORTED")


LATER: dict[str, Head] = {
    "it was resumed meanwhile": Head(state="running", generation=8, execution="demo-zone_balance-8"),
    "another run was stopped": after_end(
        Head(state="running", generation=8, execution="demo-zone_balance-8"), "ABORTED", NOW
    ),
    "a person had stopped it by command": Head(state="paused", paused_by="ada", paused_why="an audit"),
    "a run that ada stopped by command was stopped in the console too": Head(
        state="running", generation=7, execution=RUN, paused_by="ada"
    ),
    "it is idle": Head(generation=7),
}


@pytest.mark.parametrize("head", LATER.values(), ids=LATER.keys())
def test_what_has_moved_on_is_left_as_it_is(fleet: Fleet, head: Head) -> None:
    assert _after_the_event(fleet, head) == head


def test_another_hint_is_still_one(fleet: Fleet) -> None:
    event = json.loads((ROOT / "events/zone_balance/terminate_lifecycle_action.json").read_text())
    assert isinstance(parse(event, fleet), Hint)
