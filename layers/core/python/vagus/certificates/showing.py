"""For `vagus status`: when certificates end that nodes show, that Vagus's functions hold, and that sign. Pure."""

from collections.abc import Iterator

from vagus.certificates.observed import Observed
from vagus.ending import Ending, lines, of_nodes
from vagus.fleet import ClusterSpec
from vagus.status import Shown


def shown(observed: Observed, _spec: ClusterSpec, now: float) -> tuple[Shown, ...]:
    """Nothing of a cluster whose certificates are its owners' own: the sweep looks at those. `now`: epoch seconds."""
    return lines(_all(observed), now)


def _all(observed: Observed) -> Iterator[Ending]:
    yield from of_nodes(observed.handshakes)
    for name, client in observed.trust.clients.items():
        yield Ending(client.ends, client.begins, f"that of Vagus's own client {name}")
    for authority in observed.trust.authorities:
        yield Ending(authority.ends, authority.begins, f"the authority of generation {authority.generation}")
