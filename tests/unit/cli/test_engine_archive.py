"""What `vagus upgrade` sees of the artifact bucket; S3 and SSM are emulated, in this process."""

from collections.abc import Iterator

import boto3
import msgspec
import pytest
from moto import mock_aws
from tests.unit.simulation.declared import spec

from vagus.aws.clients import Clients
from vagus.errors import Refused
from vagus.fleet import Engine
from vagus_cdk import names
from vagus_cli import engine_archive

ARCHIVE, DIGEST = "opensearch-3.5.0.tar.gz", "opensearch-3.5.0.tar.gz.sha256"
BUCKET = "artifacts"
CLAIMS = msgspec.structs.replace(spec(), engine=Engine(version="3.5.0"))

# sentence: (keys in the bucket, what is absent)
CASES = {
    "an empty bucket": ((), (ARCHIVE, DIGEST)),
    "both files": ((f"engines/{ARCHIVE}", f"engines/{DIGEST}"), ()),
    "no SHA-256": ((f"engines/{ARCHIVE}",), (DIGEST,)),
    "another version and another folder": (("engines/opensearch-3.5.01.tar.gz", ARCHIVE), (ARCHIVE, DIGEST)),
}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Clients(boto3.Session("test", "test", region_name="us-east-1"))


@pytest.mark.parametrize("sentence", CASES)
def test_what_a_node_would_not_find(clients: Clients, sentence: str) -> None:
    keys, absent = CASES[sentence]
    clients.s3.create_bucket(Bucket=BUCKET)
    parameter = names.node_parameter(CLAIMS.name, "artifact-bucket")
    clients.ssm.put_parameter(Name=parameter, Value=BUCKET, Type="String")
    for key in keys:
        clients.s3.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    found = engine_archive.look(clients, CLAIMS)
    assert (found.where, found.absent) == (f"s3://{BUCKET}/engines/", absent)


def test_a_cluster_that_is_not_deployed_has_no_bucket(clients: Clients) -> None:
    with pytest.raises(Refused, match="ParameterNotFound"):
        engine_archive.look(clients, CLAIMS)
