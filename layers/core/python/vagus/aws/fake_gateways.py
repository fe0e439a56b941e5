"""Imported certificates in memory, as `ports.ImportedCertificates`, with ACM's rules of importing anew."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.errors import Refused
from vagus.trust import Imported


class FakeImported:
    """Certificates by ARN. `keys` are what ACM alone holds; `imports` counts what was taken. `clock`: epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.certificates: dict[str, x509.Certificate] = {}
        self.keys: dict[str, str] = {}
        self.imports = 0
        self.by_people = True

    def first(self, arn: str, certificate: str, key: str) -> None:
        """What people import, under a new ARN."""
        self._take(arn, certificate, key)

    def of(self, arn: str) -> Imported:
        """What is told of it."""
        if arn not in self.certificates:
            raise Refused(f"acm: could not find certificate {arn}")
        found = self.certificates[arn]
        return Imported(
            serial=f"{found.serial_number:x}",
            begins=found.not_valid_before_utc.timestamp(),
            ends=found.not_valid_after_utc.timestamp(),
            key=_kind(found),
            names=_names(found),
            uses=tuple(sorted(_uses(found))),
            by_people=self.by_people,
        )

    def replace(self, arn: str, certificate: str, key: str, chain: str, serial: str) -> Imported:
        """Import another under the ARN. Source: ACM User Guide, "Reimport a certificate"."""
        before = self.certificates.get(arn)
        if before is None:
            raise Refused(f"acm: could not find certificate {arn}")
        made = x509.load_pem_x509_certificate(certificate.encode())
        if _kind(made) != _kind(before):
            raise Refused("acm: the key type and size cannot be changed")
        if removed := _uses(before) - _uses(made):
            raise Refused(f"acm: extended key usage {removed} cannot be removed")
        if not _uses(before) and _uses(made):
            raise Refused("acm: extended key usage cannot be added where there was none")
        made.verify_directly_issued_by(x509.load_pem_x509_certificate(chain.encode()))
        self._take(arn, certificate, key)
        assert self.of(arn).serial == serial  # noqa: S101  (what a caller says of its own certificate)
        return self.of(arn)

    def _take(self, arn: str, certificate: str, key: str) -> None:
        made = x509.load_pem_x509_certificate(certificate.encode())
        private = serialization.load_pem_private_key(key.encode(), None)
        if private.public_key() != made.public_key():
            raise Refused("acm: the private key is not that of the certificate")
        if not made.not_valid_before_utc.timestamp() <= self._clock() <= made.not_valid_after_utc.timestamp():
            raise Refused("acm: the certificate is not valid now")
        self.certificates[arn], self.keys[arn] = made, key
        self.imports += 1


def _kind(made: x509.Certificate) -> str:
    key = made.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC_prime256v1" if isinstance(key.curve, ec.SECP256R1) else f"EC_{key.curve.name}"
    return "RSA_2048"


def _names(made: x509.Certificate) -> tuple[str, ...]:
    found = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(found.get_values_for_type(x509.DNSName))


def _uses(made: x509.Certificate) -> set[str]:
    try:
        found = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return set()
    return {one.dotted_string for one in found}
