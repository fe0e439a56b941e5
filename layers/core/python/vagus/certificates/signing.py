"""An authority's private key, which lies in KMS: it signs there, and can't be read by anyone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from vagus.errors import Refused
from vagus.ports import AuthorityKeys
from vagus.trust import Slot


class AuthorityKey(ec.EllipticCurvePrivateKey):
    """What `cryptography` signs with: each signature is one call of `sign` with a SHA-256 digest."""

    def __init__(self, public: ec.EllipticCurvePublicKey, sign: Callable[[bytes], bytes]) -> None:
        self._public, self._sign = public, sign

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # type: ignore[override]  # any buffer there
        chosen = signature_algorithm.algorithm
        if isinstance(chosen, Prehashed) or not isinstance(chosen, hashes.SHA256):
            raise Refused("an authority signs SHA-256 digests, which it makes itself")
        return self._sign(hashlib.sha256(bytes(data)).digest())

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        del algorithm, peer_public_key
        raise Refused("an authority's key agrees on nothing: it signs")

    def private_numbers(self) -> NoReturn:
        raise Refused("an authority's key never leaves KMS")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> NoReturn:
        del encoding, format, encryption_algorithm
        raise Refused("an authority's key never leaves KMS")

    def __copy__(self) -> AuthorityKey:
        return self

    def __deepcopy__(self, memo: object) -> AuthorityKey:
        return self


def authority_key(keys: AuthorityKeys, cluster: str, slot: Slot) -> AuthorityKey:
    """The key of a cluster's slot. Raises `Refused` for one that is not on P-256."""
    public = serialization.load_der_public_key(keys.public(cluster, slot))
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise Refused(f"{cluster}: the key of slot {slot} is not on P-256")
    return AuthorityKey(public, lambda digest: keys.sign(cluster, slot, digest))
