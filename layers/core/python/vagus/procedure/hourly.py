"""What is looked up once an hour, because it costs more than a look."""

from zlib import crc32

from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import last_snapshot
from vagus.procedure.room import Reads

MINUTES = 60


def due(spec: ClusterSpec, now: float) -> bool:
    """Whether this is its minute of the hour, another for each cluster. `now`: epoch seconds."""
    return (int(now // 60) + crc32(spec.name.encode())) % MINUTES == 0


def note(reads: Reads, table: Table, spec: ClusterSpec, seconds: float) -> dict[str, str]:
    """Look for a cluster's status, and put the lines; the look may take `seconds`. What failed of it, and why: nothing
    else fails for that. When certificates end the cluster watch notes, which looks at them in the same minute."""
    try:
        last_snapshot.note(reads, table, spec, seconds)
    except Exception as error:  # noqa: BLE001  (whatever it raises, the status must be told)
        return {last_snapshot.WHO: f"{type(error).__name__}: {error}"}
    return {}
