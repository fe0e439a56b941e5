"""A cluster on Kubernetes on a deployed cell whose roles' policies are enforced: the functions, state machine and rules
that `cdk deploy` has brought, objects in S3, keys in KMS; the agent, under the site's own role, and sidecars by their
own code. Played are the API server, the engine's TLS, and the way by which the agent gets its role.

The emulated AWS speaks HTTP, and resolves no alias of a key: what the bucket's policy denies without TLS, and which
keys may sign, are taken out of the policies first.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from tests.unit.agent import manifests
from tests.unit.agent.manifests import AGENT, NODES

from vagus import site
from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.certificates import profile, wishes
from vagus.handshake import Handshake
from vagus.procedure import records, rows
from vagus.procedure.rows import Rows
from vagus.trust import issued_partition
from vagus_agent.agent import LABEL, Agent
from vagus_agent.bucket import S3Bucket
from vagus_agent.checks import Site
from vagus_agent.fake_kube import Caller, FakeApiServer
from vagus_agent.fitting import Me
from vagus_agent.kube import Kube
from vagus_agent.model import published_in
from vagus_agent.node import Node
from vagus_agent.shelf import Shelf
from vagus_cdk import names
from vagus_local import emulator_process, stack
from vagus_local.emulator_process import ACCOUNT, REGION, ROOT, Emulator
from vagus_local.stack import LocalSession
from vagus_local.waiting import until

CLUSTER, CELL, NAMESPACE = "claims", "local", manifests.NAMESPACE
SETS = {"claims-data-a": 1, "claims-data-b": 1, "claims-data-c": 1}
PODS = {f"{name}-0": f"10.42.0.{number}" for number, name in enumerate(SETS, 7)}
CLAIMS = f"""\
name: {CLUSTER}
cell: {CELL}
engine: {{version: 3.4.0}}
placement: kubernetes
kubernetes:
  namespace: {NAMESPACE}
  service_account: {NODES}
  stateful_sets: {json.dumps(SETS)}
  pods: [10.42.0.0/16]
  trust_anchor: arn:aws:rolesanywhere:{REGION}:{ACCOUNT}:trust-anchor/12345678-1234-1234-1234-123456789012
  agent: site-hospital-north
certificates: {{issuer: kms, mode: act}}
"""


class PlayedSite:
    """Agent and sidecars, each round in a thread of its own. `bucket`: the agent's, by its role."""

    def __init__(self, folder: Path, bucket: S3Bucket) -> None:
        self.folder, self.api, self.log = folder, FakeApiServer(), list[str]()
        self.api.make_map(NAMESPACE, published_in(CLUSTER))
        caller = Caller(user=manifests.user(AGENT), rights=manifests.rights(AGENT))
        declared = Site(cluster=CLUSTER, namespace=NAMESPACE, account=NODES)
        self._agent = Agent(self._kube(caller), bucket, declared, self._shake, self._say)
        self._sidecars = [self._start(pod, address) for pod, address in PODS.items()]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _start(self, pod: str, address: str) -> Node:
        uid = self.api.start_pod(NAMESPACE, pod, NODES, address, labels={LABEL: CLUSTER})
        (self.folder / pod).mkdir()
        caller = Caller(user=manifests.user(NODES), rights=manifests.rights(NODES), pod=pod, uid=uid)
        return Node(self._kube(caller), self.folder / pod, Me(pod=pod, address=address, cluster=CLUSTER), self._say)

    def _kube(self, caller: Caller) -> Kube:
        return Kube(self.api.as_caller(caller), NAMESPACE, CLUSTER)

    def _say(self, what: str, **fields: object) -> None:
        self.log.append(f"{what} {fields}")

    def __enter__(self) -> "PlayedSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._over.is_set():
            self._agent.once(time.time())
            for sidecar in self._sidecars:
                sidecar.once(time.time())
                sidecar.once(time.time())
            self._over.wait(1.0)

    def _shake(self, addresses: Mapping[str, str], bundle: str) -> tuple[Handshake, ...]:
        return tuple(
            self._shown(pod, addresses[pod], port, bundle) for pod in sorted(addresses) for port in (9200, 9300)
        )

    def _shown(self, pod: str, address: str, port: int, bundle: str) -> Handshake:
        """What an engine that reads that folder would show."""
        held = Shelf(self.folder / pod).held()
        if held is None:
            return Handshake(instance=pod, address=address, port=port, failure="no TLS handshake")
        leaf = x509.load_pem_x509_certificate(held.leaf.encode())
        trusted = [one.subject for one in x509.load_pem_x509_certificates(bundle.encode())] if bundle else []
        trusts = [one.subject for one in x509.load_pem_x509_certificates(held.bundle.encode())]
        return Handshake(
            instance=pod,
            address=address,
            port=port,
            answered=True,
            failure="" if leaf.issuer in trusted else "unable to get local issuer certificate",
            issuer=profile.name_digest(leaf.issuer),
            serial=profile.serial(leaf),
            begins=leaf.not_valid_before_utc.timestamp(),
            ends=leaf.not_valid_after_utc.timestamp(),
            trusts=tuple(sorted(map(profile.name_digest, trusts))),
        )

    def serials(self) -> set[str]:
        """Of the certificates that pods hold."""
        held = [Shelf(self.folder / pod).held() for pod in PODS]
        return {profile.serial(x509.load_pem_x509_certificate(one.leaf.encode())) for one in held if one}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces policies, with the cell deployed: a cluster on EC2 that is records only, and ours."""
    fleet = tmp_path_factory.mktemp("fleet")
    demo = (ROOT / "tests/fleets/records/demo.yaml").read_text()
    (fleet / "demo.yaml").write_text(demo.replace("mode: act", "mode: observe"))
    (fleet / f"{CLUSTER}.yaml").write_text(CLAIMS)
    assembly = stack.synthesize(fleet, CELL, tmp_path_factory.mktemp("assembly"), "synthesizer=cli")
    idle = {"VAGUS_BOOT": "/bin/sleep 3600", "AUTH": "true"}
    running = emulator_process.start(tmp_path_factory.mktemp("strict"), idle)
    try:
        stack.cdk(running, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        stack.cdk(running, "deploy", "--all", "--app", str(assembly), "--require-approval", "never")
        yield running
    finally:
        emulator_process.stop(running)


@pytest.fixture(scope="module")
def owner(strict: Emulator) -> LocalSession:
    return LocalSession(strict.endpoint)


@pytest.fixture(scope="module")
def outputs(owner: LocalSession) -> dict[str, str]:
    """The cluster's stack's."""
    described = owner.client("cloudformation").describe_stacks(StackName=names.cluster_stack(CELL, CLUSTER))
    return {one["OutputKey"]: one["OutputValue"] for one in described["Stacks"][0]["Outputs"]}


@pytest.fixture(scope="module", autouse=True)
def over_http(owner: LocalSession, outputs: dict[str, str]) -> None:
    s3, bucket = owner.client("s3"), outputs["ArtifactBucket"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    kept = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy | {"Statement": kept}))


@pytest.fixture(scope="module", autouse=True)
def with_any_key(owner: LocalSession) -> None:
    functions, iam = owner.client("lambda"), owner.client("iam")
    for function in ("certificates-apply", "certificates-issue"):
        found = functions.get_function_configuration(FunctionName=names.of_cell(CELL, function))
        role = {"RoleName": found["Role"].rpartition("/")[2], "PolicyName": "Vagus"}
        policy = iam.get_role_policy(**role)["PolicyDocument"]
        for one in policy["Statement"]:
            if "kms:Sign" in one["Action"]:
                del one["Condition"]
                one["Resource"] = ["*"]
        iam.put_role_policy(**role, PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def session(owner: LocalSession, outputs: dict[str, str]) -> boto3.Session:
    """The site's role. IAM Roles Anywhere is not here: the account's owner is let assume the role."""
    role = outputs["SiteRole"]
    trusts = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusts]})
    owner.client("iam").update_assume_role_policy(RoleName=role.rpartition("/")[2], PolicyDocument=document)
    given = owner.client("sts").assume_role(RoleArn=role, RoleSessionName="agent")["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)


@pytest.fixture(scope="module")
def agents(session: boto3.Session, strict: Emulator) -> Any:
    """S3 as the site's role has it."""
    return session.client("s3", endpoint_url=strict.endpoint)


@pytest.fixture
def placed(outputs: dict[str, str], session: boto3.Session, strict: Emulator, tmp_path: Path) -> Iterator[PlayedSite]:
    bucket = S3Bucket(outputs["ArtifactBucket"], session.get_credentials, REGION, strict.endpoint)
    with PlayedSite(tmp_path, bucket) as made:
        yield made


def seen(owner: LocalSession) -> Rows:
    return rows.read_shown(DynamoTable(Clients(owner), names.state_table(CELL)), CLUSTER)


def sweep(owner: LocalSession) -> None:
    """Called as its schedule does, so that nobody waits for the minute."""
    owner.client("lambda").invoke(FunctionName=names.of_cell(CELL, "sweep"), InvocationType="Event")


def settled(owner: LocalSession, *generations: int) -> bool:
    found = seen(owner)
    well = found.plans.get("certificates", {}).get("reason") == "CERTIFIED"
    return found.trust.generations == generations and found.head("certificates").state == "idle" and well


def told(owner: LocalSession, made: PlayedSite) -> str:
    return f"settled ({seen(owner).plans.get('certificates', {})}; {made.log[-5:]})"


def test_pods_are_certified_and_their_authority_is_replaced(owner: LocalSession, placed: PlayedSite) -> None:
    began = time.monotonic()
    sweep(owner)
    until(lambda: len(placed.serials()) == len(PODS), 300, lambda: told(owner, placed), 0.5)
    print(f"certified after {time.monotonic() - began:.0f} s")
    until(lambda: settled(owner, 1), 300, lambda: told(owner, placed), 0.5)
    first, began = placed.serials(), time.monotonic()
    table = DynamoTable(Clients(owner), names.state_table(CELL))
    wishes.rotate_authority(table, CLUSTER)
    sweep(owner)
    until(lambda: settled(owner, 2), 600, lambda: told(owner, placed), 0.5)
    print(f"replaced after {time.monotonic() - began:.0f} s")
    assert placed.serials().isdisjoint(first)
    assert len(placed.serials()) == len(PODS)
    for pod in PODS:
        held = Shelf(placed.folder / pod).held()
        assert held is not None
        assert held.bundle == seen(owner).trust.bundle
    issued = {str(row.data["instance"]) for row in table.read(issued_partition(CLUSTER)).values()}
    assert issued == set(PODS)
    book = DynamoTable(Clients(owner), names.record_table(CELL))
    noted = records.read(book, CLUSTER, records.iso(time.time())[:10])
    assert {one.step for one in noted} >= {"IssueCertificate", "PublishTrust", "InstallTrust", "RenewLeaves"}
    assert {one.subject for one in noted if one.step == "IssueCertificate"} == set(PODS)


DENIED = {
    "its own report is not read back": ("get", site.REPORT),
    "no other's request is read": ("get", f"{site.REQUESTS}0f8fad5b-d9cb-469f-a165-70867728950e.json"),
    "no bundle is put": ("put", site.BUNDLE),
    "no command is put": ("put", site.COMMANDS),
    "no answer is put": ("put", f"{site.ANSWERS}0f8fad5b-d9cb-469f-a165-70867728950e.pem"),
    "nothing is asked as instances ask": ("put", "requests/AROAEXAMPLE:i-0123456789abcdef0.csr"),
    "nothing else is put": ("put", "engines/opensearch-3.4.0.tar.gz"),
    "nothing else is read": ("get", "engines/opensearch-3.4.0.tar.gz"),
}


@pytest.mark.parametrize("sentence", DENIED)
def test_the_sites_role_may_do_nothing_else(outputs: dict[str, str], agents: Any, sentence: str) -> None:
    call, key = DENIED[sentence]
    bucket = outputs["ArtifactBucket"]
    tried = agents.get_object if call == "get" else agents.put_object
    with pytest.raises(ClientError) as raised:
        tried(Bucket=bucket, Key=key)
    assert raised.value.response["Error"]["Code"] == "AccessDenied"
