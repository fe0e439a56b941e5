"""CloudFormation: what ministack drops is applied, what it refuses is accepted."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, until

from vagus_local.emulator.cloudformation import RECORD_ONLY


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def test_a_cell_like_stack_is_accepted_as_a_whole(aws: Aws) -> None:
    """Every type that our stacks use, in one template."""
    assume = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ],
    }
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    vpc, key = {"Ref": "Vpc"}, {"Fn::GetAtt": "Key.Arn"}
    outputs = aws.stack(
        {
            "Vpc": resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
            "Subnet": resource("AWS::EC2::Subnet", VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1b"),
            "Routes": resource("AWS::EC2::RouteTable", VpcId=vpc),
            "Routed": resource(
                "AWS::EC2::SubnetRouteTableAssociation", SubnetId={"Ref": "Subnet"}, RouteTableId={"Ref": "Routes"}
            ),
            "Nodes": resource("AWS::EC2::SecurityGroup", VpcId=vpc, GroupDescription="nodes"),
            "Functions": resource("AWS::EC2::SecurityGroup", VpcId=vpc, GroupDescription="functions"),
            "In": resource(
                "AWS::EC2::SecurityGroupIngress",
                GroupId={"Fn::GetAtt": "Nodes.GroupId"},
                IpProtocol="tcp",
                FromPort=9200,
                ToPort=9200,
                SourceSecurityGroupId={"Fn::GetAtt": "Functions.GroupId"},
                Description="search",
            ),
            "Out": resource(
                "AWS::EC2::SecurityGroupEgress",
                GroupId={"Fn::GetAtt": "Functions.GroupId"},
                IpProtocol="tcp",
                FromPort=443,
                ToPort=443,
                CidrIp="10.0.0.0/16",
            ),
            "Endpoint": resource(
                "AWS::EC2::VPCEndpoint",
                VpcId=vpc,
                ServiceName="com.amazonaws.us-east-1.ssm",
                VpcEndpointType="Interface",
                SubnetIds=[{"Ref": "Subnet"}],
            ),
            "Gateway": resource(
                "AWS::EC2::VPCEndpoint",
                VpcId=vpc,
                ServiceName="com.amazonaws.us-east-1.s3",
                VpcEndpointType="Gateway",
                RouteTableIds=[{"Ref": "Routes"}],
            ),
            "Flow": resource(
                "AWS::EC2::FlowLog",
                ResourceId=vpc,
                ResourceType="VPC",
                TrafficType="ALL",
                LogDestinationType="cloud-watch-logs",
                LogGroupName="flow",
            ),
            "Key": resource("AWS::KMS::Key", EnableKeyRotation=True, KeyPolicy=policy),
            "KeyAlias": resource("AWS::KMS::Alias", AliasName="alias/cell", TargetKeyId={"Ref": "Key"}),
            "Topic": resource("AWS::SNS::Topic", KmsMasterKeyId={"Ref": "Key"}),
            "TopicPolicy": resource("AWS::SNS::TopicPolicy", Topics=[{"Ref": "Topic"}], PolicyDocument=policy),
            "Dead": resource("AWS::SQS::Queue", KmsMasterKeyId={"Ref": "Key"}),
            "Queue": resource(
                "AWS::SQS::Queue",
                KmsMasterKeyId={"Ref": "Key"},
                RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": "Dead.Arn"}, "maxReceiveCount": 3},
            ),
            "QueuePolicy": resource("AWS::SQS::QueuePolicy", Queues=[{"Ref": "Queue"}], PolicyDocument=policy),
            "Logs": resource("AWS::Logs::LogGroup", LogGroupName="/vagus/cell", RetentionInDays=30, KmsKeyId=key),
            "Secret": resource("AWS::SecretsManager::Secret", GenerateSecretString={}, KmsKeyId={"Ref": "Key"}),
            "SecretPolicy": resource(
                "AWS::SecretsManager::ResourcePolicy", SecretId={"Ref": "Secret"}, ResourcePolicy=policy
            ),
            "Parameter": resource("AWS::SSM::Parameter", Name="/vagus/blue/node/version", Type="String", Value="3.4.0"),
            "Role": resource("AWS::IAM::Role", AssumeRolePolicyDocument=assume),
            "Grants": resource("AWS::IAM::Policy", PolicyName="p", PolicyDocument=policy, Roles=[{"Ref": "Role"}]),
            "Profile": resource("AWS::IAM::InstanceProfile", Roles=[{"Ref": "Role"}]),
            "Minute": resource("AWS::Events::Rule", ScheduleExpression="rate(1 minute)", State="DISABLED"),
            "Alarm": resource(
                "AWS::CloudWatch::Alarm",
                ComparisonOperator="GreaterThanThreshold",
                EvaluationPeriods=1,
                Threshold=0,
                MetricName="ApproximateNumberOfMessagesVisible",
                Namespace="AWS/SQS",
                Period=60,
                Statistic="Maximum",
                AlarmActions=[{"Ref": "Topic"}],
            ),
        },
        Nodes={"Fn::GetAtt": "Nodes.GroupId"},
        Topic={"Ref": "Topic"},
        Secret={"Ref": "Secret"},
    )
    (group,) = aws.ec2.describe_security_groups(GroupIds=[outputs["Nodes"]])["SecurityGroups"]
    assert [(p["FromPort"], p["UserIdGroupPairs"][0]["Description"]) for p in group["IpPermissions"]] == [
        (9200, "search")
    ]
    assert aws.sns.get_topic_attributes(TopicArn=outputs["Topic"])["Attributes"]["KmsMasterKeyId"]
    assert "Allow" in aws.secretsmanager.get_resource_policy(SecretId=outputs["Secret"])["ResourcePolicy"]
    aws.cloudformation.delete_stack(StackName="stack")


@pytest.mark.parametrize("kind", sorted(RECORD_ONLY))
def test_a_type_without_behaviour_is_recorded_updated_and_deleted(aws: Aws, kind: str) -> None:
    aws.stack({"Thing": resource(kind, Name="one")})
    first = aws.cloudformation.describe_stack_resource(StackName="stack", LogicalResourceId="Thing")
    aws.stack({"Thing": resource(kind, Name="two")})
    second = aws.cloudformation.describe_stack_resource(StackName="stack", LogicalResourceId="Thing")
    physical = [r["StackResourceDetail"]["PhysicalResourceId"] for r in (first, second)]
    assert physical[0] == physical[1]
    aws.cloudformation.delete_stack(StackName="stack")
    until(lambda: not aws.cloudformation.list_stacks(StackStatusFilter=["UPDATE_COMPLETE"])["StackSummaries"])
    assert aws.cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]


def test_a_removed_rule_is_revoked(aws: Aws) -> None:
    vpc = aws.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = resource("AWS::EC2::SecurityGroup", VpcId=vpc, GroupDescription="nodes")
    said = {"GroupId": {"Fn::GetAtt": "Nodes.GroupId"}, "IpProtocol": "tcp", "FromPort": 9300, "ToPort": 9300}
    rule = resource("AWS::EC2::SecurityGroupIngress", CidrIp="10.0.0.0/16", **said)
    nodes = aws.stack({"Nodes": group, "Rule": rule}, Id={"Fn::GetAtt": "Nodes.GroupId"})["Id"]
    assert len(aws.ec2.describe_security_groups(GroupIds=[nodes])["SecurityGroups"][0]["IpPermissions"]) == 1
    aws.stack({"Nodes": group}, Id={"Fn::GetAtt": "Nodes.GroupId"})
    assert not aws.ec2.describe_security_groups(GroupIds=[nodes])["SecurityGroups"][0]["IpPermissions"]


def test_object_lock_encryption_and_lifecycle_of_a_bucket(aws: Aws) -> None:
    """A locked version cannot be deleted, and what is put is under the customer's key."""
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 365}}}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": "Key.Arn"}}
    bucket = aws.stack(
        {
            "Key": resource("AWS::KMS::Key", KeyPolicy={"Version": "2012-10-17", "Statement": []}),
            "Bucket": resource(
                "AWS::S3::Bucket",
                ObjectLockEnabled=True,
                ObjectLockConfiguration=lock,
                BucketEncryption={"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]},
                LifecycleConfiguration={
                    "Rules": [{"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 400}}]
                },
            ),
        },
        Bucket={"Ref": "Bucket"},
    )["Bucket"]
    version = aws.s3.put_object(Bucket=bucket, Key="evidence", Body=b"x")
    assert version["ServerSideEncryption"] == "aws:kms"
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.s3.delete_object(Bucket=bucket, Key="evidence", VersionId=version["VersionId"])
    rule = aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 400
