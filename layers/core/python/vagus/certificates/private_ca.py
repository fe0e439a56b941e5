"""A private CA of AWS as a cluster's authority, in place of a key in KMS: it signs requests, by templates of its own.

Nothing that it answers is believed: a leaf that is not what was asked for is not handed on.
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from vagus.certificates import profile
from vagus.errors import Refused
from vagus.ports import PrivateAuthorities, Use
from vagus.trust import Authority, Trust

LATER = timedelta(minutes=5)
"""A leaf may end so much later than asked for: clocks differ."""


def adopted(authorities: PrivateAuthorities, cluster: str, trust: Trust) -> Authority:
    """The authority of the next generation: the private CA that does not sign now. Raises `Refused` for one that nodes
    could not trust, or could not tell from another."""
    slot, generation = trust.free_slot, trust.newest + 1
    made = x509.load_pem_x509_certificate(authorities.certificate(cluster, slot))
    subject = made.subject.rfc4514_string()
    if made.issuer != made.subject:
        raise Refused(f"the private CA {subject} is signed by {made.issuer.rfc4514_string()}: it has to be a root CA")
    if not _signs(made):
        raise Refused(f"the private CA {subject} may sign no certificates (basic constraints)")
    name = profile.name_digest(made.subject)
    if name in trust.names:
        raise Refused(f"two private CAs of {cluster} are named {subject}: nodes could not tell them apart")
    return Authority(
        generation=generation,
        slot=slot,
        name=name,
        subject=subject,
        certificate=profile.pem(made),
        begins=made.not_valid_before_utc.timestamp(),
        ends=made.not_valid_after_utc.timestamp(),
    )


def leaf(
    authorities: PrivateAuthorities,
    cluster: str,
    signer: Authority,
    kind: profile.Kind,
    request: bytes,
    names: tuple[str, ...],
    *,
    now: float,
    days: float,
) -> x509.Certificate:
    """The leaf of a sound request (PEM), whose names are these at most. `now`: epoch seconds. Raises `Refused` where
    the private CA that is declared is not the authority that signs, or answers with another leaf."""
    issuer = x509.load_pem_x509_certificate(signer.certificate.encode())
    ends = min(datetime.fromtimestamp(now, UTC) + timedelta(days=days), issuer.not_valid_after_utc)
    use: Use = kind if kind in ("node", "gateway") else "client"
    answer = authorities.issue(cluster, signer.slot, request, use, _algorithm(issuer), ends.timestamp())
    made = x509.load_pem_x509_certificate(answer)
    if wrong := _wrong(made, x509.load_pem_x509_csr(request), issuer, kind, names, ends):
        raise Refused(f"the private CA of {cluster} answered with another certificate than was asked for: {wrong}")
    return made


def _algorithm(issuer: x509.Certificate) -> str:
    """As Private CA names it: of the kind of the authority's own key."""
    match issuer.public_key():
        case ec.EllipticCurvePublicKey():
            return "SHA256WITHECDSA"
        case rsa.RSAPublicKey():
            return "SHA256WITHRSA"
        case _:
            raise Refused(f"the key of {issuer.subject.rfc4514_string()} is neither EC nor RSA")


def _wrong(
    made: x509.Certificate,
    request: x509.CertificateSigningRequest,
    issuer: x509.Certificate,
    kind: profile.Kind,
    names: tuple[str, ...],
    ends: datetime,
) -> str:
    """What is not as asked; empty if nothing."""
    try:
        made.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return f"it is not signed by {issuer.subject.rfc4514_string()}. See certificates.private_cas in the fleet file"
    if made.public_key() != request.public_key():
        return "its key is another"
    if made.subject != request.subject:
        return f"its subject is {made.subject.rfc4514_string()}"
    if others := sorted(_names(made) ^ _names(request)) or sorted(_names(made) - set(names)):
        return f"its names differ by {', '.join(others)}"
    if _signs(made):
        return "it may sign certificates"
    if _uses(made) != set(profile.USES[kind]):
        return f"its uses are not those of a {kind}"
    return f"it ends {made.not_valid_after_utc:%Y-%m-%d %H:%M}Z" if made.not_valid_after_utc > ends + LATER else ""


def _signs(made: x509.Certificate) -> bool:
    try:
        return made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _uses(made: x509.Certificate) -> set[x509.ObjectIdentifier]:
    try:
        return set(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set()


def _names(made: x509.Certificate | x509.CertificateSigningRequest) -> set[str]:
    try:
        found = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(one.value) if isinstance(one, x509.DNSName | x509.IPAddress) else repr(one) for one in found}
