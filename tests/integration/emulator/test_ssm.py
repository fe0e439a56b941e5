"""Systems Manager: the document's own shell runs on the instance."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.emulator.support import Aws, Emulator, until

CONTENT = {
    "schemaVersion": "2.2",
    "description": "say what is asked for",
    "parameters": {
        "Word": {"type": "String", "allowedPattern": "[a-z]+"},
        "Mood": {"type": "String", "default": "calm", "allowedValues": ["calm", "loud"]},
    },
    "mainSteps": [
        {
            "action": "aws:runShellScript",
            "name": "say",
            "inputs": {
                "runCommand": [
                    "set -eu",
                    "echo {{ Word }} {{Mood}} on $INSTANCE_ID",
                    'echo $PATH > "$INSTANCE_HOME/path"',
                    "test {{ Word }} != fail",
                ]
            },
        }
    ],
}


@pytest.fixture
def node(aws: Aws) -> str:
    aws.group(DesiredCapacity=1, Tags=[{"Key": "vagus:role", "Value": "data", "PropagateAtLaunch": True}])
    aws.ssm.create_document(Name="say", Content=json.dumps(CONTENT), DocumentType="Command", DocumentFormat="JSON")
    return aws.in_service()[0]


def send(aws: Aws, **where: Any) -> dict[str, Any]:
    parameters = {key: [value] for key, value in where.pop("parameters").items()}
    sent: dict[str, Any] = aws.ssm.send_command(DocumentName="say", Parameters=parameters, **where)["Command"]
    return sent


def finished(aws: Aws, command: dict[str, Any], node: str) -> dict[str, Any]:
    asked = {"CommandId": command["CommandId"], "InstanceId": node}

    def end() -> dict[str, Any] | None:
        shown: dict[str, Any] = aws.ssm.get_command_invocation(**asked)
        return shown if shown["Status"] in ("Success", "Failed") else None

    return until(end)


def test_the_shell_text_runs_with_the_instances_environment(aws: Aws, emulator: Emulator, node: str) -> None:
    done = finished(aws, send(aws, InstanceIds=[node], parameters={"Word": "hello"}), node)
    assert (done["Status"], done["ResponseCode"]) == ("Success", 0)
    assert done["StandardOutputContent"] == f"hello calm on {node}\n"
    assert (emulator.home(node) / "path").read_text().startswith(f"{emulator.folder}/node-bin:")


def test_a_failing_command_reports_its_exit_code(aws: Aws, node: str) -> None:
    done = finished(aws, send(aws, InstanceIds=[node], parameters={"Word": "fail"}), node)
    assert (done["Status"], done["ResponseCode"]) == ("Failed", 1)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"Word": "a; rm -rf /"}, "does not match"),
        ({}, "Word is missing"),
        ({"Word": "a", "Mood": "angry"}, "is not one of"),
        ({"Word": "a", "Other": "b"}, "is not declared"),
    ],
)
def test_parameters_that_do_not_fit_the_document_are_refused(
    aws: Aws, node: str, parameters: dict[str, str], said: str
) -> None:
    with pytest.raises(ClientError, match=f"InvalidParameters.*{said}"):
        send(aws, InstanceIds=[node], parameters=parameters)


def test_targets_by_tag(aws: Aws, node: str) -> None:
    targets = [{"Key": "tag:vagus:role", "Values": ["data"]}]
    command = send(aws, Targets=targets, parameters={"Word": "hello"})
    assert finished(aws, command, node)["Status"] == "Success"
    listed = aws.ssm.list_command_invocations(CommandId=command["CommandId"], Details=True)["CommandInvocations"]
    assert [(i["InstanceId"], i["CommandPlugins"][0]["Output"]) for i in listed] == [(node, f"hello calm on {node}\n")]


def test_an_instance_that_does_not_run_takes_no_commands(aws: Aws, node: str) -> None:
    aws.autoscaling.suspend_processes(AutoScalingGroupName="nodes")
    aws.ec2.stop_instances(InstanceIds=[node])
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(aws, InstanceIds=[node], parameters={"Word": "hello"})


def test_a_document_can_be_read_back_and_an_unknown_one_is_refused(aws: Aws, node: str) -> None:
    assert json.loads(aws.ssm.get_document(Name="say")["Content"]) == CONTENT
    described = aws.ssm.describe_document(Name="say")["Document"]
    assert {p["Name"]: p.get("DefaultValue") for p in described["Parameters"]} == {"Word": None, "Mood": "calm"}
    aws.ssm.delete_document(Name="say")
    with pytest.raises(ClientError, match="InvalidDocument"):
        send(aws, InstanceIds=[node], parameters={"Word": "hello"})


def test_a_document_from_a_template_has_versions(aws: Aws, node: str) -> None:
    document = {"Type": "AWS::SSM::Document", "Properties": {"DocumentType": "Command", "Content": CONTENT}}
    name = aws.stack({"Say": document}, Name={"Ref": "Say"})["Name"]
    assert aws.ssm.describe_document(Name=name)["Document"]["DocumentVersion"] == "1"
    changed = CONTENT | {"description": "say it differently"}
    aws.stack({"Say": {**document, "Properties": {"DocumentType": "Command", "Content": changed}}}, Name={"Ref": "Say"})
    assert aws.ssm.describe_document(Name=name)["Document"]["DocumentVersion"] == "2"
    assert json.loads(aws.ssm.get_document(Name=name)["Content"]) == changed
    assert node
