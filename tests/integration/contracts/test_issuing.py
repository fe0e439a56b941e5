"""What the issuer has of AWS, and the fakes that lie beside: keys that sign, requests and answers, who asks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.integration.emulator.support import Aws, until

from vagus.aws.certificates import Ec2Askers, KmsAuthorityKeys, S3Requests
from vagus.aws.clients import Clients
from vagus.aws.fake_certificates import FakeAskers, FakeAuthorityKeys, FakeRequests
from vagus.errors import Refused
from vagus.instances import Asker
from vagus.ports import Askers, AuthorityKeys, Requests
from vagus.trust import Slot

CLUSTER, CELL = "one", "local"
DIGEST = hashlib.sha256(b"to be signed").digest()
KEY = "requests/AROAEXAMPLE:i-0123456789abcdef0.csr"


def _real_keys(aws: Aws, clients: Clients) -> AuthorityKeys:
    """Two keys behind the aliases, as a cluster's template is to make them."""
    for slot in "ab":
        made = aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        alias = f"alias/vagus/{CELL}/{CLUSTER}/authority-{slot}"
        aws.kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    return KmsAuthorityKeys(clients, CELL)


@pytest.fixture(params=["fake", "kms"])
def keys(request: pytest.FixtureRequest) -> AuthorityKeys:
    if request.param == "fake":
        return FakeAuthorityKeys(CLUSTER)
    return _real_keys(request.getfixturevalue("aws"), request.getfixturevalue("clients"))


def _public(keys: AuthorityKeys, slot: Slot) -> ec.EllipticCurvePublicKey:
    found = serialization.load_der_public_key(keys.public(CLUSTER, slot))
    assert isinstance(found, ec.EllipticCurvePublicKey)
    return found


def test_a_slot_signs_a_digest_with_its_own_key_on_p_256(keys: AuthorityKeys) -> None:
    public = _public(keys, "a")
    assert isinstance(public.curve, ec.SECP256R1)
    public.verify(keys.sign(CLUSTER, "a", DIGEST), b"to be signed", ec.ECDSA(hashes.SHA256()))
    assert _public(keys, "a") == public


def test_the_slots_have_different_keys(keys: AuthorityKeys) -> None:
    with pytest.raises(InvalidSignature):
        _public(keys, "b").verify(keys.sign(CLUSTER, "a", DIGEST), b"to be signed", ec.ECDSA(hashes.SHA256()))


def test_what_is_no_sha_256_digest_is_refused(keys: AuthorityKeys) -> None:
    with pytest.raises(Refused):
        keys.sign(CLUSTER, "a", DIGEST[:-1])


def test_a_cluster_without_keys_is_refused(keys: AuthorityKeys) -> None:
    with pytest.raises(Refused):
        keys.public("two", "a")
    with pytest.raises(Refused):
        keys.sign("two", "a", DIGEST)


@dataclass(frozen=True)
class Placed:
    """The port, a bucket, and how a node puts its request there."""

    port: Requests
    bucket: str
    put: Callable[[bytes], object]


@pytest.fixture(params=["fake", "s3"])
def placed(request: pytest.FixtureRequest) -> Placed:
    if request.param == "fake":
        fake = FakeRequests()
        return Placed(fake, "one", lambda pem: fake.objects.update({("one", KEY): pem}))
    aws: Aws = request.getfixturevalue("aws")
    bucket = f"vagus-one-{aws.account}"  # names of buckets are one world's, whatever the account
    aws.s3.create_bucket(Bucket=bucket)
    real = S3Requests(request.getfixturevalue("clients"))
    return Placed(real, bucket, lambda pem: aws.s3.put_object(Bucket=bucket, Key=KEY, Body=pem))


def test_a_request_is_read_as_it_was_put(placed: Placed) -> None:
    assert placed.port.read(placed.bucket, KEY) is None
    placed.put(b"first\n")
    placed.put(b"second\n")
    assert placed.port.read(placed.bucket, KEY) == b"second\n"


def test_the_last_answer_stands(placed: Placed) -> None:
    placed.port.answer(placed.bucket, "certificates/x.pem", b"first")
    placed.port.answer(placed.bucket, "certificates/x.pem", b"second")
    assert placed.port.read(placed.bucket, "certificates/x.pem") == b"second"


@pytest.fixture(params=["fake", "ec2"])
def asked(request: pytest.FixtureRequest) -> tuple[Askers, str]:
    """The port, and a running node of the cluster."""
    if request.param == "fake":
        one = Asker(
            instance="i-0123456789abcdef0", state="running", addresses=("10.0.1.7",), cell=CELL, cluster=CLUSTER
        )
        return FakeAskers(one), one.instance
    aws: Aws = request.getfixturevalue("aws")
    tags = {"cluster": CLUSTER, "cell": CELL}
    tagged = [{"Key": f"vagus:{key}", "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()]
    aws.group(DesiredCapacity=1, Tags=tagged)
    (instance,) = until(lambda: aws.in_service())
    return Ec2Askers(request.getfixturevalue("clients")), instance


def test_ec2_says_whose_node_an_instance_is_and_where_it_answers(asked: tuple[Askers, str]) -> None:
    askers, instance = asked
    found = askers.of(instance)
    assert found is not None
    assert (found.instance, found.state, found.cell, found.cluster) == (instance, "running", CELL, CLUSTER)
    assert len(found.addresses) == 1


def test_nobody_is_known_by_another_id(asked: tuple[Askers, str]) -> None:
    assert asked[0].of("i-0ffffffffffffffff") is None
