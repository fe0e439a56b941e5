"""In-memory instances that carry out our documents, as `ports.NodeCommands`: what `nodes/documents` say, in Python.

A command is carried out at once, or with `hold` when the test says `deliver`; one that was not fetched in time has
failed. What a document does to the search process is told to `services`, which a test gives.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from vagus.callers import TOLD_BY, Callers
from vagus.command import DELIVERY_SECONDS, Command, Outcome
from vagus.errors import Refused

STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{7,99}")
STARTED = re.compile(r"[0-9]{13}")
DOCUMENTS: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "restart-search": {"StartedAt": STARTED, "NotAfter": re.compile(r"[0-9]{10}")},
    "stage-search": {"Version": re.compile(r"([0-9]{1,3}[.]){2}[0-9]{1,3}(-[A-Za-z0-9]{1,20})?")},
    "stop-search": {"StartedAt": STARTED},
    "start-search": {},
    "install-trust": {},
    "renew-certificate": {},
    "list-callers": {},
}
"""Parameters of each document, beside the step's id, and what they look like."""
SERVES_SECONDS = 660
"""For so long the document of a restart waits until the node serves."""


class Services(Protocol):
    """The search processes of the instances."""

    def started(self, instance: str) -> int | None:
        """When the last process was started (epoch milliseconds); `None`: such an instance takes no commands."""
        ...

    def active(self, instance: str) -> bool:
        """Whether a process runs."""
        ...

    def start(self, instance: str) -> bool:
        """Start it. `False`: a check failed."""
        ...

    def stop(self, instance: str) -> None:
        """End it."""
        ...

    def stage(self, instance: str, version: str) -> bool:
        """Bring and check an engine, while the process runs. `False`: it failed."""
        ...


class Certified(Protocol):
    """What instances trust, and show."""

    def install_trust(self, instance: str) -> bool:
        """Take up the published bundle. `False`: it failed."""
        ...

    def renew_certificate(self, instance: str) -> bool:
        """The same, and a new certificate."""
        ...


class FakeServices:
    """Search processes that start and end at once. `broken`: instances on which a check fails. `starts` counts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started: dict[str, int] = {}
        self._active: set[str] = set()
        self.broken: set[str] = set()
        self.starts: Counter[str] = Counter()
        self.staged: set[tuple[str, str]] = set()

    def launch(self, instance: str) -> int:
        """An instance whose search process has started by itself; when (epoch milliseconds)."""
        self.start(instance)
        return self._started[instance]

    def forget(self, instance: str) -> None:
        """Its agent is dead: it takes no commands."""
        self._started.pop(instance, None)

    def started(self, instance: str) -> int | None:
        return self._started.get(instance)

    def active(self, instance: str) -> bool:
        return instance in self._active

    def start(self, instance: str) -> bool:
        if instance in self.broken:
            return False
        self._started[instance] = int(self._clock() * 1000)
        self._active.add(instance)
        self.starts[instance] += 1
        return True

    def stop(self, instance: str) -> None:
        self._active.discard(instance)

    def stage(self, instance: str, version: str) -> bool:
        self.staged.add((instance, version))
        return instance not in self.broken


@dataclass
class _Disk:
    """What an instance has noted on its volume."""

    steps: set[str] = field(default_factory=set)
    stopped_by_us: bool = False


class FakeCommands:
    """Commands to the instances of one cluster, at first to none. `hold`: nothing is carried out before `deliver`.
    `deaf`: instances whose agent is dead: what is sent to them fails without a word, a minute later. `closed`: those
    that don't serve yet, so that a restart of theirs, though carried out, still waits, for as long as its document.
    `calling`: addresses that call an instance; one that is not there notes none."""

    def __init__(
        self,
        services: Services | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        certified: Certified | None = None,
    ) -> None:
        self._services = services or FakeServices(clock)
        self._certified = certified
        self._clock = clock
        self._disks: defaultdict[str, _Disk] = defaultdict(_Disk)
        self._sent: list[tuple[Command, Mapping[str, str]]] = []
        self.hold = False
        self.deaf: set[str] = set()
        self.closed: set[str] = set()
        self.calling: dict[str, tuple[str, ...]] = {}

    def sent(self, instance: str, since: float) -> tuple[Command, ...]:
        """What was sent to an instance since then, oldest first."""
        self._expire()
        return tuple(self._seen(one) for one, _ in self._sent if one.instance == instance and one.sent >= since)

    def callers(self, since: float) -> dict[str, Callers]:
        """What `calling` has of the instances on which a document was carried out since then."""
        done = [one for one, _ in self._sent if one.outcome in ("done", "already") and one.sent >= since]
        return {
            one.instance: Callers(at=one.sent, since=0.0, addresses=self.calling[one.instance])
            for one in done
            if one.document in TOLD_BY and one.instance in self.calling
        }

    def _seen(self, command: Command) -> Command:
        return msgspec.structs.replace(command, outcome="pending", said="") if self._waits(command) else command

    def _waits(self, command: Command) -> bool:
        return command.document == "restart-search" and command.outcome == "done" and command.instance in self.closed

    def send(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        """Send it; carried out at once unless `hold`."""
        self._check(document, instance, step, parameters)
        command = Command(step=step, document=document, instance=instance, sent=self._clock(), outcome="pending")
        self._sent.append((command, parameters))
        if not self.hold:
            self.deliver()

    def deliver(self) -> None:
        """Carry out what was sent, has not been, and still may be."""
        self._expire()
        for at, (command, parameters) in enumerate(self._sent):
            if command.outcome == "pending" and command.instance not in self.deaf:
                ended: Outcome = self._carry_out(command, parameters)
                self._sent[at] = (msgspec.structs.replace(command, outcome=ended, said=ended), parameters)

    def _expire(self) -> None:
        for at, (command, parameters) in enumerate(self._sent):
            if command.outcome == "pending" and self._clock() - command.sent > DELIVERY_SECONDS:
                self._sent[at] = (msgspec.structs.replace(command, outcome="failed"), parameters)
            if self._waits(command) and self._clock() - command.sent > SERVES_SECONDS:
                never = "not-serving after 11 minutes"
                self._sent[at] = (msgspec.structs.replace(command, outcome="not-serving", said=never), parameters)

    def _check(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        if document not in DOCUMENTS:
            raise Refused(f"InvalidDocument: there is no document {document}")
        patterns = {"StepId": STEP, **DOCUMENTS[document]}
        given = {"StepId": step, **parameters}
        if set(given) != set(patterns) or not all(patterns[name].fullmatch(given[name]) for name in patterns):
            raise Refused(f"InvalidParameters: {document} takes {sorted(patterns)}, and not {given}")
        if self._services.started(instance) is None:
            raise Refused(f"InvalidInstanceId: {instance} takes no commands")

    def _carry_out(self, command: Command, parameters: Mapping[str, str]) -> Outcome:
        disk = self._disks[command.instance]
        if command.step in disk.steps:
            return "already"
        if "StartedAt" in parameters and (self._services.started(command.instance) or 0) > int(parameters["StartedAt"]):
            return "superseded"
        if self._clock() > int(parameters.get("NotAfter", "9999999999")):
            return "failed"
        acts: Mapping[str, Callable[[str, _Disk], Outcome]] = {
            "restart-search": self._restart,
            "stop-search": self._stop,
            "start-search": self._start_again,
            "install-trust": self._install_trust,
            "renew-certificate": self._renew_certificate,
            "list-callers": lambda _instance, _disk: "done",
        }
        if command.document == "stage-search":
            ended: Outcome = "done" if self._services.stage(command.instance, parameters["Version"]) else "failed"
        else:
            ended = acts[command.document](command.instance, disk)
        if ended == "done":
            disk.steps.add(command.step)
        return ended

    def _restart(self, instance: str, disk: _Disk) -> Outcome:
        if self._services.active(instance):
            self._services.stop(instance)
        return self._start(instance, disk)

    def _stop(self, instance: str, disk: _Disk) -> Outcome:
        disk.stopped_by_us = True
        self._services.stop(instance)
        return "done"

    def _start_again(self, instance: str, disk: _Disk) -> Outcome:
        if self._services.active(instance):
            return "already"
        return self._start(instance, disk) if disk.stopped_by_us else "not-ours"

    def _start(self, instance: str, disk: _Disk) -> Outcome:
        if not self._services.start(instance):
            return "failed"
        disk.stopped_by_us = False
        return "done"

    def _install_trust(self, instance: str, _disk: _Disk) -> Outcome:
        return "done" if self._certified is not None and self._certified.install_trust(instance) else "failed"

    def _renew_certificate(self, instance: str, _disk: _Disk) -> Outcome:
        return "done" if self._certified is not None and self._certified.renew_certificate(instance) else "failed"
