"""The certificate profile: every certificate of a cluster is made here. EC P-256 and SHA-256, X.509 v3 (RFC 5280).

An authority signs leaves only (path length 0), and only for names below its cluster's domain and addresses of private
networks. It does not constrain subjects: Go and Rust refuse chains whose constraints name any. Leaves are made for one
use each.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vagus.trust import EARLIER_SECONDS, PRIVATE, domain

Kind = Literal["node", "admin", "dashboards", "agent", "client", "gateway"]

ORGANIZATION = "vagus"
AUTHORITY_DAYS = 1825
EARLIER = timedelta(seconds=EARLIER_SECONDS)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
USES: dict[Kind, tuple[x509.ObjectIdentifier, ...]] = {
    "node": (SERVER, CLIENT),  # nodes call each other
    "admin": (CLIENT,),
    "dashboards": (CLIENT,),
    "agent": (CLIENT,),
    "client": (CLIENT,),
    "gateway": (SERVER,),
}


def node_name(instance: str, cluster: str) -> str:
    """A node's name in its certificate."""
    return f"{instance}.{domain(cluster)}"


def permitted(address: str) -> bool:
    """Whether an authority's constraints let it certify an IP address."""
    found = ip_address(address)
    return any(found.version == network.version and found in network for network in PRIVATE)


def subject(common: str) -> x509.Name:
    """`CN=...,O=vagus`: RFC 4514 prints the last first, the form that role mappings hold."""
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION)
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def name_digest(name: x509.Name) -> str:
    """How a subject is compared with what a handshake shows: SHA-256 of its DER, in hex."""
    return hashlib.sha256(name.public_bytes()).hexdigest()


def authority(
    cluster: str, generation: int, unforeseen: str, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    """An authority's own certificate. `unforeseen`: random digits that nobody could know before, for its subject."""
    named = subject(f"{cluster} authority {generation} {unforeseen}")
    public = key.public_key()
    limits = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName(domain(cluster)),
            *(x509.IPAddress(network) for network in PRIVATE),
        ],
        excluded_subtrees=None,
    )
    return (
        _builder(named, named, public, now, timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(limits, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf(
    kind: Kind,
    common: str,
    public: ec.EllipticCurvePublicKey,
    names: Sequence[str],
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.Certificate:
    """A leaf, signed with the issuer's `key`. It never outlives its issuer. `names`: addresses, and DNS names."""
    ends = min(now + life, issuer.not_valid_after_utc)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    made = (
        _builder(subject(common), issuer.subject, public, now, ends - now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(USES[kind]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
    return made.sign(key, hashes.SHA256())


def request(common: str, names: Sequence[str], key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request for a certificate in PEM, for who signs by requests alone."""
    made = x509.CertificateSigningRequestBuilder().subject_name(subject(common))
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def pem(certificate: x509.Certificate) -> str:
    """Its text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def serial(certificate: x509.Certificate) -> str:
    """Its serial number in hex."""
    return f"{certificate.serial_number:x}"


def _builder(
    named: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    at = now.astimezone(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - EARLIER)
        .not_valid_after(at + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    found = _address(name)
    return x509.DNSName(name) if found is None else x509.IPAddress(found)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
