"""What is wrong with nodes' TLS, whoever issues their certificates. Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from vagus.cluster_watch.model import Item, Sight, Standings
from vagus.ending import soon
from vagus.handshake import Handshake
from vagus.trust import share_left

STRONG_CURVES = re.compile(r"secp(256|384|521)r1|brainpoolP(256|384|512)r1")
RSA_BITS = 3000
"""As strong as P-256 within a hair (128 bits; NIST SP 800-57 part 1, table 2), and what BSI TR-02102-1 asks for."""


def certificates(sight: Sight, told: Standings) -> Iterator[Item]:
    """Each fault of each node and port. Of a node that does not answer nothing is known: what was told of it stays."""
    if sight.shaken is None:
        yield from (Item(key=key, level=None) for key in told)
        return
    silent = tuple(_where(one) for one in sight.shaken if not one.answered and not one.plain)
    yield from (Item(key=key, level=None) for key in told if key.partition(" ")[0] in silent)
    for one in sight.shaken:
        for name, level, says in faults(one, sight.now):
            about = {"node": one.instance, "port": one.port, "address": one.address, "subject": one.subject}
            facts = {"ends": _iso(one.ends), "names": list(one.names), "key": one.key} if one.answered else {}
            yield Item(
                key=f"{_where(one)} {name}", level=level, message=f"{_where(one)} {says}", about=about, facts=facts
            )


def _where(one: Handshake) -> str:
    return f"{one.instance}:{one.port}"


def faults(one: Handshake, now: float) -> Iterator[tuple[str, str, str]]:
    """What it is about, its level, and a predicate for a person."""
    if one.plain:
        yield "tls", "NO_TLS", "answers without TLS"
    if not one.answered:
        return
    if one.old:
        yield "tls", "OLD_TLS", f"takes {one.old}: 1.2 is the least"
    if soon(one.begins, one.ends, now):
        left = share_left(one.begins, one.ends, now)
        says = f"ends {_iso(one.ends)}: {left:.0%} of its life is left" if left else f"has ended {_iso(one.ends)}"
        yield "expiry", "ENDING" if left else "ENDED", f"shows a certificate that {says}"
    if one.address not in one.names:
        names = ", ".join(one.names) or "no name"
        yield "name", "WRONG_NAME", f"shows a certificate for {names}, not for its address {one.address}"
    if not strong(one.key):
        yield "key", "WEAK_KEY", f"shows a certificate whose key is {one.key}: weaker than EC P-256"


def strong(key: str) -> bool:
    """Whether a key, as a handshake names it, is as strong as EC P-256."""
    kind, _, size = key.partition(" ")
    if kind == "RSA":
        return int(size) >= RSA_BITS
    return kind.startswith(("Ed25519", "Ed448")) or (kind == "EC" and STRONG_CURVES.fullmatch(size) is not None)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
