"""The stand-in answers what the AWS CLI answers, for the commands that nodes call."""

import json
from pathlib import Path

import pytest

from vagus_local.aws_cli import FileSource, as_text, parse_filter, run

QUERY = "Reservations[].Instances[].[InstanceId,PrivateIpAddress,Tags[?Key=='vagus:roles']|[0].Value]"


def instance(identity: str, cluster: str, state: str = "running", role: str | None = "data") -> dict[str, object]:
    tags = {"vagus:cluster": cluster} | ({"vagus:roles": role} if role else {})
    return {
        "InstanceId": identity,
        "PrivateIpAddress": "127.0.0.9",
        "State": {"Name": state},
        "Tags": [{"Key": k, "Value": v} for k, v in tags.items()],
    }


@pytest.fixture
def source(tmp_path: Path) -> FileSource:
    facts = {
        "instances": [
            instance("i-1", "one"),
            instance("i-2", "one", "terminated"),
            instance("i-3", "two"),
            instance("i-4", "one", "pending", None),
        ],
        "parameters": {"/vagus/one/node/heap": "1g", "/vagus/one/node/deep/er": "x", "/vagus/two/node/heap": "2g"},
        "bucket": str(tmp_path / "buckets"),
    }
    (tmp_path / "aws.json").write_text(json.dumps(facts))
    return FileSource(tmp_path / "aws.json")


def test_instances_are_filtered_by_tag_and_state_and_null_prints_none(source: FileSource) -> None:
    text = run(
        [
            *("ec2", "describe-instances", "--filters", "Name=tag:vagus:cluster,Values=one"),
            *("Name=instance-state-name,Values=pending,running", "--query", QUERY, "--output", "text"),
        ],
        source,
    )
    assert text.splitlines() == ["i-1\t127.0.0.9\tdata", "i-4\t127.0.0.9\tNone"]


def test_parameters_by_path_are_those_directly_below_it(source: FileSource) -> None:
    text = run(
        [
            *("ssm", "get-parameters-by-path", "--path", "/vagus/one/node", "--with-decryption"),
            *("--query", "Parameters[].[Name,Value]", "--output", "text"),
        ],
        source,
    )
    assert text == "/vagus/one/node/heap\t1g"


def test_objects_go_up_come_down_and_are_removed(source: FileSource, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    run(["s3", "cp", "--only-show-errors", str(tmp_path / "a"), "s3://bucket/folder/a"], source)
    run(["s3", "cp", "s3://bucket/folder/a", str(tmp_path / "b")], source)
    assert (tmp_path / "b").read_text() == "content"
    run(["s3", "rm", "s3://bucket/folder/a"], source)
    run(["s3", "rm", "s3://bucket/folder/a"], source)
    with pytest.raises(FileNotFoundError):
        run(["s3", "cp", "s3://bucket/folder/a", str(tmp_path / "c")], source)


@pytest.mark.parametrize(
    "command",
    [
        ["ec2", "terminate-instances"],
        ["ec2", "describe-instances", "--query", "x", "--output", "json"],
        ["iam", "list-users"],
        ["ssm", "get-parameters-by-path", "--path", "/a", "--recursive", "--query", "x", "--output", "text"],
    ],
)
def test_what_nodes_do_not_call_is_refused(source: FileSource, command: list[str]) -> None:
    with pytest.raises(SystemExit):
        run(command, source)


def test_a_filter_that_is_not_known_is_not_ignored(source: FileSource) -> None:
    with pytest.raises(ValueError, match="vpc-id"):
        source.instances([parse_filter("Name=vpc-id,Values=vpc-1")])


def test_text_output_has_tabs_and_lines() -> None:
    assert as_text([["a", None], ["b", 1]]) == "a\tNone\nb\t1"
    assert as_text("one") == "one"
