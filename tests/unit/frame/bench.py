"""A room whose decision and handler a test says, on fake parts, and what its look and its act are called with."""

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
from tests.unit.frame.parts import CLUSTER, ISO, NOW, put, seen
from tests.unit.zone_balance.building import spec

from vagus.aws.fake import FakeCommands, FakeExecutions, FakeGroups, FakeParameters, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.plan import Done, Plan, Progress, Steps
from vagus.policy import Mode
from vagus.procedure import loop, records
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.records import Book
from vagus.procedure.room import Handler, Reads, Room, Writes
from vagus.procedure.rows import Head, Lease
from vagus.reasons import Reason
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import FRAME, AnyStep, ExcludeNodes, NoteIdentity

STEP = NoteIdentity(uuid="uuid-1")
CALL = Call(cluster=CLUSTER, capability="zone_balance", generation=1)
RUNS = Head(state="running", generation=1, execution="claims-zone_balance-1", seq=3)
PROGRESS = Progress(bytes_left=1, at=NOW, changed_at=NOW)
NOTHING = Done(reason=Reason.NOTHING_LEAVES, message="nothing")
THEIRS = Lease(holder="claims-rolling_upgrade-7", token=4, expires=NOW + 30)
SLOW = Progress(bytes_left=7, at=NOW - 5, changed_at=NOW - 90)
KNOWS = ("PutSettingsRight", "HandOver", "EndRun")


def to_do(*steps: AnyStep) -> Plan:
    return Steps(steps=steps, reason=Reason.NOTING, message="to be noted")


def call_with(**fields: Any) -> Call:
    return msgspec.structs.replace(CALL, **fields)


class Bench:
    """One room whose decision and handler the test says, on fake parts."""

    def __init__(self, plan: Plan | None = None, mode: Mode = "act") -> None:
        self.plan = plan or to_do(STEP)
        self.mode = mode
        self.table, self.records, self.executions = FakeTable(), FakeTable(), FakeExecutions()
        self.refuses: str | None = None
        self.decides: Callable[[], Plan] = lambda: self.plan
        self.does: Callable[[], None] = lambda: None
        self.done: list[int] = []
        put(self.table, head__zone_balance=RUNS)

    def room(self) -> Room:
        def do(_writes: Writes, _seen: object, _step: object, token: int) -> None:
            self.does()
            self.done.append(token)

        return Room(
            name="zone_balance",
            concern="topology",
            kinds=(NoteIdentity, *FRAME),
            observe=lambda *_: None,
            decide=lambda *_: self.decides(),
            handlers={one: Handler(lambda *_: self.refuses, do) for one in (NoteIdentity, ExcludeNodes)},
            mode=lambda _: self.mode,
            failures_in_a_row=lambda declared: declared.zone_balance.failures_in_a_row,
        )

    def look(self, call: Call = CALL, now: float = NOW) -> Answer:
        reads = Reads(
            groups=FakeGroups(lambda: now),
            search=lambda _: FakeEngine(lambda: now),
            commands=lambda _: FakeCommands(),
            handshakes=lambda _: FakeHandshakes(),
        )
        return loop.look(self.room(), reads, spec(), seen(self.table), call, now)

    def act(self, step: AnyStep = STEP, call: Call = CALL, now: float = NOW) -> Outcome:
        ids = count(1)
        book = Book(table=self.records, clock=lambda: now, new_id=lambda: f"id-{next(ids)}")
        writes = Writes(
            spec=spec(),
            groups=FakeGroups(lambda: now),
            search=FakeEngine(lambda: now),
            parameters=FakeParameters(),
            commands=FakeCommands(),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(lambda: now),
            table=self.table,
            now=now,
            iso=ISO,
        )
        return loop.act(self.room(), writes, self.executions, book, call, step)

    def noted(self) -> list[str]:
        return [
            f"{one.phase}{one.result and ' ' + one.result}" for one in records.read(self.records, CLUSTER, ISO[:10])
        ]
