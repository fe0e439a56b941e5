"""`vagus doctor CELL`: what each check makes of what it read, handshakes with real servers, and the exit code."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.search.conftest import certificate
from tests.unit.search.nodes import PlayedNode, node_context, played
from typer.testing import CliRunner, Result

from vagus.certificates.gateways import SERVER
from vagus.errors import Denied
from vagus.events import Ignored, parse
from vagus.trust import Imported
from vagus_cli import cell_checks, cell_judged, fleet_files
from vagus_cli.cell_doctor import Consultation
from vagus_cli.cell_judged import NEEDED, Check, headroom, pinged
from vagus_cli.main import app
from vagus_local.certificates import Authority, create_authority

USES = ["kms:Decrypt", "kms:GenerateDataKey*"]
SCALING = "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
EVENTS = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": USES}
ROOT = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*"}
NODES, MESSAGES, _, LOGS = NEEDED


def policy(needed: cell_judged.Needed, *statements: dict[str, Any]) -> Check:
    return cell_judged.policy(needed, {"Statement": [ROOT, *statements]})


NOW = datetime(2026, 3, 2, tzinfo=UTC)


def _private_ca(key: str = "EC_prime256v1", days: int = 90, **said: object) -> Check:
    about = {"Status": "ACTIVE", "Type": "ROOT", "NotAfter": datetime(2031, 3, 2, tzinfo=UTC), **said}
    config = {"CertificateAuthorityConfiguration": {"KeyAlgorithm": key}}
    return cell_judged.private_ca("private CA", about | config, days, NOW.timestamp())


def _gateway(key: str = "EC_prime256v1", **changed: object) -> Check:
    begins, names = NOW.timestamp(), ("search.claims.vagus.internal",)
    told = Imported(
        serial="ab", begins=begins, ends=begins + 30 * 86_400, key=key, names=names, uses=(SERVER,), by_people=True
    )
    return cell_judged.gateway("gateway", "claims", msgspec.structs.replace(told, **changed), begins)


# sentence: (check, state, words of what was found or of the remedy)
JUDGED: dict[str, tuple[Callable[[], Check], str, str]] = {
    "a service that may use its key": (lambda: policy(MESSAGES, EVENTS), "well", "allowed"),
    "the account's root is no service": (lambda: policy(MESSAGES), "ill", "events vanish"),
    "a denial is no permission": (lambda: policy(MESSAGES, {**EVENTS, "Effect": "Deny"}), "ill", "kms:Decrypt"),
    "another service's statement": (
        lambda: policy(MESSAGES, {**EVENTS, "Principal": {"Service": ["sns.amazonaws.com"]}}),
        "ill",
        "kms:GenerateDataKey",
    ),
    "Auto Scaling without CreateGrant": (
        lambda: policy(NODES, {"Effect": "Allow", "Principal": {"AWS": SCALING}, "Action": USES}),
        "ill",
        "Client.InternalError",
    ),
    "Auto Scaling with all that it needs, in two statements": (
        lambda: policy(
            NODES,
            {"Effect": "Allow", "Principal": {"AWS": [SCALING]}, "Action": USES},
            {"Effect": "Allow", "Principal": {"AWS": SCALING}, "Action": "kms:CreateGrant"},
        ),
        "well",
        "allowed",
    ),
    "CloudWatch Logs, by its Region's name": (
        lambda: policy(LOGS, {**EVENTS, "Principal": {"Service": "logs.eu-west-1.amazonaws.com"}}),
        "well",
        "allowed",
    ),
    "every agent answers": (lambda: pinged("claims", ["i-1", "i-2"], ["i-2", "i-1", "i-9"]), "well", "2 of 2"),
    "a silent agent": (lambda: pinged("claims", ["i-1", "i-2"], ["i-1"]), "ill", "no answer from i-2"),
    "somebody is called": (lambda: cell_judged.called(["arn:aws:sns:x", "PendingConfirmation"]), "well", "1 confirmed"),
    "nobody has confirmed": (lambda: cell_judged.called(["PendingConfirmation"]), "ill", "1 not confirmed"),
    "nobody is called": (lambda: cell_judged.called([]), "ill", "no subscription"),
    "a private CA that is as it should be": (lambda: _private_ca(), "well", "a root, EC_prime256v1, until 2031-03-02"),
    "a private CA that is disabled": (lambda: _private_ca(Status="DISABLED"), "ill", "it is DISABLED"),
    "a subordinate one": (lambda: _private_ca(Type="SUBORDINATE"), "ill", "nodes trust a root alone"),
    "one whose key nobody here can use": (lambda: _private_ca(key="SM2"), "ill", "its key is SM2"),
    "one of days for weeks": (
        lambda: _private_ca(UsageMode="SHORT_LIVED_CERTIFICATE"),
        "ill",
        "certificates.days is 90",
    ),
    "one of days for days": (lambda: _private_ca(days=7, UsageMode="SHORT_LIVED_CERTIFICATE"), "well", "active"),
    "one that ends this summer": (
        lambda: _private_ca(NotAfter=datetime(2026, 6, 1, tzinfo=UTC)),
        "ill",
        "it ends 2026-06-01",
    ),
    "one that has no certificate yet": (lambda: _private_ca(NotAfter=None), "ill", "it has no certificate"),
    "a gateway's certificate": (lambda: _gateway(), "well", "ends in 30 days"),
    "one that AWS issued": (lambda: _gateway(by_people=False), "ill", "AWS issued it"),
    "one with another kind of key": (lambda: _gateway(key="RSA_2048"), "ill", "its key is RSA_2048"),
    "one for names of others": (lambda: _gateway(names=("www.hospital.example",)), "ill", "not this cluster's"),
    "one without uses, to which none can be added": (lambda: _gateway(uses=()), "ill", "extendedKeyUsage=serverAuth"),
    "one that calls, too": (lambda: _gateway(uses=(SERVER, "1.3.6.1.5.5.7.3.2")), "ill", "takes none away"),
    "just room enough": (lambda: headroom("quota", 7, 10, 3, "ask"), "well", "7 of 10 used"),
    "one too few": (lambda: headroom("quota", 8, 10, 3, "ask AWS"), "ill", "3 more are needed"),
}


@pytest.mark.parametrize("sentence", JUDGED)
def test_what_was_read_is_judged(sentence: str) -> None:
    make, state, words = JUDGED[sentence]
    check = make()
    assert check.state == state
    assert words in f"{check.found}. {check.remedy}"
    assert bool(check.remedy) == (state == "ill")


def test_the_test_event_is_one_that_no_capability_reacts_to_and_its_log_line_has_the_token() -> None:
    found = parse(json.dumps(cell_checks.test_event("0123abcd", 1_772_452_800.0)), {})
    assert isinstance(found, Ignored)
    assert "0123abcd" in found.why


# -- handshakes ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return create_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def node(authority: Authority, tmp_path: Path) -> Iterator[PlayedNode]:
    one = PlayedNode("127.0.0.1", 0, node_context(authority, tmp_path, "127.0.0.1"), lambda _: (200, "{}"))
    with played(one):
        yield one


def test_a_node_whose_certificate_fits(authority: Authority, node: PlayedNode) -> None:
    check = cell_checks.handshake_of_all("TLS", (node.address,), node.port, certificate(authority))
    assert (check.state, check.found) == ("well", "1 nodes, certificates verified")


def test_a_node_of_another_authority_is_named(node: PlayedNode, authority: Authority, tmp_path: Path) -> None:
    stranger = create_authority(tmp_path / "stranger")
    check = cell_checks.handshake_of_all("TLS", (node.address,), node.port, certificate(authority, stranger))
    assert check.state == "ill"
    assert check.found.startswith("127.0.0.1: ")
    assert "CERTIFICATE_VERIFY_FAILED" in check.found


def test_a_certificate_of_another_address_is_refused(authority: Authority, tmp_path: Path) -> None:
    wrong = PlayedNode("127.0.0.1", 0, node_context(authority, tmp_path, "127.0.0.2"), lambda _: (200, "{}"))
    with played(wrong):
        why = cell_checks.handshake(wrong.address, wrong.port, certificate(authority))
    assert why is not None
    assert "mismatch" in why


def test_plaintext_is_no_handshake(authority: Authority) -> None:
    plain = PlayedNode("127.0.0.1", 0, None, lambda _: (200, "{}"))
    with played(plain):
        assert cell_checks.handshake(plain.address, plain.port, certificate(authority)) is not None


def test_one_that_does_not_listen_is_named_beside_one_that_does(node: PlayedNode, authority: Authority) -> None:
    check = cell_checks.handshake_of_all("TLS", (node.address, "127.0.0.9"), node.port, certificate(authority))
    assert check.state == "ill"
    assert check.found.startswith("127.0.0.9: ")
    assert "from within the VPC" in check.remedy


# -- the command -----------------------------------------------------------------------------------------------------


def consult(*arguments: str, checks: Callable[[str], Iterator[Check]]) -> Result:
    consulted = Consultation(where="target: fakes", checks=checks)
    return CliRunner().invoke(app, ["doctor", "prod", *arguments], obj=consulted, catch_exceptions=False)


@pytest.mark.parametrize(("state", "code"), [("well", 0), ("skipped", 0), ("ill", 1), ("untried", 1)])
def test_the_exit_code_tells(state: Any, code: int) -> None:
    made = [cell_judged.well("page", "sent"), Check(name="event", state=state, found="as it is", remedy="do this")]
    said = consult(checks=lambda _: iter(made))
    assert said.exit_code == code
    assert "well    page: sent" in said.stdout
    assert "event: as it is. do this" in said.stdout
    answered = consult("--json", checks=lambda _: iter(made))
    assert [one["state"] for one in json.loads(answered.stdout)] == ["well", state]


def test_the_cell_that_was_named_is_examined() -> None:
    asked: list[str] = []
    consult(checks=lambda cell: iter(asked.append(cell) or ()))
    assert asked == ["prod"]


class Denying:
    """A session of somebody who may do nothing."""

    def client(self, *_: object, **__: object) -> object:
        raise Denied("sts:AssumeRole", "not you")


def test_a_check_that_cant_be_made_hides_no_other_and_is_no_success() -> None:
    fleet = {"demo": fleet_files.load(Path(__file__).parents[3] / "fleet")["demo"]}
    patient = cell_checks.Patient("prod", fleet, Denying(), lambda: 0.0, lambda _: None)
    made = {one.name: one for one in cell_checks.every(patient)}
    assert {name for name, one in made.items() if one.state == "skipped"} == {"quota: groups", "quota: functions"}
    assert {one.state for name, one in made.items() if not name.startswith("quota")} == {"untried"}
    assert set(made) >= {"event", "page", "key: nodes", "key policies", "SSM ping: demo", "TLS: demo"}
    assert "sts:AssumeRole" in made["event"].found
    assert made["event"].remedy.startswith("allow yourself")
