"""Private CAs in memory, as `ports.PrivateAuthorities`: they sign by the same templates, with keys of their own."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vagus.errors import Refused
from vagus.ports import Use
from vagus.trust import Slot

USES: dict[Use, list[x509.ObjectIdentifier]] = {
    "node": [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    "client": [ExtendedKeyUsageOID.CLIENT_AUTH],
    "gateway": [ExtendedKeyUsageOID.SERVER_AUTH],
}
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ALGORITHMS = {"SHA256WITHECDSA": ec.EllipticCurvePrivateKey, "SHA256WITHRSA": rsa.RSAPrivateKey}


class Root:
    """A root CA: its key, and its certificate from a day before `now` on (epoch seconds), for ten years."""

    def __init__(self, common: str, key: Key, now: float) -> None:
        self.key = key
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        at = datetime.fromtimestamp(int(now), UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(days=1))
            .not_valid_after(at + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )

    def leaf(self, request: x509.CertificateSigningRequest, use: Use, ends: float) -> x509.Certificate:
        """By the template of that use: subject and alternative names are the request's, and nothing else of it."""
        made = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.certificate.not_valid_before_utc)
            .not_valid_after(datetime.fromtimestamp(ends, UTC))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(USES[use]), critical=False)
        )
        for extension in request.extensions:
            if isinstance(extension.value, x509.SubjectAlternativeName):
                made = made.add_extension(extension.value, critical=False)
        return made.sign(self.key, hashes.SHA256())


class FakePrivateAuthorities:
    """The roots of one cluster: the first is slot a, the second b. `issued` counts leaves."""

    def __init__(self, cluster: str, *roots: Root) -> None:
        self._cluster, self.roots = cluster, roots
        self._made: dict[str, bytes] = {}

    @property
    def issued(self) -> int:
        """How many leaves were signed."""
        return len(self._made)

    def certificate(self, cluster: str, slot: Slot) -> bytes:
        """In PEM."""
        return self._root(cluster, slot).certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, cluster: str, slot: Slot, request: bytes, use: Use, algorithm: str, ends: float) -> bytes:
        """A leaf in PEM."""
        root, token = self._root(cluster, slot), hashlib.sha256(request).hexdigest()
        if not isinstance(root.key, ALGORITHMS[algorithm]):
            raise Refused(f"acm-pca: {algorithm} is not of the authority's key")
        if token not in self._made:
            made = root.leaf(x509.load_pem_x509_csr(request), use, ends)
            self._made[token] = made.public_bytes(serialization.Encoding.PEM)
        return self._made[token]

    def _root(self, cluster: str, slot: Slot) -> Root:
        at = "ab".index(slot)
        if cluster != self._cluster or at >= len(self.roots):
            raise Refused(f"{cluster} declares no private CA for slot {slot}")
        return self.roots[at]
