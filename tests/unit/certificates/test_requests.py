"""Who may have what: the table of refusals, and the one request that is signed."""

import base64
import random

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.certificates.parts import (
    ADDRESS,
    ASKER,
    CELL,
    CLUSTER,
    INSTANCE,
    NAME,
    alternative,
    request,
    subject,
)

from vagus.certificates.requests import RequestRefused, checked
from vagus.instances import Asker


def _asker(**changed: object) -> Asker:
    return msgspec.structs.replace(ASKER, **changed)


def _tampered() -> bytes:
    der = bytearray(x509.load_pem_x509_csr(request()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, signs, False, False, False)


X400 = bytes.fromhex("3004a3020500")
"""Alternative names in DER: one x400Address, which `cryptography` doesn't read."""


def _requests_with(names: bytes) -> bytes:
    return request(names=[], more=[x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, names)])


def _of_version(number: int) -> bytes:
    """A request whose version field says something else. Its signature can't be right, but nobody gets that far."""
    der = bytearray(x509.load_pem_x509_csr(request()).public_bytes(serialization.Encoding.DER))
    at = der.index(b"\x02\x01\x00")
    der[at + 2] = number
    body = base64.encodebytes(bytes(der)).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode()


OTHER = "i-0fedcba9876543210"

# sentence: (request, what EC2 says of the asker, words of the refusal)
REFUSALS: dict[str, tuple[bytes, Asker | None, str]] = {
    "an instance that EC2 does not know": (request(), None, "there is no instance"),
    "another instance's answer": (request(), _asker(instance=OTHER), "there is no instance"),
    "an instance that is gone": (request(), _asker(state="terminated"), "is terminated"),
    "one that is shutting down": (request(), _asker(state="shutting-down"), "is shutting-down"),
    "an instance of another cell": (request(), _asker(cell="test"), "none of this cell's"),
    "an instance without a cell": (request(), _asker(cell=""), "none of this cell's"),
    "another cluster's node": (request(), _asker(cluster="patients"), "is a node of patients"),
    "an instance of no cluster": (request(), _asker(cluster=""), "is a node of no cluster"),
    "the admin's subject": (request(subject("admin")), ASKER, "is for CN=admin,O=vagus"),
    "the subject of Vagus's functions": (request(subject("vagus-write")), ASKER, "is for CN=vagus-write"),
    "another node's subject": (request(subject(f"node-{OTHER}")), ASKER, f"may have CN=node-{INSTANCE}"),
    "another organization": (request(subject(f"node-{INSTANCE}", "other")), ASKER, "O=other"),
    "no subject": (request(x509.Name([])), ASKER, "is for no name"),
    "another address": (request(names=alternative(NAME, "10.42.1.8")), ASKER, "is for 10.42.1.8"),
    "an address more": (request(names=alternative(NAME, ADDRESS, "10.42.1.8")), ASKER, "is for 10.42.1.8"),
    "another node's name": (request(names=alternative(f"{OTHER}.{CLUSTER}.vagus.internal", ADDRESS)), ASKER, OTHER),
    "every name below the domain": (request(names=alternative(f"*.{CLUSTER}.vagus.internal", ADDRESS)), ASKER, "[*]"),
    "a name of the world": (request(names=alternative("example.org", ADDRESS)), ASKER, "example.org"),
    "a URI": (
        request(names=[*alternative(NAME, ADDRESS), x509.UniformResourceIdentifier("spiffe://x")]),
        ASKER,
        "spiffe://x",
    ),
    "an address of the world, though it is the instance's own": (
        request(names=alternative(NAME, "203.0.113.7")),
        _asker(addresses=("203.0.113.7",)),
        "private networks alone",
    ),
    "names of a kind that nobody reads": (_requests_with(X400), ASKER, "extensions can't be read"),
    "a request of another version": (_of_version(7), ASKER, "no certificate request in PEM"),
    "no address": (request(names=alternative(NAME)), ASKER, "names no address"),
    "no names at all": (request(names=[]), ASKER, "names no address"),
    "an authority": (request(more=[x509.BasicConstraints(ca=True, path_length=0)]), ASKER, "only leaves are signed"),
    "a key that signs certificates": (request(more=[_usage(signs=True)]), ASKER, "only leaves are signed"),
    "a usage of its own choice": (
        request(more=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])]),
        ASKER,
        "the profile says",
    ),
    "a short RSA key": (request(key=rsa.generate_private_key(65537, 1024)), ASKER, "only EC P-256"),  # noqa: S505  (on purpose)
    "a long RSA key": (request(key=rsa.generate_private_key(65537, 2048)), ASKER, "only EC P-256"),
    "another curve": (request(key=ec.generate_private_key(ec.SECP384R1())), ASKER, "only EC P-256"),
    "an Edwards key": (request(key=ed25519.Ed25519PrivateKey.generate()), ASKER, "weak digest|only EC P-256"),
    "a request that its key did not sign": (_tampered(), ASKER, "not signed by its own key"),
    "no request at all": (b"-----BEGIN NOTHING-----", ASKER, "no certificate request in PEM"),
    "a certificate in its place": (b"", ASKER, "no certificate request in PEM"),
    "a request that never ends": (b"x" * 20_000, ASKER, "at most 16384 are read"),
}


@pytest.mark.parametrize(("pem", "asker", "words"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refused(pem: bytes, asker: Asker | None, words: str) -> None:
    with pytest.raises(RequestRefused, match=words):
        checked(pem, INSTANCE, CLUSTER, CELL, asker)


@pytest.mark.parametrize("state", ["pending", "running"])
def test_a_nodes_own_request_is_sound(state: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    sound = checked(request(key=key), INSTANCE, CLUSTER, CELL, _asker(state=state))
    assert (sound.common, sound.names) == (f"node-{INSTANCE}", (NAME, ADDRESS))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert sound.key == public


def test_a_second_address_of_the_instance_may_be_asked_for() -> None:
    two = _asker(addresses=(ADDRESS, "10.42.1.9"))
    sound = checked(request(names=alternative(NAME, ADDRESS, "10.42.1.9")), INSTANCE, CLUSTER, CELL, two)
    assert sound.names == (NAME, ADDRESS, "10.42.1.9")


def test_a_weak_digest_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject(f"node-{INSTANCE}"))
    names = x509.SubjectAlternativeName(alternative(NAME, ADDRESS))
    weak = builder.add_extension(names, critical=False).sign(key, hashes.SHA224())
    with pytest.raises(RequestRefused, match="weak digest"):
        checked(weak.public_bytes(serialization.Encoding.PEM), INSTANCE, CLUSTER, CELL, ASKER)


ASKED = st.lists(
    st.sampled_from([NAME, ADDRESS, "10.42.1.8", "*.claims.vagus.internal", "claims.vagus.internal", "example.org"]),
    max_size=4,
    unique=True,
)
COMMON = st.sampled_from([f"node-{INSTANCE}", f"node-{OTHER}", "admin", "vagus-write", f"node-{INSTANCE.upper()}"])
ONE_KEY = ec.generate_private_key(ec.SECP256R1())


@given(common=COMMON, names=ASKED, cluster=st.sampled_from([CLUSTER, "patients"]))
@settings(deadline=None, max_examples=200)
def test_whatever_is_asked_for_only_the_askers_own_is_signed(common: str, names: list[str], cluster: str) -> None:
    pem = request(subject(common), alternative(*names), ONE_KEY)
    own = common == f"node-{INSTANCE}" and cluster == CLUSTER and ADDRESS in names and set(names) <= {NAME, ADDRESS}
    try:
        sound = checked(pem, INSTANCE, CLUSTER, CELL, _asker(cluster=cluster))
    except RequestRefused:
        assert not own
    else:
        assert own
        assert (sound.common, sound.names) == (f"node-{INSTANCE}", (NAME, ADDRESS))


GOOD = x509.load_pem_x509_csr(request(key=ONE_KEY)).public_bytes(serialization.Encoding.DER)


@given(seed=st.integers(0, 2**32), harm=st.integers(1, 4))
@settings(deadline=None, max_examples=400)
def test_a_harmed_request_is_refused_and_breaks_nothing(seed: int, harm: int) -> None:
    """Each byte is under the signature or is the signature: none may be changed, and no parser's error gets out."""
    chosen, der = random.Random(seed), bytearray(GOOD)  # noqa: S311  (no secret)
    for at in chosen.sample(range(len(der)), harm):
        der[at] ^= chosen.randrange(1, 256)
    body = base64.encodebytes(bytes(der)).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode()
    with pytest.raises(RequestRefused):
        checked(pem, INSTANCE, CLUSTER, CELL, ASKER)


@given(pem=st.binary(max_size=200))
@settings(deadline=None)
def test_noise_is_refused(pem: bytes) -> None:
    with pytest.raises(RequestRefused):
        checked(pem, INSTANCE, CLUSTER, CELL, ASKER)
