"""What one TLS handshake with a node showed: frozen data, made by `vagus.search`. Pure."""

import msgspec


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """One node, one port. `failure`: why there was none, or why what it showed is not to be trusted; else empty.

    `issuer`: SHA-256 of the issuer's subject in DER, in hex; `trusts`: the same of each authority whose client
    certificates the node takes. `serial` in hex, times in epoch seconds, `names` the addresses and DNS names.
    `answered` is false where nobody spoke TLS at all. `plain` (it answers without TLS) and `old` (the version below 1.2
    that it takes) are known only where it was looked at closely.
    """

    instance: str
    address: str
    port: int
    answered: bool = False
    failure: str = ""
    subject: str = ""
    issuer: str = ""
    issuer_subject: str = ""
    serial: str = ""
    begins: float = 0.0
    ends: float = 0.0
    names: tuple[str, ...] = ()
    key: str = ""
    trusts: tuple[str, ...] = ()
    plain: bool = False
    old: str = ""
