"""The wiring end to end: addresses by tag, the certificate from its secret, a look at real nodes."""

import json
from typing import Any

import boto3
import msgspec
import pytest
from tests.integration.contracts.search_world import RealSearch
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.secrets import client_certificate
from vagus.aws.wiring import Wiring
from vagus.errors import Denied, Malformed, Refused
from vagus.fleet import ClusterSpec
from vagus.owned import EXCLUDE, SettingsUpdate
from vagus.search.tls import Tls

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


def put_secret(aws: Aws, role: str, value: Any) -> None:
    aws.secretsmanager.create_secret(Name=f"vagus/one/{role}", SecretString=json.dumps(value))


def pair(tls: Tls) -> dict[str, str]:
    return {"certificate": tls.certificate, "key": tls.key, "ca": tls.ca}


def test_a_secret_becomes_a_certificate(aws: Aws, clients: Clients) -> None:
    put_secret(aws, "read", {"certificate": "c", "key": "k", "ca": "a"})
    assert client_certificate(clients, "one", "read") == Tls(certificate="c", key="k", ca="a")


@pytest.mark.parametrize("value", [{"certificate": "c", "key": "the-key"}, ["the-key"], "the-key"])
def test_a_secret_of_another_shape_is_named_and_never_shown(aws: Aws, clients: Clients, value: Any) -> None:
    put_secret(aws, "read", value)
    with pytest.raises(Malformed, match="vagus/one/read") as malformed:
        client_certificate(clients, "one", "read")
    assert "the-key" not in str(malformed.value)
    assert malformed.value.__cause__ is None


def test_a_secret_that_is_not_there_is_refused(aws: Aws, clients: Clients) -> None:
    with pytest.raises(Refused, match="ResourceNotFound"):
        client_certificate(clients, "one", "read")


def test_each_role_opens_the_cluster_with_its_own_certificate(
    aws: Aws, session: boto3.Session, real_search: RealSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local AWS knows no real node: their addresses come from the harness, everything else from the wiring."""
    for role in ("read", "write"):
        put_secret(aws, role, pair(real_search.tls(f"vagus-{role}")))
    told = tuple(real_search.cluster.addresses.values())
    monkeypatch.setattr("vagus.aws.wiring.addresses", lambda *_: told)
    wiring = Wiring({"VAGUS_STATE_TABLE": "state"}, session)
    assert len(wiring.reads().search(SPEC).look().nodes) == 3
    update = SettingsUpdate(persistent={EXCLUDE: "n7"})
    with pytest.raises(Denied):
        wiring.search(SPEC, "read").update_settings(update)
    wiring.writes(SPEC).search.update_settings(update)
    assert wiring.reads().search(SPEC).look().persistent[EXCLUDE] == "n7"
