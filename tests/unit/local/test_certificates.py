"""What the owner of a local cluster brings: an authority that signs what its nodes may have, and nothing else."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from vagus.certificates import profile
from vagus_local.certificates import CLIENTS, Authority, RequestRefused, create_authority

CLUSTER, INSTANCE, ADDRESS = "claims", "i-0123456789abcdef0", "127.23.1.10"
NAME = profile.node_name(INSTANCE, CLUSTER)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return create_authority(tmp_path_factory.mktemp("certificates") / CLUSTER)


def request(common: str = f"node-{INSTANCE}", name: str = NAME, address: str = ADDRESS) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(profile.subject(common))
    signed = builder.add_extension(names, critical=False).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def test_a_node_gets_a_chain_that_verifies_for_its_address_and_name(authority: Authority) -> None:
    chain = authority.sign_request(request(), INSTANCE, ADDRESS)
    leaf, issuer = x509.load_pem_x509_certificates(chain.encode())
    for subject in (x509.IPAddress(ipaddress.ip_address(ADDRESS)), x509.DNSName(NAME)):
        PolicyBuilder().store(Store([issuer])).build_server_verifier(subject).verify(leaf, [])
    assert leaf.subject.rfc4514_string() == f"CN=node-{INSTANCE},O=vagus"
    assert issuer == x509.load_pem_x509_certificate(authority.ca.read_bytes())


@pytest.mark.parametrize(
    "asked",
    [
        {"common": "admin"},
        {"common": "node-i-00000000000000000"},
        {"address": "127.23.1.11"},
        {"name": profile.node_name(INSTANCE, "patients")},
    ],
    ids=["the admin's subject", "another node's subject", "another address", "another cluster's name"],
)
def test_refused_is_a_request_for(authority: Authority, asked: dict[str, str]) -> None:
    with pytest.raises(RequestRefused):
        authority.sign_request(request(**asked), INSTANCE, ADDRESS)


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
