"""The profile, judged by a linter that knows nothing of how it is made: pkilint's rules of RFC 5280."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity
from tests.unit.certificates.parts import ADDRESS, CLUSTER, NAME, NOW, trusted
from tests.unit.certificates.test_profile import KINDS, made

from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.certificates import profile
from vagus.certificates.profile import Kind

RULES = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
"""As its command `lint_pkix_cert` has them."""


def linted(pem: str) -> set[str]:
    """The codes of its findings, from a notice to what is fatal: what it only informs of is left out."""
    document = loader.RFC5280CertificateDocumentLoader().load_pem_document(pem, "certificate")
    found = [one.finding for result in RULES.validate(document.root) for one in result.finding_descriptions]
    return {one.code for one in found if one.severity <= ValidationFindingSeverity.NOTICE}


def test_nothing_is_found_in_an_authority() -> None:
    assert linted(trusted(FakeAuthorityKeys(CLUSTER)).bundle) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_a_leaf(kind: Kind) -> None:
    keys = FakeAuthorityKeys(CLUSTER)
    names = (NAME, ADDRESS) if kind == "node" else ()
    assert linted(profile.pem(made(keys, trusted(keys).signer, *names, kind=kind))) == set()


def test_what_breaks_the_standard_is_found() -> None:
    """An authority whose limits are not critical, without key usage and its key's identifier."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.fromtimestamp(NOW, dt.UTC)
    own = profile.subject("some authority")
    wrong = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=False)
        .add_extension(x509.NameConstraints([x509.DNSName("vagus.internal")], None), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert linted(profile.pem(wrong)) == {
        "pkix.basic_constraints_extension_not_critical",
        "pkix.ca_certificate_no_ku_extension",
        "pkix.certificate_name_constraints_extension_not_critical",
        "pkix.certificate_skid_ca_missing",
    }
