"""For `vagus status`: the certificate that ends first, of those that nodes show, that Vagus's functions hold, and that
sign. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from vagus.certificates.observed import Observed
from vagus.fleet import ClusterSpec
from vagus.status import CERTIFICATE, Shown
from vagus.trust import PAGE_BELOW, share_left

DAY = 86_400


class Ending(msgspec.Struct, frozen=True, order=True):
    """A certificate's end and beginning (epoch seconds), and whose it is."""

    ends: float
    begins: float
    whose: str


def shown(observed: Observed, _spec: ClusterSpec, now: float) -> tuple[Shown, ...]:
    """One line; none of a cluster whose certificates are its owners' own. `now`: epoch seconds."""
    first = min(_all(observed), default=None)
    if first is None:
        return ()
    day = datetime.fromtimestamp(first.ends, UTC).date().isoformat()
    left = f"in {(first.ends - now) / DAY:.0f} days" if first.ends > now else "it has ended"
    wrong = share_left(first.begins, first.ends, now) < PAGE_BELOW
    line = Shown(title=CERTIFICATE, says=f"{first.whose}, {day} ({left})", wrong=wrong, number=first.ends)
    return (line,)


def _all(observed: Observed) -> Iterator[Ending]:
    for one in observed.handshakes:
        if one.answered:
            yield Ending(one.ends, one.begins, f"that of {one.instance}")
    for name, client in observed.trust.clients.items():
        yield Ending(client.ends, client.begins, f"that of Vagus's own client {name}")
    for authority in observed.trust.authorities:
        yield Ending(authority.ends, authority.begins, f"the authority of generation {authority.generation}")
