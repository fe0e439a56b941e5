"""Opens a target: the local stack, or AWS with a person's own rights. The only module here that knows adapters.

The local stack is reached as AWS is (same names, same secrets); only endpoint and credentials differ.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.aws.tables import DynamoTable
from vagus.aws.wiring import Wiring
from vagus.fleet import ClusterSpec, Fleet
from vagus.ports import Table
from vagus_cdk import names
from vagus_cli import fleet_files
from vagus_cli.world import Choice, UsageFault, World

if TYPE_CHECKING:
    import boto3

INTAKE_QUEUE = "events"


def open_world(choice: Choice, folder: Path | None = None) -> World:
    """The target that was chosen; unsaid, the local stack if one is up, and never AWS by accident.

    `folder`: where a local stack notes itself; unsaid, VAGUS_STACK, else this checkout's `.local`.
    """
    if choice.target == "aws":
        return _aws(choice)
    world = _local(choice, folder)
    if world is not None:
        return world
    way_out = "bring it up (`vagus local up`), or say --target aws (or VAGUS_TARGET=aws)"
    raise UsageFault(f"no local stack is up: {way_out}")


def _aws(choice: Choice) -> World:
    session = _session(choice)
    who = f"profile {session.profile_name}, Region {session.region_name}"
    fleet = fleet_files.load(choice.fleet or Path("fleet"))
    return _world(f"target: AWS, {who}", session, fleet)


def _session(choice: Choice) -> boto3.Session:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session(profile_name=choice.profile, region_name=choice.region)
        credentials = session.get_credentials()
    except BotoCoreError as error:
        raise UsageFault(f"{error}: see `aws configure list-profiles`") from error
    if credentials is None:
        raise UsageFault("no AWS credentials were found: log in (`aws sso login`), or name a profile with --profile")
    if not session.region_name:
        raise UsageFault("no AWS Region is known: name it with --region, AWS_REGION or in the profile")
    return session


def _local(choice: Choice, folder: Path | None) -> World | None:
    """The stack that is up. Raises `UsageFault` for one that is half dead."""
    try:
        from vagus_local import stack as local
    except ImportError:
        return None  # a machine that only talks to AWS need not have the emulator installed
    try:
        stack = local.current(folder or Path(os.environ.get("VAGUS_STACK") or local.LOCAL))
    except local.StackError as error:
        raise UsageFault(str(error)) from error
    if stack is None:
        return None
    fleet = fleet_files.load(choice.fleet or Path(stack.fleet))
    there = {name: spec for name, spec in fleet.items() if spec.cell == stack.cell}
    return _world(f"target: the local stack, {stack.endpoint}", stack.session, there)


def _world(where: str, session: boto3.Session, fleet: Fleet) -> World:
    clients = Clients(session)

    def state(spec: ClusterSpec) -> Table:
        return DynamoTable(clients, names.state_table(spec.cell))

    def records(spec: ClusterSpec) -> Table:
        return DynamoTable(clients, names.record_table(spec.cell))

    return World(
        where=where,
        fleet=fleet,
        reads=Wiring({}, session).reads(),
        state=state,
        records=records,
        send=lambda cell, event: _send(session, cell, event),
        now=time.time,
        pause=time.sleep,
    )


def _send(session: boto3.Session, cell: str, event: bytes) -> None:
    """Into the intake's queue: the bus takes no event with a source `aws.*` from anyone but AWS."""
    sqs = session.client("sqs")
    queue = names.of_cell(cell, INTAKE_QUEUE)
    url = read("sqs", lambda: sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    with translated("sqs"):
        sqs.send_message(QueueUrl=url, MessageBody=event.decode())
