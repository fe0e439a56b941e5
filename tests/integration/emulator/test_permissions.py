"""With AUTH=true the policies of roles are enforced, on our own actions too."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import REGION, Aws, Emulator, start, stop


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start(tmp_path_factory.mktemp("strict"), AUTH="true")
    yield running
    stop(running)


@pytest.fixture(scope="module")
def owner(strict: Emulator) -> Iterator[Aws]:
    account = Aws(strict.url, "000000000000")
    account.group(DesiredCapacity=1)
    account.hook()
    account.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    yield account
    account.close()


def as_role(owner: Aws, name: str, *statements: dict[str, Any]) -> Aws:
    """Clients with the session of a role that has these statements."""
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}}
    trust = {"Version": "2012-10-17", "Statement": [assume]}
    owner.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    owner.iam.put_role_policy(RoleName=name, PolicyName="grants", PolicyDocument=json.dumps(policy))
    made = owner.sts.assume_role(RoleArn=f"arn:aws:iam::000000000000:role/{name}", RoleSessionName="test")[
        "Credentials"
    ]
    return RoleClients(owner.autoscaling.meta.endpoint_url, made)


class RoleClients(Aws):
    def __init__(self, url: str, credentials: dict[str, str]) -> None:
        super().__init__(url, credentials["AccessKeyId"])
        make: Any = boto3.client
        for service in ("autoscaling", "ec2", "ssm"):
            self._clients[service] = make(
                service,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
            )


def test_a_role_that_may_look_may_not_complete_nor_terminate(owner: Aws) -> None:
    (instance,) = owner.members()
    reader = as_role(owner, "reader", {"Effect": "Allow", "Action": "autoscaling:Describe*", "Resource": "*"})
    assert reader.members() == {instance: "Terminating:Wait"}
    with pytest.raises(ClientError, match=r"AccessDenied.*autoscaling:CompleteLifecycleAction"):
        reader.complete(instance)
    with pytest.raises(ClientError, match=r"AccessDenied.*autoscaling:RecordLifecycleActionHeartbeat"):
        reader.autoscaling.record_lifecycle_action_heartbeat(
            AutoScalingGroupName="nodes", LifecycleHookName="drain", InstanceId=instance
        )
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        reader.ec2.terminate_instances(InstanceIds=[instance])
    with pytest.raises(ClientError, match=r"AccessDenied.*ssm:GetDocument"):
        reader.ssm.get_document(Name="restart")
    assert owner.members() == {instance: "Terminating:Wait"}
    reader.close()


def test_a_grant_for_one_group_does_not_open_another(owner: Aws) -> None:
    (instance,) = owner.members()
    arn = owner.shown()["AutoScalingGroupARN"]
    action = "autoscaling:RecordLifecycleActionHeartbeat"
    other = as_role(
        owner, "other", {"Effect": "Allow", "Action": action, "Resource": arn.replace("/nodes", "/elsewhere")}
    )
    mine = as_role(owner, "mine", {"Effect": "Allow", "Action": action, "Resource": arn})
    beat = {"AutoScalingGroupName": "nodes", "LifecycleHookName": "drain", "InstanceId": instance}
    with pytest.raises(ClientError, match="AccessDenied"):
        other.autoscaling.record_lifecycle_action_heartbeat(**beat)
    mine.autoscaling.record_lifecycle_action_heartbeat(**beat)
    other.close()
    mine.close()


def test_a_tag_condition_holds_for_groups_and_for_instances(owner: Aws) -> None:
    (instance,) = owner.members()
    condition = {"StringEquals": {"aws:ResourceTag/vagus:cluster": "blue"}}
    actions = ["autoscaling:RecordLifecycleActionHeartbeat", "ec2:StopInstances"]
    blue = as_role(owner, "blue", {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition})
    beat = {"AutoScalingGroupName": "nodes", "LifecycleHookName": "drain", "InstanceId": instance}
    with pytest.raises(ClientError, match="AccessDenied"):
        blue.autoscaling.record_lifecycle_action_heartbeat(**beat)
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        blue.ec2.stop_instances(InstanceIds=[instance])
    tag = {"Key": "vagus:cluster", "Value": "blue", "PropagateAtLaunch": True}
    named = {"ResourceId": "nodes", "ResourceType": "auto-scaling-group"}
    owner.autoscaling.create_or_update_tags(Tags=[tag | named])
    owner.ec2.create_tags(Resources=[instance], Tags=[{"Key": "vagus:cluster", "Value": "blue"}])
    blue.autoscaling.record_lifecycle_action_heartbeat(**beat)
    blue.ec2.stop_instances(InstanceIds=[instance])
    blue.close()


def test_a_command_needs_the_document_and_the_instance(owner: Aws) -> None:
    owner.group("targets", DesiredCapacity=1)
    (instance,) = owner.in_service("targets")
    step = {"action": "aws:runShellScript", "name": "s", "inputs": {"runCommand": ["true"]}}
    content = {"schemaVersion": "2.2", "mainSteps": [step]}
    owner.ssm.create_document(Name="restart", Content=json.dumps(content), DocumentType="Command")
    document = "arn:aws:ssm:us-east-1:000000000000:document/restart"
    send = {"Effect": "Allow", "Action": "ssm:SendCommand"}
    condition = {"StringEquals": {"ssm:resourceTag/vagus:cluster": "blue"}}
    instances = "arn:aws:ec2:us-east-1:000000000000:instance/*"
    sender = as_role(
        owner, "sender", send | {"Resource": document}, send | {"Resource": instances, "Condition": condition}
    )
    with pytest.raises(ClientError, match="AccessDenied.*instance/" + instance):
        sender.ssm.send_command(InstanceIds=[instance], DocumentName="restart")
    targets = [{"Key": "tag:aws:autoscaling:groupName", "Values": ["targets"]}]
    with pytest.raises(ClientError, match="AccessDenied.*instance/" + instance):
        sender.ssm.send_command(Targets=targets, DocumentName="restart")
    owner.ec2.create_tags(Resources=[instance], Tags=[{"Key": "vagus:cluster", "Value": "blue"}])
    sender.ssm.send_command(InstanceIds=[instance], DocumentName="restart")
    with pytest.raises(ClientError, match=r"AccessDenied.*document/AWS-RunShellScript"):
        sender.ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": ["id"]}
        )
    sender.close()


def test_a_path_of_parameters_is_opened_by_its_own_name_alone(owner: Aws) -> None:
    """AWS checks the path as it was typed."""
    path = "arn:aws:ssm:us-east-1:000000000000:parameter/vagus/ours/node"
    node = as_role(owner, "node", {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": path})
    assert node.ssm.get_parameters_by_path(Path="/vagus/ours/node")["Parameters"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        node.ssm.get_parameters_by_path(Path="/vagus/theirs/node")
