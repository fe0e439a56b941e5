"""Keeps the last `Status` of a cluster in the state table: partition `status#<name>`.

    status            the whole, as the sweep saw it last
    lines#<name>      what a watch that is no room wants shown (`Shown`): it writes its own row, the sweep takes it in.
                      Where `endings` stand there too, with when they were seen, the lines are made of them anew
    event#<instance>  what intake took of an instance last

Shown, never decided on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from vagus.ending import Ending, as_seen, lines
from vagus.errors import Conflict, Malformed
from vagus.ports import Put, Table
from vagus.procedure import records
from vagus.status import Shown, Status

STATUS, LINES, EVENT = "status", "lines#", "event#"
MOST_NODES = 400
"""How many nodes the noted status has: a row holds 400 KB."""
KEPT_DAYS = 30
"""How long the last event of an instance is kept."""


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in the status partition beside the status itself."""

    lines: tuple[Shown, ...] = ()
    events: Mapping[str, str] = {}


def partition(cluster: str) -> str:
    """Its own, so that a role can be allowed to put these rows alone."""
    return f"status#{cluster}"


def noted_lines(table: Table, cluster: str, who: str) -> tuple[Shown, ...]:
    """What that watch noted last."""
    row = table.read(partition(cluster), f"{LINES}{who}").get(f"{LINES}{who}")
    return () if row is None else msgspec.convert(row.data["lines"], tuple[Shown, ...])


def noted(table: Table, cluster: str, now: float) -> Noted:
    """What watches and intake noted, as it is `now` (epoch seconds)."""
    rows = table.read(partition(cluster), LINES).values()
    events = table.read(partition(cluster), EVENT)
    return Noted(
        lines=tuple(line for row in rows for line in _lines(row.data, now)),
        events={key.removeprefix(EVENT): f"{row.data['what']} at {row.data['at']}" for key, row in events.items()},
    )


def _lines(data: Mapping[str, Any], now: float) -> tuple[Shown, ...]:
    """A row of an older version has no endings."""
    if "endings" in data:
        return as_seen(msgspec.convert(data["endings"], tuple[Ending, ...]), data["at"], now)
    return msgspec.convert(data["lines"], tuple[Shown, ...])


def last(table: Table, cluster: str) -> Status | None:
    """The status that the sweep noted last; `None` before the first. Raises `Malformed` for one of a newer version."""
    found = table.read(partition(cluster), STATUS)
    if STATUS not in found:
        return None
    try:
        return msgspec.convert(found[STATUS].data, Status)
    except msgspec.ValidationError as error:
        raise Malformed(f"row {STATUS}: {error}; it was written by a newer version, deploy that one") from error


def note(table: Table, found: Status) -> None:
    """Put the sweep's status: of a very large cluster, without the last of its nodes."""
    _put(
        table,
        found.cluster,
        STATUS,
        msgspec.to_builtins(msgspec.structs.replace(found, nodes=found.nodes[:MOST_NODES])),
    )


def note_lines(table: Table, cluster: str, who: str, shown: Sequence[Shown]) -> None:
    """For a watch that is no room: what it wants shown of a cluster, in place of what it noted before."""
    _put(table, cluster, f"{LINES}{who}", {"lines": msgspec.to_builtins(shown)})


def note_endings(table: Table, cluster: str, who: str, endings: Iterable[Ending], now: float) -> None:
    """The same, of certificates that were seen to end: life goes by from then on, whether anybody looks or not. Lines
    are put for a reader of an older version."""
    kept = sorted(endings)[:MOST_NODES]
    row = {"lines": msgspec.to_builtins(lines(kept, now)), "endings": msgspec.to_builtins(kept), "at": now}
    _put(table, cluster, f"{LINES}{who}", row)


def note_event(table: Table, cluster: str, instance: str, what: str, at: str) -> None:
    """What intake took of an instance. `at`: ISO 8601."""
    expires = int(records.epoch(at)) + KEPT_DAYS * 86400
    _put(table, cluster, f"{EVENT}{instance}", {"what": what, "at": at}, expires)


def _put(table: Table, cluster: str, key: str, data: Mapping[str, Any], expires: int | None = None) -> None:
    """A lost race only means that somebody noted a newer one."""
    before = table.read(partition(cluster), key).get(key)
    put = Put(key=key, data=data, expected=before.version if before else 0, expires=expires)
    try:
        table.write(partition(cluster), put)
    except Conflict:
        return
