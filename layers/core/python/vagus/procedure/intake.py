"""Intake: one event in; an intent written and the cluster's run started, or a no-op that says why."""

from collections.abc import Mapping
from typing import Any

from vagus.events import Hint, Ignored, parse
from vagus.fleet import Fleet
from vagus.ports import Executions, Table
from vagus.procedure import head


def take(
    event: Mapping[str, Any] | bytes | str,
    fleet: Fleet,
    table: Table,
    executions: Mapping[str, Executions],
    now: float,
    iso: str,
) -> Hint | Ignored:
    """Take one event. Doing it twice is harmless. Raises `Malformed` (dead-lettered), or a `Transient` (retried)."""
    match parse(event, fleet):
        case Hint() as hint:
            if hint.intent is not None:
                head.open_intent(table, hint.cluster, hint.intent)
            head.ensure_running(table, executions[hint.capability], hint.cluster, hint.capability, now, iso)
            return hint
        case Ignored() as ignored:
            return ignored
