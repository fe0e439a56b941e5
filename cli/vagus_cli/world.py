"""What commands have of the outside. `opening` makes it of a local stack or of AWS; tests make it of fakes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from vagus.errors import VagusError
from vagus.fleet import ClusterSpec, Fleet
from vagus.ports import Executions, Signers, Table
from vagus.procedure.room import Reads
from vagus_cli.dead_letters import DeadLetters

TargetName = Literal["local", "aws"]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for. `None`: not said. `profile` and `region` as the AWS CLI has them."""

    target: TargetName | None = None
    fleet: Path | None = None
    profile: str | None = None
    region: str | None = None


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """The two files of an engine that a node fetches (`nodes/boot.sh`). `where` it looks for them, and which are not
    there."""

    where: str
    absent: tuple[str, ...] = ()


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One target. Tables are per cell, and so are asked for by cluster. `send` hands an event to a cell's intake;
    `dead_letters` are a cell's queues of what could not be taken or delivered, by name. `archive` tells whether nodes
    find the engine that a cluster's fleet file says.

    `now` gives seconds since the epoch, `pause` lets some pass. `person` names who asks, for rows and records. `aws` is
    how the AWS CLI is called to reach the same target.
    """

    where: str
    fleet: Fleet
    reads: Reads
    state: Callable[[ClusterSpec], Table]
    records: Callable[[ClusterSpec], Table]
    executions: Callable[[ClusterSpec], Mapping[str, Executions]]
    authority_keys: Callable[[ClusterSpec], Signers]
    archive: Callable[[ClusterSpec], Archive]
    send: Callable[[str, bytes], None]
    dead_letters: Callable[[str], Mapping[str, DeadLetters]]
    now: Callable[[], float]
    pause: Callable[[float], None]
    person: Callable[[], str]
    aws: str

    def cluster(self, name: str) -> ClusterSpec:
        """A declared cluster. Raises `UsageFault` with those that there are."""
        if name not in self.fleet:
            known = ", ".join(sorted(self.fleet)) or "none"
            raise UsageFault(f"no cluster {name} is declared here (declared: {known}): check the name, or --fleet")
        return self.fleet[name]


Opener = Callable[[Choice], World]


class UsageFault(VagusError):
    """What was asked for can't be: the message says how it can."""
