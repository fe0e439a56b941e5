"""The checks of `vagus doctor CELL`, on a deployed cell with a person's own rights.

They change nothing of clusters or groups; what they do send is a test event that no capability reacts to, and a test
page. Beside `opening`, this is where the command line knows AWS.
"""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.aws.gateways import AcmCertificates
from vagus.aws.groups import AutoScalingGroups
from vagus.aws.nodes import addresses
from vagus.aws.secrets import client_certificate
from vagus.aws.site import S3SiteObjects
from vagus.errors import Denied, VagusError
from vagus.fleet import ClusterSpec
from vagus.search.tls import Tls, context
from vagus.site import REPORT
from vagus_cdk import names
from vagus_cli import cell_judged as judged
from vagus_cli.cell_judged import Check, ill, well

KEYS = ("rows", "nodes", "secrets", "messages", "logs")
PORTS = {9200: "search", 9300: "transport"}
EVENT_SECONDS = 90
CONNECT_SECONDS = 2.0
SPARE_CONCURRENCY = 10
DEPLOY = "deploy the cell: `make deploy`"


class Patient:
    """A cell. `now` and `pause` as `vagus_cli.world.World` has them."""

    def __init__(
        self,
        cell: str,
        clusters: Mapping[str, ClusterSpec],
        session: Any,
        now: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self.cell, self.clusters, self.now, self.pause = cell, clusters, now, pause
        self.clients = Clients(session)
        self._session = session

    def name(self, what: str) -> str:
        """The name of a thing of this cell."""
        return names.of_cell(self.cell, what)

    def client(self, service: str) -> Any:
        """A client of one of the services that functions need not know."""
        return self._session.client(service)

    @cached_property
    def groups(self) -> AutoScalingGroups:
        return AutoScalingGroups(self.clients, self.cell)

    def instances(self, cluster: str) -> list[str]:
        """Those in service, by id."""
        found = self.groups.describe([cluster])
        return [one.id for group in found for one in group.instances if one.lifecycle == "InService"]


def every(patient: Patient) -> Iterator[Check]:
    """Every check, each as soon as it is made. One that can't be made hides no other."""
    yield from _tried("event", partial(event, patient))
    yield from _tried("page", partial(page, patient))
    for key in KEYS:
        yield from _tried(f"key: {key}", partial(encrypts, patient, key))
    yield from _tried("key policies", partial(policies, patient))
    for cluster, spec in patient.clusters.items():
        if spec.reached:
            yield from _tried(f"SSM ping: {cluster}", partial(ping, patient, cluster))
            yield from _tried(f"TLS: {cluster}", partial(handshakes, patient, cluster))
        else:
            yield from _tried(f"agent: {cluster}", partial(agent, patient, cluster))
        yield from _tried(f"private CA: {cluster}", partial(private_cas, patient, cluster))
        yield from _tried(f"gateways: {cluster}", partial(gateways_of, patient, cluster))
    yield from _tried("quota: groups", partial(quota_of_groups, patient), needed=False)
    yield from _tried("quota: functions", partial(quota_of_functions, patient), needed=False)


def _tried(name: str, make: Callable[[], Iterator[Check]], *, needed: bool = True) -> Iterator[Check]:
    try:
        yield from make()
    except VagusError as error:
        found = f"{type(error).__name__}: {error}"
        denied = isinstance(error, Denied)
        remedy = (
            "allow yourself what is named, or let somebody run this who may" if denied else "put right what is named"
        )
        yield Check(name=name, state="untried" if needed else "skipped", found=found, remedy=remedy)


# -- ways in and out -------------------------------------------------------------------------------------------------


def event(patient: Patient) -> Iterator[Check]:
    """A test event through queue and function, until the function's log tells of it."""
    sqs, token = patient.client("sqs"), secrets.token_hex(8)
    url = read("sqs", lambda: sqs.get_queue_url(QueueName=patient.name("events")))["QueueUrl"]
    since = patient.now()
    with translated("sqs"):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(test_event(token, since)))
    group = _log_group(patient, "intake")
    while patient.now() - since < EVENT_SECONDS:
        if _logged(patient, group, token, since):
            yield well("event", f"taken within {patient.now() - since:.0f} s")
            return
        patient.pause(1.0)
    remedy = f"see the dead letters ({patient.name('events-dead')}) and the log of {patient.name('intake')}"
    yield ill("event", f"the test event {token} was not taken within {EVENT_SECONDS} s", remedy)


def test_event(token: str, now: float) -> dict[str, Any]:
    """An event that no capability reacts to; intake says so in its log, with the token."""
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    about = {"version": "0", "id": token, "source": "vagus.doctor", "time": at}
    return {**about, "detail-type": f"Test event {token}", "detail": {}}


def _log_group(patient: Patient, function: str) -> str:
    functions, name = patient.client("lambda"), patient.name(function)
    found = read("lambda", lambda: functions.get_function_configuration(FunctionName=name))
    return str(found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}")


def _logged(patient: Patient, group: str, token: str, since: float) -> bool:
    logs = patient.client("logs")
    asked = {"logGroupName": group, "filterPattern": f'"{token}"', "startTime": int(since * 1000) - 60_000}
    pages = logs.get_paginator("filter_log_events")
    return read("logs", lambda: any(page["events"] for page in pages.paginate(**asked)))


def page(patient: Patient) -> Iterator[Check]:
    """Whether anybody listens, and a test page to them."""
    sns = patient.client("sns")
    pages = sns.get_paginator("list_topics")
    topics = read("sns", lambda: [one["TopicArn"] for page in pages.paginate() for one in page["Topics"]])
    topic = next((one for one in topics if one.rpartition(":")[2] == patient.name("people")), None)
    if topic is None:
        yield ill("page", f"there is no topic {patient.name('people')}", DEPLOY)
        return
    listed = sns.get_paginator("list_subscriptions_by_topic")
    found = read("sns", lambda: [one for page in listed.paginate(TopicArn=topic) for one in page["Subscriptions"]])
    yield judged.called([one["SubscriptionArn"] for one in found])
    with translated("sns"):
        said = f"A test of `vagus doctor {patient.cell}`: nothing is wrong. Whoever is on call should have this."
        sns.publish(TopicArn=topic, Subject=f"Vagus {patient.cell}: test page", Message=said)
    yield well("page", "a test page was sent: ask those on call whether it came")


# -- keys ------------------------------------------------------------------------------------------------------------


def encrypts(patient: Patient, key: str) -> Iterator[Check]:
    """Encrypt a word and decrypt it again."""
    kms, alias, word = patient.client("kms"), _alias(patient, key), secrets.token_bytes(16)
    with translated("kms"):
        sealed = kms.encrypt(KeyId=alias, Plaintext=word)["CiphertextBlob"]
        opened = kms.decrypt(KeyId=alias, CiphertextBlob=sealed)["Plaintext"]
    if opened == word:
        yield well(f"key: {key}", "encrypts and decrypts")
    else:
        yield ill(
            f"key: {key}", "what was decrypted is not what was encrypted", "see the alias: another key may have it"
        )


def policies(patient: Patient) -> Iterator[Check]:
    """Key policies whose lack nobody would notice."""
    for needed in judged.NEEDED:
        yield judged.policy(needed, _policy(patient, needed.key))


def _policy(patient: Patient, key: str) -> Any:
    kms = patient.client("kms")
    about = read("kms", lambda: kms.describe_key(KeyId=_alias(patient, key)))["KeyMetadata"]
    return json.loads(read("kms", lambda: kms.get_key_policy(KeyId=about["KeyId"], PolicyName="default"))["Policy"])


def _alias(patient: Patient, key: str) -> str:
    return f"alias/vagus/{patient.cell}/{key}"


# -- nodes -----------------------------------------------------------------------------------------------------------


def ping(patient: Patient, cluster: str) -> Iterator[Check]:
    """Whether the SSM agents answer: stop, start and restart go through them."""
    pages = patient.clients.ssm.get_paginator("describe_instance_information")
    filters: Any = [{"Key": "tag:vagus:cluster", "Values": [cluster]}]
    found = read("ssm", lambda: [one for p in pages.paginate(Filters=filters) for one in p["InstanceInformationList"]])
    online = [one["InstanceId"] for one in found if one.get("PingStatus") == "Online"]
    yield judged.pinged(cluster, patient.instances(cluster), online)


def handshakes(patient: Patient, cluster: str) -> Iterator[Check]:
    """A TLS handshake with every node on both ports, from where this runs."""
    if not patient.clusters[cluster].engine.tls:
        yield Check(name=f"TLS: {cluster}", state="skipped", found="its fleet file says tls: false")
        return
    found = addresses(patient.clients, cluster)
    tls = client_certificate(patient.clients, cluster, "read")
    for port, what in PORTS.items():
        yield handshake_of_all(f"TLS {port} ({what}): {cluster}", found, port, tls)


def agent(patient: Patient, cluster: str) -> Iterator[Check]:
    """Whether the agent of a cluster on Kubernetes tells what its pods show, by when its report was put."""
    found = S3SiteObjects(patient.clients, cluster).get(REPORT)
    yield judged.agent(cluster, found.at if found else None, patient.now())


def handshake_of_all(name: str, found: tuple[str, ...], port: int, tls: Tls) -> Check:
    """One check of all nodes on a port; the failures are named."""
    failures = [why for address in found if (why := handshake(address, port, tls))]
    if failures:
        remedy = "run this from within the VPC; else see the node's certificate, its log, and its security group"
        return ill(name, "; ".join(failures), remedy)
    return well(name, f"{len(found)} nodes, certificates verified")


def handshake(address: str, port: int, tls: Tls) -> str | None:
    """Why a node's certificate could not be verified; `None` if it was."""
    try:
        with (
            socket.create_connection((address, port), timeout=CONNECT_SECONDS) as plain,
            context(tls).wrap_socket(plain, server_hostname=address),
        ):
            return None
    except (OSError, ssl.SSLError) as error:
        return f"{address}: {error}"


def private_cas(patient: Patient, cluster: str) -> Iterator[Check]:
    """Whether each can sign for the cluster. That it is this cluster's alone, nobody can see."""
    policy = patient.clusters[cluster].certificates
    for arn in policy.private_cas:
        call = partial(patient.clients.private_ca.describe_certificate_authority, CertificateAuthorityArn=arn)
        about = read("acm-pca", call)["CertificateAuthority"]
        yield judged.private_ca(f"private CA: {cluster} {arn[-8:]}", about, policy.days, patient.now())


def gateways_of(patient: Patient, cluster: str) -> Iterator[Check]:
    """Whether ACM takes what Vagus imports."""
    imported = AcmCertificates(patient.clients)
    for one in patient.clusters[cluster].certificates.gateways:
        told = imported.of(one.arn)
        yield judged.gateway(f"gateway: {one.names[0]}", cluster, told, patient.now())


# -- quotas ----------------------------------------------------------------------------------------------------------


def quota_of_groups(patient: Patient) -> Iterator[Check]:
    """Room for a group of each kind and zone."""
    found = read("autoscaling", patient.clients.autoscaling.describe_account_limits)
    there = {group.name for group in patient.groups.describe()}
    due = [name for spec in patient.clusters.values() for name in spec.sized() if name not in there]
    remedy = "ask AWS to raise 'Auto Scaling groups per region'"
    used, limit = found["NumberOfAutoScalingGroups"], found["MaxNumberOfAutoScalingGroups"]
    yield judged.headroom("quota: groups", used, limit, len(due), remedy)


def quota_of_functions(patient: Patient) -> Iterator[Check]:
    """Functions of Vagus reserve theirs; what others share must not be used up."""
    limits = read("lambda", patient.client("lambda").get_account_settings)["AccountLimit"]
    limit, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    remedy = "ask AWS to raise 'Concurrent executions' of Lambda"
    yield judged.headroom("quota: functions", limit - unreserved, limit, SPARE_CONCURRENCY, remedy)
