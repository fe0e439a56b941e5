"""A certificate in moto's ACM, in this process, and the fake that lies beside: imported by people, then by us.

The emulated AWS of the other tests has an ACM too, which reads no certificate: neither names, serial nor end. moto
reads them, and does not keep ACM's rules of importing anew (the kind of key stays, uses are not added); the fake does.
"""

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import boto3
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws
from tests.unit.certificates.world import first_certificate

from vagus import fleet, runtime
from vagus.aws.certificates import KmsAuthorityKeys
from vagus.aws.clients import Clients
from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.aws.fake_gateways import FakeImported
from vagus.aws.gateways import PAUSE, TRIES, AcmCertificates
from vagus.aws.tables import DynamoTable
from vagus.aws.wiring import Wiring
from vagus.certificates.clients import Pair, new_client
from vagus.certificates.issuing import new_authority
from vagus.errors import Refused, Unreachable
from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.policy import Certificates
from vagus.ports import ImportedCertificates
from vagus.procedure import rows
from vagus.procedure.rows import Head
from vagus.steps import ImportCertificate
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
    assert (before.key, before.by_people, before.names) == ("EC_prime256v1", True, (NAME,))
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


def test_acm_tells_of_uses_which_its_stand_in_does_not() -> None:
    """The shape is that of `DescribeCertificate` in ACM's API reference."""
    clients = Clients()
    named = {"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"}
    told = {"Certificate": {"Type": "IMPORTED", "ExtendedKeyUsages": [named, {"Name": "NONE"}]}}
    clients.__dict__["acm"] = SimpleNamespace(describe_certificate=lambda **_: told)
    assert AcmCertificates(clients).of(ARN).uses == ("1.3.6.1.5.5.7.3.1", "NONE")


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


# -- the function, whole: rows, keys, records and ACM of moto ----------------------------------------------------------

CELL = "prod"
ENVIRONMENT = {
    "VAGUS_CELL": CELL,
    "VAGUS_STATE_TABLE": "state",
    "VAGUS_RECORD_TABLE": "records",
    "VAGUS_MACHINES": json.dumps({"certificates": f"arn:aws:states:{REGION}:123456789012:stateMachine:certificates"}),
}


def _deployed(session: boto3.Session, arn: str) -> ClusterSpec:
    """Tables and keys as the stacks make them; a cluster whose first authority is made, and a run of it."""
    for name in ("state", "records"):
        session.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
    kms = session.client("kms")
    for slot in "ab":
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/vagus/{CELL}/{CLUSTER}/authority-{slot}", TargetKeyId=made)
    clients = Clients(session)
    first = new_authority(KmsAuthorityKeys(clients, CELL), CLUSTER, Trust(), "0123456789abcdef", time.time())
    table, seen = DynamoTable(clients, "state"), rows.Rows(cluster=CLUSTER)
    running = Head(generation=1, state="running", execution=f"{CLUSTER}-certificates-1")
    trust = Trust(authorities=(first,), signs=1, published=(1,))
    table.write(rows.partition(CLUSTER), seen.put("trust", trust), seen.put("head#certificates", running))
    declared = {"issuer": "kms", "mode": "act", "gateways": [{"arn": arn, "names": [NAME]}]}
    return ClusterSpec(
        name=CLUSTER,
        cell=CELL,
        engine=Engine(version="3.4.0"),
        zones=("eu-central-1a",),
        groups={"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=1)},
        certificates=msgspec.convert(declared, Certificates),
    )


def test_the_whole_function_issues_imports_notes_and_records(monkeypatch: pytest.MonkeyPatch) -> None:
    with mock_aws():
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        certificate, key = first_certificate((NAME,), time.time())
        acm = session.client("acm")
        arn = acm.import_certificate(Certificate=certificate.encode(), PrivateKey=key.encode())["CertificateArn"]
        spec = _deployed(session, arn)
        monkeypatch.setattr(fleet, "deployed", lambda: {CLUSTER: spec})
        step = ImportCertificate(arn=arn, names=(NAME,), signed_by=1, replaces="")
        call = {"cluster": CLUSTER, "capability": "certificates", "generation": 1}
        event = {"call": call, "step": msgspec.to_builtins(step)}
        parts = Wiring(ENVIRONMENT, session)
        outcome = runtime.act("certificates", event, parts)  # type: ignore[arg-type]  # the module has the same
        assert outcome["result"] == "done"
        table = DynamoTable(Clients(session), "state")
        trust = rows.read(table, CLUSTER).trust
        told = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        assert f"{int(told['Serial']):x}" == trust.gateways[arn].serial
        assert told["NotAfter"].timestamp() == trust.gateways[arn].ends
        served = x509.load_pem_x509_certificate(acm.get_certificate(CertificateArn=arn)["Certificate"].encode())
        assert served.issuer.rfc4514_string() == trust.authorities[0].subject  # moto's KMS signs a digest's digest
        records = session.client("dynamodb").scan(TableName="records")["Items"]
        assert sorted(json.loads(one["data"]["S"])["phase"] for one in records) == ["intended", "outcome"]
        assert key.splitlines()[1] not in str(records)
        again = runtime.act("certificates", event, parts)  # type: ignore[arg-type]
        assert again["result"] == "superseded", "what it replaces is no more there"
