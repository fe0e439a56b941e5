"""`cdk bootstrap` and `cdk deploy` on the emulated AWS: what then stands there; a later deploy takes nothing away."""

import json
import shutil
from pathlib import Path

import pytest
from tests.integration.deploy.conftest import FLEET, Client, deploy

from vagus_local import stack
from vagus_local.emulator_process import Emulator


@pytest.fixture(scope="session")
def groups(deployed: Path, client: Client) -> list[str]:
    assert deployed.exists()
    found = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return sorted(one["AutoScalingGroupName"] for one in found)


def shown(client: Client, group: str) -> dict[str, object]:
    answer = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    found: dict[str, object] = answer["AutoScalingGroups"][0]
    return found


def test_there_is_a_group_for_each_kind_and_zone(groups: list[str]) -> None:
    assert groups == [f"demo-{kind}-us-east-1{zone}" for kind in ("core", "data") for zone in "abc"]


def test_groups_begin_empty_and_retain_what_is_abandoned(groups: list[str], client: Client) -> None:
    for group in groups:
        found = shown(client, group)
        assert (found["MinSize"], found["DesiredCapacity"], found["Instances"]) == (0, 0, [])
        assert found["InstanceLifecyclePolicy"] == {"RetentionTriggers": {"TerminateHookAbandon": "retain"}}
        assert found["DeletionProtection"] == "prevent-all-deletion"


def test_every_group_has_the_hook(groups: list[str], client: Client) -> None:
    for group in groups:
        hooks = client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
        launch, hook = sorted(hooks, key=lambda one: one["LifecycleHookName"])
        assert (launch["LifecycleHookName"], launch["DefaultResult"]) == ("vagus-launch", "CONTINUE")
        assert (hook["LifecycleHookName"], hook["HeartbeatTimeout"], hook["DefaultResult"]) == (
            "vagus-terminate",
            3600,
            "ABANDON",
        )


def test_tables_can_be_taken_back_and_only_closed_rows_expire(deployed: Path, client: Client) -> None:
    assert deployed.exists()
    for table, ttl in (("vagus-local-state", "ENABLED"), ("vagus-local-records", "DISABLED")):
        backups = client("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        found = client("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        assert found["TimeToLiveStatus"] == ttl


FUNCTIONS: list[tuple[str, object, object]] = [
    ("keeper", {}, {"sent": [], "failed": [], "unprotected": []}),
    ("intake", {"Records": []}, {"batchItemFailures": []}),
]


@pytest.mark.parametrize(("function", "event", "answer"), FUNCTIONS)
def test_functions_run_with_their_layers_in_the_runtimes_interpreter(
    deployed: Path, client: Client, function: str, event: object, answer: object
) -> None:
    assert deployed.exists()
    reply = client("lambda").invoke(FunctionName=f"vagus-local-{function}", Payload=json.dumps(event).encode())
    assert json.loads(reply["Payload"].read()) == answer


def test_a_malformed_event_fails_alone(deployed: Path, client: Client) -> None:
    """So the queue gives it again a few times, then to the dead letters; the other message of the batch is done."""
    assert deployed.exists()
    ignored = {"source": "aws.other", "detail-type": "x", "time": "2026-01-01T00:00:00Z", "detail": {}}
    records = [{"messageId": "bad", "body": "{"}, {"messageId": "good", "body": json.dumps(ignored)}]
    reply = client("lambda").invoke(
        FunctionName="vagus-local-intake", Payload=json.dumps({"Records": records}).encode()
    )
    assert json.loads(reply["Payload"].read()) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def test_a_secret_is_empty_until_somebody_puts_a_certificate(deployed: Path, client: Client) -> None:
    """A function then says what is missing instead of failing in a way that nobody understands."""
    assert deployed.exists()
    payload = json.dumps({"keepAwake": True}).encode()
    reply = client("lambda").invoke(FunctionName="vagus-local-zone_balance-decide", Payload=payload)
    answer = json.loads(reply["Payload"].read())
    assert answer["looked"] == 0
    assert "vagus/demo/read" in answer["failed"]["demo"]


def test_a_later_deploy_changes_neither_sizes_nor_what_a_step_wrote(
    groups: list[str], emulator: Emulator, client: Client, tmp_path: Path
) -> None:
    client("autoscaling").set_desired_capacity(AutoScalingGroupName=groups[0], DesiredCapacity=2)
    client("ssm").put_parameter(Name="/vagus/demo/node/formed", Value="a-uuid", Type="String")
    fleet = Path(shutil.copytree(FLEET, tmp_path / "fleet"))
    demo = fleet / "demo.yaml"
    demo.write_text(demo.read_text().replace("heap: 192m", "heap: 256m\n    most_per_zone: 9\n    root_volume: 21"))
    deploy(emulator, stack.synthesize(fleet, "local", tmp_path / "assembly"))
    after = shown(client, groups[0])
    assert (after["MaxSize"], after["DesiredCapacity"]) == (9, 2)
    values = client("ssm").get_parameters_by_path(Path="/vagus/demo/node")["Parameters"]
    assert {"formed": "a-uuid", "heap-core": "256m"}.items() <= {
        one["Name"].split("/")[-1]: one["Value"] for one in values
    }.items()
