"""Templates and state machines as AWS's own schemas want them (cfn-lint)."""

import json
from pathlib import Path

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from tests.infrastructure.templates import Templates

from vagus.rooms import ROOMS
from vagus_cdk.definition import definition

ERRORS = ManualArgs(ignore_checks=["W", "I"], regions=["eu-central-1"])
ARN = "arn:aws:lambda:eu-central-1:111122223333:function:"


def errors(template: Path) -> list[str]:
    return [f"{match.rule.id} {match.message}" for match in lint_file(template, ERRORS)]


def test_templates(templates: Templates) -> None:
    for stack in templates.stacks:
        assert errors(templates.folder / f"{stack}.template.json") == [], stack


def machine(folder: Path, states: object) -> Path:
    """In the template CloudFormation joins ARNs in, so that the linter can't read the definition: here it can."""
    properties = {"RoleArn": "arn:aws:iam::111122223333:role/r", "Definition": states}
    file = folder / "machine.json"
    resource = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    file.write_text(json.dumps({"Resources": {"Machine": resource}}))
    return file


@pytest.mark.parametrize("capability", ROOMS)
def test_state_machines(tmp_path: Path, capability: str) -> None:
    topic = "arn:aws:sns:eu-central-1:111122223333:t"
    made = definition(capability, ROOMS[capability].kinds, decide=f"{ARN}d", apply=f"{ARN}a", topic=topic)
    assert errors(machine(tmp_path, made)) == []


def test_the_linter_reads_definitions(tmp_path: Path) -> None:
    wrong = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "ResultPath": "$.a"}}}
    assert errors(machine(tmp_path, wrong))
