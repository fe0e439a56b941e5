"""With the roles' policies enforced: what each function's own role may do, and what it is denied. And the whole way.

A probe runs under the role of each deployed function and makes one call; what counts is whether it is authorized, not
whether the call makes sense. Step Functions' own role and conditions on KMS are not enforced here (docs/fidelity).
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from tests.integration.deploy.conftest import FLEET

from vagus_local import emulator_process, stack
from vagus_local.certificates import create_authority
from vagus_local.emulator_process import ACCOUNT, REGION, Emulator
from vagus_local.waiting import until

Client = Callable[[str], Any]
Probe = Callable[[str, str, str, dict[str, Any]], str]

PROBE = """
import boto3, botocore.exceptions

def handler(event, context):
    client = boto3.client(event["service"])
    try:
        getattr(client, event["call"])(**event["with"])
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
"""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces policies, with the cell deployed by the caller's own credentials."""
    assembly = stack.synthesize(FLEET, "local", tmp_path_factory.mktemp("assembly"), "synthesizer=cli")
    idle = {"VAGUS_BOOT": "/bin/sleep 3600", "AUTH": "true", "SFN_WAIT_SCALE": "0.05"}
    running = emulator_process.start(tmp_path_factory.mktemp("strict"), idle)
    stack.cdk(running, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
    stack.cdk(running, "deploy", "--all", "--app", str(assembly), "--require-approval", "never")
    yield running
    emulator_process.stop(running)


@pytest.fixture(scope="module")
def owner(strict: Emulator) -> Iterator[Client]:
    """Clients of the account's owner."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    made: dict[str, Any] = {}

    def of(service: str) -> Any:
        make: Any = session.client
        return made.setdefault(service, make(service, endpoint_url=strict.endpoint))

    yield of
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def probe(owner: Client) -> Probe:
    """Makes one call under the role of a function; answers `done` or the error's code."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("probe.py", PROBE)
    made: set[str] = set()

    def run(function: str, service: str, call: str, arguments: dict[str, Any]) -> str:
        functions = owner("lambda")
        if function not in made:
            role = functions.get_function_configuration(FunctionName=f"vagus-local-{function}")["Role"]
            code = {"ZipFile": packed.getvalue()}
            name = f"probe-{function}"
            functions.create_function(
                FunctionName=name, Runtime="python3.13", Role=role, Handler="probe.handler", Code=code
            )
            made.add(function)
        event = json.dumps({"service": service, "call": call, "with": arguments}).encode()
        reply = functions.invoke(FunctionName=f"probe-{function}", Payload=event)
        answer: str = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    return run


@pytest.fixture(scope="module")
def certificates(owner: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Client certificates in the secrets."""
    authority = create_authority(tmp_path_factory.mktemp("certificates"))
    for role, client in (("read", authority.read), ("write", authority.write)):
        pair = {"certificate": client.certificate.read_text(), "key": client.key.read_text()}
        secret = json.dumps({**pair, "ca": authority.ca.read_text()})
        owner("secretsmanager").put_secret_value(SecretId=f"vagus/demo/{role}", SecretString=secret)


def put(partition: str, table: str = "vagus-local-state") -> dict[str, Any]:
    return {"TableName": table, "Item": {"pk": {"S": partition}, "sk": {"S": "probe"}}}


def delete(partition: str, table: str = "vagus-local-state") -> dict[str, Any]:
    return {"TableName": table, "Key": put(partition)["Item"]}


def parameter(name: str) -> dict[str, Any]:
    return {"Name": f"/vagus/demo/node/{name}", "Value": "x", "Type": "String", "Overwrite": True}


def hook(group: str = "demo-data-us-east-1a") -> dict[str, Any]:
    return {"AutoScalingGroupName": group, "LifecycleHookName": "vagus-terminate", "InstanceId": "i-0"}


def told(source: str) -> dict[str, Any]:
    return {"Entries": [{"Source": source, "DetailType": "Probe", "Detail": "{}"}]}


COMPLETE = {**hook(), "LifecycleActionResult": "CONTINUE"}
SIZE = {"AutoScalingGroupName": "demo-data-us-east-1a", "DesiredCapacity": 0}
GROUPS: tuple[str, str] = ("autoscaling", "complete_lifecycle_action")
HEARTBEAT = "record_lifecycle_action_heartbeat"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:vagus-local-zone_balance"
READ, WRITE = {"SecretId": "vagus/demo/read"}, {"SecretId": "vagus/demo/write"}
RECORDS = "vagus-local-records"
SHELL = {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0"], "Parameters": {"commands": ["true"]}}
RESTART = {"DocumentName": "vagus-demo-restart-search", "InstanceIds": ["i-0"], "Parameters": {"StepId": ["probe"]}}

ALLOWED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("zone_balance-decide", "autoscaling", "describe_auto_scaling_groups", {}),
    ("zone_balance-decide", "dynamodb", "put_item", put("plan#demo")),
    ("zone_balance-decide", "secretsmanager", "get_secret_value", READ),
    ("zone_balance-apply", *GROUPS, COMPLETE),
    ("zone_balance-apply", "autoscaling", "set_desired_capacity", SIZE),
    ("zone_balance-apply", "dynamodb", "put_item", put("cluster#demo")),
    ("zone_balance-apply", "dynamodb", "put_item", put("record#demo#2026-01-01", RECORDS)),
    ("zone_balance-apply", "ssm", "put_parameter", parameter("formed")),
    ("zone_balance-apply", "secretsmanager", "get_secret_value", WRITE),
    ("rolling_upgrade-decide", "dynamodb", "put_item", put("plan#demo")),
    ("rolling_upgrade-decide", "ssm", "list_command_invocations", {}),
    ("rolling_upgrade-apply", "dynamodb", "put_item", put("cluster#demo")),
    ("rolling_upgrade-apply", "ssm", "put_parameter", parameter("version")),
    ("sweep", "dynamodb", "put_item", put("cluster#demo")),
    ("sweep", "dynamodb", "put_item", put("plan#demo")),
    ("sweep", "dynamodb", "put_item", put("status#demo")),
    ("sweep", "secretsmanager", "get_secret_value", READ),
    ("cluster-watch", "dynamodb", "put_item", put("watch#demo")),
    ("cluster-watch", "secretsmanager", "get_secret_value", READ),
    ("cluster-watch", "events", "put_events", told("vagus.cluster")),
    ("intake", "dynamodb", "put_item", put("cluster#demo")),
    ("intake", "dynamodb", "put_item", put("status#demo")),
    ("keeper", "autoscaling", HEARTBEAT, hook()),
    ("keeper", "dynamodb", "put_item", put("record#demo#2026-01-01", RECORDS)),
]
DENIED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("zone_balance-decide", *GROUPS, COMPLETE),
    ("zone_balance-decide", "autoscaling", "set_desired_capacity", SIZE),
    ("zone_balance-decide", "autoscaling", HEARTBEAT, hook()),
    ("zone_balance-decide", "dynamodb", "put_item", put("cluster#demo")),
    ("zone_balance-decide", "dynamodb", "put_item", put("record#demo#2026-01-01", RECORDS)),
    ("zone_balance-decide", "dynamodb", "put_item", put("approval#demo")),
    ("zone_balance-decide", "dynamodb", "delete_item", delete("plan#demo")),
    ("zone_balance-decide", "secretsmanager", "get_secret_value", WRITE),
    ("zone_balance-decide", "stepfunctions", "start_execution", {"stateMachineArn": MACHINE}),
    ("zone_balance-decide", "ssm", "put_parameter", parameter("formed")),
    ("zone_balance-apply", "autoscaling", "set_desired_capacity", {**SIZE, "AutoScalingGroupName": "foreign"}),
    (
        "zone_balance-apply",
        "autoscaling",
        "delete_auto_scaling_group",
        {"AutoScalingGroupName": "demo-data-us-east-1a"},
    ),
    ("zone_balance-apply", "dynamodb", "put_item", put("plan#demo")),
    ("zone_balance-apply", "dynamodb", "put_item", put("status#demo")),
    ("zone_balance-apply", "dynamodb", "put_item", put("approval#demo")),
    ("zone_balance-apply", "dynamodb", "delete_item", delete("cluster#demo")),
    ("zone_balance-apply", "dynamodb", "delete_item", delete("record#demo#2026-01-01", RECORDS)),
    ("zone_balance-apply", "ssm", "put_parameter", parameter("version")),
    ("zone_balance-apply", "secretsmanager", "get_secret_value", READ),
    ("rolling_upgrade-decide", "dynamodb", "put_item", put("cluster#demo")),
    ("rolling_upgrade-decide", "dynamodb", "put_item", put("approval#demo")),
    ("rolling_upgrade-decide", "secretsmanager", "get_secret_value", WRITE),
    ("rolling_upgrade-decide", "ssm", "put_parameter", parameter("version")),
    ("rolling_upgrade-decide", "ssm", "send_command", RESTART),
    ("rolling_upgrade-apply", *GROUPS, COMPLETE),
    ("rolling_upgrade-apply", "dynamodb", "put_item", put("approval#demo")),
    ("rolling_upgrade-apply", "ssm", "send_command", SHELL),
    ("zone_balance-apply", "ssm", "send_command", RESTART),
    ("sweep", *GROUPS, COMPLETE),
    ("sweep", "secretsmanager", "get_secret_value", WRITE),
    ("sweep", "dynamodb", "put_item", put("record#demo#2026-01-01", RECORDS)),
    ("sweep", "dynamodb", "put_item", put("approval#demo")),
    ("cluster-watch", *GROUPS, COMPLETE),
    ("cluster-watch", "dynamodb", "put_item", put("cluster#demo")),
    ("cluster-watch", "secretsmanager", "get_secret_value", WRITE),
    ("cluster-watch", "stepfunctions", "start_execution", {"stateMachineArn": MACHINE}),
    ("intake", *GROUPS, COMPLETE),
    ("intake", "secretsmanager", "get_secret_value", READ),
    ("intake", "dynamodb", "put_item", put("plan#demo")),
    ("intake", "dynamodb", "put_item", put("approval#demo")),
    ("keeper", *GROUPS, COMPLETE),
    ("keeper", "dynamodb", "put_item", put("cluster#demo")),
    ("keeper", "secretsmanager", "get_secret_value", READ),
]
REFUSALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")


def name(case: tuple[str, str, str, dict[str, Any]]) -> str:
    about = json.dumps(case[3])
    word = next(
        (
            one
            for one in ("plan#", "status#", "approval#", "cluster#", "record#", "read", "write", "foreign", "version")
            if one in about
        ),
        "",
    )
    return f"{case[0]} {case[2]} {word}".strip()


@pytest.fixture(scope="module")
def foreign(owner: Client) -> str:
    """A group of somebody else in the same account."""
    data = {"ImageId": "ami-0c55b159cbfafe1f0", "InstanceType": "t3.micro"}
    owner("ec2").create_launch_template(LaunchTemplateName="foreign", LaunchTemplateData=data)
    owner("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="foreign",
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=[f"{REGION}a"],
        LaunchTemplate={"LaunchTemplateName": "foreign"},
    )
    return "foreign"


@pytest.mark.parametrize("case", ALLOWED, ids=name)
def test_allowed(probe: Probe, certificates: None, case: tuple[str, str, str, dict[str, Any]]) -> None:
    assert probe(*case) not in REFUSALS


@pytest.mark.parametrize("case", DENIED, ids=name)
def test_denied(probe: Probe, foreign: str, case: tuple[str, str, str, dict[str, Any]]) -> None:
    assert probe(*case) in REFUSALS


def test_a_missing_right_is_told_by_name_and_with_exactly_its_rights_the_whole_way_works(
    owner: Client, certificates: None
) -> None:
    """The sweep finds that groups have not their sizes, a run gives them: each function under its own role. While apply
    may write no record, it writes nothing at all, and the run waits, blocked, for the right that it names."""
    owner("dynamodb").delete_item(**delete("cluster#demo"))
    with denied(owner, "zone_balance-apply", "dynamodb:PutItem", f"table/{RECORDS}"):
        reply = owner("lambda").invoke(FunctionName="vagus-local-sweep", Payload=b"{}")
        assert "FunctionError" not in reply
        until(lambda: shown(owner)["reason"] == "DENIED", 120, "the run says what it lacks")
        assert "dynamodb:PutItem" in shown(owner)["message"]
        assert sizes(owner) == [0] * 6
    until(lambda: sizes(owner) == [1] * 6, 120, "each group has its declared size")


@contextmanager
def denied(owner: Client, function: str, action: str, resource: str) -> Iterator[None]:
    """A policy takes one permission from a function's role."""
    role = owner("lambda").get_function_configuration(FunctionName=f"vagus-local-{function}")["Role"].rpartition("/")[2]
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:{resource}"
    statement = {"Effect": "Deny", "Action": action, "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    owner("iam").put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        yield
    finally:
        owner("iam").delete_role_policy(RoleName=role, PolicyName="denied")


def shown(owner: Client) -> dict[str, Any]:
    """The plan that the run noted last."""
    key = {"pk": {"S": "plan#demo"}, "sk": {"S": "plan#zone_balance"}}
    item = owner("dynamodb").get_item(TableName="vagus-local-state", Key=key).get("Item")
    return json.loads(item["data"]["S"]) if item else {"reason": ""}


def sizes(owner: Client) -> list[int]:
    groups = owner("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return [one["DesiredCapacity"] for one in groups if one["AutoScalingGroupName"] != "foreign"]
