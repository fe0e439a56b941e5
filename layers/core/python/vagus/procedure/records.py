"""No write without a record: *intended* is put before, *outcome* after, joined by one id.

An intended record without an outcome is a finding: the write may or may not have happened. Records have no TTL. They
carry no document, no secret and no patient data: names of clusters, nodes and instances only.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from vagus.errors import Denied, Transient, VagusError
from vagus.ports import Put, Table


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One half of a write. `at` is ISO 8601 in UTC; `detail` the step as it was decided, or the error."""

    id: str
    phase: Literal["intended", "outcome"]
    at: str
    cluster: str
    capability: str
    execution: str
    step: str
    subject: str
    sentence: str
    result: Literal["", "done", "denied", "failed", "unknown"] = ""
    detail: Mapping[str, Any] = {}


Clock = Callable[[], float]
NewId = Callable[[], str]


def partition(cluster: str, day: str) -> str:
    """Records lie by cluster and day (`YYYY-MM-DD`)."""
    return f"record#{cluster}#{day}"


def iso(epoch: float) -> str:
    """ISO 8601 in UTC, to the millisecond: sorts as it passes."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(at: str) -> float:
    """Seconds since the epoch of what `iso` wrote."""
    return datetime.fromisoformat(at).timestamp()


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Where one function's records go."""

    table: Table
    clock: Clock
    new_id: NewId

    @contextmanager
    def writing(self, record: Record) -> Iterator[None]:
        """Put the intended record, let the write happen, put its outcome. A failed put of the first stops the write."""
        intended = msgspec.structs.replace(record, id=self.new_id(), phase="intended", at=iso(self.clock()))
        day = intended.at[:10]
        self._put(intended, day)
        try:
            yield
        except Exception as error:
            words = {"error": type(error).__name__, "message": str(error)}
            self._put(self._outcome(intended, _result(error), words), day)
            raise
        self._put(self._outcome(intended, "done", {}), day)

    def note(self, record: Record) -> None:
        """Put a record of what was done already: for the keeper, which must not wait for a table before it acts."""
        noted = msgspec.structs.replace(record, id=self.new_id(), at=iso(self.clock()))
        self._put(noted, noted.at[:10])

    def _outcome(
        self, intended: Record, result: Literal["done", "denied", "failed", "unknown"], detail: Mapping[str, Any]
    ) -> Record:
        return msgspec.structs.replace(
            intended, phase="outcome", at=iso(self.clock()), result=result, detail=detail, sentence=""
        )

    def _put(self, record: Record, day: str) -> None:
        """An outcome lies on the day of what was intended, so that one day's records tell of each write's end."""
        key = f"{record.at}#{record.id}#{record.phase}"
        self.table.write(partition(record.cluster, day), Put(key=key, data=msgspec.to_builtins(record), expected=0))


def _result(error: Exception) -> Literal["denied", "failed", "unknown"]:
    match error:
        case Denied():
            return "denied"
        case Transient():
            return "unknown"
        case VagusError():
            return "failed"
        case _:
            return "unknown"


def read(table: Table, cluster: str, day: str) -> list[Record]:
    """A day's records of a cluster, oldest first."""
    found = table.read(partition(cluster, day))
    return [msgspec.convert(found[key].data, Record) for key in sorted(found)]


def without_outcome(found: list[Record]) -> list[Record]:
    """Findings: what was intended and never told how it ended."""
    ended = {record.id for record in found if record.phase == "outcome"}
    return [record for record in found if record.phase == "intended" and record.id not in ended]
