"""`vagus executions`: a history as Step Functions tells it, told line by line."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from vagus.aws.executions import stays
from vagus.history import Stay
from vagus.procedure.rows import Head
from vagus.steps import EndRun, Process, RestartNodes
from vagus_cdk import definition
from vagus_cli import told_runs
from vagus_cli.told_runs import told

Scene = Any
AT = 1_772_452_800.0
RESTART = RestartNodes(
    intent="restart-1", processes=(Process(node="i-7", ephemeral_id="e-7", started=1, step="restart-1-i-7-1"),)
)
PLAN = {
    "kind": "Steps",
    "reason": "RESTARTING",
    "message": "restart: 3 of 3 nodes to go",
    "steps": [msgspec.to_builtins(RESTART)],
}
WAIT = {"kind": "Wait", "reason": "NODE_AWAY", "message": "i-7 restarts"}
DONE = {"kind": "Done", "reason": "UP_TO_DATE", "message": "every node is done"}


class History:
    """Events as GetExecutionHistory gives them, a second apart."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._event("ExecutionStarted", executionStartedEventDetails={"input": "{}"})

    def _event(self, kind: str, **details: Any) -> None:
        stamp = datetime.fromtimestamp(AT + len(self.events), UTC)
        self.events.append({"timestamp": stamp, "type": kind, "id": len(self.events) + 1, **details})

    def enter(self, name: str, given: Any = None, kind: str = "Task") -> None:
        self._event(f"{kind}StateEntered", stateEnteredEventDetails={"name": name, "input": json.dumps(given)})

    def leave(self, name: str, gave: Any = None, kind: str = "Task") -> None:
        self._event(f"{kind}StateExited", stateExitedEventDetails={"name": name, "output": json.dumps(gave)})

    def fail(self, error: str, cause: str) -> None:
        self._event("LambdaFunctionFailed", lambdaFunctionFailedEventDetails={"error": error, "cause": cause})

    def passed(self, name: str, given: Any = None, gave: Any = None, kind: str = "Task") -> None:
        self.enter(name, given, kind)
        self.leave(name, gave, kind)

    def look(self, plan: Any) -> None:
        self.passed(definition.LOOK, {}, plan)
        self.passed(definition.CHOOSE, plan, plan, "Choice")

    def end(self, kind: str, **details: Any) -> None:
        self._event(kind, **details)

    def told(self) -> list[told_runs.Line]:
        return told(stays(self.events))  # type: ignore[arg-type]  # as boto3 has them


@pytest.fixture
def history() -> History:
    begun = History()
    begun.passed("Read the call", {}, {}, "Pass")
    return begun


def test_its_names_of_states_are_those_of_the_definition() -> None:
    assert (told_runs.LOOK, told_runs.TELL) == (definition.LOOK, definition.TELL)


def test_a_step_is_a_line_with_its_node_its_reason_and_how_it_went(history: History) -> None:
    history.look(PLAN)
    history.passed(RestartNodes.title, PLAN, {"result": "done", "message": "restart i-7"})
    (line,) = history.told()
    assert (line.state, line.node, line.reason, line.result) == (RestartNodes.title, "i-7", "RESTARTING", "done")
    assert (line.message, line.seconds, line.at) == ("restart: 3 of 3 nodes to go", 1.0, AT + 7)


def test_a_check_that_refused_is_said(history: History) -> None:
    history.look(PLAN)
    history.passed(RestartNodes.title, PLAN, {"result": "superseded", "message": "snapshot nightly runs"})
    (line,) = history.told()
    assert (line.result, line.check) == ("superseded", "snapshot nightly runs")


def test_a_step_that_failed_says_of_what(history: History) -> None:
    history.look(PLAN)
    history.enter(RestartNodes.title, PLAN)
    history.fail("Denied", "ssm:SendCommand: not allowed")
    history.leave(RestartNodes.title, {})
    (line,) = history.told()
    assert (line.result, line.check) == ("failed", "Denied: ssm:SendCommand: not allowed")


def test_waits_for_one_reason_are_one_line(history: History) -> None:
    for _ in range(3):
        history.look(WAIT)
        history.passed("Wait", WAIT, WAIT, "Wait")
    (line,) = history.told()
    assert (line.state, line.reason, line.times, line.seconds) == ("Wait", "NODE_AWAY", 3, 3.0)


def test_what_is_under_way_has_no_time_yet(history: History) -> None:
    history.look(WAIT)
    history.enter("Wait", WAIT, "Wait")
    (line,) = history.told()
    assert (line.result, line.seconds) == ("under way", None)


@pytest.mark.parametrize(("state", "kind"), [("Done", "Succeed"), ("Blocked", "Fail")])
def test_the_end_says_why(history: History, state: str, kind: str) -> None:
    history.look(DONE)
    history.passed(EndRun.title, DONE, {"result": "done", "message": ""})
    history.enter(state, {}, kind)
    if kind == "Succeed":
        history.leave(state, {}, kind)
        history.end("ExecutionSucceeded")
    else:
        history.end("ExecutionFailed", executionFailedEventDetails={"error": "UP_TO_DATE", "cause": "every node"})
    (line,) = history.told()
    assert line.check == ""
    assert (line.state, line.result, line.reason, line.message) == (state, state, "UP_TO_DATE", "every node is done")


def test_what_failed_and_succeeded_at_another_try_is_done(history: History) -> None:
    history.look(PLAN)
    history.enter(RestartNodes.title, PLAN)
    history.fail("Lambda.TooManyRequestsException", "later")
    history.end("TaskSucceeded")
    history.leave(RestartNodes.title, {"result": "done", "message": ""})
    (line,) = history.told()
    assert (line.result, line.check) == ("done", "")


def test_of_a_functions_error_its_message_is_told(history: History) -> None:
    history.enter(definition.LOOK, {})
    history.fail("Denied", '{"errorMessage": "es:Look: not allowed", "errorType": "Denied", "stackTrace": []}')
    assert history.told()[0].check == "Denied: es:Look: not allowed"


def test_a_look_stands_there_only_if_it_failed(history: History) -> None:
    history.enter(definition.LOOK, {})
    history.fail("Lambda.Unknown", "no memory")
    (line,) = history.told()
    assert (line.state, line.result, line.check) == (definition.LOOK, "failed", "Lambda.Unknown: no memory")


def test_a_stop_in_the_console_ends_the_state_that_it_found(history: History) -> None:
    history.look(WAIT)
    history.enter("Wait", WAIT, "Wait")
    history.end("ExecutionAborted", executionAbortedEventDetails={"error": "", "cause": "an audit"})
    (line,) = history.told()
    assert (line.result, line.seconds) == ("failed", 1.0)
    assert "an audit" in line.check


def test_a_step_of_another_version_has_no_node_and_hides_nothing(history: History) -> None:
    plan = PLAN | {"steps": [{"kind": "OfTheFuture", "node": "i-1"}]}
    history.look(plan)
    history.passed("Do what nobody knows yet", plan, {"result": "done"})
    (line,) = history.told()
    assert (line.state, line.node, line.reason) == ("Do what nobody knows yet", "", "RESTARTING")


# -- the command -----------------------------------------------------------------------------------------------------


def _ran(scene: Scene, generation: int) -> None:
    scene.write("head#rolling_upgrade", Head(seq=1, generation=generation))
    for number in range(1, generation + 1):
        name = f"demo-rolling_upgrade-{number}"
        scene.machine.start(name, {})
        scene.machine.stays[name] = [
            Stay(state="Wait", type="Wait", entered=AT + number, left=AT + number + 1, given=WAIT),
            Stay(state=definition.LOOK, type="Task", entered=AT + number + 1, left=AT + number + 1, gave=PLAN),
            Stay(state=RestartNodes.title, type="Task", entered=AT + number + 1, given=PLAN),
        ]


def test_the_last_run_of_each_capability_is_told(scene: Scene) -> None:
    _ran(scene, 2)
    (run,) = scene.json("executions", "demo")
    assert (run["execution"], run["status"], run["all"]) == ("demo-rolling_upgrade-2", "RUNNING", 2)
    assert run["lines"][1]["node"] == "i-7"
    said = scene.run("executions", "demo").stdout
    assert "demo-rolling_upgrade-2  RUNNING" in said
    assert f"{RestartNodes.title} i-7  RESTARTING: restart: 3 of 3 nodes to go  under way" in said


def test_several_runs_stand_in_order_and_lines_can_be_fewer(scene: Scene) -> None:
    _ran(scene, 3)
    runs = scene.json("executions", "demo", "--capability", "rolling_upgrade", "--runs", "2", "--last", "1")
    assert [run["execution"] for run in runs] == ["demo-rolling_upgrade-2", "demo-rolling_upgrade-3"]
    assert [len(run["lines"]) for run in runs] == [1, 1]
    assert "(1 lines before these" in scene.run("executions", "demo", "--last", "1").stdout


def test_a_run_that_nobody_remembers_is_said_to_be_missing(scene: Scene) -> None:
    scene.write("head#rolling_upgrade", Head(seq=1, generation=4))
    (run,) = scene.json("executions", "demo")
    assert (run["status"], run["lines"]) == ("MISSING", [])


def test_where_nothing_ran_that_is_said(scene: Scene) -> None:
    assert "nothing has run yet" in scene.run("executions", "demo").stdout


def test_a_capability_that_there_is_not_is_refused_by_name(scene: Scene) -> None:
    refused = scene.run("executions", "demo", "--capability", "zone-balance")
    assert refused.exit_code == 2
    assert (
        "there is no capability zone-balance (there are: certificates, rolling_upgrade, zone_balance)" in refused.output
    )
