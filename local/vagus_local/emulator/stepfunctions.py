"""Step Functions: TimeoutSeconds, HeartbeatSeconds, Retry's MaxDelaySeconds, a Lambda that fails in a callback task.

Plain ministack also sleeps 150 ms before each execution, which would hide what our own path costs: that is taken out.
Seconds are scaled by SFN_WAIT_SCALE, as ministack's waits are.
"""

import inspect
import json
import threading
import time
import types
from typing import Any

from ministack.core import responses
from ministack.services import stepfunctions

from vagus_local.emulator.seams import SeamError, after, in_background, replace

_NAP = 0.15  # seconds, stepfunctions._run_execution
_beats: dict[str, float] = {}
"""Task token -> monotonic time of its last heartbeat."""
_waiting = threading.local()


def scaled(seconds: float) -> float:
    return float(seconds) * float(stepfunctions._SFN_WAIT_SCALE)


def _expire(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=responses.now_iso())
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)


def _timed(old: Any) -> Any:
    def run(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
        limit = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
        timer = after(scaled(limit), _expire, execution) if limit else None
        try:
            old(arn)
        finally:
            if timer:
                timer.cancel()

    return run


def _fail_token(token: str, error: str, cause: str) -> None:
    info = stepfunctions._task_tokens.get(token)
    if info:
        info["error"] = {"Error": error, "Cause": cause}
        info["event"].set()


def _watch(token: str, seconds: float, done: threading.Event) -> None:
    limit = scaled(seconds)
    while not done.wait(limit / 10):
        if time.monotonic() - _beats[token] > limit:
            _fail_token(token, "States.HeartbeatTimeout", f"no heartbeat for {seconds} s")
            return


def _heartbeat_limit(state: dict[str, Any], data: Any) -> float | None:
    if "HeartbeatSeconds" in state:
        return float(state["HeartbeatSeconds"])
    path = state.get("HeartbeatSecondsPath")
    return float(stepfunctions._resolve_path(data, path)) if path else None


def _beating(old: Any) -> Any:
    def invoke(resource: str, data: Any, token: str, state: dict[str, Any]) -> Any:
        limit, done = _heartbeat_limit(state, data), threading.Event()
        _beats[token] = time.monotonic()
        if limit:
            in_background(_watch, token, limit, done)
        _waiting.token = token
        try:
            return old(resource, data, token, state)
        finally:
            done.set()
            _waiting.token = None
            _beats.pop(token, None)

    return invoke


def _failing(old: Any) -> Any:
    def call_lambda(reference: str, event: Any) -> Any:
        try:
            return old(reference, event)
        except stepfunctions._ExecutionError as error:
            # ministack forgets the error and waits for a token that nobody holds
            if token := getattr(_waiting, "token", None):
                _fail_token(token, error.error, error.cause)
            raise

    return call_lambda


def _noted(old: Any) -> Any:
    def heartbeat(data: dict[str, Any]) -> Any:
        if data.get("taskToken") in _beats:
            _beats[data["taskToken"]] = time.monotonic()
        return old(data)

    return heartbeat


def _bounded(old: Any) -> Any:
    """Retry waits IntervalSeconds x BackoffRate^n, at most MaxDelaySeconds."""

    def find(retriers: Any, error: str, counts: dict[int, int]) -> Any:
        retrier, index = old(retriers, error, counts)
        if retrier and "MaxDelaySeconds" in retrier:
            wait = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
            retrier = {**retrier, "IntervalSeconds": min(wait, retrier["MaxDelaySeconds"]), "BackoffRate": 1}
        return retrier, index

    return find


def _only_running(old: Any) -> Any:
    def fail(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":  # else it was stopped or timed out while the task ran
            old(execution, error, cause)

    return fail


def _without_nap(run: Any) -> None:
    if inspect.getsource(run).count(f"time.sleep({_NAP})") != 1:
        raise SeamError("ministack changed: stepfunctions._run_execution no longer naps as it did")

    def sleep(seconds: float) -> None:
        if seconds != _NAP:
            time.sleep(seconds)

    stepfunctions.time = types.SimpleNamespace(**vars(time) | {"sleep": sleep})


def install() -> None:
    stepfunctions._AWS_SDK_SERVICE_MAP["autoscaling"] = {"protocol": "query"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["autoscaling"] = "AutoScaling"
    _without_nap(stepfunctions._run_execution)
    wrappers = {
        "_run_execution": _timed,
        "_invoke_with_callback": _beating,
        "_call_lambda": _failing,
        "_send_task_heartbeat": _noted,
        "_find_matching_retrier": _bounded,
        "_fail_execution": _only_running,
    }
    for name, wrap in wrappers.items():
        replace(stepfunctions, name, wrap(getattr(stepfunctions, name)))
