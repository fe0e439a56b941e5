"""The cluster's bucket: the fake and S3 (moto's) keep one contract."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from vagus.errors import Denied, Unreachable
from vagus_agent.bucket import Bucket, S3Bucket, s3
from vagus_agent.fake_bucket import FakeBucket

NAME = "claims-bucket"


@pytest.fixture(params=["fake", "S3"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    if request.param == "fake":
        yield FakeBucket()
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = s3(region_name="eu-west-1")
        client.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield S3Bucket(client, NAME)
        client.close()


def test_what_is_put_is_got(bucket: Bucket) -> None:
    bucket.put("site/report.json", b"{}")
    bucket.put("site/report.json", b'{"at": 1}')
    assert bucket.get("site/report.json") == b'{"at": 1}'


def test_what_is_not_there_is_none(bucket: Bucket) -> None:
    assert bucket.get("site/ca.pem") is None


def test_s3_that_is_away_is_unreachable() -> None:
    given = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-west-1"}
    bucket = S3Bucket(s3(endpoint_url="http://127.0.0.1:1", **given), NAME)
    with pytest.raises(Unreachable):
        bucket.get("site/ca.pem")
    with pytest.raises(Unreachable):
        bucket.put("site/report.json", b"{}")


def test_without_credentials_it_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a `credential_process` that is not there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = S3Bucket(s3(region_name="eu-west-1"), NAME)
    with pytest.raises(Denied, match="credentials"):
        bucket.put("site/report.json", b"{}")
