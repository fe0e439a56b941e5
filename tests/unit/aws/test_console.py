"""Where a person sees an execution: by partition and Region, without a call."""

import pytest

from vagus.aws.clients import Clients
from vagus.aws.executions import Machine

CONSOLES = {
    "aws": ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"),
    "aws-us-gov": (
        "us-gov-west-1",
        "https://us-gov-west-1.console.amazonaws-us-gov.com/states/home?region=us-gov-west-1",
    ),
    "aws-cn": ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/states/home?region=cn-north-1"),
}


@pytest.mark.parametrize(("partition", "region", "page"), [(name, *one) for name, one in CONSOLES.items()])
def test_an_execution_has_a_page_in_the_console_of_its_partition(partition: str, region: str, page: str) -> None:
    machine = Machine(Clients(), f"arn:{partition}:states:{region}:111122223333:stateMachine:vagus-prod-zone_balance")
    execution = f"arn:{partition}:states:{region}:111122223333:execution:vagus-prod-zone_balance:claims-zone_balance-7"
    assert machine.console("claims-zone_balance-7") == f"{page}#/v2/executions/details/{execution}"
