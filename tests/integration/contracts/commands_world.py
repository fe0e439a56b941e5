"""An instance that takes commands: of the local AWS, which runs the documents' own shell on it, and of the fake.

Its search process is a stand-in that counts its starts: `tests/integration/nodes` has the same documents on a real one.
"""

import json
import time
from pathlib import Path
from typing import Protocol

import yaml
from tests.integration.emulator.support import Aws, Emulator, until

from vagus.aws.clients import Clients
from vagus.aws.commands import RunCommand
from vagus.aws.fake import FakeCommands, FakeServices
from vagus.command import Command
from vagus.ports import NodeCommands

DOCUMENTS = Path(__file__).parents[3] / "nodes" / "documents"
CLUSTER = "one"

SYSTEMCTL = """#!/bin/sh
# systemd of an instance whose service is a file
set -eu
cd "$INSTANCE_HOME"
for word; do case "$word" in -*) ;; vagus-search) ;; *) verb="$word" ;; esac; done
start() {
  [ ! -e broken ] || { echo "a check failed" >&2; exit 1; }
  echo start >>starts
  date +%s%3N >volume/vagus/started
  rm -f volume/vagus/stopped
  touch active volume/vagus/serving
}
case "$verb" in
  is-active) [ -e active ] ;;
  start) [ -e active ] || start ;;
  stop) rm -f active ;;
  restart) rm -f active; start ;;
  status) echo "its last words" ;;
esac
"""
STAGE = """#!/bin/sh
[ ! -e "$INSTANCE_HOME/broken" ] || { echo "a check failed" >&2; exit 78; }
echo "staged $1"
"""
VOLUME = """#!/bin/sh
mkdir -p "$INSTANCE_HOME/volume/vagus"
echo "$INSTANCE_HOME/volume"
"""


class CommandedInstance(Protocol):
    """An instance whose search process runs, as the port's user and as the world sees it."""

    port: NodeCommands
    instance: str

    def started(self) -> int:
        """When its search process was started (epoch milliseconds)."""
        ...

    def starts(self) -> int:
        """How often it has been started since the instance was launched."""
        ...

    def active(self) -> bool: ...

    def stop_by_hand(self) -> None: ...

    def break_it(self) -> None:
        """From now on a check fails at each start."""
        ...

    def is_called_from(self, *addresses: str) -> None:
        """These have called it within the last week."""
        ...

    def ended(self) -> tuple[Command, ...]:
        """What was sent to it, once none is pending."""
        ...


class FakeInstance:
    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self._services = FakeServices(self._tick)
        self._commands = FakeCommands(self._services, lambda: self._now)
        self.port: NodeCommands = self._commands
        self.instance = "i-0123456789abcdef0"
        self._services.launch(self.instance)

    def _tick(self) -> float:
        self._now += 1
        return self._now

    def started(self) -> int:
        return self._services.started(self.instance) or 0

    def starts(self) -> int:
        return self._services.starts[self.instance] - 1

    def active(self) -> bool:
        return self._services.active(self.instance)

    def stop_by_hand(self) -> None:
        self._services.stop(self.instance)

    def break_it(self) -> None:
        self._services.broken.add(self.instance)

    def is_called_from(self, *addresses: str) -> None:
        self._commands.calling[self.instance] = addresses

    def ended(self) -> tuple[Command, ...]:
        return self.port.sent(self.instance, 0)


class RealInstance:
    """An instance of the emulator, with the documents as the cluster's stack makes them."""

    def __init__(self, aws: Aws, clients: Clients, emulator: Emulator) -> None:
        for file in sorted(DOCUMENTS.glob("*.yaml")):
            content = json.dumps(yaml.safe_load(file.read_text()))
            aws.ssm.create_document(Name=f"vagus-{CLUSTER}-{file.stem}", Content=content, DocumentType="Command")
        _put_stand_ins(emulator.folder / "node-bin")
        aws.group(DesiredCapacity=1)
        (self.instance,) = aws.in_service()
        self.port: NodeCommands = RunCommand(clients, CLUSTER)
        self._home = emulator.home(self.instance)
        self._volume = self._home / "volume" / "vagus"
        self._volume.mkdir(parents=True)
        (self._volume / "started").write_text(str(int(time.time() * 1000)))
        (self._home / "active").touch()

    def started(self) -> int:
        return int((self._volume / "started").read_text())

    def starts(self) -> int:
        noted = self._home / "starts"
        return len(noted.read_text().split()) if noted.exists() else 0

    def active(self) -> bool:
        return (self._home / "active").exists()

    def stop_by_hand(self) -> None:
        (self._home / "active").unlink()

    def break_it(self) -> None:
        (self._home / "broken").touch()

    def is_called_from(self, *addresses: str) -> None:
        (self._home / "callers").write_text("".join(f"caller {one}\n" for one in addresses) + "callers-since 1\n")

    def ended(self) -> tuple[Command, ...]:
        def all_ended() -> tuple[Command, ...] | None:
            found = self.port.sent(self.instance, time.time() - 600)
            return None if any(one.outcome == "pending" for one in found) else found

        return until(all_ended)


CALLERS = """#!/bin/sh
cat "$INSTANCE_HOME/callers"
"""


def _put_stand_ins(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("systemctl", SYSTEMCTL),
        ("mount-data-volume", VOLUME),
        ("stage-search", STAGE),
        ("callers", CALLERS),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
