"""The cluster's bucket: the fake and S3's protocol keep one contract."""

from collections.abc import Iterator

import pytest
from tests.unit.agent.played_s3 import BUCKET, played_s3

from vagus.errors import Denied, Malformed, Unreachable
from vagus_agent.bucket import Bucket, S3Bucket
from vagus_agent.fake_bucket import FakeBucket


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and Region, and nothing else of this machine's."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent/file")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


@pytest.fixture(params=["fake", "S3"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    if request.param == "fake":
        yield FakeBucket()
        return
    with played_s3(FakeBucket()) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        yield S3Bucket.of_environment(BUCKET)


def test_what_is_put_is_got(bucket: Bucket) -> None:
    bucket.put("site/report.json", b"{}")
    bucket.put("site/report.json", b'{"at": 1}')
    assert bucket.get("site/report.json") == b'{"at": 1}'


def test_what_is_not_there_is_none(bucket: Bucket) -> None:
    assert bucket.get("site/ca.pem") is None


def test_a_token_of_temporary_credentials_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Roles Anywhere gives them."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    with played_s3(FakeBucket()) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        S3Bucket.of_environment(BUCKET).put("site/report.json", b"{}")


def test_what_s3_denies_names_the_right_and_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    with played_s3(FakeBucket()) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")  # what was signed for another Region is denied
        with pytest.raises(Denied, match=r"s3:GetObject.*Access Denied \(site/ca.pem\)"):
            S3Bucket.of_environment(BUCKET).get("site/ca.pem")
        with pytest.raises(Denied, match="s3:PutObject"):
            S3Bucket.of_environment(BUCKET).put("site/report.json", b"")


def test_s3_that_is_away_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(Unreachable):
        S3Bucket.of_environment(BUCKET).get("site/ca.pem")
    with pytest.raises(Unreachable):
        S3Bucket.of_environment(BUCKET).put("site/report.json", b"{}")


def test_without_credentials_it_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(Denied, match="credentials"):
        S3Bucket.of_environment(BUCKET).put("site/report.json", b"{}")


def test_without_a_region_it_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Malformed, match="AWS_CONFIG_FILE"):
        S3Bucket.of_environment(BUCKET)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "claims-bucket.s3.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "claims-bucket.s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "claims-bucket.s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_where_s3_answers_is_where_botocores_own_client_would_go(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    import botocore.session

    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert S3Bucket.of_environment(BUCKET)._url == f"https://{host}"
    client = botocore.session.get_session().create_client("s3")
    url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "site/ca.pem"})
    assert url.startswith((f"https://{host}/site/ca.pem?", "https://claims-bucket.s3.amazonaws.com/"))
