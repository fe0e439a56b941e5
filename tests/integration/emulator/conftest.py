"""One emulator for all tests of this folder; each test works in an AWS account of its own."""

import itertools
from collections.abc import Iterator

import pytest
from tests.integration.emulator.support import Aws, Emulator, start, stop

_accounts = itertools.count(100000000001)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start(tmp_path_factory.mktemp("emulator"))
    yield running
    stop(running)


@pytest.fixture
def aws(emulator: Emulator) -> Iterator[Aws]:
    account = Aws(emulator.url, str(next(_accounts)))
    yield account
    for group in account.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]:
        name = group["AutoScalingGroupName"]
        account.autoscaling.update_auto_scaling_group(AutoScalingGroupName=name, DeletionProtection="none")
        account.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    left = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    for reservation in account.ec2.describe_instances(Filters=left)["Reservations"]:
        account.ec2.terminate_instances(InstanceIds=[i["InstanceId"] for i in reservation["Instances"]])
    account.close()
