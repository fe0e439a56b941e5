"""An execution's history, told line by line: what was done, to what, why, and how it went. Pure.

The state machine hands the plan from state to state (`vagus_cdk.definition`): the look's output is what each of the
states after it is given.
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from vagus.history import Stay
from vagus.steps import AnyStep, EndRun, Step

LOOK, TELL = "Look and decide", "Tell a person"
SILENT = ("Choice", "Pass")
"""Types of states in which nothing is done."""
ENDS = ("Succeed", "Fail")

Result = Literal["done", "superseded", "refused", "failed", "waited", "told", "under way", "Done", "Blocked", "ended"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One act, wait or end. `at` in epoch seconds; `seconds`: how long it took, unless it is under way still.

    `node`: what the step is done to (a node, instance, group); `reason` and `message` of the plan that it comes from.
    `check`: what kept a step from being done, or what it failed of. Waits for one reason are one line, `times` of them,
    with the last one's message.
    """

    at: float
    state: str
    node: str = ""
    reason: str = ""
    message: str = ""
    result: Result = "done"
    check: str = ""
    times: int = 1
    seconds: float | None = None


def told(stays: Iterable[Stay]) -> list[Line]:
    """The lines of a history, oldest first. A look, and the note of an end, stand there only if they failed: what they
    found is in what follows."""
    lines: list[Line] = []
    plan: Any = None
    for stay in stays:
        if stay.state == LOOK and stay.gave is not None:
            plan = stay.gave
        if line := _line(stay, plan):
            lines[-1:] = [*lines[-1:], line] if not lines or not _same(lines[-1], line) else [_joined(lines[-1], line)]
    return lines


def _line(stay: Stay, plan: Any) -> Line | None:
    if stay.type in SILENT or (stay.state == EndRun.title and not stay.error and stay.left is not None):
        return None
    if stay.state == LOOK and not stay.error:
        return None
    said = _said(plan)
    return Line(
        at=stay.entered,
        state=stay.state,
        node=_subject(plan) if stay.type == "Task" and stay.state not in (LOOK, TELL, EndRun.title) else "",
        reason=said.get("reason", "") if stay.state != LOOK else "",
        message=said.get("message", "") if stay.state != LOOK else "",
        result=_result(stay),
        check="" if stay.type in ENDS else stay.error or _why_not(stay),
        seconds=None if stay.left is None else round(stay.left - stay.entered, 3),
    )


def _said(plan: Any) -> Any:
    return plan if isinstance(plan, dict) else {}


def _subject(plan: Any) -> str:
    """What the plan's first step is done to; a step of another version may not be known."""
    steps = _said(plan).get("steps") or [None]
    try:
        step: Step = msgspec.convert(steps[0], AnyStep)
    except msgspec.ValidationError:
        return ""
    return step.subject


def _result(stay: Stay) -> Result:
    ends: dict[str, Result] = {"Done": "Done", "Blocked": "Blocked"}
    if stay.type in ENDS:
        return ends.get(stay.state, "ended")
    if stay.error:
        return "failed"
    if stay.left is None:
        return "under way"
    if stay.type == "Wait":
        return "waited"
    if stay.state == TELL:
        return "told"
    said = _said(stay.gave).get("result")
    return said if said in ("done", "superseded", "refused") else "done"


def _why_not(stay: Stay) -> str:
    gave = _said(stay.gave)
    return str(gave.get("message", "")) if gave.get("result") in ("superseded", "refused") else ""


def _same(before: Line, line: Line) -> bool:
    return before.state == line.state and line.result == before.result == "waited" and before.reason == line.reason


def _joined(before: Line, line: Line) -> Line:
    seconds = None if line.seconds is None else round((before.seconds or 0.0) + line.seconds, 3)
    return msgspec.structs.replace(line, at=before.at, times=before.times + 1, seconds=seconds)
