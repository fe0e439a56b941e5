"""Whether a key, a leaf and a bundle fit one another and their pod, and what a new request is. Pure but for the key,
which is made here."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vagus.certificates import profile
from vagus_agent.shelf import Asking, Held

LEAST = timedelta(hours=1)
"""A certificate that ends sooner is replaced unasked, as a node on EC2 does when it boots."""

TIME = "%Y-%m-%d %H:%M:%SZ"


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The pod, in the words of the downward API."""

    pod: str
    address: str
    cluster: str

    @property
    def names(self) -> tuple[str, str]:
        """What its certificate is for."""
        return profile.node_name(self.pod, self.cluster), self.address


def new(me: Me, steps: tuple[str, ...]) -> Asking:
    """A new key, and a request of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    request = profile.request(f"node-{me.pod}", me.names, key).decode()
    return Asking(key=encoded, request=request, steps=steps)


def parts(chain: str) -> tuple[str, str]:
    """A chain's leaf, and all that follows it: what is trusted."""
    begin = "-----BEGIN CERTIFICATE-----"
    leaf, *others = [f"{begin}{one}" for one in chain.split(begin)[1:]] or [""]
    return leaf, "".join(others)


def misfit(held: Held, me: Me, now: float) -> str:
    """Why this is not to be served, and another is to be asked for; "" if it fits. `now`: epoch seconds."""
    try:
        key = serialization.load_pem_private_key(held.key, None)
        leaf = x509.load_pem_x509_certificate(held.leaf.encode())
        bundle = x509.load_pem_x509_certificates(held.bundle.encode())
    except (ValueError, TypeError) as error:
        return f"its files can't be read: {error}"
    return next(_wrong(key.public_key(), leaf, bundle, me, datetime.fromtimestamp(now, UTC)), "")


def early(leaf: str, now: float) -> str:
    """Why a certificate is not to be served yet; "" if it has begun. That is no misfit: another would begin later."""
    begins, here = x509.load_pem_x509_certificate(leaf.encode()).not_valid_before_utc, datetime.fromtimestamp(now, UTC)
    if begins <= here:
        return ""
    return f"it begins at {begins:{TIME}}, and the clock here says {here:{TIME}}: put this machine's clock right"


def _wrong(key: object, leaf: x509.Certificate, bundle: list[x509.Certificate], me: Me, now: datetime) -> Iterator[str]:
    if leaf.public_key() != key:
        yield "its key is another one"
    if not any(_signed(leaf, one) and one.not_valid_after_utc > now for one in bundle):
        yield "it is not signed by a trusted authority"
    if leaf.not_valid_after_utc - LEAST <= now:
        yield "it ends within the hour"
    if missing := [one for one in me.names if one not in _names(leaf)]:
        yield f"it is not for {', '.join(missing)}"


def _signed(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(leaf: x509.Certificate) -> set[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(one.value) for one in names if isinstance(one, x509.DNSName | x509.IPAddress)}
