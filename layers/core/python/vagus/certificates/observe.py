"""One look for certificates: the row, the groups' members, and a handshake with each node on both ports. Reads only."""

from collections.abc import Iterable

from vagus.certificates.observed import Observed, members
from vagus.command import Command
from vagus.errors import VagusError
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.plan import Progress
from vagus.ports import NodeCommandsRead
from vagus.procedure.room import Reads
from vagus.procedure.rows import Rows

DOCUMENTS = ("install-trust", "renew-certificate")
SAID_FOR_SECONDS = 120.0
"""After so long without effect, what nodes said of the command is read too."""


def observe(reads: Reads, spec: ClusterSpec, seen: Rows, progress: Progress | None, now: float) -> Observed:
    """Everything that `decide` may know. Nodes that don't answer are an observation, not an error."""
    if not spec.certified or not seen.trust.authorities:
        return Observed(trust=seen.trust, formed=seen.identity is not None, progress=progress)
    groups, formed = reads.groups.describe([spec.name]), seen.identity is not None
    try:
        shaken = reads.handshakes(spec).all(seen.trust.bundle)
    except VagusError as error:
        return Observed(trust=seen.trust, formed=formed, members=members(groups), progress=progress, unseen=str(error))
    return Observed(
        trust=seen.trust,
        formed=formed,
        members=members(groups),
        handshakes=shaken,
        commands=_heard(reads.commands(spec), shaken, progress, now),
        progress=progress,
    )


def _heard(
    commands: NodeCommandsRead, shaken: Iterable[Handshake], progress: Progress | None, now: float
) -> tuple[Command, ...]:
    """What nodes said, where something takes long: a call for each."""
    if progress is None or now - progress.changed_at < SAID_FOR_SECONDS:
        return ()
    named = {one.instance for one in shaken if one.instance in progress.about}
    heard = [one for instance in sorted(named) for one in commands.sent(instance, progress.changed_at)]
    return tuple(one for one in heard if one.document in DOCUMENTS)
