"""Instances are processes: what stands in for the machine under an EC2 instance.

`Processes` runs VAGUS_BOOT for each launched instance, in `$VAGUS_INSTANCES_DIR/<instance-id>/`:

    user-data     the launch template's user data, decoded
    tags.json     the instance's tags, {key: value}
    boot.log      stdout and stderr of the boot command, appended at each start
    commands/     output of SSM commands

The environment of the command has INSTANCE_ID, AVAILABILITY_ZONE, PRIVATE_IP, AWS_REGION, AWS_ENDPOINT_URL and
INSTANCE_HOME, its PATH begins with VAGUS_NODE_BIN. Every process that an instance starts ends with it, and all end with
the emulator.
`Records` is the hypervisor when VAGUS_BOOT is not set: instances are rows, nothing runs.
"""

import base64
import binascii
import json
import os
import shlex
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vagus_local import gate
from vagus_local.emulator import processes
from vagus_local.emulator.seams import in_background

_HANDED_ON = ("HOME", "LANG", "TZ", "JAVA_HOME", "XDG_CACHE_HOME")
_COMMAND_LIMIT = 600.0
"""Seconds an SSM command may take before its shell is killed (AWS's executionTimeout defaults to 3600)."""


@dataclass(frozen=True)
class Machine:
    """What an instance boots with. `user_data` is base64, as EC2 keeps it.

    `credentials` are those of its profile's role, as environment variables: on AWS they come by IMDS. None without one.
    """

    instance: str
    zone: str
    address: str
    region: str
    user_data: str
    tags: Mapping[str, str]
    credentials: Mapping[str, str]


@dataclass(frozen=True)
class Finished:
    """An SSM command's end."""

    code: int
    stdout: str
    stderr: str


class Hypervisor(Protocol):
    def boot(self, machine: Machine, /) -> None:
        """Start, or start again, the machine of an instance."""

    def halt(self, instance: str, then: Callable[[], None], /) -> None:
        """Shut down (SIGTERM, SIGKILL after 10 s) and call `then` once nothing of it is left. Returns at once."""

    def signal(self, instance: str, number: signal.Signals, /) -> int:
        """Signal all its processes behind the instance's back; returns how many there were."""

    def run(self, instance: str, argv: list[str], /) -> Finished | None:
        """Run a command on the machine; None when it has no agent to run one."""

    def managed(self, instance: str, /) -> bool:
        """Whether it has an agent that runs commands."""


class Records:
    """No machines: an instance is a row."""

    def boot(self, _machine: Machine, /) -> None:
        """Nothing runs."""

    def halt(self, _instance: str, then: Callable[[], None], /) -> None:
        then()

    def signal(self, _instance: str, _number: signal.Signals, /) -> int:
        return 0

    def run(self, _instance: str, _argv: list[str], /) -> Finished | None:
        return None

    def managed(self, _instance: str, /) -> bool:
        return False


class Processes:
    """Each machine is a process group of this host."""

    def __init__(self, command: list[str], folder: Path, endpoint: str, node_bin: str | None, marker: str) -> None:
        self._command = command
        self._folder = folder
        self._endpoint = endpoint
        self._node_bin = node_bin
        self._marker = marker
        self._machines: dict[str, Machine] = {}
        self._running: dict[str, threading.Event] = {}
        """Not set while the machine is frozen: its agent runs nothing then."""

    def home(self, instance: str) -> Path:
        return self._folder / instance

    def boot(self, machine: Machine) -> None:
        home = self.home(machine.instance)
        home.mkdir(parents=True, exist_ok=True)
        (home / "user-data").write_bytes(_decoded(machine.user_data))
        (home / "tags.json").write_text(json.dumps(dict(machine.tags), indent=1))
        self._machines[machine.instance] = machine
        self._running[machine.instance] = threading.Event()
        self._running[machine.instance].set()
        gate.forget_callers(machine.address)
        with (home / "boot.log").open("ab") as log:
            self._start(machine, self._command, log.fileno(), log.fileno())

    def halt(self, instance: str, then: Callable[[], None]) -> None:
        in_background(self._halt, instance, then)

    def _halt(self, instance: str, then: Callable[[], None]) -> None:
        processes.end(self._marker, instance)
        if machine := self._machines.get(instance):
            gate.forget_callers(machine.address)
        then()

    def signal(self, instance: str, number: signal.Signals) -> int:
        if number in (signal.SIGSTOP, signal.SIGCONT) and (running := self._running.get(instance)):
            (running.clear if number == signal.SIGSTOP else running.set)()
        return processes.send(self._marker, number, instance)

    def run(self, instance: str, argv: list[str]) -> Finished | None:
        machine = self._machines.get(instance)
        if machine is None or not self._running[instance].wait(_COMMAND_LIMIT):
            return None
        folder = self.home(instance) / "commands"
        folder.mkdir(exist_ok=True)
        out, err = (folder / f"{uuid.uuid4().hex[:12]}.{kind}" for kind in ("out", "err"))
        # files, not pipes: a command may start a server that keeps its output open for ever
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = self._start(machine, argv, stdout.fileno(), stderr.fileno(), reap=False)
            try:
                code = process.wait(_COMMAND_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        return Finished(code, out.read_text(errors="replace"), err.read_text(errors="replace"))

    def managed(self, instance: str) -> bool:
        return instance in self._machines

    def _start(
        self, machine: Machine, argv: list[str], stdout: int, stderr: int, *, reap: bool = True
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            argv,
            env=self._environment(machine),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        if reap:
            threading.Thread(target=process.wait, daemon=True).start()
        return process

    def _environment(self, machine: Machine) -> dict[str, str]:
        path = os.environ.get("PATH", os.defpath)
        handed_on = {k: v for k, v in os.environ.items() if k in _HANDED_ON or k.startswith("VAGUS_")}
        return {
            **handed_on,
            **machine.credentials,
            "PATH": f"{self._node_bin}:{path}" if self._node_bin else path,
            "INSTANCE_ID": machine.instance,
            "AVAILABILITY_ZONE": machine.zone,
            "PRIVATE_IP": machine.address,
            "INSTANCE_HOME": str(self.home(machine.instance)),
            "AWS_REGION": machine.region,
            "AWS_DEFAULT_REGION": machine.region,
            "AWS_ENDPOINT_URL": self._endpoint,
            processes.MARKER: self._marker,
        }


def _decoded(user_data: str) -> bytes:
    try:
        return base64.b64decode(user_data, validate=True)
    except binascii.Error:
        return user_data.encode()  # a template that forgot Fn::Base64: EC2 refuses it, cloud-init would too


def from_environment(marker: str) -> Hypervisor:
    """The hypervisor that VAGUS_BOOT asks for, its processes marked; ValueError names a variable that is missing."""
    boot = os.environ.get("VAGUS_BOOT")
    if not boot:
        return Records()
    folder = os.environ.get("VAGUS_INSTANCES_DIR")
    if not folder:
        raise ValueError("VAGUS_BOOT is set but VAGUS_INSTANCES_DIR is not: instances need a folder to live in")
    endpoint = f"http://{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"
    return Processes(shlex.split(boot), Path(folder).absolute(), endpoint, os.environ.get("VAGUS_NODE_BIN"), marker)
