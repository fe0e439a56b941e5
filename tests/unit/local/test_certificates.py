"""The throw-away authority signs what a node may have, and nothing else."""

import ipaddress
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from vagus_local.certificates import CLIENTS, Authority, RequestRefused, create_authority

INSTANCE, ADDRESS = "i-0123456789abcdef0", "127.23.1.10"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return create_authority(tmp_path_factory.mktemp("authority") / "certificates")


def name(common: str, organization: str = "vagus") -> x509.Name:
    oid = x509.oid.NameOID
    return x509.Name(
        [x509.NameAttribute(oid.ORGANIZATION_NAME, organization), x509.NameAttribute(oid.COMMON_NAME, common)]
    )


def request(
    subject: x509.Name | None = None,
    names: list[x509.GeneralName] | None = None,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or name(f"node-{INSTANCE}"))
    asked = [x509.DNSName(INSTANCE), x509.IPAddress(ipaddress.ip_address(ADDRESS))] if names is None else names
    if asked:
        builder = builder.add_extension(x509.SubjectAlternativeName(asked), critical=False)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def test_a_node_gets_a_chain_that_verifies_for_its_address(authority: Authority) -> None:
    leaf, issuer = x509.load_pem_x509_certificates(authority.sign_request(request(), INSTANCE, ADDRESS))
    verifier = PolicyBuilder().store(Store([issuer]))
    verifier.build_server_verifier(x509.IPAddress(ipaddress.ip_address(ADDRESS))).verify(leaf, [])
    assert leaf.subject.rfc4514_string() == f"CN=node-{INSTANCE},O=vagus"
    assert issuer == x509.load_pem_x509_certificate(authority.ca.read_bytes())


@pytest.mark.parametrize(
    ("asks_for", "pem"),
    [
        ("the admin's subject", lambda: request(subject=name("admin"))),
        ("another node's subject", lambda: request(subject=name("node-i-00000000000000000"))),
        ("another organization", lambda: request(subject=name(f"node-{INSTANCE}", "other"))),
        (
            "another address",
            lambda: request(names=[x509.DNSName(INSTANCE), x509.IPAddress(ipaddress.ip_address("127.23.1.11"))]),
        ),
        (
            "one name more",
            lambda: request(
                names=[
                    x509.DNSName(INSTANCE),
                    x509.DNSName("other"),
                    x509.IPAddress(ipaddress.ip_address(ADDRESS)),
                ]
            ),
        ),
        (
            "a name of another kind",
            lambda: request(
                names=[
                    x509.DNSName(INSTANCE),
                    x509.IPAddress(ipaddress.ip_address(ADDRESS)),
                    x509.RFC822Name("a@example.org"),
                ]
            ),
        ),
        ("no name at all", lambda: request(names=[])),
        ("a key on another curve", lambda: request(key=ec.generate_private_key(ec.SECP384R1()))),
        ("an RSA key", lambda: request(key=rsa.generate_private_key(65537, 2048))),
        ("nothing that can be read", lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_is_a_request_for(authority: Authority, asks_for: str, pem: Callable[[], bytes]) -> None:
    with pytest.raises(RequestRefused):
        authority.sign_request(pem(), INSTANCE, ADDRESS)


def test_a_request_that_was_tampered_with_is_refused(authority: Authority) -> None:
    der = bytearray(x509.load_pem_x509_csr(request()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    tampered = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(RequestRefused, match="signed by its own key"):
        authority.sign_request(tampered, INSTANCE, ADDRESS)


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_have_subjects_that_roles_are_mapped_to_and_keys_that_only_the_owner_reads(
    authority: Authority, client: str
) -> None:
    paths = authority.client(client)
    certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    assert certificate.subject.rfc4514_string() == f"CN={client},O=vagus"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert paths.key.stat().st_mode & 0o077 == 0
    assert paths.key.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----"), "PKCS#8"


def test_an_authority_is_made_once(authority: Authority) -> None:
    before = authority.ca.read_bytes()
    assert create_authority(authority.folder).ca.read_bytes() == before
    assert authority.folder.stat().st_mode & 0o077 == 0
