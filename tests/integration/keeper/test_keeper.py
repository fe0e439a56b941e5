"""STOPPING VAGUS KILLS NO DATA: the keeper alone, everything else deleted, outlives a hook's time-out."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.deploy.conftest import FLEET

from vagus_local import emulator_process, stack
from vagus_local.emulator_process import ACCOUNT, REGION, Emulator
from vagus_local.stack import LocalSession
from vagus_local.waiting import until

GROUP = "demo-data-us-east-1a"
CONTROL = "not-declared"
TIMEOUT = 70
"""Seconds of the hook, instead of an hour: the keeper comes once a minute."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("keeper")
    running = emulator_process.start(folder, {"VAGUS_BOOT": "/bin/sleep 3600"})
    assembly = stack.synthesize(FLEET, "local", folder / "assembly")
    stack.cdk(running, "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", str(assembly))
    stack.cdk(running, "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--concurrency", "2")
    yield running
    emulator_process.stop(running)


def states(scaling: Any, group: str) -> list[str]:
    """The lifecycle states of a group's instances."""
    described = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    return [one["LifecycleState"] for one in described["Instances"]]


def serves(scaling: Any, group: str) -> bool:
    """Whether its instance serves. No node joins here, so a person lets it through its launch hook."""
    described = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"][0]
    for one in described["Instances"]:
        if one["LifecycleState"] == "Pending:Wait":
            scaling.complete_lifecycle_action(
                AutoScalingGroupName=group,
                LifecycleHookName="vagus-launch",
                InstanceId=one["InstanceId"],
                LifecycleActionResult="CONTINUE",
            )
    return states(scaling, group) == ["InService"]


def impatient_hook(scaling: Any, group: str) -> None:
    scaling.put_lifecycle_hook(
        AutoScalingGroupName=group,
        LifecycleHookName="vagus-terminate",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=TIMEOUT,
        DefaultResult="ABANDON",
    )


def delete_all_but_the_keeper(session: LocalSession) -> None:
    """Functions, state machines, rules' other targets, and both tables."""
    functions = session.client("lambda")
    for function in functions.list_functions()["Functions"]:
        if not function["FunctionName"].endswith("-keeper"):
            functions.delete_function(FunctionName=function["FunctionName"])
    machines = session.client("stepfunctions")
    for machine in machines.list_state_machines()["stateMachines"]:
        machines.delete_state_machine(stateMachineArn=machine["stateMachineArn"])
    tables = session.client("dynamodb")
    for name in tables.list_tables()["TableNames"]:
        tables.update_table(TableName=name, DeletionProtectionEnabled=False)
        tables.delete_table(TableName=name)


def test_the_keeper_alone_holds_a_waiting_instance_past_its_time_out(emulator: Emulator) -> None:
    session = LocalSession(emulator.endpoint)
    scaling = session.client("autoscaling")
    template = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=CONTROL,
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=template["VPCZoneIdentifier"],
        LaunchTemplate=template["LaunchTemplate"],
    )
    for group in (GROUP, CONTROL):
        impatient_hook(scaling, group)
        scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=1)
    until(lambda: serves(scaling, GROUP) and serves(scaling, CONTROL), 120, "both are in service")
    delete_all_but_the_keeper(session)
    for group in (GROUP, CONTROL):
        scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=0)
    began = time.monotonic()
    # an instance that nobody keeps goes when its hook runs out: so the hook's clock does run
    until(lambda: states(scaling, CONTROL) == [], 3 * TIMEOUT, "the control's hook runs out")
    until(lambda: time.monotonic() - began > 2 * TIMEOUT, 3 * TIMEOUT, "twice the time-out has passed", pause=1)
    assert states(scaling, GROUP) == ["Terminating:Wait"]


def test_without_its_record_table_the_keeper_keeps_and_says_so(emulator: Emulator) -> None:
    """The tables are gone: the heartbeat is sent all the same, and the log has it."""
    reply = LocalSession(emulator.endpoint).client("lambda").invoke(FunctionName="vagus-local-keeper", Payload=b"{}")
    kept = json.loads(reply["Payload"].read())
    assert GROUP in [beat["group"] for beat in kept["sent"]]  # others wait in their launch hooks, if a sweep came by
    assert kept["failed"] == []
