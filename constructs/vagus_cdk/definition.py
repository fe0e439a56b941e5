"""The state machine of a procedure, derived from its kinds of step: the runbook is the diagram. Pure.

    Read the call ─> Look and decide ─> What next? ─┬─> one state per kind of step ─> Still ours? ─> Look and decide
                          ^                         ├─> Wait ─────────────────────────────────────> Look and decide
                          │                         ├─> Tell a person ─> What next?
                          │                         └─> Note the end ─> How did it end? ─> Done | Blocked
                          └── a step's error is counted, and what it did is looked at afresh

`$call` is carried from look to look (`vagus.procedure.loop.Call`), `$answer` is what the last look said (`Answer`).
No step that ran is retried here: an error's outcome is unknown. The look only reads, so it is.
A round costs at most 16 history events; an execution may have 25,000, and hands over after `loop.ROUNDS` looks.
"""

from collections.abc import Sequence
from typing import Any

from vagus.steps import EndRun, HandOver, Step, kind

LOOK = "Look and decide"
CHOOSE = "What next?"
STILL_OURS = "Still ours?"
ANOTHER = "Another run goes on"
END = "How did it end?"
TELL = "Tell a person"
TIMEOUT_SECONDS = 7 * 24 * 3600
"""The longest run: the sweep starts the next one. A hook can be held for 48 hours; a retained instance for longer."""

State = dict[str, Any]
THROTTLED: State = {
    "ErrorEquals": ["Lambda.TooManyRequestsException"],
    "IntervalSeconds": 3,
    "BackoffRate": 1.5,
    "MaxDelaySeconds": 60,
    "MaxAttempts": 40,
    "JitterStrategy": "FULL",
}
"""The function was not called at all, so that trying again does nothing twice: when many clusters act at once, they
take turns instead of counting failures."""


def definition(
    name: str,
    kinds: Sequence[type[Step]],
    *,
    decide: str,
    apply: str,
    topic: str,
    outside: str = "",
    partition: str = "aws",
) -> State:
    """Amazon States Language (JSONata). `decide`, `apply`, `outside` (for steps of which `Step.outside` holds; by
    default `apply` does them too) and `topic` are ARNs. Raises ValueError for equal titles."""
    invoke = f"arn:{partition}:states:::lambda:invoke"
    steps = [one for one in kinds if one not in (EndRun, HandOver)]
    states = {
        "Read the call": {"Type": "Pass", "Assign": {"call": _call(kinds)}, "Next": LOOK},
        LOOK: _look(invoke, decide),
        CHOOSE: _choose(kinds),
        TELL: _tell(f"arn:{partition}:states:::sns:publish", topic),
        **{
            one.title: _step(invoke, (outside or apply) if one.outside else apply, "{% $answer.step %}", STILL_OURS)
            for one in steps
        },
        STILL_OURS: _branch("{% $outcome.result = 'refused' %}", ANOTHER, LOOK),
        "Wait": {"Type": "Wait", "Seconds": "{% $answer.seconds %}", "Next": LOOK},
        # what this definition has no state for, a newer one has: hand over to an execution of that
        HandOver.title: _step(invoke, apply, {"kind": kind(HandOver)}, ANOTHER),
        EndRun.title: _step(invoke, apply, "{% $answer.step %}", END),
        END: _end(),
        ANOTHER: {"Type": "Succeed"},
        "Done": {"Type": "Succeed"},
        "Blocked": {
            "Type": "Fail",
            "Error": "{% $answer.plan.reason %}",
            "Cause": "{% $answer.plan.message %}",
        },
    }
    if len({one.title for one in kinds}) != len(kinds) or len(states) != len(steps) + 12:
        raise ValueError(f"{name}: two states have one title")
    return {
        "Comment": f"{name}: look, do one step, look again",
        "QueryLanguage": "JSONata",
        "StartAt": "Read the call",
        "TimeoutSeconds": TIMEOUT_SECONDS,
        "States": states,
    }


def _call(kinds: Sequence[type[Step]]) -> str:
    """The input, and the kinds that this definition has states for: code that is deployed later knows more."""
    known = ", ".join(f"'{kind(one)}'" for one in kinds)
    return f"{{% $merge([$states.input, {{'kinds': [{known}]}}]) %}}"


def _look(invoke: str, decide: str) -> State:
    return {
        "Type": "Task",
        "Resource": invoke,
        "Arguments": {"FunctionName": decide, "Payload": "{% $call %}"},
        "Assign": {"answer": "{% $states.result.Payload %}", "call": "{% $states.result.Payload.call %}"},
        "Output": "{% $states.result.Payload.plan %}",
        "TimeoutSeconds": 90,
        "Retry": [
            {"ErrorEquals": ["Malformed", "States.QueryEvaluationError"], "MaxAttempts": 0},
            THROTTLED,
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": 2,
                "BackoffRate": 2,
                "MaxDelaySeconds": 60,
                "MaxAttempts": 8,
                "JitterStrategy": "FULL",
            },
        ],
        "Next": CHOOSE,
    }


def _choose(kinds: Sequence[type[Step]]) -> State:
    return {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $answer.page %}", "Next": TELL},
            {"Condition": "{% $answer.next = 'Wait' %}", "Next": "Wait"},
            *({"Condition": f"{{% $answer.next = '{kind(one)}' %}}", "Next": one.title} for one in kinds),
        ],
        "Default": HandOver.title,
    }


def _tell(publish: str, topic: str) -> State:
    """When the look says so. If nobody can be told, the work goes on, and the next look tries again."""
    told = {"answer": "{% $merge([$answer, {'page': false}]) %}"}
    return {
        "Type": "Task",
        "Resource": publish,
        "Arguments": {
            "TopicArn": topic,
            "Subject": "{% $answer.subject %}",
            # a function of before the last deploy says no text
            "Message": "{% $answer.text ? $answer.text : $string($answer.plan, true) %}",
        },
        "Assign": told,
        "Output": "{% $states.input %}",
        "Catch": [
            {
                "ErrorEquals": ["States.ALL"],
                "Assign": told | {"call": "{% $merge([$call, {'paged': []}]) %}"},
                "Output": "{% $states.input %}",
                "Next": CHOOSE,
            }
        ],
        "Next": CHOOSE,
    }


def _step(invoke: str, apply: str, step: str | dict[str, str], then: str) -> State:
    failed = (
        "{% $merge([$call, {'failures': $call.failures + 1, "
        "'error': {'Error': $states.errorOutput.Error, 'Cause': $states.errorOutput.Cause}}]) %}"
    )
    return {
        "Type": "Task",
        "Resource": invoke,
        "Arguments": {"FunctionName": apply, "Payload": {"call": "{% $call %}", "step": step}},
        "Assign": {
            "outcome": "{% $states.result.Payload %}",
            "call": "{% $states.result.Payload.call %}",
        },
        "Output": "{% $states.result.Payload %}",
        "TimeoutSeconds": 90,
        "Retry": [THROTTLED],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"call": failed}, "Output": {}, "Next": LOOK}],
        "Next": then,
    }


def _branch(condition: str, then: str, otherwise: str) -> State:
    return {"Type": "Choice", "Choices": [{"Condition": condition, "Next": then}], "Default": otherwise}


def _end() -> State:
    return {
        "Type": "Choice",
        "Choices": [
            {"Condition": "{% $outcome.result = 'superseded' %}", "Next": LOOK},
            {"Condition": "{% $outcome.result = 'refused' %}", "Next": ANOTHER},
            {"Condition": "{% $answer.ends = 'Done' %}", "Next": "Done"},
        ],
        "Default": "Blocked",
    }
