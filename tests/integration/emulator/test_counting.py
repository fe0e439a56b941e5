"""What Vagus's functions called AWS for is counted; what others called is not."""

import boto3
from botocore.config import Config
from tests.integration.emulator.support import REGION, Aws, Emulator


def test_calls_of_clients_that_bear_our_name_are_counted(emulator: Emulator, aws: Aws) -> None:
    aws.dynamodb.create_table(
        TableName="rows",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    session = boto3.Session(aws_access_key_id=aws.account, aws_secret_access_key="test", region_name=REGION)
    ours = session.client("dynamodb", endpoint_url=emulator.url, config=Config(user_agent_extra="vagus"))
    groups = session.client("autoscaling", endpoint_url=emulator.url, config=Config(user_agent_extra="vagus"))
    emulator.post("/_local/calls", {"reset": True})
    ours.put_item(TableName="rows", Item={"pk": {"S": "a"}, "data": {"S": "x" * 1500}})
    ours.get_item(TableName="rows", Key={"pk": {"S": "a"}})
    groups.describe_auto_scaling_groups()
    aws.dynamodb.get_item(TableName="rows", Key={"pk": {"S": "a"}})
    counted = emulator.post("/_local/calls", {"reset": True})
    assert {name: (one["calls"], one["units"]) for name, one in counted.items()} == {
        "autoscaling:DescribeAutoScalingGroups": (1, 0),
        "dynamodb:GetItem": (1, 1),
        "dynamodb:PutItem": (1, 2),
    }
    assert emulator.post("/_local/calls", {}) == {}
