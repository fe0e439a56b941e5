"""Certificates whose keys are born here: of Vagus's functions, and of gateways."""

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.certificates import private_ca, profile
from vagus.certificates.issuing import signed_leaf
from vagus.errors import Refused
from vagus.ports import PrivateAuthorities, Signers
from vagus.trust import Trust


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate and its key in PEM (PKCS#8). It never shows its key."""

    certificate: str
    key: str
    serial: str
    begins: float
    ends: float

    def __repr__(self) -> str:
        return f"Pair({self.serial})"


def new_client(
    keys: Signers,
    cluster: str,
    trust: Trust,
    common: str,
    *,
    now: float,
    days: float,
    kind: profile.Kind = "client",
    names: tuple[str, ...] = (),
) -> Pair:
    """A new key, certified by the authority that signs. Raises `Refused` where there is none."""
    if trust.signer is None:
        raise Refused(f"{cluster} has no authority yet")
    key = ec.generate_private_key(ec.SECP256R1())
    if isinstance(keys, PrivateAuthorities):
        pem = profile.request(common, names, key)
        leaf = private_ca.leaf(keys, cluster, trust.signer, kind, pem, names, now=now, days=days)
    else:
        leaf = signed_leaf(keys, cluster, trust.signer, kind, common, key.public_key(), names, now=now, days=days)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Pair(
        certificate=profile.pem(leaf),
        key=key.private_bytes(encoding, form, serialization.NoEncryption()).decode(),
        serial=profile.serial(leaf),
        begins=leaf.not_valid_before_utc.timestamp(),
        ends=leaf.not_valid_after_utc.timestamp(),
    )
