"""Lambda: interpreter, imports, environment, error classes, concurrency, layers."""

import io
import json
import zipfile
from typing import Any

import pytest
from tests.integration.emulator.support import Aws, until

SOURCE = """
import importlib, os, sys


class ClusterBusy(Exception):
    pass


def handler(event, context):
    if event.get("fail"):
        raise ClusterBusy("all shards are moving")
    found = {}
    for name in event.get("modules", []):
        try:
            importlib.import_module(name)
            found[name] = True
        except ImportError:
            found[name] = False
    return {"version": sys.version.split()[0], "modules": found, "environment": sorted(os.environ)}
"""


def packed(**files: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return out.getvalue()


def function(aws: Aws, source: str = SOURCE, runtime: str = "python3.13", **more: Any) -> str:
    made = aws.__getattr__("lambda").create_function(
        FunctionName="probe",
        Runtime=runtime,
        Handler="probe.handler",
        Role=f"arn:aws:iam::{aws.account}:role/probe",
        Code={"ZipFile": packed(probe=source)},
        Timeout=20,
        **more,
    )
    return str(made["FunctionArn"])


def invoke(aws: Aws, **event: Any) -> tuple[str | None, dict[str, Any]]:
    answer = aws.__getattr__("lambda").invoke(FunctionName="probe", Payload=json.dumps(event))
    return answer.get("FunctionError"), json.load(answer["Payload"])


def test_a_function_has_its_own_python_with_boto3_and_nothing_of_the_emulator(aws: Aws) -> None:
    function(aws)
    error, body = invoke(aws, modules=["boto3", "botocore", "ministack", "vagus_local", "cryptography", "pip"])
    assert error is None
    assert body["version"].startswith("3.13.")
    assert [name for name, found in body["modules"].items() if found] == ["boto3", "botocore"]
    assert not [name for name in body["environment"] if name.startswith("VAGUS") or name == "HOME"]


def test_a_runtime_without_an_interpreter_is_refused_and_never_another_one_used(aws: Aws) -> None:
    function(aws, runtime="python3.12")
    error, body = invoke(aws)
    assert error
    assert "no interpreter for python3.12" in body["errorMessage"]


def test_an_error_keeps_its_class_and_its_trace(aws: Aws) -> None:
    function(aws)
    error, body = invoke(aws, fail=True)
    assert error
    assert (body["errorType"], body["errorMessage"]) == ("ClusterBusy", "all shards are moving")
    assert any("ClusterBusy" in line for line in body["stackTrace"])


@pytest.mark.parametrize(
    ("source", "kind"),
    [("import nowhere", "Runtime.ImportModuleError"), ("raise ValueError('at import')", "ValueError")],
)
def test_a_function_that_cannot_start_says_why(aws: Aws, source: str, kind: str) -> None:
    function(aws, source)
    error, body = invoke(aws)
    assert error
    assert body["errorType"] == kind


def test_a_layer_is_importable(aws: Aws) -> None:
    layer = aws.__getattr__("lambda").publish_layer_version(
        LayerName="core", Content={"ZipFile": packed(python__rooms="NAME = 'core'")}
    )
    function(
        aws,
        "import rooms\ndef handler(event, context):\n    return {'layer': rooms.NAME}",
        Layers=[layer["LayerVersionArn"]],
    )
    assert invoke(aws) == (None, {"layer": "core"})


def test_concurrency_dead_letters_and_vpc_come_from_the_template(aws: Aws) -> None:
    (subnet,) = aws.subnets("a")
    aws.s3.create_bucket(Bucket=f"code-{aws.account}")
    aws.s3.put_object(Bucket=f"code-{aws.account}", Key="probe.zip", Body=packed(probe=SOURCE))
    properties = {
        "FunctionName": "probe",
        "Runtime": "python3.13",
        "Handler": "probe.handler",
        "Role": f"arn:aws:iam::{aws.account}:role/probe",
        "Code": {"S3Bucket": f"code-{aws.account}", "S3Key": "probe.zip"},
        "ReservedConcurrentExecutions": 3,
        "DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:us-east-1:{aws.account}:dead"},
        "VpcConfig": {"SubnetIds": [subnet], "SecurityGroupIds": ["sg-1"]},
        "LoggingConfig": {"LogGroup": "/vagus/probe", "LogFormat": "JSON"},
    }
    aws.stack({"Probe": {"Type": "AWS::Lambda::Function", "Properties": properties}})
    client = aws.__getattr__("lambda")
    assert client.get_function_concurrency(FunctionName="probe")["ReservedConcurrentExecutions"] == 3
    shown = client.get_function_configuration(FunctionName="probe")
    assert shown["DeadLetterConfig"]["TargetArn"].endswith(":dead")
    assert shown["VpcConfig"]["SubnetIds"] == [subnet]
    assert shown["LoggingConfig"]["LogGroup"] == "/vagus/probe"
    assert until(lambda: invoke(aws))[0] is None
