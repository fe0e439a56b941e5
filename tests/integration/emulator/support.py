"""Starting an emulator, and what a test does with an account of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3

REGION = "us-east-1"
ROOT = Path(__file__).parents[3]
HOOK_SCALE = 0.01
BOOT = """#!/bin/sh
echo "booted $INSTANCE_ID in $AVAILABILITY_ZONE at $PRIVATE_IP"
echo $$ > "$INSTANCE_HOME/boot.pid"
sleep 3600 &
wait
"""


def until[T](condition: Callable[[], T | None], seconds: float = 120.0) -> T:
    """Poll until the condition is truthy and return what it gave; fail after `seconds`."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s, last seen: {value!r}"
        pause.wait(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its URL, its folder, and its process."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: Any = None) -> Any:
        answer = urllib3.request("POST", self.url + path, json=body, timeout=30, retries=False)
        assert answer.status == 200, answer.data
        return answer.json()

    def home(self, instance: str) -> Path:
        return self.folder / "instances" / instance


def environment(folder: Path, port: int, **more: str) -> dict[str, str]:
    boot = folder / "boot.sh"
    boot.write_text(BOOT)
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT / "local"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LAMBDA_PYTHON_3_13": str(ROOT / ".venv-functions/bin/python"),
        "SFN_WAIT_SCALE": "0.01",
        "VAGUS_HOOK_SCALE": str(HOOK_SCALE),
        "VAGUS_BOOT": f"/bin/sh {boot}",
        "VAGUS_INSTANCES_DIR": str(folder / "instances"),
        "VAGUS_NODE_BIN": str(folder / "node-bin"),
        "VAGUS_NODE_NETWORK": "127.199.7",
    } | more


def start(folder: Path, **more: str) -> Emulator:
    """A started emulator that answers; its log is `<folder>/log`."""
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "vagus_local.emulator"],
            env=environment(folder, port, **more),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    emulator = Emulator(f"http://127.0.0.1:{port}", folder, process)
    until(lambda: _answers(emulator), 120)
    return emulator


def _answers(emulator: Emulator) -> bool:
    code = emulator.process.poll()
    assert code is None, f"the emulator ended with {code}: {(emulator.folder / 'log').read_text()[-2000:]}"
    try:
        answer = urllib3.request("GET", emulator.url + "/_ministack/health", timeout=2, retries=False)
        return answer.status == 200
    except urllib3.exceptions.HTTPError:
        return False


def stop(emulator: Emulator, how: signal.Signals = signal.SIGTERM) -> None:
    emulator.process.send_signal(how)
    emulator.process.wait(60)


class Aws:
    """Clients of one account, and shorthands that several tests need."""

    def __init__(self, url: str, account: str) -> None:
        self.account = account
        self._url = url
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        if service not in self._clients:
            make: Any = boto3.client
            self._clients[service] = make(
                service,
                endpoint_url=self._url,
                region_name=REGION,
                aws_access_key_id=self.account,
                aws_secret_access_key="test",
            )
        return self._clients[service]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def subnets(self, zones: str = "abc") -> list[str]:
        """A VPC with one subnet per zone letter."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return [
            self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate(zones)
        ]

    def template(self, **data: Any) -> str:
        said = {"ImageId": "ami-0c55b159cbfafe1f0", "InstanceType": "t3.micro", **data}
        made = self.ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=said)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def group(self, name: str = "nodes", **said: Any) -> str:
        """A group in three zones, without a desired capacity unless one is said."""
        request = {
            "MinSize": 0,
            "MaxSize": 9,
            "LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "$Latest"},
            "VPCZoneIdentifier": ",".join(said.pop("subnets", None) or self.subnets()),
        }
        if not self.ec2.describe_launch_templates()["LaunchTemplates"]:
            self.template()
        self.autoscaling.create_auto_scaling_group(AutoScalingGroupName=name, **request | said)
        return name

    def hook(self, group: str = "nodes", name: str = "drain", going: bool = True, **said: Any) -> None:
        transition = "autoscaling:EC2_INSTANCE_TERMINATING" if going else "autoscaling:EC2_INSTANCE_LAUNCHING"
        request = {"LifecycleTransition": transition, "HeartbeatTimeout": 7200, "DefaultResult": "ABANDON"} | said
        self.autoscaling.put_lifecycle_hook(AutoScalingGroupName=group, LifecycleHookName=name, **request)

    def members(self, group: str = "nodes") -> dict[str, str]:
        """Instance id -> lifecycle state."""
        shown = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        return {i["InstanceId"]: i["LifecycleState"] for i in shown[0]["Instances"]}

    def in_service(self, group: str = "nodes") -> list[str]:
        return [i for i, state in self.members(group).items() if state == "InService"]

    def shown(self, group: str = "nodes") -> dict[str, Any]:
        groups = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        found: dict[str, Any] = groups[0]
        return found

    def state(self, instance: str) -> str:
        reservations = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return str(reservations[0]["Instances"][0]["State"]["Name"])

    def instance(self, instance: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return found

    def complete(self, instance: str, result: str = "CONTINUE", group: str = "nodes", hook: str = "drain") -> None:
        self.autoscaling.complete_lifecycle_action(
            AutoScalingGroupName=group, LifecycleHookName=hook, InstanceId=instance, LifecycleActionResult=result
        )

    def listen(self, *sources: str) -> Callable[[], list[dict[str, Any]]]:
        """A queue that gets every event of the sources; the answer collects them, each call adding what is new."""
        queue = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{self.account}:events"
        self.events.put_rule(Name="all", EventPattern=json.dumps({"source": list(sources)}))
        self.events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
        collected: list[dict[str, Any]] = []

        def collect() -> list[dict[str, Any]]:
            while messages := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
                collected.extend(json.loads(m["Body"]) for m in messages)
                for message in messages:
                    self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return collected

        return collect

    def stack(self, resources: dict[str, Any], name: str = "stack", **outputs: Any) -> dict[str, str]:
        """Create or update a stack, wait for its end, return its outputs; fails with the stack's own reasons."""
        template = {"Resources": resources, "Outputs": {key: {"Value": value} for key, value in outputs.items()}}
        known = [s["StackName"] for s in self.cloudformation.describe_stacks()["Stacks"]]
        call = self.cloudformation.update_stack if name in known else self.cloudformation.create_stack
        call(StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
        stack = until(lambda: self._ended(name))
        assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), self._why(name)
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}

    def _ended(self, name: str) -> dict[str, Any] | None:
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    def _why(self, name: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return "; ".join(
            f"{e['LogicalResourceId']}: {e['ResourceStatusReason']}" for e in events if e.get("ResourceStatusReason")
        )
