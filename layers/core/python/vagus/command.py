"""What became of a document of ours that was sent to an instance: frozen data, made by `vagus.aws`. Pure."""

from typing import Literal

import msgspec

Outcome = Literal["pending", "done", "already", "superseded", "not-ours", "not-serving", "failed"]

DELIVERY_SECONDS = 60
"""An agent that has not fetched a command by then never will: a restart must not happen when nobody expects it."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One document on one instance. `step` names the act that sent it, `sent` is in epoch seconds.

    `outcome` is the word that the document's output begins with (`nodes/documents`): `already`, the instance had done
    this step before; `superseded`, another process runs than the one that was decided on; `not-ours`, a person stopped
    it; `not-serving`, the process runs and can't answer clients. `pending`: not ended, or not yet heard of. `failed`:
    nobody knows what happened. `said` is the end of its output.
    """

    step: str
    document: str
    instance: str
    sent: float
    outcome: Outcome
    said: str = ""
