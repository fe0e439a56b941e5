"""One look for certificates: the row, the groups' members, and a handshake with each node on both ports. Reads only."""

from collections.abc import Iterable, Mapping

import msgspec

from vagus.callers import Callers
from vagus.certificates.observed import Observed, members
from vagus.command import Command
from vagus.errors import AgentAwaited, VagusError
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.plan import Progress
from vagus.policy import Gateway
from vagus.ports import GroupsRead, Handshakes, NodeCommandsRead
from vagus.procedure.at_once import each
from vagus.procedure.room import Reads
from vagus.procedure.rows import Rows

DOCUMENTS = ("install-trust", "renew-certificate")
ENDPOINTS_SECONDS = 5.0
"""Endpoints take no longer, whatever their names lead to: the look-up of a name, and a try at each of its addresses."""
SAID_FOR_SECONDS = 120.0
"""After so long without effect, what nodes said of the command is read too."""
ASKED_AT_MOST = 5
"""So many of them."""


def observe(reads: Reads, spec: ClusterSpec, seen: Rows, progress: Progress | None, now: float) -> Observed:
    """Everything that `decide` may know. Nodes that don't answer are an observation, not an error."""
    if not spec.certified or not seen.trust.authorities:
        return Observed(trust=seen.trust, formed=_formed_before(reads, spec, seen), progress=progress)
    found = Observed(
        trust=seen.trust,
        formed=seen.identity is not None,
        members=there(reads.groups, spec),
        progress=progress,
        reported=reads.reported(spec) or 0.0,
    )
    try:
        shaken = reads.handshakes(spec).all(seen.trust.bundle)
    except AgentAwaited as error:
        last = tuple(one for one in error.last if isinstance(one, Handshake))
        return msgspec.structs.replace(found, formed=True, awaited=str(error), last=last)
    except VagusError as error:
        return msgspec.structs.replace(found, unseen=str(error))
    found = msgspec.structs.replace(
        found,
        formed=found.formed or (not spec.reached and bool(shaken)),
        members=found.members if spec.reached else there(reads.groups, spec, shaken),
        handshakes=shaken,
        endpoints=endpoints(reads.handshakes(spec), spec.certificates.gateways, seen.trust.bundle),
    )
    commands = reads.commands(spec)
    return msgspec.structs.replace(found, said=_said(commands, found, now), callers=_callers(commands, found, now))


def there(groups: GroupsRead, spec: ClusterSpec, shaken: Iterable[Handshake] = ()) -> tuple[str, ...]:
    """Nodes that are to stay: of groups; or pods that are declared, or run beside them: an agent names an address of
    each that it knows to run, and one that is neither declared nor runs is waited for by nobody."""
    if spec.reached:
        return members(groups.describe([spec.name]))
    return tuple(sorted({*spec.pods, *(one.instance for one in shaken if one.address)}))


def _formed_before(reads: Reads, spec: ClusterSpec, seen: Rows) -> bool:
    """Whether its nodes have certificates already, of whomever: then an authority of Vagus's comes too late."""
    if spec.reached or not spec.certified:
        return seen.identity is not None
    try:
        return any(one.answered for one in reads.handshakes(spec).all(""))
    except AgentAwaited as error:
        lost = not error.last  # of a report that is there, each declared pod has handshakes
        return lost or any(isinstance(one, Handshake) and one.answered for one in error.last)


def endpoints(
    handshakes: Handshakes, declared: Iterable[Gateway], bundle: str, seconds: float = ENDPOINTS_SECONDS
) -> dict[str, Handshake]:
    """What gateways' endpoints show, by ARN: all at once, and within `seconds`."""

    def shown(one: Gateway) -> Handshake:
        name, _, port = one.endpoint.partition(":")
        return handshakes.endpoint(name, int(port), bundle)

    def late(one: Gateway) -> Handshake:
        name, _, port = one.endpoint.partition(":")
        return Handshake(instance=name, address=name, port=int(port), failure=f"not done after {seconds:.0f} s")

    wanted = [one for one in declared if one.endpoint]
    found = each(wanted, shown, late, at_once=max(1, len(wanted)), seconds=seconds)
    return {one.arn: shake for one, shake in zip(wanted, found, strict=True)}


def _said(commands: NodeCommandsRead, found: Observed, now: float) -> dict[str, str]:
    """The last words of nodes that take long: a call for each, of a few."""
    slow = list(found.slow(SAID_FOR_SECONDS, now).items())[:ASKED_AT_MOST]
    words = {one: told.refused or _last_words(commands.sent(one, told.first)) for one, told in slow}
    return {one: text for one, text in words.items() if text}


def _callers(commands: NodeCommandsRead, found: Observed, now: float) -> Mapping[str, Callers]:
    """Asked for where the next phase of a rotation is due: whoever is not known of may fail from then on. What can't be
    known holds nothing up: the plan says of whom."""
    trust = found.trust
    if len(trust.authorities) < 2 or found.silent or found.lagging() or found.stale(now):
        return {}
    try:
        return commands.callers(max(one.begins for one in trust.authorities))
    except VagusError:
        return {}


def _last_words(sent: Iterable[Command]) -> str:
    said = [one.said for one in sent if one.document in DOCUMENTS and one.said]
    return said[-1] if said else ""
