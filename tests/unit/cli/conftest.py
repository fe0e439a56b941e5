"""A world of fakes for the command line: the demo cluster, in balance, at a time that the test moves on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from vagus.aws.fake import FakeCommands, FakeExecutions, FakeGroups, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.policy import Certificates
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.room import Reads
from vagus.rooms import ROOMS
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus_cli import fleet_files
from vagus_cli.dead_letter_queue import FakeDeadLetters
from vagus_cli.main import app
from vagus_cli.world import Archive, Choice, World

ROOT = Path(__file__).parents[3]
NOON = 1_772_452_800.0  # 2026-03-02T12:00:00Z


class Scene:
    """Fakes that know of each other, and the command run against them."""

    def __init__(self) -> None:
        self.now = NOON
        self.table = FakeTable()
        self.book = FakeTable()
        self.machine = FakeExecutions()
        self.authority_keys = FakeAuthorityKeys("demo")
        self.groups = FakeGroups(lambda: self.now)
        self.engine = FakeEngine(lambda: self.now, managers=3)
        demo = fleet_files.load(ROOT / "fleet")["demo"]
        self.fleet = {"demo": msgspec.structs.replace(demo, certificates=Certificates())}
        self.sent: list[tuple[str, bytes]] = []
        self.dead = {"events-dead": FakeDeadLetters(), "calls-dead": FakeDeadLetters()}
        self.pause: Callable[[float], None] = lambda _: None
        self.archive = lambda: Archive(where="s3://demo/engines/", absent=self.absent)
        self.absent: tuple[str, ...] = ()
        self.choices: list[Choice] = []
        self.shaken: list[Handshake] = []
        self.commands = FakeCommands()
        self._build(self.fleet["demo"])

    def _build(self, spec: ClusterSpec) -> None:
        for name, size in spec.sizes().items():
            group, zone = name.removeprefix("demo-").split("-", 1)
            self.groups.create(name, cluster="demo", zone=zone, roles=spec.groups[group].roles, desired=size)
        for instance, group_seen in self.groups.existing().items():
            self.engine.start_node(instance, group_seen.zone, roles=group_seen.roles)
        self.engine.create_index("patients", shards=3, replicas=1)
        partition = rows.partition("demo")
        self.table.write(partition, Put(key="identity", data={"uuid": self.engine.uuid}, expected=0))
        self.table.write(partition, Put(key="version", data={"version": spec.engine.version}, expected=0))
        self.table.write(partition, Put(key="sizes", data=spec.sizes(), expected=0))

    def open(self, choice: Choice) -> World:
        """What the command opens in place of a target."""
        self.choices.append(choice)
        return World(
            where="target: fakes",
            fleet=self.fleet,
            reads=Reads(
                groups=self.groups,
                search=lambda _: self.engine,
                commands=lambda _: self.commands,
                handshakes=lambda _: FakeHandshakes(*self.shaken),
            ),
            state=lambda _: self.table,
            records=lambda _: self.book,
            executions=lambda _: dict.fromkeys(ROOMS, self.machine),
            authority_keys=lambda _: self.authority_keys,
            archive=lambda _: self.archive(),
            send=lambda cell, event: self.sent.append((cell, event)),
            dead_letters=lambda _: self.dead,
            now=lambda: self.now,
            pause=lambda seconds: self.pause(seconds),
            person=lambda: "arn:aws:iam::000000000000:user/anna",
            aws="aws --region us-east-1",
        )

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run the command line. `stdin`: what a person types."""
        return CliRunner().invoke(app, list(arguments), input=stdin, obj=self.open, catch_exceptions=False)

    def json(self, *arguments: str) -> Any:
        """The JSON that a command answers with."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def instance(self, group: str) -> str:
        """The id of the first instance of a group."""
        return next(one.id for seen in self.groups.describe() if seen.name == group for one in seen.instances)

    def write(self, key: str, value: Any) -> None:
        """Put a row of the demo cluster, whatever stood there."""
        partition = rows.plan_partition("demo") if key.startswith(("plan#", "safety")) else rows.partition("demo")
        found = self.table.read(partition).get(key)
        put = Put(key=key, data=msgspec.to_builtins(value), expected=found.version if found else 0)
        self.table.write(partition, put)

    def mode(self, mode: str) -> None:
        """Give the demo cluster another mode."""
        spec = self.fleet["demo"]
        policy = msgspec.convert({"mode": mode}, type(spec.zone_balance))
        self.fleet["demo"] = msgspec.structs.replace(spec, zone_balance=policy)


@pytest.fixture
def scene() -> Scene:
    """The demo cluster, in balance."""
    return Scene()
