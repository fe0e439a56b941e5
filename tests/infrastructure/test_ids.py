"""A deploy takes no cluster away: logical ids, and what CloudFormation can only change by replacement, are pinned.

`stateful.json` has each stateful resource of the production example. A change that would delete or replace one fails
here. If that is meant (it takes the data along), write the file anew: `python -m tests.infrastructure.test_ids`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Resource, Templates

from vagus_cdk.assembly import build

PINNED = Path(__file__).with_name("stateful.json")
STATEFUL = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::DynamoDB::Table",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)
ALSO = {"AWS::DynamoDB::Table": ("KeySchema",)}
"""Replaces too, though the registry's schema doesn't say so."""

Pinned = dict[str, dict[str, dict[str, Any]]]


def replacing(resource: Resource) -> dict[str, Any]:
    """The properties whose change replaces a resource, with their values."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", resource.type).schema
    paths = [path.split("/")[2] for path in schema.get("createOnlyProperties", [])]
    names = sorted({*paths, *ALSO.get(resource.type, ())} & set(resource.properties))
    return {"Type": resource.type, **{name: resource.properties[name] for name in names}}


def stateful(templates: Templates) -> list[Resource]:
    return [one for one in templates.resources() if one.type in STATEFUL]


def pinned(templates: Templates) -> Pinned:
    found: Pinned = {}
    for one in stateful(templates):
        found.setdefault(one.stack, {})[one.id] = replacing(one)
    return found


def differences(before: Pinned, now: Pinned) -> list[str]:
    """What a deploy of `now` over `before` would do to stateful resources, one sentence each."""
    said = []
    for stack, resources in before.items():
        for identity, was in resources.items():
            becomes = now.get(stack, {}).get(identity)
            if becomes is None:
                said.append(f"{stack}: {was['Type']} {identity} would be deleted")
            elif becomes != was:
                said.append(f"{stack}: {was['Type']} {identity} would be replaced: {was} -> {becomes}")
    return said


def test_no_deploy_deletes_or_replaces_a_stateful_resource(templates: Templates) -> None:
    assert differences(json.loads(PINNED.read_text()), pinned(templates)) == []


def test_every_stateful_resource_is_pinned(templates: Templates) -> None:
    before: Pinned = json.loads(PINNED.read_text())
    new = [one.id for one in stateful(templates) if one.id not in before.get(one.stack, {})]
    assert not new, "new: pin it by `python -m tests.infrastructure.test_ids`"


CHANGES = [
    ("another logical id", lambda stack: stack.update(TableB=stack.pop("Table")), "Table would be deleted"),
    ("another name", lambda stack: stack["Table"].update(TableName="other"), "Table would be replaced"),
    ("another type", lambda stack: stack["Table"].update(Type="AWS::DynamoDB::GlobalTable"), "Table would be replaced"),
    ("a resource more", lambda stack: stack.update(Bucket={"Type": "AWS::S3::Bucket"}), ""),
]


@pytest.mark.parametrize(("sentence", "change", "said"), CHANGES, ids=[one[0] for one in CHANGES])
def test_what_counts_as_a_difference(sentence: str, change: Any, said: str) -> None:
    before: Pinned = {"s": {"Table": {"Type": "AWS::DynamoDB::Table", "TableName": "t"}}}
    now: Pinned = json.loads(json.dumps(before))
    change(now["s"])
    found = differences(before, now)
    assert (said in found[0]) if said else not found, sentence


def test_what_is_stateful_is_kept_when_its_stack_or_its_line_goes(templates: Templates) -> None:
    careless = [
        one.id
        for one in stateful(templates)
        if one.body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate")
        or one.body.get("UpdateReplacePolicy") != "Retain"
    ]
    assert not careless


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        build(cdk.App(context=CONTEXT, outdir=folder)).synth()
        PINNED.write_text(json.dumps(pinned(Templates.read(Path(folder))), indent=1, sort_keys=True) + "\n")
