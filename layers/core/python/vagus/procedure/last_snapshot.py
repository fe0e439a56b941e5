"""The last snapshot of a cluster that succeeded, for its status. Looked up once an hour: to list those of a repository,
the engine reads an object of each."""

from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import noted_status
from vagus.procedure.at_once import within
from vagus.procedure.records import iso
from vagus.procedure.room import Reads
from vagus.status import SNAPSHOT, Shown

WHO = "snapshots"


def note(reads: Reads, table: Table, spec: ClusterSpec, seconds: float) -> None:
    """Put the line. The look may take `seconds`; a cluster that can't tell has a line that says why, and grows older by
    what was known before: a repository that broke is when the figure counts."""
    before = next((line.number for line in noted_status.noted_lines(table, spec.name, WHO)), None)
    noted_status.note_lines(table, spec.name, WHO, [_line(reads, spec, seconds, before)])


def _line(reads: Reads, spec: ClusterSpec, seconds: float, before: float | None) -> Shown:
    try:
        newest = within(seconds, lambda: reads.search(spec).snapshots(newest=True)).newest
    except VagusError as error:
        known = "" if before is None else f", the last that was known ended {iso(before)}"
        says = f"unknown{known}, the snapshots could not be listed: {error}"
        return Shown(title=SNAPSHOT, says=says, wrong=True, number=before)
    if newest is None:
        return Shown(title=SNAPSHOT, says="none that succeeded", wrong=True)
    return Shown(title=SNAPSHOT, says=f"ended {iso(newest)}", number=newest)
