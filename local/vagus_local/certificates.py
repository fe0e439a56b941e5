"""A throw-away certificate authority for the local stack: EC P-256, PEM, keys in PKCS#8.

The authority's key never leaves its folder, and no node key ever enters it: nodes send requests. A request may only
ask for its own instance's names. The certificates issue replaces this issuer.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ORGANIZATION = "vagus"
CLIENTS = ("admin", "vagus-read", "vagus-write", "client")
LIFETIME = timedelta(days=30)


class RequestRefused(Exception):
    """A certificate request asks for what its instance may not have: permanent."""


@dataclass(frozen=True)
class ClientCertificate:
    """Paths of a client's certificate and key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    """The folder of a throw-away authority: ca.pem, ca.key and one pair per client."""

    folder: Path

    @property
    def ca(self) -> Path:
        """What clients trust."""
        return self.folder / "ca.pem"

    def client(self, name: str) -> ClientCertificate:
        """admin (people and the stack only), vagus-read, vagus-write or client (the demo's application)."""
        return ClientCertificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    @property
    def admin(self) -> ClientCertificate:
        """Reads and writes everything: never given to a function."""
        return self.client("admin")

    @property
    def read(self) -> ClientCertificate:
        """What functions that decide hold."""
        return self.client("vagus-read")

    @property
    def write(self) -> ClientCertificate:
        """What functions that apply hold."""
        return self.client("vagus-write")

    @property
    def application(self) -> ClientCertificate:
        """The demo's writer and searcher."""
        return self.client("client")

    def sign_request(self, pem: bytes, instance: str, address: str) -> bytes:
        """The chain (leaf, then authority) for a node's request in PEM. Raises RequestRefused."""
        request = _checked_request(pem, instance, address)
        key, issuer = self._load()
        names = x509.SubjectAlternativeName([x509.DNSName(instance), x509.IPAddress(ipaddress.ip_address(address))])
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]  # nodes call each other
        leaf = _leaf(f"node-{instance}", request.public_key(), issuer, both).add_extension(names, critical=False)
        return _pem(leaf.sign(key, hashes.SHA256())) + _pem(issuer)

    def _load(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.folder}/ca.key is not an EC key")
        return key, x509.load_pem_x509_certificate(self.ca.read_bytes())


def create_authority(folder: Path) -> Authority:
    """The authority in `folder`; made with its clients' certificates if it isn't there or ends within a week."""
    authority = Authority(folder)
    if authority.ca.exists() and _days_left(authority.ca) > 7:
        return authority
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = _issuer(key)
    for name in CLIENTS:
        own = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(name, own.public_key(), issuer, [ExtendedKeyUsageOID.CLIENT_AUTH])
        _write(authority.client(name), own, leaf.sign(key, hashes.SHA256()))
    _write(ClientCertificate(authority.ca, folder / "ca.key"), key, issuer)  # last: ca.pem says that all is there
    return authority


def _days_left(path: Path) -> int:
    return (x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - datetime.now(UTC)).days


def _name(common: str) -> x509.Name:
    # this order is read as "CN=...,O=vagus" (RFC 4514 prints the last first): the form that the role mapping holds
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(common: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
    )


def _issuer(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    may_sign = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder("vagus throw-away authority", _name("vagus throw-away authority"), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(may_sign, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    common: str, key: object, issuer: x509.Certificate, usages: list[x509.ObjectIdentifier]
) -> x509.CertificateBuilder:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise RequestRefused("the key is not an elliptic curve key")
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(common, issuer.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )


def _checked_request(pem: bytes, instance: str, address: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem)
    except ValueError as error:
        raise RequestRefused(f"not a certificate request: {error}") from error
    if not request.is_signature_valid:
        raise RequestRefused("the request is not signed by its own key")
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestRefused("the key is not on P-256")
    if request.subject != _name(f"node-{instance}"):
        asked = request.subject.rfc4514_string()
        raise RequestRefused(f"the request asks for subject {asked}, not CN=node-{instance},O={ORGANIZATION}")
    asked_names = _asked_names(request)
    if asked_names != {instance, address}:
        raise RequestRefused(f"the request asks for {sorted(asked_names)}, not for {instance} and {address} alone")
    return request


def _asked_names(request: x509.CertificateSigningRequest) -> set[str]:
    """Every alternative name as text; kinds other than DNS and IP keep their kind, so that they never match."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(n.value) if isinstance(n, x509.DNSName | x509.IPAddress) else repr(n) for n in names}


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(paths: ClientCertificate, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, content, mode in ((paths.key, private, 0o600), (paths.certificate, _pem(certificate), 0o644)):
        partial = path.with_name(path.name + ".partial")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as handle:
            handle.write(content)
        partial.rename(path)


def main(arguments: list[str]) -> int:
    """certificates.py INSTANCE ADDRESS: signs the request on standard input; the authority is VAGUS_CERTIFICATES."""
    instance, address = arguments
    try:
        chain = Authority(Path(os.environ["VAGUS_CERTIFICATES"])).sign_request(
            sys.stdin.buffer.read(), instance, address
        )
    except (RequestRefused, OSError) as error:
        print(f"not signed: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(chain)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
