"""The cluster's bucket: the fake and S3's protocol keep one contract."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.agent.played_s3 import BUCKET, played_s3

from vagus.errors import Denied, Malformed, Refused, Unreachable
from vagus_agent.bucket import Bucket, NoCredentials, S3Bucket
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


@pytest.mark.parametrize("ahead", [1000, -1000])
def test_of_a_clock_that_is_wrong_s3_says_so(monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
    """To everything, and the agent passes on what it says: no report comes that could."""
    with played_s3(FakeBucket(), ahead) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        with pytest.raises(Refused, match=r"RequestTimeTooSkewed.*current time is too large"):
            S3Bucket.of_environment(BUCKET).get("site/ca.pem")
        with pytest.raises(Refused, match="RequestTimeTooSkewed"):
            S3Bucket.of_environment(BUCKET).put("site/report.json", b"{}")


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


def process(monkeypatch: pytest.MonkeyPatch, folder: Path, command: str) -> Path:
    """A config file with a credential_process, and nothing else to have credentials of."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    config = folder / "config"
    config.write_text(f"[default]\nregion = eu-west-1\ncredential_process = {command}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return config


def script(folder: Path, text: str) -> str:
    """What such a process prints, or does."""
    (folder / "process.py").write_text(text)
    return f"{sys.executable} {folder / 'process.py'}"


PROCESSES = {
    "one that is not there": ("", "No such file or directory"),
    "one that fails": ("import sys; sys.exit('AccessDenied: certificate expired')", "certificate expired"),
    "one that says nothing": ("", "Expecting value"),
    "one that prints what is no object": ("print('[]')", "no attribute"),
    "one that lacks a key": ("print('{\"Version\": 1}')", "AccessKeyId"),
    "one whose credentials have ended": (
        'print(\'{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", \''
        '\'"Expiration": "2020-01-01T00:00:00Z"}\')',
        "still expired",
    ),
}


@pytest.mark.parametrize("case", PROCESSES)
def test_a_credential_process_that_gives_none_is_denied_with_where_to_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str
) -> None:
    text, words = PROCESSES[case]
    command = "/nonexistent/aws_signing_helper" if "not there" in case else script(tmp_path, text)
    process(monkeypatch, tmp_path, command)
    bucket = S3Bucket.of_environment(BUCKET)  # whoever starts without any starts
    with pytest.raises(NoCredentials, match=words) as denied:
        bucket.get("site/ca.pem")
    assert "credential_process in the file that AWS_CONFIG_FILE names" in str(denied.value)
    assert "certificate" in str(denied.value)
    with pytest.raises(NoCredentials):
        bucket.put("site/report.json", b"{}")


def test_credentials_that_come_later_are_taken_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where it is the config file that was mended: a ConfigMap's changes come to a running pod."""
    config = process(monkeypatch, tmp_path, "/nonexistent/aws_signing_helper")
    good = script(tmp_path, """print('{"Version": 1, "AccessKeyId": "testing", "SecretAccessKey": "b"}')""")
    with played_s3(FakeBucket()) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        bucket = S3Bucket.of_environment(BUCKET)
        with pytest.raises(NoCredentials):
            bucket.put("site/report.json", b"{}")
        config.write_text(config.read_text().replace("/nonexistent/aws_signing_helper", good))
        bucket.put("site/report.json", b"{}")


@pytest.mark.parametrize("text", ["[default", "[profile other]\nregion = eu-west-1\n"])
def test_a_config_file_that_can_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Malformed, match="AWS_CONFIG_FILE"):
        S3Bucket.of_environment(BUCKET)


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
