"""The templates of a cluster whose certificates a private CA signs: no key in KMS, and two functions may ask it."""

from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml
from tests.infrastructure.conftest import CONTEXT
from tests.infrastructure.templates import Templates, listed

from vagus_cdk.assembly import build
from vagus_cdk.settings import ROOT

ARN = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/12345678-1234-1234-1234-123456789012"
SIGNERS = {"certificates-apply", "certificates-issue"}


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    fleet, out = tmp_path_factory.mktemp("fleet"), tmp_path_factory.mktemp("assembly")
    said = yaml.safe_load((ROOT / CONTEXT["fleet"] / "claims.yaml").read_text())
    said["certificates"] |= {"issuer": "private_ca", "private_cas": [ARN], "gateways": []}
    (fleet / "claims.yaml").write_text(yaml.safe_dump(said))
    build(cdk.App(context=CONTEXT | {"fleet": str(fleet)}, outdir=str(out))).synth()
    return Templates.read(Path(out))


def test_no_authority_signs_with_a_key_in_kms(private: Templates) -> None:
    usages = [one.properties.get("KeyUsage", "ENCRYPT_DECRYPT") for one in private.resources("KMS::Key")]
    assert usages
    assert set(usages) == {"ENCRYPT_DECRYPT"}
    for one in private.resources("Lambda::Function"):
        actions = {a for s in private.statements_of(one.properties["FunctionName"]) for a in listed(s["Action"])}
        assert "kms:Sign" not in actions


def test_two_functions_have_leaves_signed_by_the_declared_ca_and_by_templates_of_leaves(private: Templates) -> None:
    for one in private.resources("Lambda::Function"):
        name = str(one.properties["FunctionName"])
        issues = [s for s in private.statements_of(name) if "acm-pca:IssueCertificate" in listed(s["Action"])]
        assert bool(issues) is (name.removeprefix("vagus-prod-") in SIGNERS), name
        for statement in issues:
            assert listed(statement["Resource"]) == [ARN]
            templates = listed(statement["Condition"]["StringEquals"]["acm-pca:TemplateArn"])
            assert len(templates) == 2
            assert all("template/EndEntity" in str(template) for template in templates)


def test_without_gateways_nobody_has_a_right_on_acm_and_no_state_imports(private: Templates) -> None:
    names = [str(one.properties["FunctionName"]) for one in private.resources("Lambda::Function")]
    assert not [one for one in names if one.endswith("-outside")]
    assert not [
        a for one in names for s in private.statements_of(one) for a in listed(s["Action"]) if a.startswith("acm:")
    ]
    for one in private.resources("StepFunctions::StateMachine"):
        assert "gateway" not in str(one.properties["DefinitionString"])


def test_functions_reach_it_from_within_the_vpc(private: Templates) -> None:
    services = [str(one.properties["ServiceName"]) for one in private.resources("EC2::VPCEndpoint")]
    assert [one for one in services if one.endswith("acm-pca")]
    assert not [one for one in services if one.endswith(".kms")]
