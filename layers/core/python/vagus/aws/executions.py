"""Step Functions as `ports.Executions`: the executions of one state machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused
from vagus.history import Status, Stay

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import HistoryEventTypeDef

CONSOLES = {"aws": "aws.amazon.com", "aws-us-gov": "amazonaws-us-gov.com", "aws-cn": "amazonaws.cn"}
"""The console's domain by partition."""


class Machine:
    """One state machine, by its ARN."""

    def __init__(self, clients: Clients, arn: str) -> None:
        self._clients = clients
        self._arn = arn

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        """Start an execution. `False` if the name is taken (it is for 90 days after its end) by one with another input,
        or by one that has ended."""
        try:
            with translated("states"):
                self._clients.states.start_execution(
                    stateMachineArn=self._arn, name=name, input=msgspec.json.encode(payload).decode()
                )
            return True
        except Refused as error:
            if code_of(error.__cause__) == "ExecutionAlreadyExists":
                return False
            raise

    def status(self, name: str) -> Status:
        """How the execution of that name stands; `MISSING` if there never was one, or not for 90 days."""
        arn = self._execution(name)
        try:
            found = read("states", lambda: self._clients.states.describe_execution(executionArn=arn))
        except Refused as error:
            if code_of(error.__cause__) == "ExecutionDoesNotExist":
                return "MISSING"
            raise
        # a redrive that is about to begin is a run to be waited for
        return "RUNNING" if found["status"] == "PENDING_REDRIVE" else found["status"]

    def console(self, name: str) -> str:
        """The execution's page in the console of its partition and Region."""
        _, partition, _, region, *_ = self._arn.split(":")
        host = f"{region}.console.{CONSOLES.get(partition, CONSOLES['aws'])}"
        return f"https://{host}/states/home?region={region}#/v2/executions/details/{self._execution(name)}"

    def history(self, name: str) -> tuple[Stay, ...]:
        """The states that the execution of that name went through. Raises `Refused` if there is none."""
        arn, pages = self._execution(name), self._clients.states.get_paginator("get_execution_history")
        return stays(
            read("states", lambda: [one for page in pages.paginate(executionArn=arn) for one in page["events"]])
        )

    def _execution(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"


def stays(events: Iterable[HistoryEventTypeDef]) -> tuple[Stay, ...]:
    """The states of a history in order; there are no parallel ones. (Step Functions' API: `HistoryEvent`.)"""
    found: list[Stay] = []
    for event in events:
        at, kind = event["timestamp"].timestamp(), event["type"]
        if "stateEnteredEventDetails" in event:
            entered = event["stateEnteredEventDetails"]
            given = _json(entered.get("input"))
            found.append(Stay(state=entered["name"], type=kind.removesuffix("StateEntered"), entered=at, given=given))
        elif found and "stateExitedEventDetails" in event:
            gave = _json(event["stateExitedEventDetails"].get("output"))
            found[-1] = msgspec.structs.replace(found[-1], left=at, gave=gave)
        elif found and (error := _error(event)) is not None:
            found[-1] = msgspec.structs.replace(found[-1], error=error)
        if found and kind.startswith("Execution") and found[-1].left is None:
            found[-1] = msgspec.structs.replace(found[-1], left=at)
    return tuple(found)


def _error(event: Mapping[str, Any]) -> str | None:
    """What failed, timed out or was aborted, and why; `""` where a later try succeeded; `None` for an event that tells
    of neither."""
    if event["type"].endswith("Succeeded"):
        return ""
    if not event["type"].endswith(("Failed", "TimedOut", "Aborted")):
        return None
    details: Mapping[str, Any] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    said = (details.get("error") or event["type"], _cause(details.get("cause", "")))
    return ": ".join(part for part in said if part)


def _cause(text: str) -> str:
    """A function's error comes as JSON, with its stack; its message is what a person reads."""
    told = _json(text)
    return str(told["errorMessage"]) if isinstance(told, dict) and "errorMessage" in told else text


def _json(text: str | None) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
