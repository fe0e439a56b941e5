"""Opens a target: the local stack, or AWS with a person's own rights. The only module here that knows adapters.

The local stack is reached as AWS is (same names, same secrets); only endpoint and credentials differ.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from ssl import SSLError
from typing import TYPE_CHECKING

from vagus.aws.certificates import signers
from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.aws.executions import Machine
from vagus.aws.secrets import client_certificate
from vagus.aws.tables import DynamoTable
from vagus.aws.wiring import Wiring
from vagus.cluster import Cluster
from vagus.errors import Refused
from vagus.fleet import ClusterSpec, Fleet
from vagus.ports import Executions, Table
from vagus.rooms import ROOMS
from vagus.search.client import SearchClient
from vagus.search.engines import ELASTICSEARCH, OPENSEARCH, Dialect
from vagus.search.tls import Tls
from vagus_cdk import names
from vagus_cli import account, cell_checks, engine_archive, fleet_files
from vagus_cli.account import Account, Door
from vagus_cli.cell_checks import Patient
from vagus_cli.cell_doctor import Consultation
from vagus_cli.cell_judged import Check
from vagus_cli.dead_letter_queue import DeadLetterQueue
from vagus_cli.world import Archive, Choice, UsageFault, World

if TYPE_CHECKING:
    import boto3

    from vagus_local.stack import Stack

INTAKE_QUEUE = "events"
DEAD_LETTERS = ("events-dead", "calls-dead")
WAY_OUT = "bring it up (`vagus local up`), or say --target aws (or VAGUS_TARGET=aws)"


def open_world(choice: Choice, folder: Path | None = None) -> World:
    """The target that was chosen; unsaid, the local stack if one is up, and never AWS by accident.

    `folder`: where a local stack notes itself; unsaid, VAGUS_STACK, else this checkout's `.local`.
    """
    if choice.target == "aws":
        return _aws(choice)
    world = _local(choice, folder)
    if world is not None:
        return world
    raise UsageFault(f"no local stack is up: {WAY_OUT}")


def _aws(choice: Choice) -> World:
    session = _session(choice)
    who = f"profile {session.profile_name}, Region {session.region_name}"
    fleet = fleet_files.load(choice.fleet or Path("fleet"))
    aws = f"aws --region {session.region_name}" + (f" --profile {choice.profile}" if choice.profile else "")
    return _world(f"target: AWS, {who}", session, fleet, aws, partial(engine_archive.look, Clients(session)))


def open_account(choice: Choice, folder: Path | None = None) -> Account:
    """An account to adopt from: AWS, or the local stack if that is said or up. It needs no fleet and no tables."""
    if choice.target == "aws":
        session = _session(choice)
        where = f"target: AWS, profile {session.profile_name}, Region {session.region_name}"
    else:
        stack = _stack(folder)
        if stack is None:
            raise UsageFault(f"no local stack is up: {WAY_OUT}")
        session, where = stack.session, f"target: the local stack, {stack.endpoint}"
    clients = Clients(session)
    return Account(
        where=where,
        region=session.region_name,
        groups=lambda cluster, names: account.groups(clients, cluster, names),
        look=lambda cluster, door: _look(clients, cluster, door),
    )


def open_consultation(choice: Choice, folder: Path | None = None) -> Consultation:
    """A deployed cell to examine, of AWS or of the local stack."""
    if choice.target == "aws":
        session, fleet = _session(choice), choice.fleet or Path("fleet")
        where = f"target: AWS, profile {session.profile_name}, Region {session.region_name}"
    else:
        stack = _stack(folder)
        if stack is None:
            raise UsageFault(f"no local stack is up: {WAY_OUT}")
        session, fleet = stack.session, choice.fleet or Path(stack.fleet)
        where = f"target: the local stack, {stack.endpoint}"
    declared = fleet_files.load(fleet)

    def checks(cell: str) -> Iterator[Check]:
        clusters = {name: spec for name, spec in declared.items() if spec.cell == cell}
        if not clusters:
            known = ", ".join(sorted({spec.cell for spec in declared.values()})) or "none"
            raise UsageFault(f"no cluster is declared in a cell {cell} (cells: {known}): check the name, or --fleet")
        return cell_checks.every(Patient(cell, clusters, session, time.time, time.sleep))

    return Consultation(where=where, checks=checks)


def _look(clients: Clients, cluster: str, door: Door) -> Cluster:
    """One look at a cluster whose engine isn't known yet: each calls the manager by another name."""
    tls = door.tls or client_certificate(clients, cluster, "read")
    try:
        return _looked(door, tls, OPENSEARCH)
    except Refused:
        return _looked(door, tls, ELASTICSEARCH)


def _looked(door: Door, tls: Tls, dialect: Dialect) -> Cluster:
    try:
        client = SearchClient(door.addresses, tls, door.port, dialect)
    except SSLError as error:
        raise UsageFault(f"certificate, key and CA don't fit together: {error}") from error
    try:
        return client.look()
    finally:
        client.close()


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


def _stack(folder: Path | None) -> Stack | None:
    """The stack that is up. Raises `UsageFault` for one that is half dead."""
    try:
        from vagus_local import stack as local
    except ImportError:
        return None  # a machine that only talks to AWS need not have the emulator installed
    try:
        return local.current(folder or Path(os.environ.get("VAGUS_STACK") or local.LOCAL))
    except local.StackError as error:
        raise UsageFault(str(error)) from error


def _local(choice: Choice, folder: Path | None) -> World | None:
    stack = _stack(folder)
    if stack is None:
        return None
    fleet = fleet_files.load(choice.fleet or Path(stack.fleet))
    there = {name: spec for name, spec in fleet.items() if spec.cell == stack.cell}
    aws = f"aws --endpoint-url {stack.endpoint} --region {stack.region}"
    where = f"target: the local stack, {stack.endpoint}"
    return _world(where, stack.session, there, aws, engine_archive.on_this_machine)


def _world(
    where: str, session: boto3.Session, fleet: Fleet, aws: str, archive: Callable[[ClusterSpec], Archive]
) -> World:
    clients = Clients(session)

    def state(spec: ClusterSpec) -> Table:
        return DynamoTable(clients, names.state_table(spec.cell))

    def records(spec: ClusterSpec) -> Table:
        return DynamoTable(clients, names.record_table(spec.cell))

    return World(
        where=where,
        fleet=fleet,
        reads=Wiring({}, session, state).reads(),
        state=state,
        records=records,
        executions=lambda spec: _machines(clients, session, spec.cell),
        authority_keys=lambda spec: signers(clients, spec),
        archive=archive,
        send=lambda cell, event: _send(session, cell, event),
        dead_letters=lambda cell: {name: DeadLetterQueue(session, names.of_cell(cell, name)) for name in DEAD_LETTERS},
        now=time.time,
        pause=time.sleep,
        person=lambda: _caller(session),
        aws=aws,
    )


def _machines(clients: Clients, session: boto3.Session, cell: str) -> dict[str, Executions]:
    """The cell's state machines, by the names that its stack gives them."""
    _, partition, _, _, account_id, _ = _caller(session).split(":", 5)
    prefix = f"arn:{partition}:states:{session.region_name}:{account_id}:stateMachine:"
    return {room: Machine(clients, prefix + names.of_cell(cell, room)) for room in ROOMS}


def _caller(session: boto3.Session) -> str:
    """The ARN of who asks: AWS says it, so that nobody can say it for another."""
    sts = session.client("sts")
    return str(read("sts", sts.get_caller_identity)["Arn"])


def _send(session: boto3.Session, cell: str, event: bytes) -> None:
    """Into the intake's queue: the bus takes no event with a source `aws.*` from anyone but AWS."""
    sqs = session.client("sqs")
    queue = names.of_cell(cell, INTAKE_QUEUE)
    url = read("sqs", lambda: sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    with translated("sqs"):
        sqs.send_message(QueueUrl=url, MessageBody=event.decode())
