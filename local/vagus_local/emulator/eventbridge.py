"""EventBridge: service events, target retry and dead-letter queue, faults that can be armed per target."""

import json
import queue
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge, lambda_svc, scheduler, sqs, stepfunctions

from vagus_local.emulator.seams import after, call, in_scope, replace

_RETRIES = 185
"""What EventBridge tries when a target names no MaximumRetryAttempts."""

faults: dict[str, int] = {}
"""Target ARN -> deliveries that still fail as throttled (POST /_local/faults)."""


class Undelivered(BaseException):  # not an Exception: ministack's _invoke_target swallows every Exception
    """A delivery failed; str() is EventBridge's error code."""


def _checked(found: Callable[[str], Any], deliver: Any) -> Any:
    def dispatch(target: Any, payload: str, *more: Any) -> Any:
        arn = str(target)
        if faults.get(arn, 0) > 0:
            faults[arn] -= 1
            raise Undelivered("THROTTLING")
        if not found(arn):
            raise Undelivered("RESOURCE_NOT_FOUND")
        return deliver(target, payload, *more)

    return dispatch


def _retrying(old: Any) -> Any:
    def invoke(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None, attempt: int = 0) -> None:
        try:
            old(target, event, rule, view)
        except Undelivered as problem:
            policy = target.get("RetryPolicy") or {}
            if str(problem) == "THROTTLING" and attempt < int(policy.get("MaximumRetryAttempts", _RETRIES)):
                after(min(0.05 * 2**attempt, 5), invoke, target, event, rule, view, attempt + 1)
            else:
                _dead_letter(target, rule, view or eventbridge._pattern_event_view(event), str(problem), attempt)

    return invoke


def _dead_letter(target: dict[str, Any], rule: dict[str, Any], view: Any, code: str, attempt: int) -> None:
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        return
    facts = {
        "RULE_ARN": rule.get("Arn", "-"),
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": code,
        "RETRY_ATTEMPTS": str(attempt),
    }
    call(
        "sqs",
        "send_message",
        QueueUrl=call("sqs", "get_queue_url", QueueName=arn.rsplit(":", 1)[1])["QueueUrl"],
        MessageBody=json.dumps(view.event_with_detail()),
        MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in facts.items()},
    )


_outbox: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()


def emit(source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
    """Send a service's event, in order, never in the caller's thread: it may hold a lock, or be the event loop."""
    entry = {"Source": source, "DetailType": detail_type, "Resources": resources, "Detail": json.dumps(detail)}
    _outbox.put(in_scope(put, [entry]))


def put(entries: list[dict[str, Any]]) -> Any:
    """PutEvents with `aws.*` sources allowed, as only AWS itself may."""
    return eventbridge._put_events({"Entries": entries}, allow_aws_source=True)


def _deliver() -> None:
    while True:
        _outbox.get()()


def _to_function(arn: str, payload: str) -> None:
    """As an asynchronous invocation: tried again twice, then the function's own dead-letter queue or destination."""
    record, configuration, _ = lambda_svc._get_func_record_for_ref(arn)
    execution = lambda_svc._execution_record_for_config(record, configuration)
    lambda_svc.invoke_async_with_retry(execution, json.loads(payload))


def install() -> None:
    replace(eventbridge, "_dispatch_to_lambda", _to_function)
    deliveries = {
        "_dispatch_to_lambda": lambda arn: lambda_svc._get_func_record_for_ref(arn)[0],
        "_dispatch_to_stepfunctions": stepfunctions._resolve_state_machine_arn,
        "_dispatch_to_sqs": sqs._queue_by_arn,
    }
    for name, found in deliveries.items():
        replace(eventbridge, name, _checked(found, getattr(eventbridge, name)))
    replace(eventbridge, "_invoke_target", _retrying(eventbridge._invoke_target))
    replace(eventbridge, "_SCHEDULER_TICK_INTERVAL", 1)  # seconds; plain ministack looks every 10 s
    replace(scheduler, "_SCHEDULE_TICK_INTERVAL", 1)
    threading.Thread(target=_deliver, name="emulator-events", daemon=True).start()


def region_arn(service: str, resource: str) -> str:
    """An ARN in the account and Region of the current request."""
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}:{resource}"
