"""A certificate in moto's ACM, in this process, and the fake that lies beside: imported by people, then by us.

The emulated AWS of the other tests has an ACM too, which reads no certificate: neither names, serial nor end. moto
reads them, and does not keep ACM's rules of importing anew (the kind of key stays, uses are not added); the fake does.
"""

import time
from collections.abc import Callable, Iterator

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws
from tests.unit.certificates.world import first_certificate

from vagus.aws.clients import Clients
from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.aws.fake_gateways import FakeImported
from vagus.aws.gateways import PAUSE, TRIES, AcmCertificates
from vagus.certificates.clients import Pair, new_client
from vagus.certificates.issuing import new_authority
from vagus.errors import Refused, Unreachable
from vagus.ports import ImportedCertificates
from vagus.trust import Trust

CLUSTER, REGION, NAME = "one", "eu-central-1", "search.one.vagus.internal"
ARN = f"arn:aws:acm:{REGION}:123456789012:certificate/00000000-0000-0000-0000-000000000000"
Acm = tuple[ImportedCertificates, Callable[[], str]]
"""The port, and what imports the first by hand: its ARN."""


@pytest.fixture(params=["fake", "moto"])
def acm(request: pytest.FixtureRequest) -> Iterator[Acm]:
    certificate, key = first_certificate((NAME,), time.time())
    if request.param == "fake":
        fake = FakeImported(time.time)
        yield fake, lambda: (fake.first(ARN, certificate, key), ARN)[1]
        return
    with mock_aws():
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)

        def first() -> str:
            made = session.client("acm").import_certificate(Certificate=certificate.encode(), PrivateKey=key.encode())
            return str(made["CertificateArn"])

        yield AcmCertificates(Clients(session)), first


def _issued(now: float) -> tuple[Pair, str]:
    """A gateway's certificate, and its authority's."""
    keys = FakeAuthorityKeys(CLUSTER)
    made = new_authority(keys, CLUSTER, Trust(), "0123456789abcdef", now)
    trust = Trust(authorities=(made,), signs=1)
    return new_client(keys, CLUSTER, trust, NAME, now=now, days=90, kind="gateway", names=(NAME,)), made.certificate


def test_what_people_imported_is_told_and_replaced_under_its_arn(acm: Acm) -> None:
    port, first = acm
    arn = first()
    before = port.of(arn)
    assert (before.key, before.by_people) == ("EC_prime256v1", True)
    pair, authority = _issued(time.time())
    told = port.replace(arn, pair.certificate, pair.key, authority, pair.serial)
    assert (told.serial, told.begins, told.ends) == (pair.serial, pair.begins, pair.ends)
    assert port.of(arn) == told
    assert told.serial != before.serial


def test_an_arn_that_nobody_made_is_refused(acm: Acm) -> None:
    port, _ = acm
    pair, authority = _issued(time.time())
    with pytest.raises(Refused):
        port.of(ARN)
    with pytest.raises(Refused):
        port.replace(ARN, pair.certificate, pair.key, authority, pair.serial)


def test_the_fake_keeps_acms_rules_of_importing_anew() -> None:
    fake, now = FakeImported(time.time), time.time()
    fake.first(ARN, *first_certificate((NAME,), now, ec.SECP384R1()))
    pair, authority = _issued(now)
    with pytest.raises(Refused, match="key type and size cannot be changed"):
        fake.replace(ARN, pair.certificate, pair.key, authority, pair.serial)
    fake.first(ARN, *first_certificate((NAME,), now))
    other, _ = _issued(now)
    with pytest.raises(Refused, match="not that of the certificate"):
        fake.replace(ARN, pair.certificate, other.key, authority, pair.serial)


class Slow:
    """A client of ACM that takes what is imported, and tells of it after so many questions."""

    def __init__(self, after: int) -> None:
        self.left = after

    def import_certificate(self, **_: object) -> None: ...

    def describe_certificate(self, **_: object) -> dict[str, dict[str, str]]:
        self.left -= 1
        return {"Certificate": {"Serial": "0a:bc" if self.left >= 0 else "00:de:f0", "Type": "IMPORTED"}}


@pytest.mark.parametrize("after", [0, 3, 1000])
def test_it_is_asked_until_acm_tells_of_what_was_imported(after: int) -> None:
    clients, paused = Clients(), list[float]()
    clients.__dict__["acm"] = Slow(after)
    port = AcmCertificates(clients, pause=paused.append)
    if after > TRIES:
        with pytest.raises(Unreachable, match="5 s later"):
            port.replace(ARN, "pem", "key", "chain", "def0")
    else:
        assert port.replace(ARN, "pem", "key", "chain", "def0").serial == "def0"
    assert paused == [PAUSE] * min(after, TRIES)
