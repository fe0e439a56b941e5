"""How a setting that an intent demands is set: the same for forced zones and for the balance threshold."""

import msgspec

from vagus import owned
from vagus.procedure import rows
from vagus.procedure.room import Writes
from vagus.procedure.rows import Rows
from vagus.steps import ForceZones, RaiseBalanceThreshold


def set_demanded(writes: Writes, seen: Rows, step: ForceZones | RaiseBalanceThreshold, token: int) -> None:
    """The demand first: if the setting is never written, the next look finds it wanting."""
    opened = seen.put(f"intent#{step.intent.id}", msgspec.structs.replace(step.intent, closed=None))
    writes.table.write(rows.partition(writes.spec.name), opened)
    writes.search.update_settings(owned.signed(step.update, token))
