"""A stand-in for the AWS CLI on local nodes: the few commands that nodes/ calls, with the CLI's flags and output.

The real CLI needs about a second of CPU per call; with six nodes starting on two cores that is most of their start.
It answers from the emulator (AWS_ENDPOINT_URL), or, for clusters without one, from the JSON file VAGUS_FAKE_AWS:
{"instances": [as EC2 describes them], "parameters": {name: value}, "bucket": folder}.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Protocol

import jmespath  # type: ignore[import-untyped]  # ships no types; comes with botocore


class Source(Protocol):
    """Where answers come from."""

    def instances(self, filters: list[dict[str, Any]]) -> dict[str, Any]:
        """DescribeInstances, all pages in one."""

    def parameters(self, path: str) -> dict[str, Any]:
        """GetParametersByPath, all pages in one."""

    def download(self, bucket: str, key: str, target: Path) -> None:
        """An object into a file; raises FileNotFoundError."""

    def upload(self, source: Path, bucket: str, key: str) -> None:
        """A file into an object."""

    def remove(self, bucket: str, key: str) -> None:
        """Deletes an object; one that isn't there is deleted already."""


class FileSource:
    """Answers from VAGUS_FAKE_AWS, read anew at each call."""

    def __init__(self, path: Path) -> None:
        self.data: dict[str, Any] = json.loads(path.read_text())

    def instances(self, filters: list[dict[str, Any]]) -> dict[str, Any]:
        """As the emulator's answer, filtered by tag and state."""
        rows = [i for i in self.data["instances"] if all(_matches(i, f) for f in filters)]
        return {"Reservations": [{"Instances": [row]} for row in rows]}

    def parameters(self, path: str) -> dict[str, Any]:
        """Those directly below the path."""
        found = {n: v for n, v in self.data["parameters"].items() if n.rpartition("/")[0] == path.rstrip("/")}
        return {"Parameters": [{"Name": n, "Value": v} for n, v in found.items()]}

    def download(self, bucket: str, key: str, target: Path) -> None:
        """From the bucket's folder."""
        _pour(Path(self.data["bucket"]) / bucket / key, target)

    def upload(self, source: Path, bucket: str, key: str) -> None:
        """Into the bucket's folder."""
        target = Path(self.data["bucket"]) / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        _pour(source, partial)
        partial.rename(target)  # as S3 has it: whole, or not there

    def remove(self, bucket: str, key: str) -> None:
        """From the bucket's folder."""
        (Path(self.data["bucket"]) / bucket / key).unlink(missing_ok=True)


def _pour(source: Path, target: Path) -> None:
    """Either may be a pipe, which `shutil.copyfile` refuses."""
    with source.open("rb") as given, target.open("wb") as taken:
        shutil.copyfileobj(given, taken)


def _pipe(path: Path) -> bool:
    return path in (Path("/dev/stdin"), Path("/dev/stdout"))


class ServiceSource:
    """Answers from the services behind AWS_ENDPOINT_URL."""

    def _client(self, service: str) -> Any:
        import boto3  # 0.2 s that a file's answer does not need

        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return boto3.client(service, region_name=region)  # type: ignore[call-overload]  # the name is a variable

    def instances(self, filters: list[dict[str, Any]]) -> dict[str, Any]:
        """All pages."""
        pages = self._client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return dict(pages.build_full_result())

    def parameters(self, path: str) -> dict[str, Any]:
        """All pages, decrypted."""
        pages = self._client("ssm").get_paginator("get_parameters_by_path")
        return dict(pages.paginate(Path=path, WithDecryption=True).build_full_result())

    def download(self, bucket: str, key: str, target: Path) -> None:
        """Raises FileNotFoundError."""
        client = self._client("s3")
        try:
            if _pipe(target):
                target.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
            else:
                client.download_file(bucket, key, str(target))
        except client.exceptions.ClientError as error:
            raise FileNotFoundError(f"s3://{bucket}/{key}: {error}") from error

    def upload(self, source: Path, bucket: str, key: str) -> None:
        """One PutObject or several parts; of a pipe, which can't be read twice, one."""
        client = self._client("s3")
        if _pipe(source):
            client.put_object(Bucket=bucket, Key=key, Body=source.read_bytes())
        else:
            client.upload_file(str(source), bucket, key)

    def remove(self, bucket: str, key: str) -> None:
        """DeleteObject."""
        self._client("s3").delete_object(Bucket=bucket, Key=key)


def _matches(instance: dict[str, Any], wanted: dict[str, Any]) -> bool:
    name, values = wanted["Name"], wanted["Values"]
    if name == "instance-state-name":
        return instance["State"]["Name"] in values
    if name.startswith("tag:"):
        return any(t["Key"] == name.removeprefix("tag:") and t["Value"] in values for t in instance["Tags"])
    raise ValueError(f"filter {name} is not part of this stand-in")


def parse_filter(text: str) -> dict[str, Any]:
    """Name=tag:a,Values=x,y -> {"Name": "tag:a", "Values": ["x", "y"]}"""
    name, _, values = text.partition(",Values=")
    return {"Name": name.removeprefix("Name="), "Values": values.split(",")}


def as_text(value: Any) -> str:
    """--output text: rows as lines, columns by tabs, null as None."""
    if not isinstance(value, list):
        return _cell(value)
    return "\n".join("\t".join(map(_cell, row)) if isinstance(row, list) else _cell(row) for row in value)


def _cell(value: Any) -> str:
    return "None" if value is None else str(value)


def _copy(source: Source, origin: str, target: str) -> None:
    if origin.startswith("s3://"):
        bucket, key = origin.removeprefix("s3://").split("/", 1)
        source.download(bucket, key, Path("/dev/stdout" if target == "-" else target))
    else:
        bucket, key = target.removeprefix("s3://").split("/", 1)
        source.upload(Path("/dev/stdin" if origin == "-" else origin), bucket, key)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aws", allow_abbrev=False)
    services = parser.add_subparsers(dest="service", required=True)
    describe = services.add_parser("ec2").add_subparsers(dest="command", required=True).add_parser("describe-instances")
    describe.add_argument("--filters", nargs="+", type=parse_filter, default=[])
    parameters = services.add_parser("ssm").add_subparsers(dest="command", required=True)
    by_path = parameters.add_parser("get-parameters-by-path")
    by_path.add_argument("--path", required=True)
    by_path.add_argument("--with-decryption", action="store_true")
    for answering in (describe, by_path):
        answering.add_argument("--query", required=True)
        answering.add_argument("--output", choices=["text"], required=True)
    objects = services.add_parser("s3").add_subparsers(dest="command", required=True)
    for name, paths in (("cp", 2), ("rm", 1)):
        command = objects.add_parser(name)
        command.add_argument("paths", nargs=paths)
        command.add_argument("--only-show-errors", action="store_true")
    return parser


def run(arguments: list[str], source: Source) -> str:
    """What the command prints. Raises OSError for an object that isn't there; SystemExit 2 for a command not known."""
    options = _parser().parse_args(arguments)
    match (options.service, options.command):
        case ("ec2", _):
            return as_text(jmespath.search(options.query, source.instances(options.filters)))
        case ("ssm", _):
            return as_text(jmespath.search(options.query, source.parameters(options.path)))
        case ("s3", "cp"):
            _copy(source, *options.paths)
        case ("s3", "rm"):
            bucket, key = options.paths[0].removeprefix("s3://").split("/", 1)
            source.remove(bucket, key)
    return ""


def main(arguments: list[str]) -> int:
    """The command line's exit code, as the CLI has them: 1 for a failed command."""
    facts = os.environ.get("VAGUS_FAKE_AWS")
    try:
        text = run(arguments, FileSource(Path(facts)) if facts else ServiceSource())
    except OSError as error:
        print(f"fatal error: {error}", file=sys.stderr)
        return 1
    if text:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
