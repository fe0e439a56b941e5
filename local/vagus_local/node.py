"""One real search node on this machine: the facts of its instance, its process, its log, and a disk of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vagus_local import gate

PACKAGE = Path(__file__).resolve().parent
BOOT = PACKAGE.parents[1] / "nodes" / "boot.sh"
FAILURES = ("CHECK FAILED", "Job for vagus-search.service failed", "main process exited")


@dataclass
class LocalNode:
    """An instance: its facts, and its processes while it runs."""

    id: str
    zone: str
    address: str
    roles: str
    home: Path
    process: subprocess.Popen[bytes] | None = None
    state: str = "pending"

    @property
    def log(self) -> Path:
        """What the boot script and the search process said."""
        return self.home / "boot.log"

    def described(self) -> dict[str, Any]:
        """As EC2 describes it."""
        return {
            "InstanceId": self.id,
            "PrivateIpAddress": self.address,
            "Placement": {"AvailabilityZone": self.zone},
            "State": {"Name": self.state},
            "Tags": [],
        }

    def boot(self, environment: Mapping[str, str], lifeline: int) -> None:
        """Starts the instance; its data is as it was left. `lifeline`: what it reads, and ends with."""
        gate.forget_callers(self.address)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["/bin/bash", str(BOOT)], env={**os.environ, **environment}, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[lifeline],
            )  # fmt: skip
        self.state = "running"

    def signal_all(self, number: int) -> None:
        """Sends a signal to the whole instance."""
        if self.process is not None:
            os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        """Asks what runs to end, also where it is frozen; not waited for."""
        if self.process is not None and self.process.poll() is None:
            self.signal_all(signal.SIGCONT)
            self.signal_all(signal.SIGTERM)

    def end(self) -> None:
        """Ends the instance as EC2 does: SIGTERM, SIGKILL after 10 s."""
        if self.process is None:
            return
        self.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
        self.reap()

    def reap(self) -> None:
        """Waits until its process has ended, and has it stopped."""
        if self.process is not None:
            self.process.wait()
        gate.forget_callers(self.address)
        self.process, self.state = None, "stopped"

    def log_lines(self) -> list[str]:
        """The end of its log: what it said last is how it is."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            return log.read().decode(errors="replace").splitlines()

    def says_it_failed(self) -> bool:
        """Whether the last line of its log is that of a start that failed."""
        return any(words in line for line in self.log_lines()[-1:] for words in FAILURES)


def mount(folder: Path, size_mb: int) -> None:
    """A disk of so many MB, in memory, at a folder that is made. Raises OSError where that is not permitted."""
    folder.mkdir(parents=True)
    asked = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "vagus-data", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"no disk of its own can be mounted here: {done.stderr.strip()}")


def may_mount(folder: Path) -> str:
    """Why no disk can be mounted below a folder, for a person; empty where it can."""
    probe = folder / "mount-probe"
    try:
        mount(probe, 1)
    except OSError as error:
        return str(error)
    subprocess.run(["umount", str(probe)], check=True)
    return ""
