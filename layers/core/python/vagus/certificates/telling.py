"""Whom to tell now, of the nodes that have not taken something up yet. Pure.

Until somebody has taken it up, one goes alone, and then the next. A node that does not take it up within
`PATIENCE_SECONDS` is deaf: a person is called, it is told again now and then, and the others go on without it, for it
serves on as before. A node that was told and answers no more is another matter: no other is told until it is back.
"""

from collections.abc import Collection, Mapping

from vagus.trust import Told, told_as

AT_ONCE = 20
"""Nodes that are at it together. More are told when half of them have it."""
AGAIN_SECONDS = 90.0
"""After so long without effect a command is sent again; a boot of a node, or a busy agent, takes less."""
PATIENCE_SECONDS = 600.0
"""After so long a person is called."""
DEAF_AGAIN_SECONDS = 600.0
"""How often a deaf node is told again: it may have been mended."""
FORGOTTEN_SECONDS = 3600.0
"""What was last told so long ago was told on another occasion: a renewal months before, or before a stop."""
NAMED = 2
"""Where nobody has taken it up, the fault is hardly the nodes': a person is called for so many of them."""


def known(pending: Collection[str], told: Mapping[str, Told], what: str, now: float) -> dict[str, Told]:
    """Those that were told of this, on this occasion."""
    noted = {one: told.get(told_as(what, one)) for one in pending}
    return {one: at for one, at in noted.items() if at and at.what == what and now - at.last < FORGOTTEN_SECONDS}


def deaf(pending: Collection[str], told: Mapping[str, Told], what: str, now: float) -> tuple[str, ...]:
    """Those that had long enough."""
    heard = known(pending, told, what, now)
    return tuple(one for one, at in heard.items() if now - at.first >= PATIENCE_SECONDS)


def to_tell(
    pending: tuple[str, ...],
    answering: Collection[str],
    told: Mapping[str, Told],
    what: str,
    now: float,
    *,
    elsewhere: Collection[str] = (),
) -> tuple[str, ...]:
    """Nodes to send a command to now. `pending`: all that have not taken it up; `answering`: all that there are;
    `elsewhere`: who is deaf to something else, and so is the last to be told: as the first it would show nothing."""
    heard, lost = known(pending, told, what, now), deaf(pending, told, what, now)
    if again := tuple(one for one, at in heard.items() if now - at.last >= _pause(one, lost)):
        return again[:AT_ONCE]
    fresh = sorted((one for one in pending if one not in heard), key=lambda one: one in elsewhere)
    at_it = len(heard) - len(lost)
    if len(pending) == len(answering):
        return () if at_it else tuple(fresh[:1])
    return tuple(fresh[: AT_ONCE - at_it]) if at_it <= AT_ONCE // 2 else ()


def at_it(pending: Collection[str], told: Mapping[str, Told], what: str, now: float) -> tuple[str, ...]:
    """Those that were told, and may still take it up in time."""
    lost = deaf(pending, told, what, now)
    return tuple(one for one in known(pending, told, what, now) if one not in lost)


def _pause(one: str, lost: Collection[str]) -> float:
    return DEAF_AGAIN_SECONDS if one in lost else AGAIN_SECONDS
