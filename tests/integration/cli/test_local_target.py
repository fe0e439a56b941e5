"""The command line against the emulated AWS: tables, queue and groups by the names that the stacks give them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.ports import Put
from vagus.procedure import rows
from vagus.procedure.records import Book, Record
from vagus.procedure.rows import Head
from vagus_cdk import names
from vagus_cli.main import app
from vagus_cli.opening import open_world
from vagus_cli.world import Choice, World
from vagus_local import emulator_process
from vagus_local.certificates import create_authority
from vagus_local.stack import Stack

ROOT = Path(__file__).parents[3]
NOON = 1_772_452_800.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a stack has noted itself; its emulator runs, and nothing is deployed but what the fixtures make."""
    folder = tmp_path_factory.mktemp("stack")
    emulator = _started(folder / "run")
    stack = Stack(
        endpoint=emulator.endpoint,
        region="us-east-1",
        account="000000000000",
        cell="local",
        fleet=str(ROOT / "fleet"),
        clusters=("demo",),
        run=str(folder / "run"),
    )
    create_authority(stack.authority_of("demo").folder)
    (folder / "stack.json").write_bytes(msgspec.json.encode(stack))
    for name in (names.state_table("local"), names.record_table("local")):
        _create_table(stack.client("dynamodb"), name)
    stack.client("sqs").create_queue(QueueName="vagus-local-events")
    yield folder
    emulator_process.stop(emulator)


def _started(run: Path) -> emulator_process.Emulator:
    """By a process that ends, as `vagus local up` does: the emulator outlives who started it."""
    code = f"from pathlib import Path; from vagus_local import emulator_process as e; e.start(Path({str(run)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "local")})
    emulator = emulator_process.found(run)
    assert emulator is not None
    return emulator


@pytest.fixture
def stack(folder: Path) -> Stack:
    return msgspec.json.decode((folder / "stack.json").read_bytes(), type=Stack)


def _create_table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )


def _run(folder: Path, *arguments: str) -> Result:
    def opened(choice: Choice) -> World:
        return open_world(choice, folder)

    return CliRunner().invoke(app, list(arguments), obj=opened, catch_exceptions=False)


def test_status_reads_rows_and_groups_and_says_that_no_node_answers(folder: Path, stack: Stack) -> None:
    table = DynamoTable(Clients(stack.session), names.state_table("local"))
    head = Head(state="paused", paused_by="anna")
    table.write(rows.partition("demo"), Put(key="head#zone_balance", data=msgspec.to_builtins(head), expected=0))
    said = _run(folder, "status", "demo", "--json")
    (shown,) = json.loads(said.stdout)
    assert shown["fault"] == ""
    assert shown["capabilities"][0]["paused_by"] == "anna"
    assert shown["groups"] == []
    assert shown["health"]["unseen"]
    assert f"target: the local stack, {stack.endpoint}" in said.stderr


def test_records_are_read_where_functions_put_them(folder: Path, stack: Stack) -> None:
    table = DynamoTable(Clients(stack.session), names.record_table("local"))
    world = open_world(Choice(target="local"), folder)
    book = Book(table=table, clock=world.now, new_id=lambda: "r1")
    with book.writing(Record(id="", phase="intended", at="", cluster="demo", capability="zone_balance",
                             execution="demo-zone_balance-1", step="ExcludeNodes", subject="i-1",
                             sentence="exclude i-1")):  # fmt: skip
        pass
    (shown,) = json.loads(_run(folder, "records", "tail", "demo", "--json").stdout)
    assert (shown["id"], shown["subject"], shown["result"]) == ("r1", "i-1", "done")


def test_an_event_that_is_sent_lies_in_the_intakes_queue_as_it_is(folder: Path, stack: Stack) -> None:
    file = ROOT / "events/zone_balance/terminate_lifecycle_action.json"
    assert _run(folder, "replay", str(file), "--send").exit_code == 0
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName="vagus-local-events")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"].encode() == file.read_bytes()


def test_what_is_not_deployed_is_said_in_one_sentence(folder: Path, stack: Stack) -> None:
    sqs = stack.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="vagus-local-events")["QueueUrl"])
    file = ROOT / "events/zone_balance/terminate_lifecycle_action.json"
    said = _run(folder, "replay", str(file), "--send")
    assert said.exit_code == 2
    assert "error: " in said.stderr
    assert "Traceback" not in said.output


def test_a_stop_and_a_resume_reach_rows_and_the_cells_state_machine(folder: Path, stack: Stack) -> None:
    machine = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}
    role = f"arn:aws:iam::{stack.account}:role/any"
    stack.client("stepfunctions").create_state_machine(
        name="vagus-local-zone_balance", definition=json.dumps(machine), roleArn=role
    )
    alone = ("--capability", "zone_balance", "--json")
    (stopped,) = json.loads(_run(folder, "stop", "demo", "--why", "a test", *alone).stdout)
    assert f"stopped by arn:aws:iam::{stack.account}:" in stopped["message"]
    assert "(a test)" in stopped["message"]
    (goes_on,) = json.loads(_run(folder, "resume", "demo", *alone).stdout)
    assert goes_on["state"] == "running"
    world = open_world(Choice(target="local"), folder)
    found = world.executions(world.cluster("demo"))["zone_balance"].status("demo-zone_balance-1")
    assert found == "RUNNING"


def test_a_takeover_prints_commands_for_this_target(folder: Path, stack: Stack) -> None:
    taken = json.loads(_run(folder, "takeover", "demo", "--json").stdout)
    assert taken["stopped"][0].startswith("zone_balance is stopped by arn:aws:")
    assert taken["unseen"][0].startswith("the cluster: ")
    assert taken["commands"][0]["command"].startswith(f"aws --endpoint-url {stack.endpoint} --region us-east-1 ")


def test_nothing_here_reached_for_another_account(stack: Stack) -> None:
    assert stack.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_a_stack_whose_cluster_does_not_answer_is_half_dead(folder: Path) -> None:
    said = _run(folder, "local", "status", "--stack", str(folder))
    assert said.exit_code == 2
    assert "error: demo does not answer" in said.stderr


def test_a_stack_that_is_not_up_is_no_error(folder: Path, tmp_path: Path) -> None:
    said = _run(folder, "local", "status", "--stack", str(tmp_path), "--json")
    assert (said.exit_code, json.loads(said.stdout)) == (1, {"up": False})
    assert "vagus local up" in _run(folder, "local", "status", "--stack", str(tmp_path)).stdout


def test_down_ends_the_emulator_and_leaves_nothing(folder: Path) -> None:
    emulator = emulator_process.found(folder / "run")
    assert emulator is not None
    assert _run(folder, "local", "down", "--stack", str(folder)).exit_code == 0
    assert not emulator.alive()
    assert list(folder.iterdir()) == []
    assert _run(folder, "local", "status", "--stack", str(folder)).exit_code == 1
