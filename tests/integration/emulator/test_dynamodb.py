"""DynamoDB: what a template says about a table holds, and items expire as AWS's do."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, Emulator, until

KEYS = {
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
    "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
}
KEY = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": []}}}
RECOVERY = {"PointInTimeRecoveryEnabled": True}
ARN = {"Fn::GetAtt": "Key.Arn"}

TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": KEYS
    | {
        "PointInTimeRecoverySpecification": RECOVERY,
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": ARN},
        "DeletionProtectionEnabled": True,
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
    },
}
GLOBAL_TABLE = {
    "Type": "AWS::DynamoDB::GlobalTable",
    "Properties": KEYS
    | {
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
        "Replicas": [
            {
                "Region": "us-east-1",
                "PointInTimeRecoverySpecification": RECOVERY,
                "DeletionProtectionEnabled": True,
                "SSESpecification": {"KMSMasterKeyId": ARN},
            }
        ],
    },
}


@pytest.mark.parametrize("table", [TABLE, GLOBAL_TABLE], ids=["Table", "GlobalTable"])
def test_ttl_recovery_encryption_and_deletion_protection_come_from_the_template(
    aws: Aws, table: dict[str, Any]
) -> None:
    outputs = aws.stack({"Key": KEY, "Table": table}, Table={"Ref": "Table"}, Key=ARN)
    name = outputs["Table"]
    assert aws.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "expires"
    backups = aws.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    shown = aws.dynamodb.describe_table(TableName=name)["Table"]
    assert shown["SSEDescription"]["KMSMasterKeyArn"] == outputs["Key"]
    assert shown["DeletionProtectionEnabled"] is True
    with pytest.raises(ClientError, match="protect"):
        aws.dynamodb.delete_table(TableName=name)
    aws.cloudformation.delete_stack(StackName="stack")
    until(lambda: aws.cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"] == "DELETE_FAILED")
    assert aws.dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"


def test_an_expired_item_goes_and_the_stream_says_who_removed_it(aws: Aws, emulator: Emulator) -> None:
    outputs = aws.stack({"Key": KEY, "Table": TABLE}, Table={"Ref": "Table"}, Stream={"Fn::GetAtt": "Table.StreamArn"})
    name, now = outputs["Table"], time.time()
    aws.dynamodb.put_item(TableName=name, Item={"pk": {"S": "row"}, "expires": {"N": str(int(now) + 1000)}})
    aws.dynamodb.put_item(TableName=name, Item={"pk": {"S": "kept"}})
    emulator.post("/_local/ttl", {"now": now + 900})
    assert "Item" in aws.dynamodb.get_item(TableName=name, Key={"pk": {"S": "row"}})
    emulator.post("/_local/ttl", {"now": now + 1001})
    assert aws.dynamodb.scan(TableName=name)["Items"] == [{"pk": {"S": "kept"}}]
    removed = [r for r in streamed(aws, outputs["Stream"]) if r["eventName"] == "REMOVE"]
    assert [(r["dynamodb"]["Keys"]["pk"]["S"], r["userIdentity"]["PrincipalId"]) for r in removed] == [
        ("row", "dynamodb.amazonaws.com")
    ]


def streamed(aws: Aws, arn: str) -> list[dict[str, Any]]:
    """The records of a stream with one shard."""
    (shard,) = aws.dynamodbstreams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    asked = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    position = aws.dynamodbstreams.get_shard_iterator(**asked)["ShardIterator"]
    records: list[dict[str, Any]] = aws.dynamodbstreams.get_records(ShardIterator=position)["Records"]
    return records
