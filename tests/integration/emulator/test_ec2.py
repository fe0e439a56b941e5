"""EC2: launch templates, volumes, filters, state-change events."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, until

DATA = {
    "DeviceName": "/dev/sdf",
    "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": False},
}


def test_state_changes_are_events(aws: Aws) -> None:
    events = aws.listen("aws.ec2")
    aws.group(DesiredCapacity=1)
    (instance,) = aws.in_service()
    aws.ec2.terminate_instances(InstanceIds=[instance])
    aws.autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=0)
    states = until(lambda: _states(events(), instance) if "terminated" in _states(events(), instance) else None)
    assert states == ["pending", "running", "shutting-down", "terminated"]


def _states(events: list[dict[str, Any]], instance: str) -> list[str]:
    return [str(e["detail"]["state"]) for e in events if e["detail"]["instance-id"] == instance]


def test_a_data_volume_outlives_its_instance_and_the_root_volume_does_not(aws: Aws) -> None:
    volume_tags = [{"ResourceType": "volume", "Tags": [{"Key": "vagus:volume", "Value": "data"}]}]
    aws.template(BlockDeviceMappings=[DATA], TagSpecifications=volume_tags)
    (made,) = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "nodes"}, MinCount=1, MaxCount=1)["Instances"]
    shown = {m["DeviceName"]: m["Ebs"] for m in made["BlockDeviceMappings"]}
    assert {d: e["DeleteOnTermination"] for d, e in shown.items()} == {"/dev/xvda": True, "/dev/sdf": False}
    data, root = shown["/dev/sdf"]["VolumeId"], shown["/dev/xvda"]["VolumeId"]
    aws.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    until(lambda: aws.state(made["InstanceId"]) == "terminated")
    (volume,) = aws.ec2.describe_volumes(Filters=[{"Name": "tag:vagus:volume", "Values": ["data"]}])["Volumes"]
    assert (volume["VolumeId"], volume["State"], volume["Encrypted"], volume["Size"]) == (data, "available", True, 20)
    with pytest.raises(ClientError, match=r"InvalidVolume\.NotFound"):
        aws.ec2.describe_volumes(VolumeIds=[root])


def test_an_instance_stands_in_its_subnets_zone_with_its_templates_options(aws: Aws) -> None:
    (subnet,) = aws.subnets("c")
    aws.template(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1})
    (made,) = aws.ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "nodes"},
        SubnetId=subnet,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "n1"}]}],
    )["Instances"]
    assert made["Placement"]["AvailabilityZone"] == "us-east-1c"
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert made["Tags"] == [{"Key": "Name", "Value": "n1"}]
    assert "PublicIpAddress" not in made


def test_filters_select_and_an_unknown_one_is_refused(aws: Aws) -> None:
    aws.group(DesiredCapacity=3, Tags=[{"Key": "vagus:cluster", "Value": "blue", "PropagateAtLaunch": True}])

    def found(**filters: str) -> int:
        asked = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
        return len(aws.ec2.describe_instances(Filters=asked)["Reservations"])

    assert found(availability_zone="us-east-1b") == 1
    assert found(availability_zone="us-east-1*") == 3
    assert found(instance_state_name="stopped") == 0
    tagged = [{"Name": "tag:vagus:cluster", "Values": ["blue"]}]
    assert len(aws.ec2.describe_instances(Filters=tagged)["Reservations"]) == 3
    with pytest.raises(ClientError, match="The filter 'no-such' is invalid"):
        found(no_such="x")


def test_termination_protection_stops_people_but_not_the_group(aws: Aws) -> None:
    aws.template(DisableApiTermination=True)
    aws.group(DesiredCapacity=2)
    first, second = aws.in_service()
    asked = {"InstanceId": first, "Attribute": "disableApiTermination"}
    assert aws.ec2.describe_instance_attribute(**asked)["DisableApiTermination"]["Value"] is True
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        aws.ec2.terminate_instances(InstanceIds=[first])
    aws.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    until(lambda: aws.state(second) == "terminated")
    aws.ec2.modify_instance_attribute(InstanceId=first, DisableApiTermination={"Value": False})
    aws.ec2.terminate_instances(InstanceIds=[first])
    until(lambda: aws.state(first) == "terminated")


def test_user_data_can_be_read_back(aws: Aws) -> None:
    aws.template(UserData="aGVsbG8=")
    aws.group(DesiredCapacity=1)
    shown = aws.ec2.describe_instance_attribute(InstanceId=aws.in_service()[0], Attribute="userData")
    assert shown["UserData"]["Value"] == "aGVsbG8="
