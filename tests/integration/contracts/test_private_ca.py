"""A private CA of moto, in this process, and the fake that lies beside: a root that signs a node's request.

The emulated AWS of the other tests has none. moto knows the template of a node's leaf, and not that of a client's; and
it lets every leaf last a year.
"""

import time
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto import mock_aws
from tests.unit.certificates.parts import alternative

from vagus.aws.clients import Clients
from vagus.aws.fake_private_ca import FakePrivateAuthorities, Root
from vagus.aws.private_ca import PAUSE, TRIES, AcmPrivateAuthorities
from vagus.certificates import private_ca, profile
from vagus.certificates.issuing import new_authority
from vagus.errors import Refused, Unreachable
from vagus.ports import PrivateAuthorities
from vagus.trust import Trust

CLUSTER, REGION = "one", "eu-central-1"
DAYS = 397
NAMES = ("i-1.one.vagus.internal", "10.42.1.7")
UNKNOWN = f"arn:aws:acm-pca:{REGION}:123456789012:certificate-authority/00000000-0000-0000-0000-000000000000"


def _root(session: boto3.Session, common: str) -> str:
    """The ARN of a root CA as its owners make one: created, signed by itself, and put in place."""
    acm = session.client("acm-pca")
    made = acm.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "RSA_2048",
            "SigningAlgorithm": "SHA256WITHRSA",
            "Subject": {"CommonName": common},
        },
        CertificateAuthorityType="ROOT",
    )
    arn = str(made["CertificateAuthorityArn"])
    own = acm.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=acm.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"].encode(),
        SigningAlgorithm="SHA256WITHRSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Type": "DAYS", "Value": 3650},
    )
    signed = acm.get_certificate(CertificateAuthorityArn=arn, CertificateArn=own["CertificateArn"])
    acm.import_certificate_authority_certificate(
        CertificateAuthorityArn=arn, Certificate=signed["Certificate"].encode()
    )
    return arn


@pytest.fixture(params=["fake", "moto"])
def authorities(request: pytest.FixtureRequest) -> Iterator[PrivateAuthorities]:
    if request.param == "fake":
        now = time.time()
        yield FakePrivateAuthorities(
            CLUSTER, *(Root(name, rsa.generate_private_key(65537, 2048), now) for name in "ab")
        )
        return
    with mock_aws():
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        declared = {CLUSTER: (_root(session, "a"), _root(session, "b")), "two": (UNKNOWN,)}
        yield AcmPrivateAuthorities(Clients(session), declared)


def _request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(profile.subject("node-i-1"))
    made = made.add_extension(x509.SubjectAlternativeName(alternative(*NAMES)), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_both_slots_are_adopted_and_sign_what_was_asked_for(authorities: PrivateAuthorities) -> None:
    now = time.time()
    first = new_authority(authorities, CLUSTER, Trust(), "", now)
    second = new_authority(authorities, CLUSTER, Trust(authorities=(first,), signs=1), "", now)
    assert (first.subject, second.subject) == ("CN=a", "CN=b")
    for signer in (first, second):
        made = private_ca.leaf(authorities, CLUSTER, signer, "node", _request(), NAMES, now=now, days=DAYS)
        assert made.issuer.rfc4514_string() == signer.subject
        assert made.subject == profile.subject("node-i-1")


def test_the_wrong_one_of_the_two_is_found_out(authorities: PrivateAuthorities) -> None:
    now = time.time()
    first = new_authority(authorities, CLUSTER, Trust(), "", now)
    moved = msgspec.structs.replace(first, slot="b")
    with pytest.raises(Refused, match="it is not signed by CN=a"):
        private_ca.leaf(authorities, CLUSTER, moved, "node", _request(), NAMES, now=now, days=DAYS)


def test_one_that_is_not_there_is_refused(authorities: PrivateAuthorities) -> None:
    for cluster in ("two", "three"):
        with pytest.raises(Refused):
            authorities.certificate(cluster, "a")
        with pytest.raises(Refused):
            authorities.issue(cluster, "a", _request(), "node", "SHA256WITHRSA", time.time() + 86_400)


class Waiting:
    """A client of a private CA that takes its time: so many answers are "in progress"."""

    def __init__(self, answers: int) -> None:
        self.left = answers
        self.asked: dict[str, object] = {}

    def issue_certificate(self, **asked: object) -> dict[str, str]:
        self.asked = asked
        return {"CertificateArn": "arn:leaf"}

    def get_certificate(self, **_: object) -> dict[str, str]:
        self.left -= 1
        if self.left >= 0:
            raise ClientError({"Error": {"Code": "RequestInProgressException", "Message": "wait"}}, "GetCertificate")
        return {"Certificate": "pem"}


def _waiting(answers: int) -> tuple[Waiting, list[float], AcmPrivateAuthorities]:
    clients, paused = Clients(), list[float]()
    acm = Waiting(answers)
    clients.__dict__["private_ca"] = acm
    return acm, paused, AcmPrivateAuthorities(clients, {CLUSTER: (UNKNOWN,)}, pause=paused.append)


def test_it_is_waited_for_and_asked_by_its_template_and_a_token_of_the_request() -> None:
    acm, paused, authorities = _waiting(3)
    assert authorities.issue(CLUSTER, "a", b"pem", "client", "SHA256WITHECDSA", 1_800_000_000.5) == b"pem"
    assert paused == [PAUSE] * 3
    assert acm.asked["TemplateArn"] == "arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1"
    assert acm.asked["Validity"] == {"Type": "ABSOLUTE", "Value": 1_800_000_000}
    first = acm.asked["IdempotencyToken"]
    assert len(str(first)) == 36
    authorities.issue(CLUSTER, "a", b"pem", "client", "SHA256WITHECDSA", 1_800_000_000.5)
    assert acm.asked["IdempotencyToken"] == first


def test_what_takes_too_long_comes_again() -> None:
    _, paused, authorities = _waiting(1000)
    with pytest.raises(Unreachable, match="was not signed within 10 s"):
        authorities.issue(CLUSTER, "a", b"pem", "node", "SHA256WITHECDSA", 1_800_000_000)
    assert len(paused) == TRIES
