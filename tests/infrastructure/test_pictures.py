"""The pictures in docs are of the state machines that are deployed."""

import json
from pathlib import Path
from typing import Any

from tests.infrastructure.templates import Templates

from vagus_cdk.diagram import svg

PICTURES = Path(__file__).parents[2] / "docs/pictures"


def _definition(properties: Any) -> Any:
    """What is deployed; in place of ARNs that only CloudFormation knows stands a word."""
    _, parts = properties["DefinitionString"]["Fn::Join"]
    return json.loads("".join(part if isinstance(part, str) else "arn" for part in parts))


def test_each_deployed_state_machine_has_its_picture(templates: Templates) -> None:
    deployed = [_definition(one.properties) for one in templates.resources("StepFunctions::StateMachine")]
    assert {svg(one) for one in deployed} == {picture.read_text() for picture in PICTURES.glob("*.svg")}
