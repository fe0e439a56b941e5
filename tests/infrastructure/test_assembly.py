"""The app as a whole: code that is there, a VPC of the platform team's own, what cell and cluster share."""

import importlib
import inspect
from importlib.util import cache_from_source
from pathlib import Path

import aws_cdk as cdk
import pytest
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Templates, text, walk

from vagus import events
from vagus_cdk.assembly import build

VPC = {"id": "vpc-1", "cidr": "10.7.0.0/16", "subnets": {f"eu-central-1{zone}": f"subnet-{zone}" for zone in "abc"}}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("imported")
    more = {"vpc": VPC, "architecture": "x86_64", "image": "ami-1", "synthesizer": "cli", "account": "111122223333"}
    build(cdk.App(context={**CONTEXT, **more}, outdir=str(folder))).synth()
    return Templates.read(Path(folder))


def test_every_handler_exists_and_takes_an_event_and_a_context(templates: Templates) -> None:
    handlers = [one.properties["Handler"] for one in templates.resources("Lambda::Function")]
    assert len(handlers) == 12
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        assert len(inspect.signature(getattr(importlib.import_module(module), name)).parameters) == 2


def test_each_function_ships_its_own_package_alone(templates: Templates) -> None:
    for one in templates.resources("Lambda::Function"):
        asset = templates.folder / ("asset." + one.properties["Code"]["S3Key"].removesuffix(".zip"))
        assert [item.name for item in asset.iterdir()] == [one.properties["Handler"].split(".")[0]]


def test_layers_bring_bytecode_for_every_module_and_functions_none(templates: Templates) -> None:
    layers = [asset for asset in templates.folder.glob("asset.*") if (asset / "python").exists()]
    assert len(layers) == 3
    for layer in layers:
        if not (layer / "python/vagus_fleet").exists():
            modules, compiled = set(layer.rglob("*.py")), set(layer.rglob("*.pyc"))
            assert {Path(cache_from_source(str(one))) for one in modules} == compiled
    functions = [asset for asset in templates.folder.glob("asset.*") if (asset / "zone_balance").exists()]
    assert functions
    assert not [one for function in functions for one in function.rglob("*.pyc")]


def test_functions_share_three_layers(templates: Templates) -> None:
    assert {len(one.properties["Layers"]) for one in templates.resources("Lambda::Function")} == {3}


def test_a_rule_matches_every_event_that_a_parser_reads(templates: Templates) -> None:
    patterns = [one.properties.get("EventPattern") for one in templates.resources("Events::Rule")]
    assert [one for one in patterns if one and one["source"] != ["aws.s3"]] == [
        {"source": [source], "detail-type": list(kinds)}
        | ({"detail": events.DETAILS[source]} if source in events.DETAILS else {})
        for source, kinds in events.SOURCES.items()
    ]
    assert {"aws.autoscaling", "vagus.cluster"} <= set(events.SOURCES)


def test_an_imported_vpc_is_used_and_nothing_is_put_into_it_but_security_groups(imported: Templates) -> None:
    own = ("VPC", "Subnet", "VPCEndpoint", "RouteTable", "FlowLog")
    assert not [one.id for kind in own for one in imported.resources(f"EC2::{kind}")]
    assert {one.properties["VpcId"] for one in imported.resources("EC2::SecurityGroup")} == {"vpc-1"}


def test_nodes_and_functions_lie_in_the_imported_subnets(imported: Templates) -> None:
    groups = imported.resources("AutoScaling::AutoScalingGroup")
    zones = {one.properties["AutoScalingGroupName"][-1]: one.properties["VPCZoneIdentifier"] for one in groups}
    assert zones == {zone: [f"subnet-{zone}"] for zone in "abc"}
    inside = imported.function("vagus-prod-sweep").properties["VpcConfig"]["SubnetIds"]
    assert inside == ["subnet-a", "subnet-b", "subnet-c"]


def test_functions_reach_nodes_in_the_imported_network_alone(imported: Templates) -> None:
    group = imported.at("vagus-prod/Network/Functions/Resource")
    ways = {(one["FromPort"], one["CidrIp"]) for one in group.properties["SecurityGroupEgress"]}
    assert ways == {(9200, "10.7.0.0/16"), (9300, "10.7.0.0/16"), (443, "0.0.0.0/0")}


def test_architecture_image_account_and_credentials_as_they_were_told(imported: Templates) -> None:
    assert {one.properties["Architectures"][0] for one in imported.resources("Lambda::Function")} == {"x86_64"}
    images = [one.properties["LaunchTemplateData"]["ImageId"] for one in imported.resources("EC2::LaunchTemplate")]
    assert set(images) == {"ami-1"}
    manifest = (imported.folder / "manifest.json").read_text()
    assert "aws://111122223333/eu-central-1" in manifest
    assert "cdk-hnb659fds-deploy-role" not in manifest


def test_nodes_start_from_amazon_linux_of_their_architecture(templates: Templates) -> None:
    images = {one.properties["LaunchTemplateData"]["ImageId"] for one in templates.resources("EC2::LaunchTemplate")}
    assert images == {"resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"}


def test_nothing_of_this_machine_is_in_a_template(templates: Templates) -> None:
    here = str(Path(__file__).resolve().parents[2])
    assert not [one.id for one in templates.resources() if here in text(dict(one.body))]


def test_a_cluster_takes_from_its_cell_what_the_cell_exports(templates: Templates) -> None:
    cell, cluster = templates.stacks["vagus-prod"], templates.stacks["vagus-prod-claims"]
    exported = {one["Export"]["Name"] for one in cell["Outputs"].values() if "Export" in one}
    imports = {one["Fn::ImportValue"] for one in walk(cluster) if isinstance(one, dict) and "Fn::ImportValue" in one}
    assert imports
    assert imports <= exported
