"""The emulator as a process of this checkout: started, found again, ended. Its file tells where it answers.

It outlives the command that started it, holds the checkout's loopback network for as long as it lives, and takes every
instance with it when it ends.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from vagus_local.addresses import claim_network
from vagus_local.waiting import TimedOut, until

ROOT = Path(__file__).resolve().parents[2]
PORT = 4566
REGION = "us-east-1"
_children: list[subprocess.Popen[bytes]] = []
"""Emulators started by this process: kept, since Python warns when the handle of a running child is dropped."""
ACCOUNT = "000000000000"


class EmulatorDied(Exception):
    """The emulator ended, or never answered; the message ends with the log lines that tell why."""


class Emulator(msgspec.Struct, frozen=True, kw_only=True):
    """A running emulator: its process id and when that began (ticks), its address, its folder."""

    pid: int
    started: str
    network: str
    folder: str

    @property
    def endpoint(self) -> str:
        """Where every AWS service answers."""
        return f"http://{self.network}.1:{PORT}"

    @property
    def log(self) -> Path:
        """What the emulator, and the functions in it, said."""
        return Path(self.folder) / "emulator.log"

    def alive(self) -> bool:
        """Whether that very process still runs: a number may be given to another process later."""
        return _started(self.pid) == self.started

    def answers(self) -> bool:
        """Whether the gateway is up."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as reply:  # noqa: S310  # ours
                return bool(reply.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def admin(self, path: str, body: Any = None) -> Any:
        """POST to one of the launcher's own `/_local/` endpoints."""
        request = urllib.request.Request(  # noqa: S310  # the endpoint is ours, on the loopback
            f"{self.endpoint}/_local/{path}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            return json.loads(reply.read() or b"{}")


def start(folder: Path, extra: Mapping[str, str] | None = None) -> Emulator:
    """Start one in this folder and wait until it answers. Raises EmulatorDied with the log's end."""
    folder.mkdir(parents=True, exist_ok=True)
    with claim_network() as network, (folder / "emulator.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vagus_local.emulator"],
            env=_environment(folder, network.prefix) | dict(extra or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(network.fileno(),),  # the claim lives as long as the emulator
            start_new_session=True,
        )
        emulator = Emulator(pid=process.pid, started=_started(process.pid), network=network.prefix, folder=str(folder))
    _children.append(process)
    (folder / "emulator.json").write_bytes(msgspec.json.encode(emulator))
    try:
        until(lambda: emulator.answers() or process.poll() is not None, 90, "the emulator answers")
    except TimedOut as error:
        stop(emulator)
        raise EmulatorDied(f"{error}\n{tail(emulator.log)}") from error
    if process.poll() is not None:
        raise EmulatorDied(f"the emulator ended with {process.returncode}\n{tail(emulator.log)}")
    return emulator


def found(folder: Path) -> Emulator | None:
    """The emulator that was started in this folder, if its process still runs."""
    file = folder / "emulator.json"
    if not file.exists():
        return None
    emulator = msgspec.json.decode(file.read_bytes(), type=Emulator)
    return emulator if emulator.alive() else None


def stop(emulator: Emulator) -> None:
    """End it and everything that it started: SIGTERM, then SIGKILL after 30 s (its undertaker ends the rest)."""
    for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        if not emulator.alive():
            break
        os.kill(emulator.pid, number)
        try:
            until(lambda: not emulator.alive(), seconds, f"process {emulator.pid} ends")
        except TimedOut:
            continue
    for child in [child for child in _children if child.pid == emulator.pid]:
        child.wait(10)  # it has ended: this takes its exit status, and Python forgets it
        _children.remove(child)
    (Path(emulator.folder) / "emulator.json").unlink(missing_ok=True)


def tail(log: Path, lines: int = 25) -> str:
    """The end of a log, for an error message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else f"no {log}"


def _started(pid: int) -> str:
    """The process's start in clock ticks since boot; empty for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _environment(folder: Path, network: str) -> dict[str, str]:
    address = f"{network}.1"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return kept | {
        "PYTHONPATH": str(ROOT / "local"),
        "GATEWAY_PORT": str(PORT),
        "BIND_HOST": address,
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(_made(folder / "tmp")),
        "LOG_LEVEL": "WARNING",
        "AWS_ENDPOINT_URL": f"http://{address}:{PORT}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAMBDA_PYTHON_3_13": str(ROOT / ".venv-functions/bin/python"),
        "LAMBDA_ACCOUNT_CONCURRENCY": "200",
        "VAGUS_INSTANCES_DIR": str(folder / "instances"),
        "VAGUS_NODE_NETWORK": network,
        "VAGUS_NODE_BIN": str(ROOT / "local/vagus_local/node_bin"),
        "VAGUS_BOOT": f"/bin/bash {ROOT / 'nodes/boot.sh'}",
        "VAGUS_PYTHON": sys.executable,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
