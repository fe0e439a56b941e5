"""When certificates end, for a cluster's status: the one that ends first, and the least life left. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from vagus.handshake import Handshake
from vagus.status import CERTIFICATE, LIFE, Shown
from vagus.trust import PAGE_BELOW, share_left

DAY = 86_400
NEAR = 30 * DAY
"""A quarter of an authority's ten years is nothing to be woken for."""


def soon(begins: float, ends: float, now: float) -> bool:
    """Whether a certificate is a person's matter (epoch seconds): little of its life is left, and few days."""
    return ends - now < NEAR and share_left(begins, ends, now) < PAGE_BELOW


OLD, HELD = 3 * 3600, DAY
"""Seconds since a look: from `OLD` on a line says when that was, after `HELD` nothing is known."""


class Ending(msgspec.Struct, frozen=True, order=True):
    """A certificate's end and beginning (epoch seconds), and whose it is."""

    ends: float
    begins: float
    whose: str

    def left(self, now: float) -> float:
        """How much of its life, 0 to 1."""
        return share_left(self.begins, self.ends, now)

    def near(self, now: float) -> bool:
        """Whether its end is."""
        return self.ends - now < NEAR


def of_nodes(handshakes: Iterable[Handshake]) -> Iterator[Ending]:
    """Those that nodes show; of one that does not answer nothing is known."""
    return (Ending(one.ends, one.begins, f"that of {one.instance}") for one in handshakes if one.answered)


def lines(endings: Iterable[Ending], now: float) -> tuple[Shown, ...]:
    """Two lines, or none of no certificate. They may be of two: a year's has little life left when a day's is fresh. A
    person should look when it is pressing: little of its life is left, and few days."""
    found = sorted(endings)
    if not found:
        return ()
    first, last = found[0], min(found, key=lambda one: (not one.near(now), one.left(now)))
    day = datetime.fromtimestamp(first.ends, UTC).date().isoformat()
    when = f"in {(first.ends - now) / DAY:.0f} days" if first.ends > now else "it has ended"
    left = last.left(now)
    return (
        Shown(title=CERTIFICATE, says=f"{first.whose}, {day} ({when})", wrong=first.ends <= now, number=first.ends),
        Shown(
            title=LIFE,
            says=f"{left:.0%}, {last.whose}",
            wrong=soon(last.begins, last.ends, now),
            number=round(100 * left, 1),
        ),
    )


def as_seen(endings: Iterable[Ending], at: float, now: float) -> tuple[Shown, ...]:
    """The lines of now, by a look of then (both epoch seconds): nobody renews by not being seen, and nobody is well."""
    found = lines(endings, now)
    if now - at < OLD or not found:
        return found
    since = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"
    if now - at < HELD:
        return tuple(msgspec.structs.replace(one, says=f"{one.says}, as seen {since} and not since") for one in found)
    return (Shown(title=CERTIFICATE, says=f"not known: no look of an hour has seen one since {since}", wrong=True),)
