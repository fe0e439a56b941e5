"""Intake: one event in; an intent written and the cluster's run started, or a no-op that says why."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vagus.events import Hint, Ignored, Notice, Stopped, of_clusters, parse
from vagus.fleet import Fleet
from vagus.ports import Executions, Table
from vagus.procedure import gateway_told, head, people

GroupsOf = Callable[[Sequence[str]], Mapping[str, str]]
"""Tells the Auto Scaling group of each of these instances that is in one."""


def take(
    event: Mapping[str, Any] | bytes | str,
    fleet: Fleet,
    table: Table,
    executions: Mapping[str, Executions],
    now: float,
    iso: str,
    groups_of: GroupsOf,
) -> tuple[Hint, ...] | Ignored:
    """Take one event. Doing it twice is harmless. Raises `Malformed` (dead-lettered), or a `Transient` (retried).

    `groups_of` is asked only where an event names instances and not their groups.
    """
    match parse(event, fleet):
        case Notice() as notice:
            hints = of_clusters(notice, groups_of(notice.instances), fleet)
        case Hint() as hint:
            hints = (hint,)
        case Stopped() as stop:
            people.pressed(
                table, stop.cluster, stop.capability, execution=stop.execution, person=stop.person, at=stop.at
            )
            return ()
        case Ignored() as ignored:
            return ignored
    if isinstance(hints, Ignored):
        return hints
    for hint in hints:
        if hint.intent is not None:
            head.open_intent(table, hint.cluster, hint.intent)
        if (ending := hint.ending) is not None:
            gateway_told.note(table, hint.cluster, ending.arn, at=ending.at, days=ending.days)
        head.ensure_running(table, executions[hint.capability], hint.cluster, hint.capability, now, iso)
    return hints
