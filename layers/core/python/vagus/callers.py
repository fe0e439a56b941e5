"""Who called a cluster's nodes lately, by what each node's kernel noted (`nodes/bin/callers`). Pure.

Documents that tell of callers print a line for each, `caller ADDRESS`; `callers-more N` for those that an output has no
room for; and last `callers-since T`, from when on they were noted (epoch seconds), or `callers-now-only`: nothing is
noted (any more), and others than these called too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import msgspec

TOLD_BY = ("install-trust", "renew-certificate", "list-callers")
"""The documents that print it."""
WEEK = 7 * 86_400
"""Seconds that a kernel keeps a caller."""
NAMED, NODES = 30, 5
"""Addresses, and nodes, in a message; `vagus certificates --callers` shows all."""


class Callers(msgspec.Struct, frozen=True, kw_only=True):
    """What one node told. `at`: when it was asked; `since`: from when on its kernel noted who calls, `None` where it
    notes nothing (any more), so that others called too (epoch seconds); `unnamed`: so many more called."""

    at: float
    since: float | None
    addresses: tuple[str, ...] = ()
    unnamed: int = 0

    @property
    def week(self) -> bool:
        """Whether all of the last seven days are counted."""
        return self.since is not None and self.at - self.since >= WEEK


def told(output: str, at: float) -> Callers | None:
    """What a document's output tells of callers; nothing where it doesn't say, or was cut before its end."""
    addresses, unnamed = [], 0
    for line in output.splitlines():
        match line.split():
            case ["caller", address] if _is_address(address):
                addresses.append(address)
            case ["callers-more", count] if count.isdecimal():
                unnamed = int(count)
            case ["callers-since", since] if since.isdecimal():
                return Callers(at=at, since=float(since), addresses=tuple(addresses), unnamed=unnamed)
            case ["callers-now-only"]:
                return Callers(at=at, since=None, addresses=tuple(addresses), unnamed=unnamed)
            case _:
                pass
    return None


def without(output: str) -> str:
    """A document's output without what it tells of callers: what it says of itself."""
    return "\n".join(line for line in output.splitlines() if not line.startswith("caller"))


def undeclared(heard: Mapping[str, Callers], nodes: Collection[str], declared: Iterable[str]) -> tuple[str, ...]:
    """Addresses that called, and are neither nodes' nor in a declared network (CIDR), in their order."""
    networks = [ip_network(block) for block in declared]
    found = {ip_address(address) for one in heard.values() for address in one.addresses if address not in nodes}
    strange = [one for one in found if not any(one in network for network in networks)]
    return tuple(str(one) for one in sorted(strange, key=lambda one: (one.version, int(one))))


def words(heard: Mapping[str, Callers], strange: Sequence[str], asked: Collection[str]) -> str:
    """What a person should know of callers before a phase of a rotation. `strange`: the undeclared; `asked`: nodes that
    should have told."""
    parts = []
    if strange:
        parts.append(f"called lately and in no network of certificates.client_addresses: {_listed(strange, NAMED)}")
    return "; ".join([*parts, *unknown(heard, asked)])


def unknown(heard: Mapping[str, Callers], asked: Collection[str]) -> list[str]:
    """Whom nobody can name, in sentences."""
    since = {one: heard[one].since if one in heard else None for one in sorted(asked)}
    young = {one: at for one, at in since.items() if at is not None and not heard[one].week}
    parts = []
    if unnamed := sum(one.unnamed for one in heard.values()):
        parts.append(f"{unnamed} more callers are not named")
    if silent := [one for one, at in since.items() if at is None]:
        parts.append(f"who called {_listed(silent, NODES)} is not known")
    if young:
        last = datetime.fromtimestamp(max(young.values()), UTC)
        parts.append(f"who called {_listed(list(young), NODES)} is known since {last:%Y-%m-%d %H:%M}Z alone")
    return parts


def _listed(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True
