"""Instances are processes: booting, stopping, crashing, freezing, and leaving nothing behind."""

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, Emulator, start, stop, until
from tests.integration.emulator.test_functions import function

BUSY = """
import os, pathlib, time

def handler(event, context):
    pathlib.Path(event).write_text(str(os.getpid()))
    time.sleep(15)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def boot_pid(emulator: Emulator, instance: str) -> int:
    return int(until(lambda: _text(emulator.home(instance) / "boot.pid")))


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def test_a_launched_instance_boots_with_its_user_data_tags_and_place(aws: Aws, emulator: Emulator) -> None:
    user_data = base64.b64encode(b"#!/bin/sh\necho hello\n").decode()
    specification = [{"ResourceType": "instance", "Tags": [{"Key": "vagus:role", "Value": "data"}]}]
    aws.template(UserData=user_data, TagSpecifications=specification)
    aws.group(DesiredCapacity=1, Tags=[{"Key": "vagus:cluster", "Value": "blue", "PropagateAtLaunch": True}])
    (instance,) = aws.in_service()
    shown, home = aws.instance(instance), emulator.home(instance)
    boot_pid(emulator, instance)
    assert _text(home / "boot.log") == f"booted {instance} in us-east-1a at {shown['PrivateIpAddress']}"
    assert (home / "user-data").read_bytes() == b"#!/bin/sh\necho hello\n"
    tags = json.loads((home / "tags.json").read_text())
    assert tags == {t["Key"]: t["Value"] for t in shown["Tags"]}
    assert tags.items() >= {"vagus:cluster": "blue", "vagus:role": "data", "aws:autoscaling:groupName": "nodes"}.items()


def test_terminating_ends_every_process_even_one_in_a_session_of_its_own(aws: Aws, emulator: Emulator) -> None:
    aws.group(DesiredCapacity=1)
    (instance,) = aws.in_service()
    pid = boot_pid(emulator, instance)
    command = "setsid sh -c 'trap \"\" TERM; echo $$; sleep 3600' & echo $!"
    stray = int(ran(aws, instance, command)["StandardOutputContent"].split()[0])
    assert alive(pid)
    assert alive(stray)
    aws.ec2.terminate_instances(InstanceIds=[instance])
    assert aws.state(instance) == "shutting-down"
    until(lambda: aws.state(instance) == "terminated", 30)
    assert not alive(pid)
    assert not alive(stray)


def ran(aws: Aws, instance: str, command: str) -> dict[str, str]:
    """The finished invocation of a shell command on an instance."""
    sent = aws.ssm.send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [command]}
    )
    asked = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance}

    def finished() -> dict[str, str] | None:
        shown: dict[str, str] = aws.ssm.get_command_invocation(**asked)
        return shown if shown["Status"] not in ("Pending", "InProgress") else None

    return until(finished)


def test_a_crashed_node_is_not_noticed_by_its_group(aws: Aws, emulator: Emulator) -> None:
    """EC2's status checks look at the machine, not at what runs on it."""
    aws.group(DesiredCapacity=1)
    (instance,) = aws.in_service()
    pid = boot_pid(emulator, instance)
    emulator.post(f"/_local/instances/{instance}/kill")
    until(lambda: not alive(pid))
    assert aws.members() == {instance: "InService"}
    assert aws.state(instance) == "running"


def test_a_zone_is_frozen_thawed_and_killed(aws: Aws, emulator: Emulator) -> None:
    aws.group(DesiredCapacity=2)
    zone_of = {i["InstanceId"]: i["AvailabilityZone"] for i in aws.shown()["Instances"]}
    (here, there), zone = sorted(zone_of, key=zone_of.__getitem__), "us-east-1a"
    pids = [boot_pid(emulator, here), boot_pid(emulator, there)]
    assert emulator.post(f"/_local/zones/{zone}/freeze")["signalled"][here] >= 1
    until(lambda: state_of(pids[0]) == "T")
    assert state_of(pids[1]) == "S"
    emulator.post(f"/_local/zones/{zone}/thaw")
    until(lambda: state_of(pids[0]) == "S")
    emulator.post(f"/_local/zones/{zone}/kill")
    until(lambda: not alive(pids[0]))
    assert alive(pids[1])


def test_a_frozen_instance_runs_its_commands_when_it_is_thawed(aws: Aws, emulator: Emulator) -> None:
    aws.group(DesiredCapacity=1)
    (instance,) = aws.in_service()
    boot_pid(emulator, instance)
    emulator.post("/_local/zones/us-east-1a/freeze")
    sent = aws.ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["echo $$ > $INSTANCE_HOME/ran"]},
    )
    note, asked = emulator.home(instance) / "ran", {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance}
    until(lambda: aws.ssm.get_command_invocation(**asked)["Status"] == "InProgress")
    assert not note.exists()
    emulator.post("/_local/zones/us-east-1a/thaw")
    until(lambda: aws.ssm.get_command_invocation(**asked)["Status"] == "Success")
    assert note.exists()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_stopped_instance_keeps_address_and_volumes_and_boots_again(aws: Aws, emulator: Emulator) -> None:
    aws.template()
    (made,) = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "nodes"}, MinCount=1, MaxCount=1)["Instances"]
    instance, before = made["InstanceId"], aws.instance(made["InstanceId"])
    pid = boot_pid(emulator, instance)
    aws.ec2.stop_instances(InstanceIds=[instance])
    until(lambda: aws.state(instance) == "stopped")
    assert not alive(pid)
    (emulator.home(instance) / "boot.pid").unlink()
    aws.ec2.start_instances(InstanceIds=[instance])
    assert alive(boot_pid(emulator, instance))
    after = aws.instance(instance)
    for kept in ("PrivateIpAddress", "BlockDeviceMappings", "Placement"):
        assert after[kept] == before[kept]


def test_a_terminated_instance_cannot_be_started(aws: Aws) -> None:
    aws.template()
    (made,) = aws.ec2.run_instances(LaunchTemplate={"LaunchTemplateName": "nodes"}, MinCount=1, MaxCount=1)["Instances"]
    aws.ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        aws.ec2.start_instances(InstanceIds=[made["InstanceId"]])


def test_addresses_come_from_the_nodes_network_and_none_is_used_twice(aws: Aws) -> None:
    aws.group(DesiredCapacity=5)
    addresses = [aws.instance(i)["PrivateIpAddress"] for i in aws.in_service()]
    assert len(set(addresses)) == 5
    assert all(a.startswith("127.199.7.") and 10 <= int(a.rsplit(".", 1)[1]) <= 250 for a in addresses)


def test_an_instance_that_cannot_boot_is_a_failed_launch_and_leaves_no_address_taken(tmp_path: Path) -> None:
    emulator = start(tmp_path, VAGUS_BOOT="/no/such/command")
    aws = Aws(emulator.url, "100000000000")
    aws.group(DesiredCapacity=1)
    activity = aws.autoscaling.describe_scaling_activities(AutoScalingGroupName="nodes")["Activities"][-1]
    assert activity["StatusCode"] == "Failed"
    assert "/no/such/command" in activity["StatusMessage"]
    assert not aws.members()
    make: Any = boto3.client
    once = make(
        "ec2",
        endpoint_url=emulator.url,
        region_name="us-east-1",
        aws_access_key_id=aws.account,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),  # lack of capacity is a 500, which is retried
    )
    with pytest.raises(ClientError, match="cannot boot"):
        once.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)
    once.close()
    aws.close()
    stop(emulator)


def test_a_reset_ends_every_instance_and_forgets_every_group(tmp_path: Path) -> None:
    emulator = start(tmp_path)
    aws = Aws(emulator.url, "100000000000")
    aws.group(DesiredCapacity=2)
    pids = [boot_pid(emulator, i) for i in aws.in_service()]
    emulator.post("/_ministack/reset")
    assert not aws.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    until(lambda: not any(alive(pid) for pid in pids))
    aws.close()
    stop(emulator)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind_when_the_emulator_ends(tmp_path: Path, how: signal.Signals) -> None:
    """Also when it has no chance to clean up itself."""
    emulator = start(tmp_path)
    aws = Aws(emulator.url, "100000000000")
    aws.group(DesiredCapacity=2)
    pids = [boot_pid(emulator, i) for i in aws.in_service()]
    function(aws, BUSY)
    note = tmp_path / "function.pid"
    aws.__getattr__("lambda").invoke(FunctionName="probe", Payload=json.dumps(str(note)), InvocationType="Event")
    pids.append(int(until(lambda: _text(note))))
    aws.close()
    stop(emulator, how)
    if how != signal.SIGKILL:  # then it waits for the end of its instances before it ends
        assert not any(alive(pid) for pid in pids)
    until(lambda: not any(alive(pid) for pid in pids))
    until(lambda: not _mentioning(str(tmp_path)))


def _mentioning(text: str) -> list[int]:
    """Processes whose environment mentions the folder of this emulator."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                environment = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if text.encode() in environment:
                found.append(int(entry))
    return found


def test_an_instance_has_its_roles_credentials_and_without_a_profile_none(aws: Aws) -> None:
    assume = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
    aws.iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(assume))
    aws.iam.create_instance_profile(InstanceProfileName="node")
    aws.iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    aws.template(IamInstanceProfile={"Name": "node"})
    aws.group(DesiredCapacity=1)
    (instance,) = aws.in_service()
    key, secret, token = ran(aws, instance, "echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN")[
        "StandardOutputContent"
    ].split()
    endpoint = aws.ec2.meta.endpoint_url
    client = boto3.client(
        "sts",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )
    assert client.get_caller_identity()["Arn"] == f"arn:aws:sts::{aws.account}:assumed-role/node/{instance}"
    client.close()
    (bare,) = aws.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"]
    assert ran(aws, bare["InstanceId"], 'echo "[$AWS_ACCESS_KEY_ID]"')["StandardOutputContent"] == "[]\n"
