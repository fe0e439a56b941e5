"""The pin of `test_ids` bites: an app in which constructs are really renamed is synthesized, and held against it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Templates
from tests.infrastructure.test_ids import PINNED, differences, pinned

from vagus_cdk import cell_stack, cluster_stack
from vagus_cdk.assembly import build

Made = Callable[..., Any]


def under_another_id(made: Made) -> Made:
    """The same construct, as if somebody had renamed it in its stack."""
    return lambda scope, construct_id, *rest, **more: made(scope, f"{construct_id}Renamed", *rest, **more)


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """One synth, without cdk-nag: tables, keys, network, groups, bucket and secrets have other ids."""
    folder = tmp_path_factory.mktemp("renamed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cdk.Validations, "add_plugins", lambda *_: None)
        for module, name in (
            (cell_stack, "Tables"),
            (cell_stack, "Keys"),
            (cell_stack, "Network"),
            (cluster_stack, "NodeGroup"),
            (cluster_stack, "Artifacts"),
            (cluster_stack, "ClientCertificate"),
        ):
            patch.setattr(module, name, under_another_id(getattr(module, name)))
        build(cdk.App(context=CONTEXT, outdir=str(folder))).synth()
    return Templates.read(Path(folder))


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::DynamoDB::Table",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::Subnet",
        "AWS::EC2::VPC",
        "AWS::KMS::Key",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
    ],
)
def test_a_renamed_construct_that_holds_state_is_found(renamed: Templates, kind: str) -> None:
    said = differences(json.loads(PINNED.read_text()), pinned(renamed))
    assert [one for one in said if f": {kind} " in one and one.endswith("would be deleted")]
