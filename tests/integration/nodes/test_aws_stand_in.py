"""The stand-in for the AWS CLI answers the same from its file as from the services: one contract, both sources."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.emulator.support import REGION, Aws, Emulator, start, stop

from vagus_local.aws_cli import FileSource, ServiceSource, Source, run

QUERY = "Reservations[].Instances[].[PrivateIpAddress,Tags[?Key=='vagus:roles']|[0].Value]"
PARAMETERS = {f"/vagus/one/node/p{number}": f"v{number}" for number in range(12)} | {
    "/vagus/one/node/settings": '{"a.b": "c d"}',
    "/vagus/one/node/deep/er": "x",
    "/vagus/two/node/heap": "2g",
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start(tmp_path_factory.mktemp("emulator"), VAGUS_BOOT="", VAGUS_NODE_NETWORK="127.199.8")
    yield started
    stop(started)


@pytest.fixture(params=["file", "service"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    if request.param == "service":
        return services(request.getfixturevalue("emulator"), monkeypatch)
    instances = [
        {
            "PrivateIpAddress": "127.0.0.9",
            "State": {"Name": "running"},
            "Tags": [{"Key": "vagus:cluster", "Value": cluster}, {"Key": "vagus:roles", "Value": "data"}],
        }
        for cluster in ("one", "two")
    ]
    facts = {"instances": instances, "parameters": PARAMETERS, "bucket": str(tmp_path / "buckets")}
    (tmp_path / "aws.json").write_text(json.dumps(facts))
    return FileSource(tmp_path / "aws.json")


def services(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Source:
    account = "100000000099"
    keys = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
    for name, value in (keys | {"AWS_ENDPOINT_URL": emulator.url}).items():
        monkeypatch.setenv(name, value)
    aws = Aws(emulator.url, account)
    if not aws.s3.list_buckets()["Buckets"]:
        aws.s3.create_bucket(Bucket="bucket")
        for name, value in PARAMETERS.items():
            aws.ssm.put_parameter(Name=name, Value=value, Type="String")
        for cluster in ("one", "two"):
            tags = [{"Key": "vagus:cluster", "Value": cluster}, {"Key": "vagus:roles", "Value": "data"}]
            specification = [{"ResourceType": "instance", "Tags": tags}]
            aws.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=specification)
    aws.close()
    return ServiceSource()


def test_instances_of_one_cluster(source: Source) -> None:
    command = ["ec2", "describe-instances", "--filters", "Name=tag:vagus:cluster,Values=one"]
    command += ["Name=instance-state-name,Values=pending,running", "--query", QUERY, "--output", "text"]
    rows = [line.split("\t") for line in run(command, source).splitlines()]
    assert [(address.split(".")[0], role) for address, role in rows] == [("127", "data")]


def test_all_pages_of_parameters_directly_below_a_path(source: Source) -> None:
    command = ["ssm", "get-parameters-by-path", "--path", "/vagus/one/node", "--with-decryption"]
    command += ["--query", "Parameters[].[Name,Value]", "--output", "text"]
    told = dict(line.split("\t", 1) for line in run(command, source).splitlines())
    assert told == {k: v for k, v in PARAMETERS.items() if k.startswith("/vagus/one/node/") and "deep" not in k}


def test_objects(source: Source, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    run(["s3", "cp", "--only-show-errors", str(tmp_path / "a"), "s3://bucket/folder/a"], source)
    run(["s3", "cp", "--only-show-errors", "s3://bucket/folder/a", str(tmp_path / "b")], source)
    assert (tmp_path / "b").read_text() == "content"
    run(["s3", "rm", "--only-show-errors", "s3://bucket/folder/a"], source)
    run(["s3", "rm", "--only-show-errors", "s3://bucket/folder/a"], source)
    with pytest.raises(FileNotFoundError):
        run(["s3", "cp", "--only-show-errors", "s3://bucket/folder/a", str(tmp_path / "c")], source)


def test_objects_through_pipes(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nodes ask for certificates: a pipe can't be read twice."""
    if isinstance(source, FileSource):
        monkeypatch.setenv("VAGUS_FAKE_AWS", str(tmp_path / "aws.json"))
    copy = [sys.executable, "-m", "vagus_local.aws_cli", "s3", "cp", "--only-show-errors"]
    asked = "s3://bucket/requests/AROAEXAMPLE:i-1.csr"
    subprocess.run([*copy, "-", asked], input=b"asked", check=True)
    assert subprocess.run([*copy, asked, "-"], capture_output=True, check=True).stdout == b"asked"
    assert subprocess.run([*copy, f"{asked}.none", "-"], capture_output=True, check=False).returncode == 1
