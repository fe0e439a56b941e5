"""Step Functions as `ports.Executions`: the executions of one state machine."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "MISSING"]

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

    def _execution(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"
