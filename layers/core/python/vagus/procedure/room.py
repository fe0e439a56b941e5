"""A room: what a capability gives to the frame."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from vagus.fleet import ClusterSpec, Placement
from vagus.plan import Plan, Progress
from vagus.policy import Mode
from vagus.ports import (
    GroupsRead,
    GroupsWrite,
    Handshakes,
    ImportedCertificates,
    NodeCommands,
    NodeCommandsRead,
    Parameters,
    SearchRead,
    SearchWrite,
    Secrets,
    Signers,
    Table,
)
from vagus.procedure.rows import Rows
from vagus.status import Shown
from vagus.steps import Step


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """All that a deciding function has. `search` opens a cluster by its fleet file, `commands` tells what became of
    commands to its nodes, `handshakes` what their TLS shows; nothing in here writes. `deep`: whether this look may cost
    more than the usual one: a run's and a person's may, the sweep's only now and then. `reported`: when the agent of a
    cluster on Kubernetes told something last (epoch seconds)."""

    groups: GroupsRead
    search: Callable[[ClusterSpec], SearchRead]
    commands: Callable[[ClusterSpec], NodeCommandsRead]
    handshakes: Callable[[ClusterSpec], Handshakes]
    deep: bool = True
    reported: Callable[[ClusterSpec], float | None] = lambda _spec: None


class Writes(msgspec.Struct, frozen=True, kw_only=True):
    """All that an applying function has, for one step."""

    spec: ClusterSpec
    groups: GroupsWrite
    search: SearchWrite
    parameters: Parameters
    commands: NodeCommands
    handshakes: Handshakes
    authority_keys: Signers
    secrets: Secrets
    imported: ImportedCertificates
    table: Table
    now: float
    iso: str


Observe = Callable[[Reads, ClusterSpec, Rows, Progress | None, float], Any]
Decide = Callable[[Any, ClusterSpec, float], Plan]
Show = Callable[[Any, ClusterSpec, float], tuple[Shown, ...]]
Check = Callable[[Writes, Rows, Any, int], str | None]
Do = Callable[[Writes, Rows, Any, int], None]


class Handler(msgspec.Struct, frozen=True):
    """How a kind of step is done.

    `check` looks afresh and says why the step no longer fits, or `None`; it never chooses another. `do` writes. The
    last argument of both is the lease's token.
    """

    check: Check
    do: Do


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A capability. `kinds` are the steps that its plans may hold; `concern` is the lease that it writes under.
    `placements`: where a cluster's nodes have to be for it to do anything.
    `shown`: what it adds to a cluster's status, made of what it observed; pure. `deep`: whether it is time (epoch
    seconds) for a look of the sweep's that costs more. `asks`: some of its steps need an approval in every mode
    (`Step.always_asked`)."""

    name: str
    concern: str
    kinds: tuple[type[Step], ...]
    observe: Observe
    decide: Decide
    handlers: Mapping[type[Step], Handler]
    mode: Callable[[ClusterSpec], Mode]
    failures_in_a_row: Callable[[ClusterSpec], int]
    shown: Show | None = None
    deep: Callable[[ClusterSpec, float], bool] = lambda _spec, _now: True
    asks: bool = False
    placements: tuple[Placement, ...] = ("ec2",)

    def works_at(self, spec: ClusterSpec) -> bool:
        """Whether it does anything with this cluster."""
        return spec.placement in self.placements


def working_at(rooms: Mapping[str, Room], spec: ClusterSpec) -> dict[str, Room]:
    """Those that do anything with this cluster, by name."""
    return {name: room for name, room in rooms.items() if room.works_at(spec)}
