"""The parts of a function by its environment: nothing is called, or asked for, before it is used."""

import json
from typing import Any

import msgspec
import pytest

from vagus.aws.clients import CONNECT_SECONDS, Clients
from vagus.aws.executions import Machine
from vagus.aws.wiring import Wiring
from vagus.certificates.at_site import SiteCommands, SiteHandshakes, SiteTrust
from vagus.errors import Malformed
from vagus.fleet import ClusterSpec, Engine, Kubernetes
from vagus.policy import Certificates

SPEC = msgspec.convert(
    {
        "name": "one",
        "cell": "local",
        "engine": {"version": "3.4.0"},
        "zones": ["us-east-1a"],
        "groups": {"core": {"roles": ["cluster_manager", "data"], "per_zone": 1}},
    },
    ClusterSpec,
)
TOLD = {
    "VAGUS_STATE_TABLE": "state",
    "VAGUS_RECORD_TABLE": "records",
    "VAGUS_MACHINES": json.dumps({"zone_balance": "arn:aws:states:us-east-1:1:stateMachine:zone_balance"}),
    "VAGUS_CELL": "local",
}


@pytest.mark.parametrize(
    ("missing", "part"),
    [
        ("VAGUS_STATE_TABLE", lambda wiring: wiring.table()),
        ("VAGUS_STATE_TABLE", lambda wiring: wiring.writes(SPEC)),
        ("VAGUS_RECORD_TABLE", lambda wiring: wiring.book()),
        ("VAGUS_MACHINES", lambda wiring: wiring.executions()),
    ],
)
def test_a_missing_variable_is_named_by_the_part_that_needs_it(missing: str, part: object) -> None:
    assert callable(part)
    part(Wiring(TOLD))
    with pytest.raises(Malformed, match=missing):
        part(Wiring({name: value for name, value in TOLD.items() if name != missing}))


def test_a_function_needs_only_what_it_uses() -> None:
    reads = Wiring({}).reads()
    assert reads.search(SPEC) is not None


def test_a_cluster_is_opened_once_per_role() -> None:
    wiring = Wiring(TOLD)
    assert wiring.search(SPEC, "read") is wiring.reads().search(SPEC)
    assert wiring.search(SPEC, "write") is wiring.writes(SPEC).search
    assert wiring.search(SPEC, "read") is not wiring.search(SPEC, "write")
    assert wiring.reads().groups is wiring.reads().groups


def test_a_cluster_without_tls_needs_no_certificate_and_is_met_on_the_loopback_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vagus.aws.wiring.addresses", lambda *_: ("10.0.0.7",))
    plain = msgspec.structs.replace(SPEC, engine=Engine(name="elasticsearch", version="7.17.29", tls=False))
    with pytest.raises(Malformed, match=r"10\.0\.0\.7"):
        Wiring(TOLD).search(plain, "read").look()


def test_machines_are_told_by_capability() -> None:
    (name,), (machine,) = zip(*Wiring(TOLD).executions().items(), strict=True)
    assert name == "zone_balance"
    assert isinstance(machine, Machine)


@pytest.mark.parametrize("value", ["no json", "[]", '{"a": 1}'])
def test_machines_that_are_no_mapping_are_malformed(value: str) -> None:
    with pytest.raises(Malformed, match="VAGUS_MACHINES"):
        Wiring({"VAGUS_MACHINES": value}).executions()


def test_records_get_ids_of_their_own() -> None:
    book = Wiring(TOLD).book()
    assert len({book.new_id() for _ in range(1000)}) == 1000


def test_a_client_is_made_once_tries_once_and_gives_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    clients = Clients()
    client = clients.dynamodb
    assert clients.dynamodb is client
    config: Any = client.meta.config
    assert config.retries == {"total_max_attempts": 1, "mode": "legacy"}
    assert config.connect_timeout == CONNECT_SECONDS == 2
    assert config.read_timeout <= 10
    client.close()


PODS = msgspec.structs.replace(
    SPEC,
    placement="kubernetes",
    zones=(),
    groups={},
    kubernetes=Kubernetes(
        namespace="search",
        service_account="one-nodes",
        stateful_sets={"one-data": 3},
        pods=("10.42.0.0/16",),
        trust_anchor="arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/12345678-1234-1234-1234-123456789012",
        agent="site",
    ),
    certificates=Certificates(mode="act", issuer="kms"),
)


def test_of_a_cluster_on_kubernetes_everything_goes_by_its_bucket() -> None:
    wiring = Wiring(TOLD)
    reads, writes = wiring.reads(), wiring.writes(PODS)
    assert isinstance(reads.handshakes(PODS), SiteHandshakes)
    assert isinstance(reads.commands(PODS), SiteCommands)
    assert isinstance(writes.commands, SiteCommands)
    assert isinstance(writes.handshakes, SiteHandshakes)
    assert isinstance(writes.parameters, SiteTrust)
    assert reads.reported(SPEC) is None


def test_of_one_on_ec2_nothing_does() -> None:
    wiring = Wiring(TOLD)
    assert not isinstance(wiring.reads().handshakes(SPEC), SiteHandshakes)
    assert not isinstance(wiring.writes(SPEC).parameters, SiteTrust)
    assert not isinstance(wiring.writes(SPEC).commands, SiteCommands)
