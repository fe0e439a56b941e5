"""Parts that the frame's tests share: a table with a rival, and short ways to put and read rows."""

from collections.abc import Callable
from typing import Any

from vagus.aws.fake import FakeTable
from vagus.intent import Intent, leave
from vagus.ports import Put
from vagus.procedure import records, rows
from vagus.procedure.rows import Head, Rows

CLUSTER = "claims"
NOW = 1_767_225_600.0
ISO = records.iso(NOW)


class RivalTable(FakeTable):
    """Before each write of the one under test a rival writes, as long as there is one in `rivals`."""

    def __init__(self, *rivals: Callable[[FakeTable], None]) -> None:
        super().__init__()
        self.rivals = list(rivals)
        self._rival_writes = False

    def write(self, partition: str, *puts: Put) -> None:
        if self.rivals and not self._rival_writes:
            self._rival_writes = True
            self.rivals.pop(0)(self)
            self._rival_writes = False
        super().write(partition, *puts)


def put(table: FakeTable, **values: Any) -> None:
    """Write rows by key; `__` stands for `#`: `head__zone_balance=Head(...)`."""
    seen = rows.read(table, CLUSTER)
    puts = [seen.put(key.replace("__", "#"), value) for key, value in values.items()]
    if puts:
        table.write(rows.partition(CLUSTER), *puts)


def seen(table: FakeTable) -> Rows:
    return rows.read(table, CLUSTER)


def head(table: FakeTable) -> Head:
    return seen(table).head("zone_balance")


def intent(instance: str = "i-1") -> Intent:
    return leave(instance, "claims-data-eu-west-1a", ISO, "event")
