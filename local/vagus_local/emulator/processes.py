"""Finding and ending the processes of instances, however they were started.

A process belongs to an instance when its environment says so (`MARKER`, `INSTANCE_ID`): that survives process groups,
daemons and re-parenting, and can never match a process of somebody else, because the marker is random per emulator.
Each process is held by a pidfd while it is checked and signalled, so that a reused pid is never hit.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MARKER = "VAGUS_HYPERVISOR"
GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL, as an instance has some time to shut down."""


def _belongs(pid: int, wanted: set[bytes]) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # gone meanwhile, or somebody else's
    return wanted <= set(environment)


@contextmanager
def held(marker: str, instance: str | None = None) -> Iterator[list[int]]:
    """Open pidfds of the live processes of one instance, or of all of this marker."""
    wanted = {f"{MARKER}={marker}".encode()} | ({f"INSTANCE_ID={instance}".encode()} if instance else set())
    descriptors: list[int] = []
    try:
        for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
            if pid == os.getpid() or not _belongs(pid, wanted):
                continue
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                descriptors.append(descriptor)
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def send(marker: str, number: signal.Signals, instance: str | None = None) -> int:
    """Signal them all; returns how many there were."""
    with held(marker, instance) as descriptors:
        for descriptor in descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
        return len(descriptors)


def end(marker: str, instance: str | None = None, grace: float = GRACE) -> None:
    """SIGTERM, then SIGKILL after `grace` seconds; returns when none is left, forks of the last moment included."""
    deadline = time.monotonic() + grace
    send(marker, signal.SIGTERM, instance)
    while True:
        with held(marker, instance) as descriptors:
            if not descriptors:
                return
            if time.monotonic() >= deadline:
                for descriptor in descriptors:
                    with suppress(ProcessLookupError):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            _await_one(descriptors, max(0.05, deadline - time.monotonic()))


def _await_one(descriptors: list[int], seconds: float) -> None:
    """Wait until one of them exits (a pidfd becomes readable), at most `seconds`."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll(seconds * 1000)
