"""The last snapshot of a cluster that succeeded, for its status. Looked up once an hour: to list those of a repository,
the engine reads an object of each."""

from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import standing
from vagus.procedure.at_once import within
from vagus.procedure.records import iso
from vagus.procedure.room import Reads
from vagus.status import SNAPSHOT, Shown

WHO = "snapshots"


def note(reads: Reads, table: Table, spec: ClusterSpec, seconds: float) -> None:
    """Put the line. The look may take `seconds`; a cluster that can't tell has a line that says why, and no figure."""
    standing.note_lines(table, spec.name, WHO, [_line(reads, spec, seconds)])


def _line(reads: Reads, spec: ClusterSpec, seconds: float) -> Shown:
    try:
        newest = within(seconds, lambda: reads.search(spec).snapshots(newest=True)).newest
    except VagusError as error:
        return Shown(title=SNAPSHOT, says=f"unknown, the snapshots could not be listed: {error}")
    if newest is None:
        return Shown(title=SNAPSHOT, says="none that succeeded", wrong=True)
    return Shown(title=SNAPSHOT, says=f"ended {iso(newest)}", number=newest)
