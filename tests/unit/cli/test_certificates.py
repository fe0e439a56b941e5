"""`vagus certificates`, `certify`, `rotate` and `acknowledge` on fakes: a table, a bundle, wishes that are recorded."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from tests.unit.certificates.parts import request, subject, trusted
from tests.unit.cli.conftest import NOON, Scene

from vagus.aws.fake_certificates import FakeAuthorityKeys
from vagus.callers import Callers
from vagus.certificates.issuing import new_authority
from vagus.handshake import Handshake
from vagus.policy import Certificates, Gateway
from vagus.procedure import rows
from vagus.trust import Acknowledged, GatewayIssued, Trust

DAY = 86_400


def certified(scene: Scene, *clients: str) -> Trust:
    """The demo cluster, its certificates Vagus's, its first authority made."""
    policy = Certificates(mode="act", issuer="kms", clients=clients)
    scene.fleet["demo"] = msgspec.structs.replace(scene.fleet["demo"], certificates=policy)
    trust = trusted(FakeAuthorityKeys("claims"), NOON)
    scene.write("trust", trust)
    return trust


def trust_of(scene: Scene) -> Trust:
    return rows.read(scene.table, "demo").trust


def test_the_authority_is_shown_with_when_it_is_replaced(scene: Scene) -> None:
    certified(scene)
    (only,) = scene.json("certificates", "demo")
    assert only["port"] == "authority"
    assert only["subject"].startswith("CN=claims authority 1 ")
    assert (only["wrong"], round(only["days_left"])) == ("", 1825)


def test_what_is_short_of_life_is_wrong_and_the_command_says_so(scene: Scene) -> None:
    certified(scene)
    scene.now = NOON + 1800 * DAY
    said = scene.run("certificates", "demo", "--json")
    assert said.exit_code == 1
    assert msgspec.json.decode(said.stdout)[0]["wrong"] == "1% of its life is left"


def test_what_is_wrong_with_a_node_is_said_whoever_issues(scene: Scene) -> None:
    well = Handshake(
        instance="i-1",
        address="10.0.0.1",
        port=9200,
        answered=True,
        begins=NOON - DAY,
        ends=NOON + 80 * DAY,
        names=("10.0.0.1",),
        key="EC secp256r1",
    )
    wrong: dict[Handshake, str] = {
        well: "",
        msgspec.structs.replace(well, port=9201, key="RSA 1024", old="TLS 1.1"): "takes TLS 1.1: 1.2 is the least; "
        "shows a certificate whose key is RSA 1024: weaker than EC P-256",
        msgspec.structs.replace(well, port=9202, failure="no TLS", plain=True, answered=False): "answers without TLS",
        msgspec.structs.replace(well, port=9203, failure="no TLS", answered=False): "no TLS",
    }
    scene.shaken = list(wrong)
    assert [one["wrong"] for one in scene.json("certificates", "demo")] == list(wrong.values())


def called(scene: Scene, *addresses: str, unnamed: int = 0) -> None:
    """Nodes i-1 and i-2 answer, and i-1 has told of these."""
    certified(scene)
    spec = scene.fleet["demo"]
    policy = msgspec.structs.replace(spec.certificates, client_addresses=("10.20.0.0/16",))
    scene.fleet["demo"] = msgspec.structs.replace(spec, certificates=policy)
    scene.shaken = [Handshake(instance=f"i-{n}", address=f"10.0.0.{n}", port=9200, answered=True) for n in (1, 2)]
    told = Callers(at=NOON, since=NOON - 8 * DAY, addresses=addresses, unnamed=unnamed)
    scene.commands.callers = lambda since: {"i-1": told} if since <= NOON else {}  # type: ignore[method-assign]


def test_who_called_is_shown_strangers_first_and_how_to_find_out_whose_they_are(scene: Scene) -> None:
    called(scene, "10.0.0.1", "10.20.0.5", "10.9.8.7", "10.9.8.10")
    shown = scene.json("certificates", "demo", "--callers")
    assert [(one["address"], one["known"]) for one in shown["callers"]] == [
        ("10.9.8.7", ""),
        ("10.9.8.10", ""),
        ("10.20.0.5", "client"),
        ("10.0.0.1", "node"),
    ]
    assert shown["callers"][0]["nodes"] == ["i-1"]
    said = scene.run("certificates", "demo", "--callers")
    assert "Values=10.9.8.7,10.9.8.10 " in said.stderr
    assert "10.9.8.7" in said.stdout


def test_whom_nobody_can_name_is_said_with_those_who_are_known(scene: Scene) -> None:
    called(scene, "10.20.0.5", unnamed=500)
    assert scene.json("certificates", "demo", "--callers")["unknown"] == [
        "500 more callers are not named",
        "who called i-2 is not known",
    ]
    assert "list-callers" in scene.run("certificates", "demo", "--callers").stderr


def test_all_are_known_where_each_node_told_and_named_everybody(scene: Scene) -> None:
    called(scene, "10.20.0.5")
    scene.shaken.pop()
    assert "all are known" in scene.run("certificates", "demo", "--callers").stderr


def test_the_bundle_is_asked_for_by_itself(scene: Scene) -> None:
    said = scene.run("certificates", "demo", "--callers", "--bundle")
    assert (said.exit_code, said.stdout) == (2, "")


def test_the_bundle_alone(scene: Scene) -> None:
    trust = certified(scene)
    assert scene.run("certificates", "demo", "--bundle").stdout == trust.bundle


def test_a_cluster_without_an_authority_has_no_bundle(scene: Scene) -> None:
    said = scene.run("certificates", "demo", "--bundle")
    assert said.exit_code == 2
    assert "demo has no authority of Vagus's" in said.stderr


def test_a_wish_for_the_next_authority_starts_a_run_and_is_recorded(scene: Scene) -> None:
    certified(scene)
    said = scene.run("rotate", "demo", "--ca")
    assert said.exit_code == 0, said.stderr
    assert trust_of(scene).wanted == 2
    assert list(scene.machine.started) == ["demo-certificates-1"]
    kept = [row.data for partition in scene.book.partitions() for row in scene.book.read(partition).values()]
    assert any("user/anna asks to replace the authority" in one["sentence"] for one in kept)


def test_a_wish_for_new_certificates(scene: Scene) -> None:
    certified(scene)
    assert scene.run("rotate", "demo").exit_code == 0
    assert trust_of(scene).renew_before == NOON - 300


@pytest.mark.parametrize("command", [["rotate"], ["rotate", "--ca"], ["acknowledge"], ["acknowledge", "--renewed"]])
def test_before_there_is_an_authority_nothing_is_wished_or_acknowledged(scene: Scene, command: list[str]) -> None:
    certified(scene, "billing")
    scene.write("trust", Trust())
    before = trust_of(scene)
    verb, *more = command
    said = scene.run(verb, "demo", *(["billing"] if verb == "acknowledge" else []), *more)
    assert said.exit_code != 0
    assert "demo has no authority yet" in said.stderr
    assert trust_of(scene) == before


def test_a_wish_that_mode_observe_would_never_fulfil_is_refused(scene: Scene) -> None:
    certified(scene)
    policy = msgspec.structs.replace(scene.fleet["demo"].certificates, mode="observe")
    scene.fleet["demo"] = msgspec.structs.replace(scene.fleet["demo"], certificates=policy)
    for command in (["rotate", "demo"], ["rotate", "demo", "--ca"]):
        said = scene.run(*command)
        assert said.exit_code == 2
        assert "certificates.mode is observe" in said.stderr
    assert (trust_of(scene).wanted, trust_of(scene).renew_before) == (1, 0.0)
    assert list(scene.machine.started) == []


def test_a_private_ca_without_another_to_replace_it_is_not_wished_away(scene: Scene) -> None:
    certified(scene)
    first, second = (f"arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/{one}" for one in "ab")
    for declared, code in (((first,), 2), ((first, second), 0)):
        policy = msgspec.structs.replace(scene.fleet["demo"].certificates, issuer="private_ca", private_cas=declared)
        scene.fleet["demo"] = msgspec.structs.replace(scene.fleet["demo"], certificates=policy)
        said = scene.run("rotate", "demo", "--ca")
        assert said.exit_code == code, said.stderr
        assert ("declares one private CA" in said.stderr) is (code == 2)


def test_owners_certificates_are_not_ours_to_replace(scene: Scene) -> None:
    said = scene.run("rotate", "demo")
    assert said.exit_code == 2
    assert "its owners' own" in said.stderr


def test_a_client_is_acknowledged_and_one_that_is_not_declared_is_not(scene: Scene) -> None:
    certified(scene, "billing")
    assert scene.run("acknowledge", "demo", "billing").exit_code == 0
    assert trust_of(scene).acknowledged["billing"] == Acknowledged(trusts=1)
    assert scene.run("acknowledge", "demo", "billing", "--renewed").exit_code == 0
    assert trust_of(scene).acknowledged["billing"] == Acknowledged(trusts=1, holds=1)
    said = scene.run("acknowledge", "demo", "bling")
    assert said.exit_code == 2
    assert "declares no client bling (certificates.clients: billing)" in said.stderr


def test_a_stop_says_when_the_first_certificate_ends(scene: Scene) -> None:
    certified(scene)
    scene.now += 25 * DAY
    said = scene.run("stop", "demo", "--capability", "certificates").stdout
    assert "the first certificate ends in 1800.0 days (authority), and none is renewed meanwhile" in " ".join(
        said.split()
    )


def test_a_stop_where_owners_renew_says_nothing_of_it(scene: Scene) -> None:
    assert "certificate ends" not in scene.run("stop", "demo").stdout


def _able_to_sign(scene: Scene, *clients: str) -> Trust:
    certified(scene, *clients)
    made = new_authority(scene.authority_keys, "demo", Trust(), "0123456789abcdef", NOON)
    trust = Trust(authorities=(made,), signs=1, published=(1,))
    scene.table.write(rows.partition("demo"), rows.read(scene.table, "demo").put("trust", trust))
    return trust


def test_a_client_is_certified_by_its_own_request_and_it_is_recorded(scene: Scene, tmp_path: Path) -> None:
    _able_to_sign(scene, "billing")
    (tmp_path / "billing.csr").write_bytes(request(subject("billing"), names=()))
    said = scene.run("certify", "demo", "billing", "--request", str(tmp_path / "billing.csr"))
    assert said.exit_code == 0, said.stderr
    leaf = x509.load_pem_x509_certificate(said.stdout.encode())
    assert leaf.subject == subject("billing")
    kept = [row.data for partition in scene.book.partitions() for row in scene.book.read(partition).values()]
    assert [(one["phase"], one["step"]) for one in kept] == [("intended", "Certify"), ("outcome", "Certify")]
    assert "user/anna issues billing a certificate" in kept[0]["sentence"]


def test_a_request_of_nobody_who_is_declared_is_refused_with_the_way_out(scene: Scene, tmp_path: Path) -> None:
    _able_to_sign(scene, "billing")
    (tmp_path / "app.csr").write_bytes(request(subject("app"), names=()))
    said = scene.run("certify", "demo", "app", "--request", str(tmp_path / "app.csr"))
    assert said.exit_code == 2
    assert "declare it in its fleet file first" in " ".join(said.stderr.split())
    assert scene.run("certify", "demo", "app", "--request", str(tmp_path / "app.csr"), "--kind", "node").exit_code == 2


def test_while_an_authority_is_replaced_the_command_says_that_its_certificate_ends_soon(
    scene: Scene, tmp_path: Path
) -> None:
    trust = _able_to_sign(scene, "billing")
    following = new_authority(scene.authority_keys, "demo", trust, "fedcba9876543210", NOON)
    both = msgspec.structs.replace(trust, authorities=(*trust.authorities, following))
    scene.table.write(rows.partition("demo"), rows.read(scene.table, "demo").put("trust", both))
    (tmp_path / "billing.csr").write_bytes(request(subject("billing"), names=()))
    said = scene.run("certify", "demo", "billing", "--request", str(tmp_path / "billing.csr"))
    assert said.exit_code == 0
    assert "authority 1 is being replaced by 2" in said.stderr


def test_the_last_certificate_of_each_declared_client_is_shown_with_its_end(scene: Scene, tmp_path: Path) -> None:
    _able_to_sign(scene, "app", "web")
    for number, client in enumerate(("app", "app", "web")):
        asked = tmp_path / f"{number}.csr"
        asked.write_bytes(request(subject(client), []))
        scene.now = NOON + number * 40 * DAY
        assert scene.run("certify", "demo", client, "--request", str(asked)).exit_code == 0
    scene.now = NOON + 110 * DAY
    shown = {one["port"]: (round(one["days_left"]), one["wrong"]) for one in _shown(scene, "client")}
    assert shown == {"client app": (20, "22% of its life is left"), "client web": (60, "")}
    assert scene.run("certificates", "demo").exit_code == 1


def test_a_stop_counts_no_certificate_that_vagus_never_renews(scene: Scene, tmp_path: Path) -> None:
    _able_to_sign(scene, "app")
    (tmp_path / "app.csr").write_bytes(request(subject("app"), []))
    asked = ("certify", "demo", "app", "--request", str(tmp_path / "app.csr"), "--days", "5")
    assert scene.run(*asked).exit_code == 0
    scene.shaken = [
        Handshake(instance="i-1", address="10.0.0.1", port=9200, answered=True, begins=NOON, ends=NOON + 90 * DAY)
    ]
    scene.now = NOON + 40 * DAY
    said = " ".join(scene.run("stop", "demo", "--capability", "certificates").stdout.split())
    assert "the first certificate ends in 50.0 days (i-1:9200), and none is renewed meanwhile" in said


def _shown(scene: Scene, what: str) -> list[dict[str, Any]]:
    """Lines of one kind."""
    said = msgspec.json.decode(scene.run("certificates", "demo", "--json").stdout)
    return [one for one in said if one["port"].startswith(what)]


ACM = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"


def test_a_gateways_certificate_is_shown_with_what_its_endpoint_shows_instead(scene: Scene) -> None:
    certified(scene)
    name = "search.demo.vagus.internal"
    one = Gateway(arn=ACM, names=(name,), endpoint=f"{name}:443")
    policy = msgspec.structs.replace(scene.fleet["demo"].certificates, gateways=(one,))
    scene.fleet["demo"] = msgspec.structs.replace(scene.fleet["demo"], certificates=policy)
    (shown,) = [
        one
        for one in msgspec.json.decode(scene.run("certificates", "demo", "--json").stdout)
        if one["port"].startswith("gateway")
    ]
    assert shown["wrong"] == "Vagus has not imported one"
    issued = GatewayIssued(signed_by=1, names=(name,), serial="ab", begins=NOON, ends=NOON + 90 * DAY)
    scene.write("trust", msgspec.structs.replace(trust_of(scene), gateways={ACM: issued}))
    scene.shaken = [Handshake(instance=name, address=name, port=443, answered=True, serial="cd")]
    (shown,) = [
        one
        for one in msgspec.json.decode(scene.run("certificates", "demo", "--json").stdout)
        if one["port"].startswith("gateway")
    ]
    assert shown["wrong"] == "it shows the certificate with serial cd, not ab"
    assert round(shown["days_left"]) == 90
