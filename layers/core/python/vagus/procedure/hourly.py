"""What is looked up once an hour for a cluster's status, because it costs more than a look."""

from collections.abc import Callable, Mapping
from zlib import crc32

from vagus.fleet import ClusterSpec
from vagus.ports import Table
from vagus.procedure import last_snapshot, own_certificates
from vagus.procedure.room import Reads

MINUTES = 60


def due(spec: ClusterSpec, now: float) -> bool:
    """Whether this is its minute of the hour, another for each cluster. `now`: epoch seconds."""
    return (int(now // 60) + crc32(spec.name.encode())) % MINUTES == 0


def note(reads: Reads, table: Table, spec: ClusterSpec, seconds: float, now: float) -> dict[str, str]:
    """Look, and put the lines; a look may take `seconds`. What failed of it, and why: nothing else fails for that."""
    looks: Mapping[str, Callable[[], None]] = {
        "snapshots": lambda: last_snapshot.note(reads, table, spec, seconds),
        "certificates": lambda: own_certificates.note(reads, table, spec, now),
    }
    failed: dict[str, str] = {}
    for name, look in looks.items():
        try:
            look()
        except Exception as error:  # noqa: BLE001  (whatever one raises, the others, and the status, must be told)
            failed[name] = f"{type(error).__name__}: {error}"
    return failed
