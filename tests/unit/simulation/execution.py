"""One execution of a procedure, as Step Functions interprets the state machine: look, then act, wait or end."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec
from tests.unit.simulation.ports import Crash

from vagus.procedure.loop import Answer, Call, Outcome
from vagus.steps import AnyStep

LOOK_RETRIES = (5.0, 15.0, 45.0)
"""Seconds before a look that failed is tried again; after the last the execution fails."""


class Functions(Protocol):
    """The two functions of a procedure, as the state machine calls them."""

    def decide(self, call: Call) -> Answer: ...

    def apply(self, call: Call, step: AnyStep) -> Outcome: ...


class Aborted(BaseException):
    """The whole execution is gone, not only the function that it had called."""


@dataclass
class Execution:
    """`call` travels as JSON from state to state. `wakes`: when it goes on. `ended`: how, once it has."""

    name: str
    call: Any
    functions: Functions
    wakes: float = 0.0
    retries: int = 0
    ended: Literal["", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] = ""
    pages: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def go_on(self, now: float) -> None:
        """One look and what follows it, up to the next wait, act or end."""
        answer = self._look(now)
        if answer is None:
            return
        self.retries = 0
        if answer["page"]:
            self.pages.append(answer["subject"])
            self.texts.append(answer["text"])
        self.states.append(answer["next"])
        if answer["next"] == "Wait":
            self.call = answer["call"]
            self.wakes = now + answer["seconds"]
        else:
            self._act(answer)

    def _look(self, now: float) -> Any:
        try:
            return _json(self.functions.decide(msgspec.convert(self.call, Call)))
        except (Crash, Exception) as error:  # a Lambda that died is an error like any other
            if isinstance(error, AssertionError):
                raise
            if self.retries == len(LOOK_RETRIES):
                self.ended = "FAILED"
            else:
                self.wakes = now + LOOK_RETRIES[self.retries]
                self.retries += 1
            return None

    def _act(self, answer: Any) -> None:
        try:
            step = msgspec.convert(answer["step"], AnyStep)
            outcome = _json(self.functions.apply(msgspec.convert(answer["call"], Call), step))
        except (Crash, Exception) as error:  # Catch: States.ALL
            if isinstance(error, AssertionError):
                raise
            caught = {"Error": type(error).__name__, "Cause": str(error)}
            self.call = answer["call"] | {"failures": answer["call"]["failures"] + 1, "error": caught}
            return
        self.call = outcome["call"]
        if outcome["result"] == "refused":
            self.ended = "SUCCEEDED"
        elif outcome["result"] == "done" and answer["next"] == "EndRun":
            self.ended = "SUCCEEDED" if answer["ends"] == "Done" else "FAILED"


def _json(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
