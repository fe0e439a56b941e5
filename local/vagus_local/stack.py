"""The local stack: an emulated AWS with Vagus deployed on it by `cdk deploy`, and real search nodes as its instances.

    up        engine, emulator, bootstrap, deploy, client certificates, first sweep, cluster green
    status    what runs; a half-dead stack is an error with the log line that tells why
    down      ends every process; leaves caches only

Everything of a run lies in `.local/run`, and goes with `down`.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import msgspec

from vagus.aws.clients import Clients
from vagus.aws.executions import Machine
from vagus.aws.tables import DynamoTable
from vagus.procedure import head as heads
from vagus.procedure.records import iso
from vagus_local import artifacts, emulator_process, issued
from vagus_local.certificates import Authority
from vagus_local.emulator_process import ACCOUNT, REGION, ROOT, Emulator, EmulatorDied, tail
from vagus_local.engines import engine
from vagus_local.search_client import AdminClient
from vagus_local.waiting import TimedOut, until

LOCAL = ROOT / ".local"
Say = Callable[[str], None]


class StackError(Exception):
    """The stack is not what it should be; the message ends with the log that tells why."""


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What `.local/stack.json` says: how to reach the local stack. `clusters`: those on EC2, whose nodes it runs;
    `plain`: the clusters that have no TLS; `certified`: those whose certificates Vagus issues, on Kubernetes too."""

    endpoint: str
    region: str
    account: str
    cell: str
    fleet: str
    clusters: tuple[str, ...]
    run: str
    plain: tuple[str, ...] = ()
    certified: tuple[str, ...] = ()

    @property
    def session(self) -> boto3.Session:
        """A session whose every client talks to the emulated AWS."""
        return LocalSession(self.endpoint)

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated AWS."""
        return self.session.client(service)  # type: ignore[call-overload]  # the name is a variable

    def table(self, kind: str) -> DynamoTable:
        """The cell's table of that kind: `state` or `records`."""
        return DynamoTable(Clients(self.session), f"vagus-{self.cell}-{kind}")

    @property
    def inbox(self) -> str:
        """The queue that gets every message to the people who are called."""
        return f"vagus-{self.cell}-inbox"

    def authority_of(self, cluster: str) -> Authority:
        """What is trusted of a cluster, and its people's certificates: of Vagus's authority, or its owner's."""
        return Authority(Path(self.run) / "certificates" / cluster)

    def admin(self, cluster: str) -> AdminClient:
        """The cluster as its owner sees it: for the stack and tests, never for a function."""
        owner = self.authority_of(cluster)
        return AdminClient(owner, owner.admin, lambda: addresses(self, cluster), tls=cluster not in self.plain)

    def application(self, cluster: str) -> AdminClient:
        """The cluster as an application sees it: documents only."""
        owner = self.authority_of(cluster)
        return AdminClient(owner, owner.application, lambda: addresses(self, cluster), tls=cluster not in self.plain)

    def start_run(self, cluster: str, capability: str) -> None:
        """A run of a capability, as a person's command starts it."""
        now = time.time()
        machine = f"arn:aws:states:{self.region}:{self.account}:stateMachine:vagus-{self.cell}-{capability}"
        executions = Machine(Clients(self.session), machine)
        heads.ensure_running(self.table("state"), executions, cluster, capability, now, iso(now))


class LocalSession(boto3.Session):
    """Throw-away credentials and the emulator's address: nothing here may reach a real account by accident."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106
        self._endpoint = endpoint

    def client(self, *arguments: Any, **options: Any) -> Any:
        return super().client(*arguments, **{"endpoint_url": self._endpoint, **options})


def addresses(stack: Stack, cluster: str) -> dict[str, str]:
    """Address by instance id, of the running instances of a cluster."""
    filters = [
        {"Name": "tag:vagus:cluster", "Values": [cluster]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    pages = stack.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    found = [one for page in pages for group in page["Reservations"] for one in group["Instances"]]
    return {one["InstanceId"]: one["PrivateIpAddress"] for one in found}


# -- up --------------------------------------------------------------------------------------------------------------


def up(
    fleet: Path = ROOT / "fleet",
    cell: str = "local",
    say: Say = print,
    folder: Path = LOCAL,
    emulator: Mapping[str, str] | None = None,
    context: Sequence[str] = (),
) -> Stack:
    """Bring the stack up, or find it up. Ends what it started if it can't. Raises StackError or EmulatorDied.

    `emulator`: more of its environment, such as AUTH=true to enforce policies; `context`: more context of the synth.
    """
    if running := current(folder):
        say("the local stack is up already")
        return running
    down(folder, say=lambda _: None)
    try:
        return _up(fleet, cell, say, folder, emulator or {}, context)
    except BaseException:
        down(folder, say)
        raise


def _up(fleet: Path, cell: str, say: Say, folder: Path, extra: Mapping[str, str], context: Sequence[str]) -> Stack:
    run = folder / "run"
    with ThreadPoolExecutor(2) as pool:
        synthesized = pool.submit(synthesize, fleet, cell, folder / "cdk.out", *context)
        resolve_engines(fleet, cell, say)
        say("starting the emulated AWS")
        emulator = emulator_process.start(run, extra)
        say("cdk bootstrap")
        cdk(emulator, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        assembly = synthesized.result()
    say("cdk deploy")
    _deploy(emulator, assembly)
    stack = _described(emulator, fleet, cell, run)
    issued.hand_over(stack)
    subscribe_inbox(stack)
    say("the first sweep gives the groups their sizes")
    sweep(stack)
    if stack.certified:
        issued.certify_people(stack, say)
        say("the second sweep gives the groups of certified clusters theirs")
        sweep(stack)
    for cluster in stack.clusters:
        wait_green(stack, cluster, say)
    wait_known(stack)
    for cluster in stack.clusters:
        wait_serving(stack, cluster)
    (folder / "stack.json").write_bytes(msgspec.json.encode(stack))
    return stack


def redeploy(stack: Stack, folder: Path) -> None:
    """`cdk deploy` of the fleet as its files are now, while everything runs."""
    emulator = emulator_process.found(Path(stack.run))
    if emulator is None:
        raise StackError("no emulator runs for this stack")
    _deploy(emulator, synthesize(Path(stack.fleet), stack.cell, folder / "cdk.out"))


def _deploy(emulator: Emulator, assembly: Path) -> None:
    cdk(emulator, "deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--concurrency", "2")


def synthesize(fleet: Path, cell: str, out: Path, *more: str) -> Path:
    """`cdk synth` for this machine's architecture, cdk-nag included, `more` as context (`name=value`); the assembly."""
    machine = "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64"
    context = [f"cell={cell}", f"fleet={fleet}", f"architecture={machine}", *more]
    arguments = [word for pair in context for word in ("-c", pair)]
    _run([str(ROOT / "node_modules/.bin/cdk"), "synth", "-q", "--output", str(out), *arguments], _cdk_environment())
    return out


def cdk(emulator: Emulator, *arguments: str) -> None:
    """The pinned CDK CLI against the emulator. Raises StackError with its output's end.

    It runs where no cdk.json is: `bootstrap` would else synthesize the app a second time, into the shared cdk.out.
    """
    environment = _cdk_environment() | {
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
    }
    _run([str(ROOT / "node_modules/.bin/cdk"), *arguments], environment, Path(emulator.folder))


def _cdk_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return kept | {
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
    }


def _run(command: list[str], environment: Mapping[str, str], folder: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        raise StackError(f"{Path(command[0]).name} {command[1]} ended with {done.returncode}:\n{said}")


def _described(emulator: Emulator, fleet: Path, cell: str, run: Path) -> Stack:
    from vagus_cli.fleet_files import load  # the command line imports this module: not at the top

    specs = {name: spec for name, spec in load(fleet).items() if spec.cell == cell}
    return Stack(
        endpoint=emulator.endpoint,
        region=REGION,
        account=ACCOUNT,
        cell=cell,
        fleet=str(fleet),
        clusters=tuple(name for name, spec in specs.items() if spec.reached),
        run=str(run),
        plain=tuple(name for name, spec in specs.items() if not spec.engine.tls),
        certified=tuple(name for name, spec in specs.items() if spec.certified),
    )


def resolve_engines(fleet: Path, cell: str, say: Say) -> None:
    """Bring every engine that the cell's clusters run. Raises StackError for one that the local stack does not know."""
    from vagus_cli.fleet_files import load

    specs = [spec for spec in load(fleet).values() if spec.cell == cell]
    for label in sorted({f"{spec.engine.name}-{spec.engine.version}" for spec in specs}):
        try:
            artifacts.resolve(engine(label), say)
        except KeyError as error:
            raise StackError(error.args[0]) from error


def subscribe_inbox(stack: Stack) -> None:
    """A queue plays the people who are called: what Vagus tells them can be read from it."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    url = sqs.create_queue(QueueName=stack.inbox)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = f"arn:aws:sns:{stack.region}:{stack.account}:vagus-{stack.cell}-people"
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)


def sweep(stack: Stack) -> dict[str, Any]:
    """Run the sweep now instead of within the minute. Raises StackError with its error."""
    reply = stack.client("lambda").invoke(FunctionName=f"vagus-{stack.cell}-sweep", Payload=b"{}")
    payload = json.loads(reply["Payload"].read() or b"null")
    if reply.get("FunctionError"):
        raise StackError(f"the sweep failed: {payload}")
    return {"result": payload}


def wait_green(stack: Stack, cluster: str, say: Say = print, seconds: float = 300) -> None:
    """Until every declared node has joined and all copies are active. A node whose boot failed ends the wait."""
    from vagus_cli.fleet_files import load

    wanted = sum(load(Path(stack.fleet))[cluster].sizes().values())
    say(f"{cluster}: {wanted} nodes boot")
    client = stack.admin(cluster)

    def green() -> bool:
        if failed := _failed_boot(Path(stack.run)):
            raise StackError(failed)
        health = client.try_call("GET", "/_cluster/health")
        return bool(health and health["status"] == "green" and health["number_of_nodes"] >= wanted)

    try:
        until(green, seconds, f"{cluster} is green with {wanted} nodes", 0.5)
    except TimedOut as error:
        raise StackError(f"{error}\n{logs(Path(stack.run))}") from error


def wait_known(stack: Stack, seconds: float = 120) -> None:
    """Until Vagus has noted which cluster each is, and which version its nodes bring: from then on no node forms
    another, and none brings what the fleet file says next. Each is what a sweep finds due."""
    ssm = stack.client("ssm")
    for name in ("formed", "version"):
        sweep(stack)
        names = [f"/vagus/{cluster}/node/{name}" for cluster in stack.clusters]
        if not names:
            return

        def noted(names: list[str] = names) -> bool:
            return len(ssm.get_parameters(Names=names)["Parameters"]) == len(names)

        until(noted, seconds, f"every cluster's {name} is noted")


def wait_serving(stack: Stack, cluster: str, seconds: float = 180) -> None:
    """Until no instance of the cluster comes any more: Vagus lets each into service when the cluster is whole."""
    filters = [{"Name": "tag:vagus:cluster", "Values": [cluster]}]
    pages = stack.client("autoscaling").get_paginator("describe_auto_scaling_groups")

    def serving() -> bool:
        groups = [group for page in pages.paginate(Filters=filters) for group in page["AutoScalingGroups"]]
        return not any(one["LifecycleState"].startswith("Pending") for group in groups for one in group["Instances"])

    until(serving, seconds, f"every instance of {cluster} serves", 0.5)


def _failed_boot(run: Path) -> str | None:
    for log in sorted((run / "instances").glob("*/boot.log")):
        for line in log.read_text(errors="replace").splitlines():
            if "CHECK FAILED" in line or "main process exited" in line:
                return f"{log.parent.name} did not boot: {line}\n{tail(log)}"
    return None


def logs(run: Path) -> str:
    """The end of every log of a run."""
    files = [run / "emulator.log", *sorted((run / "instances").glob("*/boot.log"))]
    return "\n".join(f"--- {file.relative_to(run)}\n{tail(file, 8)}" for file in files)


# -- status and down -------------------------------------------------------------------------------------------------


def current(folder: Path = LOCAL) -> Stack | None:
    """The stack that is up, or None. Raises StackError for one that is half dead."""
    file = folder / "stack.json"
    if not file.exists():
        return None
    stack = msgspec.json.decode(file.read_bytes(), type=Stack)
    if emulator_process.found(Path(stack.run)) is None:
        log = Path(stack.run) / "emulator.log"
        raise StackError(f"the emulator of this stack has ended; `make down` clears it away\n{tail(log)}")
    return stack


def status(folder: Path = LOCAL) -> dict[str, Any]:
    """What runs, by cluster. Raises StackError for a stack that is half dead."""
    stack = current(folder)
    if stack is None:
        return {"up": False}
    emulator = emulator_process.found(Path(stack.run))
    if emulator is None or not emulator.answers():
        raise StackError(f"the emulator does not answer\n{tail(Path(stack.run) / 'emulator.log')}")
    clusters: dict[str, Any] = {}
    for cluster in stack.clusters:
        health = stack.admin(cluster).try_call("GET", "/_cluster/health")
        if health is None:
            raise StackError(f"{cluster} does not answer\n{logs(Path(stack.run))}")
        clusters[cluster] = {
            "status": health["status"],
            "nodes": health["number_of_nodes"],
            "instances": addresses(stack, cluster),
        }
    return {"up": True, "endpoint": stack.endpoint, "clusters": clusters}


def down(folder: Path = LOCAL, say: Say = print) -> None:
    """End every process of the stack and remove its run. Harmless where nothing runs."""
    if emulator := emulator_process.found(folder / "run"):
        say("ending the local stack")
        emulator_process.stop(emulator)
    (folder / "stack.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "run", ignore_errors=True)


__all__ = ["EmulatorDied", "Stack", "StackError", "current", "down", "status", "up"]
