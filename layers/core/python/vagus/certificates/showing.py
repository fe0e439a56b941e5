"""For `vagus status`: when certificates end that nodes show, that Vagus's functions hold, and that sign. Pure."""

from collections.abc import Iterator

import msgspec

from vagus.certificates import gateways
from vagus.certificates.observed import Observed
from vagus.ending import Ending, lines, of_nodes
from vagus.fleet import ClusterSpec
from vagus.site import SILENT_SECONDS
from vagus.status import REPORT, Shown


def shown(observed: Observed, spec: ClusterSpec, now: float) -> tuple[Shown, ...]:
    """Nothing of a cluster whose certificates are its owners' own: the sweep looks at those. Where some node was not
    seen, its own may end first: that is said. `now`: epoch seconds."""
    if not spec.certified:
        return ()
    found = lines(_all(observed, spec), now)
    awaited = observed.awaited.partition("; ")[0]  # where to look says the line of the report
    blind = observed.unseen or awaited or ", ".join(observed.silent)
    ends = tuple(_of_those_seen(line, blind) for line in found) if blind else found
    return ends if spec.reached else (*ends, _of_agent(observed, now))


def _of_agent(observed: Observed, now: float) -> Shown:
    """Of a cluster on Kubernetes all that is known comes from its agent."""
    if not observed.reported and observed.awaited:
        return Shown(title=REPORT, says=observed.awaited, wrong=True)
    if not observed.reported:
        return Shown(title=REPORT, says="there was none: apply its manifests at the site (docs/kubernetes.md)")
    says = f"{max(0.0, now - observed.reported):.0f} s ago" + (f": {observed.awaited}" if observed.awaited else "")
    silent = now - observed.reported > SILENT_SECONDS
    return Shown(title=REPORT, says=says, wrong=silent, number=observed.reported)


def _of_those_seen(line: Shown, blind: str) -> Shown:
    return msgspec.structs.replace(line, says=f"{line.says}, of those seen; not seen: {blind}")


def _all(observed: Observed, spec: ClusterSpec) -> Iterator[Ending]:
    yield from of_nodes(observed.handshakes or observed.last)
    for one in spec.certificates.gateways:
        if (issued := gateways.of(observed.trust, one)).ends:
            yield Ending(issued.ends, issued.begins, f"that of the gateway {one.names[0]}")
    for name, client in observed.trust.clients.items():
        yield Ending(client.ends, client.begins, f"that of Vagus's own client {name}")
    for authority in observed.trust.authorities:
        yield Ending(authority.ends, authority.begins, f"the authority of generation {authority.generation}")
