"""What an execution went through: frozen data, made by `vagus.aws` of Step Functions' history. Pure."""

from typing import Any, Literal

import msgspec

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "MISSING"]


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """One state, from entering to leaving it (epoch seconds; `left` is `None` while it is there still).

    `type` is that of the state (`Task`, `Wait`, `Choice`, `Pass`, `Succeed`, `Fail`); `given` and `gave` are its input
    and output as JSON; `error`: what its last try failed of, name and cause.
    """

    state: str
    type: str
    entered: float
    left: float | None = None
    given: Any = None
    gave: Any = None
    error: str = ""
