"""Who may have a certificate for what: each check is a sentence, the first that trips is the refusal. No I/O.

A node says nothing that is believed: EC2 says which cluster an instance is of and which addresses it has, and the way
by which a request comes says which instance sent it.
"""

import hashlib
from collections.abc import Iterator

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.certificates import profile
from vagus.errors import Permanent
from vagus.instances import Asker

LONGEST = 16 * 1024
"""Bytes of a request: ours have under 1,000."""
ALIVE = ("pending", "running")


class RequestRefused(Permanent):
    """A request asks for what its sender may not have. The message says what, and how it would be right."""


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """A request (PEM) that may be signed: its key in DER, the key's SHA-256 in hex, the names for the certificate."""

    pem: bytes
    key: bytes
    key_digest: str
    common: str
    names: tuple[str, ...]


def checked(pem: bytes, instance: str, cluster: str, cell: str, asker: Asker | None) -> Sound:
    """What may be signed of a node's request. Raises `RequestRefused` with the first thing that is wrong."""
    for sentence in _of_asker(instance, cluster, cell, asker):
        raise RequestRefused(sentence)
    if asker is None:
        raise RequestRefused(f"there is no instance {instance}")
    request = _parsed(pem)
    key = _key(request)
    for sentence in _of_request(request, asker):
        raise RequestRefused(sentence)
    return _sound(pem, key, f"node-{instance}", (profile.node_name(instance, cluster), *_addresses_asked(request)))


def client(pem: bytes, common: str) -> Sound:
    """What may be signed of a request for a certificate that only calls: its key alone. Raises `RequestRefused`."""
    request = _parsed(pem)
    key = _key(request)
    for sentence in _of_client(request, common):
        raise RequestRefused(sentence)
    return _sound(pem, key, common, ())


def _of_client(request: x509.CertificateSigningRequest, common: str) -> Iterator[str]:
    wanted = profile.subject(common)
    if request.subject != wanted:
        asked = request.subject.rfc4514_string() or "no name"
        yield f"the request is for {asked}, not {wanted.rfc4514_string()}: make it with -subj '/O=vagus/CN={common}'"
    yield from _of_extensions(request)
    if names := sorted(_names(request)):
        yield f"the request is for {', '.join(names)}: who only calls has no such names"


def _sound(pem: bytes, key: ec.EllipticCurvePublicKey, common: str, names: tuple[str, ...]) -> Sound:
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Sound(pem=pem, key=encoded, key_digest=hashlib.sha256(encoded).hexdigest(), common=common, names=names)


def _of_asker(instance: str, cluster: str, cell: str, asker: Asker | None) -> Iterator[str]:
    if asker is None or asker.instance != instance:
        yield f"there is no instance {instance}: only an instance that EC2 knows gets a certificate"
        return
    if asker.state not in ALIVE:
        yield f"instance {instance} is {asker.state}, and gets no certificate any more"
    if asker.cell != cell:
        yield f"instance {instance} has no tag vagus:cell={cell}: it is none of this cell's"
    if asker.cluster != cluster:
        yield f"instance {instance} is a node of {asker.cluster or 'no cluster'}, and asked {cluster}'s authority"


def _of_request(request: x509.CertificateSigningRequest, asker: Asker) -> Iterator[str]:
    wanted = profile.subject(f"node-{asker.instance}")
    if request.subject != wanted:
        asked = request.subject.rfc4514_string() or "no name"
        yield f"the request is for {asked}; {asker.instance} may have {wanted.rfc4514_string()} alone"
    yield from _of_extensions(request)
    allowed = {profile.node_name(asker.instance, asker.cluster), *asker.addresses}
    asked_names = _names(request)
    if others := sorted(asked_names - allowed):
        yield f"the request is for {', '.join(others)}; {asker.instance} may have {', '.join(sorted(allowed))} alone"
    if outside := sorted(name for name in asked_names & set(asker.addresses) if not profile.permitted(name)):
        yield f"the request is for {', '.join(outside)}: an authority certifies addresses of private networks alone"
    if not asked_names & set(asker.addresses):
        yield f"the request names no address: nodes are called by theirs ({', '.join(asker.addresses) or 'none yet'})"


def _of_extensions(request: x509.CertificateSigningRequest) -> Iterator[str]:
    try:
        extensions = list(request.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        yield f"the request's extensions can't be read: {error}"
        return
    for extension in extensions:
        match extension.value:
            case x509.BasicConstraints(ca=True):
                yield "the request is for an authority: only leaves are signed"
            case x509.KeyUsage(key_cert_sign=True) | x509.KeyUsage(crl_sign=True):
                yield "the request is for a key that signs certificates: only leaves are signed"
            case x509.SubjectAlternativeName() | x509.BasicConstraints():
                continue
            case other:
                yield (
                    f"the request asks for {other.oid.dotted_string}, and the profile says what a certificate holds: "
                    "make it without -addext, and without req_extensions in openssl.cnf"
                )


def _parsed(pem: bytes) -> x509.CertificateSigningRequest:
    if len(pem) > LONGEST:
        raise RequestRefused(f"the request has {len(pem)} bytes, at most {LONGEST} are read")
    try:
        request = x509.load_pem_x509_csr(pem)
        if not isinstance(request.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
            raise RequestRefused("the request is signed with a weak digest: SHA-256 or longer it has to be")
        if not request.is_signature_valid:
            raise RequestRefused("the request is not signed by its own key")
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise RequestRefused(f"this is no certificate request in PEM: {error}") from error
    return request


def _key(request: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RequestRefused(f"the request's key can't be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        kind = f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.strip("_")
        raise RequestRefused(
            f"the request's key is {kind}: only EC P-256 is signed (-newkey ec -pkeyopt ec_paramgen_curve:P-256)"
        )
    return key


def _names(request: x509.CertificateSigningRequest) -> set[str]:
    """Every alternative name as text; kinds other than DNS and IP keep their kind, so that they match nothing."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(one.value) if isinstance(one, x509.DNSName | x509.IPAddress) else repr(one) for one in names}


def _addresses_asked(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(str(one) for one in names.get_values_for_type(x509.IPAddress))
