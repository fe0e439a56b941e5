"""What people say to a capability on a cluster: stop, resume, approve. Each is one write of one row.

A stop holds from the next step on. It kills no data: the keeper reads no row.
"""

from collections.abc import Callable, Iterable

import msgspec

from vagus import approval
from vagus.approval import Approval
from vagus.errors import Conflict
from vagus.ports import Put, Table
from vagus.procedure import rows
from vagus.procedure.head import ATTEMPTS
from vagus.procedure.records import iso
from vagus.procedure.rows import Head, Rows
from vagus.steps import Step

CONSOLE = "a Stop in the Step Functions console"
UNNAMED = f"somebody, by {CONSOLE} (CloudTrail knows who: StopExecution)"
HOUR = 3600.0
DAY = 86_400
LONGEST_APPROVAL = 7.0 * DAY
"""An approval is for what is known now: a longer one would be mode `act` by another name."""


def stop(table: Table, cluster: str, capability: str, *, person: str, why: str, now: float) -> Head:
    """Hold back disturbing steps. A run ends by itself at its next look. The head row as it then is."""

    def stopped(head: Head) -> Head:
        state = "running" if head.state == "running" else "paused"
        return msgspec.structs.replace(head, state=state, paused_by=person, paused_at=iso(now), paused_why=why)

    return _changed(table, cluster, capability, stopped)


def pressed(table: Table, cluster: str, capability: str, *, execution: str, person: str, at: str) -> None:
    """A Stop in the console has a name: on the run's head, or on the pause that a sweep has noted of it meanwhile. Of a
    run that is not the current one any more (it was resumed, or had ended, before this was known) it says nothing."""
    by = f"{person}, by {CONSOLE}"

    def named(head: Head) -> Head:
        if head.execution == execution and head.state == "running" and not head.paused:
            return msgspec.structs.replace(head, paused_by=by, paused_at=at, paused_why=f"{execution}: ABORTED")
        if head.paused_by == UNNAMED and head.paused_why.startswith(f"{execution}:"):
            return msgspec.structs.replace(head, paused_by=by, paused_at=at)
        return head

    _changed(table, cluster, capability, named)


def resume(table: Table, cluster: str, capability: str, *, now: float, ended: str = "") -> Head:
    """End a stop, whoever made it, and any back-off; launching that we suspended for its failures is tried again. The
    caller starts the run (`head.ensure_running`).

    `ended`: an execution that was stopped in the console, and that no sweep has noted yet: it runs no more.
    """

    def resumed(head: Head) -> Head:
        state = "running" if head.state == "running" and head.execution != ended else "idle"
        cleared = msgspec.structs.replace(head, state=state, paused_by="", paused_at="", paused_why="")
        return msgspec.structs.replace(cleared, failures=0, not_before=0.0)

    def forgiven(seen: Rows) -> list[Put]:
        marks = seen.launches.marks
        if not marks:
            return []
        said = {**seen.launches.forgiven, **dict.fromkeys(marks, iso(now))}
        return [seen.put("launches", msgspec.structs.replace(seen.launches, forgiven=said))]

    return _changed(table, cluster, capability, resumed, forgiven)


def approved(capability: str, steps: Iterable[Step], *, person: str, now: float, seconds: float) -> Approval:
    """The approval of these steps: what it would allow is in it, to be shown before it is written."""
    return Approval(
        capability=capability,
        person=person,
        given=iso(now),
        expires=now + min(seconds, LONGEST_APPROVAL),
        acts=approval.scope(steps),
    )


def approve(table: Table, cluster: str, given: Approval) -> None:
    """Write an approval. Its row outlives it for a while, so that who allowed what can be read."""
    kept_until = int(given.expires) + rows.CLOSED_ROW_DAYS * DAY
    key = f"approval#{given.capability}#{given.given}"
    row = Put(key=key, data=msgspec.to_builtins(given), expected=0, expires=kept_until)
    table.write(rows.approval_partition(cluster), row)


def _changed(
    table: Table,
    cluster: str,
    capability: str,
    change: Callable[[Head], Head],
    beside: Callable[[Rows], list[Put]] = lambda _: [],
) -> Head:
    for _ in range(ATTEMPTS):
        seen = rows.read(table, cluster)
        changed, more = change(seen.head(capability)), beside(seen)
        if changed == seen.head(capability) and not more:
            return changed
        try:
            table.write(rows.partition(cluster), seen.put(f"head#{capability}", changed), *more)
            return changed
        except Conflict:
            continue
    raise Conflict(f"{cluster}: {ATTEMPTS} races for the head row of {capability} were lost; try again")
