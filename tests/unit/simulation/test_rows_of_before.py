"""A deploy in mid-drain, seen from the rows: those that older code wrote, and the call that its run carried, are taken
up by today's code, and the drain ends as if it had always been there.

`rows_of_before.json` holds what the code of commit 92bbf38 (before approvals had a partition of their own, and calls
the kinds of their definition) left in the tables at six moments. It is never written anew; a later version is added.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.simulation.execution import Execution
from tests.unit.simulation.happenings import FIRST, Scenario, excluded_is, noticed, stopped
from tests.unit.simulation.leaving import it_hands_over_every_third_round, nowhere_to_go_is_held, one_leaves
from tests.unit.simulation.people import (
    a_person_approves,
    a_person_stops_and_resumes_halfway,
    a_stop_in_the_console_and_a_resume,
)
from tests.unit.simulation.world import World

from vagus.aws.fake import FakeExecutions
from vagus.intent import ExcludeNode
from vagus.plan import Plan
from vagus.ports import Row
from vagus.procedure import records, rows
from vagus.procedure.loop import Call
from vagus.procedure.records import Record

BEFORE: dict[str, Any] = json.loads((Path(__file__).parent / "rows_of_before.json").read_text())

Moment = tuple[Scenario, Callable[[World], bool]]


def _retained(world: World) -> bool:
    return bool(world.instances("Terminating:Retained"))


MOMENTS: dict[str, Moment] = {
    "a drain under way": (one_leaves, excluded_is(FIRST)),
    "a drain that was approved": (a_person_approves, excluded_is(FIRST)),
    "a drain that a person stopped": (a_person_stops_and_resumes_halfway, stopped),
    "a drain that was stopped in the console": (a_stop_in_the_console_and_a_resume, stopped),
    "a held instance": (nowhere_to_go_is_held, _retained),
    "a drain that was handed over": (it_hands_over_every_third_round, excluded_is(FIRST)),
}


@pytest.mark.parametrize("moment", BEFORE)
def test_a_drain_begun_by_older_code_is_ended_by_todays(moment: str) -> None:
    make, when = MOMENTS[moment]
    world = make()
    while not when(world):
        world.step()
    _taken_over(world, BEFORE[moment])
    if moment == "a drain that was approved":  # nobody asked for a vote then: today's plan does, and asks anew
        world.when("approved anew", noticed(), lambda world: world.approve(4 * 3600))
    assert world.run().summary() == make().run().summary()


def _taken_over(world: World, before: Any) -> None:
    """Tables and executions as older code left them; AWS and the cluster as they are."""
    world.clock.now = world.next_minute = max(world.clock.now, before["now"])
    for table, found in ((world.table, before["state"]), (world.records, before["records"])):
        table._rows.clear()
        for partition, its in found.items():
            table._rows[partition] = {key: msgspec.convert(row, Row) for key, row in its.items()}
    world.machines, world.executions = FakeExecutions(), {}
    running = {_name(call): call for call in before["calls"]}
    current = world.head().execution
    for name, payload in before["inputs"].items():
        world.machines.start(name, payload)
        if name != current:
            world.machines.end(name, "SUCCEEDED")
            world.executions[name] = Execution(name, payload, world, ended="SUCCEEDED")
        elif name in running:
            world.executions[name] = Execution(name, running[name], world, wakes=world.clock.now)


def _name(call: Any) -> str:
    return msgspec.convert(call, Call).execution


@pytest.mark.parametrize("moment", BEFORE)
def test_each_row_of_before_says_what_it_said(moment: str) -> None:
    world = World()
    _taken_over(world, BEFORE[moment])
    seen = rows.read_shown(world.table, "claims")
    assert seen.identity == "uuid-1"
    assert seen.head("zone_balance").generation > 0
    assert [intent.instance for intent in seen.intents] == [FIRST]
    if moment != "a held instance":
        assert seen.intents[0].demands == (ExcludeNode(node=FIRST),)
    assert seen.lease("topology").token > 0
    assert len(seen.sizes) == 3
    noted = dict(seen.plans["zone_balance"])
    assert msgspec.convert({key: noted[key] for key in noted if key != "at"}, Plan).reason
    found = records.read(world.records, "claims", "2026-01-01")
    assert all(isinstance(one, Record) for one in found)
    assert records.without_outcome(found) == []


def test_an_approval_of_before_still_holds() -> None:
    world = World()
    _taken_over(world, BEFORE["a drain that was approved"])
    (given,) = rows.read(world.table, "claims", approvals=True).approvals
    assert {(act.kind, act.on, act.bytes) for act in given.acts} == {
        ("ExcludeNodes", FIRST, None),
        ("LetEmptyInstanceGo", FIRST, None),
    }
