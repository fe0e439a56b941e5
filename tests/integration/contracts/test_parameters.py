"""Parameters: put and overwritten; the same in SSM and in the fake."""

import pytest
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.fake import FakeParameters
from vagus.aws.parameters import SsmParameters
from vagus.errors import Refused
from vagus.ports import Parameters

NAME = "/vagus/one/node/formed"


def value_of(parameters: Parameters, request: pytest.FixtureRequest) -> str:
    """What a booting node would read."""
    if isinstance(parameters, FakeParameters):
        return parameters.values[NAME]
    aws: Aws = request.getfixturevalue("aws")
    return str(aws.ssm.get_parameter(Name=NAME)["Parameter"]["Value"])


def test_the_last_value_stands(parameters: Parameters, request: pytest.FixtureRequest) -> None:
    parameters.put(NAME, "none")
    parameters.put(NAME, "uuid-1")
    parameters.put(NAME, "uuid-1")
    assert value_of(parameters, request) == "uuid-1"


def test_an_empty_value_is_refused(parameters: Parameters) -> None:
    with pytest.raises(Refused):
        parameters.put(NAME, "")


def test_one_that_the_stack_made_is_overwritten(aws: Aws, clients: Clients) -> None:
    aws.ssm.put_parameter(Name=NAME, Value="none", Type="String", Description="owned by a step")
    SsmParameters(clients).put(NAME, "uuid-1")
    assert aws.ssm.get_parameter(Name=NAME)["Parameter"]["Value"] == "uuid-1"
