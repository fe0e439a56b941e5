"""The templates of a cell that has a cluster on Kubernetes too: what its site's agent may, what functions may of it."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Templates, listed, text, walk
from tests.infrastructure.test_lint import errors
from tests.infrastructure.test_nag import rules

from vagus import site
from vagus.figures import FIGURES, NAMESPACE
from vagus_cdk.assembly import build
from vagus_cdk.settings import ROOT

ANCHOR = "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/12345678-1234-1234-1234-123456789012"
WARDS: dict[str, Any] = {
    "name": "wards",
    "cell": "prod",
    "engine": {"version": "3.4.0"},
    "placement": "kubernetes",
    "kubernetes": {
        "namespace": "search",
        "service_account": "wards-nodes",
        "stateful_sets": {"wards-data-a": 1, "wards-data-b": 1, "wards-data-c": 1},
        "pods": ["10.42.0.0/16"],
        "trust_anchor": ANCHOR,
        "agent": "site-hospital-north",
    },
    "certificates": {"issuer": "kms", "mode": "approve"},
}
STACK = "vagus-prod-wards"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    fleet, out = tmp_path_factory.mktemp("fleet"), tmp_path_factory.mktemp("assembly")
    (fleet / "claims.yaml").write_text((ROOT / CONTEXT["fleet"] / "claims.yaml").read_text())
    (fleet / "wards.yaml").write_text(yaml.safe_dump(WARDS))
    build(cdk.App(context=CONTEXT | {"fleet": str(fleet)}, outdir=str(out))).synth()
    return Templates.read(Path(out))


def test_nothing_in_its_stack_runs_and_nothing_is_secret(both: Templates) -> None:
    kinds = {str(one["Type"]) for one in both.stacks[STACK]["Resources"].values()}
    assert kinds - {"AWS::CDK::Metadata"} == {
        "AWS::CloudWatch::Alarm",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::Lambda::Permission",
        "AWS::RolesAnywhere::Profile",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SSM::Parameter",
    }


def _keys(statement: dict[str, Any]) -> list[str]:
    """The objects that a statement is about, without their bucket."""
    return sorted(text(one).partition("/")[2] for one in listed(statement["Resource"]))


def test_the_sites_agent_reads_and_puts_what_is_listed_and_nothing_else(both: Templates) -> None:
    role = both.at(f"{STACK}/Site/Role").properties
    (policy,) = role["Policies"]
    follows, tells, key = policy["PolicyDocument"]["Statement"]
    assert (listed(follows["Action"]), _keys(follows)) == (
        ["s3:GetObject"],
        ["certificates/site/*", "site/ca.pem", "site/commands.json"],
    )
    assert (listed(tells["Action"]), _keys(tells)) == (["s3:PutObject"], ["requests/site/*", "site/report.json"])
    assert listed(key["Action"]) == ["kms:Decrypt", "kms:GenerateDataKey"]
    through = key["Condition"]["StringEquals"]
    assert through["kms:ViaService"] == "s3.eu-central-1.amazonaws.com"
    assert through["kms:EncryptionContext:aws:s3:arn"] == {"Fn::GetAtt": [_bucket(both), "Arn"]}


def _bucket(both: Templates) -> str:
    return both.at(f"{STACK}/Artifacts/Bucket/Resource").id


def test_its_role_is_for_who_shows_the_agents_own_certificate(both: Templates) -> None:
    (trusts,) = both.at(f"{STACK}/Site/Role").properties["AssumeRolePolicyDocument"]["Statement"]
    assert trusts["Principal"] == {"Service": "rolesanywhere.amazonaws.com"}
    assert trusts["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ANCHOR},
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": "site-hospital-north"},
    }
    profile = both.at(f"{STACK}/Site/Profile").properties
    assert profile["RoleArns"] == [{"Fn::GetAtt": [both.at(f"{STACK}/Site/Role").id, "Arn"]}]
    assert profile["Enabled"] is True


# sid: (action, who, which objects)
WAYS: dict[str, tuple[str, set[str], list[str]]] = {
    "ReadsRequests": ("s3:GetObject", {"Issuing"}, ["requests/*"]),
    "Answers": ("s3:PutObject", {"Issuing"}, ["certificates/*"]),
    "Hear": ("s3:GetObject", {"Sweep", "Decide", "Apply"}, ["site/commands.json", "site/report.json"]),
    "SeeWhatIsPublished": ("s3:GetObject", {"Apply"}, ["site/ca.pem"]),
    "SeeWhatIsNotThere": ("s3:ListBucket", {"Sweep", "Decide", "Apply"}, [""]),
    "Tell": ("s3:PutObject", {"Apply"}, ["site/ca.pem", "site/commands.json"]),
}


def test_its_bucket_lets_in_who_decides_to_read_and_who_applies_to_put_what_its_steps_put(both: Templates) -> None:
    policy = both.at(f"{STACK}/Artifacts/Bucket/Policy/Resource").properties["PolicyDocument"]
    found = {one["Sid"]: one for one in policy["Statement"] if one["Effect"] == "Allow"}
    assert found.keys() == WAYS.keys()
    words = ("Sweep", "ClusterWatch", "Decide", "Apply", "Keeper", "Intake", "Issuing", "Outside")
    for sid, (action, who, keys) in WAYS.items():
        names = [text(one) for one in listed(found[sid]["Principal"]["AWS"])]
        assert {next(word for word in words if word in name) for name in names} == who, sid
        assert all("certificates" in name for name in names if "Decide" in name or "Apply" in name), sid
        assert (listed(found[sid]["Action"]), _keys(found[sid])) == ([action], keys), sid


HEARS = ("certificates-decide", "certificates-apply", "sweep")


def test_who_reads_reports_finds_the_bucket_and_decrypts_and_nobody_else_does(both: Templates) -> None:
    for one in both.resources("Lambda::Function"):
        name = str(one.properties["FunctionName"]).removeprefix("vagus-prod-")
        statements = {s.get("Sid"): s for s in both.statements_of(f"vagus-prod-{name}")}
        assert ("SiteBuckets" in statements) is ("SiteBucketsKey" in statements) is (name in HEARS), name
        assert ("TellsSitesKey" in statements) is (name == "certificates-apply"), name
        if name in HEARS:
            (parameter,) = listed(statements["SiteBuckets"]["Resource"])
            assert text(parameter).endswith(":parameter/vagus/wards/node/artifact-bucket")
            assert statements["SiteBucketsKey"]["Condition"]["StringEquals"] == {
                "kms:ViaService": "s3.eu-central-1.amazonaws.com"
            }


def test_two_functions_sign_for_it_and_no_right_of_clusters_on_ec2_names_it(both: Templates) -> None:
    """But the one outside the VPC, which signs for gateways: of those of the cell's clusters."""
    for one in both.resources("Lambda::Function"):
        name = str(one.properties["FunctionName"])
        for statement in both.statements_of(name):
            if "kms:Sign" in listed(statement["Action"]):
                aliases = listed(statement["Condition"]["StringEquals"]["kms:RequestAlias"])
                assert {f"alias/vagus/prod/wards/authority-{slot}" for slot in "ab"} <= set(aliases)
            elif statement.get("Sid") != "SiteBuckets":
                assert "wards" not in str(list(walk(statement))), (name, statement)


def test_its_alarms_are_of_figures_that_can_be_told(both: Templates) -> None:
    ours = [one for one in both.resources("CloudWatch::Alarm") if one.properties.get("Namespace") == NAMESPACE]
    found = {
        str(one.properties["MetricName"])
        for one in ours
        if {"Name": "Cluster", "Value": "wards"} in one.properties["Dimensions"]
    }
    assert found == {figure.name for figure in FIGURES if figure.watch and "kubernetes" in figure.placements}
    assert {"CertificateLife"} <= found
    assert "Health" not in found


def test_reports_of_yesterday_are_not_kept(both: Templates) -> None:
    said = both.at(f"{STACK}/Artifacts/Bucket/Resource").properties["LifecycleConfiguration"]["Rules"]
    kept = {one["Prefix"]: one["NoncurrentVersionExpiration"]["NoncurrentDays"] for one in said}
    assert kept == {site.REPORT: 1, site.REQUESTS: 30, site.ANSWERS: 30}


def test_a_cell_without_such_a_cluster_has_none_of_it(both: Templates, templates: Templates) -> None:
    assert both.stacks.keys() - templates.stacks.keys() == {STACK}
    said = str(templates.stacks)
    for word in ("ReportSeconds", "SiteBuckets", "rolesanywhere", "site/"):
        assert word in str(both.stacks)
        assert word not in said, word


def test_nothing_is_found_by_the_pack(both: Templates) -> None:
    assert rules(both.folder / "validation-report.json") == set()


def test_its_template_is_as_awss_own_schemas_want_it(both: Templates) -> None:
    assert errors(both.folder / f"{STACK}.template.json") == []
