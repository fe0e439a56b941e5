"""When the nodes' certificates end of a cluster whose owners issue them, for its status: nobody of Vagus renews these,
and one that ends unseen is an outage."""

from vagus.ending import lines, of_nodes
from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import standing
from vagus.procedure.room import Reads
from vagus.status import CERTIFICATE, Shown

WHO = "certificates"


def note(reads: Reads, table: Table, spec: ClusterSpec, now: float) -> None:
    """Put the lines: a handshake with each node. Those that Vagus issued are shown by their own capability."""
    standing.note_lines(table, spec.name, WHO, _lines(reads, spec, now))


def _lines(reads: Reads, spec: ClusterSpec, now: float) -> tuple[Shown, ...]:
    if spec.certified or not spec.engine.tls:
        return ()
    shaken = reads.handshakes(spec).all("")
    unknown = Shown(title=CERTIFICATE, says="unknown, no node has shown one", wrong=True)
    return lines(of_nodes(shaken), now) or ((unknown,) if shaken else ())
