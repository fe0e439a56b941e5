"""What a cluster trusts, and who signs for it: one row, and what follows from it. Pure data.

An authority signs with a key that lies in KMS and never leaves it. A cluster has two such keys (`slot` a and b): a
rotation signs with the one that is not in use. An authority's subject holds random digits, so that nothing that was
ever signed with its key under another name chains to it.

    one authority                       steady
    two, the old one signs              the bundle of both goes to every node and client
    two, the new one signs              leaves from the new one go to every node and client
    one again                           the old one is dropped from every bundle
"""

from typing import Literal

import msgspec

Slot = Literal["a", "b"]
EARLIER_SECONDS = 300
"""Certificates begin a little before they are made: clocks differ."""


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


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """The row `trust`. `signs`: the generation whose authority signs leaves; 0: none does."""

    authorities: tuple[Authority, ...] = ()
    signs: int = 0

    @property
    def newest(self) -> int:
        """The generation made last; 0 where there is none."""
        return max((one.generation for one in self.authorities), default=0)

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
    def free_slot(self) -> Slot:
        """The key that no trusted authority signs with."""
        return "b" if any(one.slot == "a" for one in self.authorities) else "a"
