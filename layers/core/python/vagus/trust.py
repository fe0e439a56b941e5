"""What a cluster trusts, and who signs for it: one row, and what follows from it. Pure data.

An authority signs with a key that lies in KMS and never leaves it. A cluster has two such keys (`slot` a and b): a
rotation signs with the one that is not in use. An authority's subject holds random digits, so that nothing that was
ever signed with its key under another name chains to it.

    one authority                       steady
    two, the old one signs              the bundle of both goes to every node and client
    two, the new one signs              leaves from the new one go to every node and client
    one again                           the old one is dropped from every bundle
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

import msgspec

Slot = Literal["a", "b"]
HALF, JITTER = 0.5, 0.15
"""Renewed at half their life, give or take 15 % of it, so that leaves of one cluster never end together."""
EARLIER_SECONDS = 300
"""Certificates begin a little before they are made: clocks differ."""
PAGE_BELOW = 0.25
"""With less of its life left than this, a certificate is a person's matter."""
ASK_BELOW = 0.30
"""In mode `approve` a renewal is asked for once less of a certificate's life is left than this. All that were issued
together are due by then, so that one yes is enough for them; and some days are left before `PAGE_BELOW`."""
PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv6Network("fc00::/7"),
)
"""An authority certifies addresses of these alone."""


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """One authority's certificate. `name`: the SHA-256 of its subject, in hex, as a handshake shows it. Times are epoch
    seconds. `generation` grows with each rotation."""

    generation: int
    slot: Slot
    name: str
    subject: str
    certificate: str
    begins: float
    ends: float

    def over(self, now: float) -> bool:
        """Whether it has ended (epoch seconds)."""
        return now >= self.ends


class ClientIssued(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a secret of Vagus's functions: signed by whom, with which bundle, and until when."""

    signed_by: int
    bundle: tuple[int, ...]
    serial: str
    begins: float
    ends: float


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What ACM tells of a certificate. `serial` in hex, times in epoch seconds; `key` as ACM names it; `names`: whom it
    is for; `uses`: object identifiers of its extended key usage; `by_people`: whether it was imported, not issued by
    AWS."""

    serial: str
    begins: float
    ends: float
    key: str
    names: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    by_people: bool


class GatewayIssued(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's certificate, seen in ACM after its import: signed by whom, for which names, and until when (epoch
    seconds). `refused`, `tried`: why the last import failed, and when it was tried; "" where it did not. `since`: of
    what may pass (no answer, too many calls), when it failed so first; 0 of what does not."""

    signed_by: int = 0
    names: tuple[str, ...] = ()
    serial: str = ""
    begins: float = 0.0
    ends: float = 0.0
    refused: str = ""
    tried: float = 0.0
    since: float = 0.0


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What a declared client is known to have: the newest authority that it trusts, and the one that signed it."""

    trusts: int = 0
    holds: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Which bundle, or certificate, a node was last told to take up, when it was told that first and when last (epoch
    seconds). `refused`: why it could not be told."""

    what: str
    first: float
    last: float
    refused: str = ""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """The row `trust`. `signs`: the generation whose authority signs leaves. `published`: generations in the bundle
    that booting nodes are given. `wanted`: the generation that a person asked for. `renew_before` (epoch seconds):
    leaves that began before are renewed. `told`: whom a command was sent to, and may still be at it, by `told_as` (a
    row of an older version has nodes there: they are told again). `gateways`: what was imported into ACM, by ARN."""

    authorities: tuple[Authority, ...] = ()
    signs: int = 0
    published: tuple[int, ...] = ()
    clients: Mapping[str, ClientIssued] = {}
    acknowledged: Mapping[str, Acknowledged] = {}
    wanted: int = 1
    renew_before: float = 0.0
    told: Mapping[str, Told] = {}
    gateways: Mapping[str, GatewayIssued] = {}

    @property
    def generations(self) -> tuple[int, ...]:
        """Of the authorities that are trusted, oldest first."""
        return tuple(sorted(one.generation for one in self.authorities))

    @property
    def newest(self) -> int:
        """The generation made last; 0 where there is none."""
        return max(self.generations, default=0)

    @property
    def signer(self) -> Authority | None:
        """Who signs leaves now."""
        return next((one for one in self.authorities if one.generation == self.signs), None)

    @property
    def bundle(self) -> str:
        """What nodes and clients trust: certificates in PEM, the one that signs first."""
        ordered = sorted(self.authorities, key=lambda one: (one.generation != self.signs, -one.generation))
        return "".join(one.certificate for one in ordered)

    @property
    def names(self) -> frozenset[str]:
        """The authorities' names, as a handshake shows them."""
        return frozenset(one.name for one in self.authorities)

    @property
    def bundle_wanted(self) -> str:
        """The bundle that nodes are to take up, as `Told.what` names it."""
        return f"bundle {','.join(map(str, self.generations))}"

    @property
    def leaf_wanted(self) -> str:
        """The certificates that nodes are to have, as `Told.what` names them."""
        return f"leaf of {self.signs} from {self.renew_before:.0f} on"

    @property
    def free_slot(self) -> Slot:
        """The key that no trusted authority signs with."""
        return "b" if any(one.slot == "a" for one in self.authorities) else "a"


def domain(cluster: str) -> str:
    """Below which a cluster's names lie. Vagus looks none of them up: nodes are called by address."""
    return f"{cluster}.vagus.internal"


def issued_partition(cluster: str) -> str:
    """Where the rows of issued certificates lie: one of its own, so that who issues may write no others. A row outlives
    its certificate."""
    return f"issued#{cluster}"


def told_as(what: str, node: str) -> str:
    """The key in `Trust.told`: a node that takes up neither bundle nor certificate is told of each for itself. `what`
    as in `Told`."""
    return f"{what.split()[0]} {node}"


def renewal_at(serial: str, begins: float, ends: float) -> float:
    """When a certificate is to be renewed (epoch seconds). The serial (hex) is random, and so is where in the span of
    30 % of its life that is; asked again, it is the same."""
    share = int(serial[-6:] or "0", 16) / 0xFFFFFF
    return begins + (ends - begins) * (HALF + JITTER * (2 * share - 1))


def share_left(begins: float, ends: float, now: float) -> float:
    """How much of its life a certificate has left, 0 to 1."""
    return max(0.0, min(1.0, (ends - now) / (ends - begins))) if ends > begins else 0.0
