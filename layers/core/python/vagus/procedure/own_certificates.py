"""When the nodes' certificates end of a cluster whose owners issue them, for its status: nobody of Vagus renews these,
and one that ends unseen is an outage."""

from vagus.ending import lines, of_nodes
from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import noted_status
from vagus.procedure.room import Reads
from vagus.status import Shown

WHO = "certificates"


def note(reads: Reads, table: Table, spec: ClusterSpec, now: float) -> None:
    """Put the lines: a handshake with each node. Those that Vagus issued are shown by their own capability."""
    found = () if spec.certified or not spec.engine.tls else _lines(reads, spec, now)
    if found is not None:
        noted_status.note_lines(table, spec.name, WHO, found)


def _lines(reads: Reads, spec: ClusterSpec, now: float) -> tuple[Shown, ...] | None:
    """`None` where no node showed one: what was seen an hour ago still holds, and is no good news to lose."""
    shaken = reads.handshakes(spec).all("")
    return lines(of_nodes(shaken), now) or (None if shaken else ())
