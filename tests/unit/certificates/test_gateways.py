"""Certificates of gateways in ACM: imported, renewed, replaced with their authority; interrupted anywhere."""

import threading
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.certificates.parts import CLUSTER, NOW
from tests.unit.certificates.test_rotation import DAY, plan
from tests.unit.certificates.world import World, first_certificate
from tests.unit.simulation.ports import Meter

from vagus.aws.fake_gateways import FakeImported
from vagus.certificates import gateways, profile, wishes
from vagus.certificates.gateways import AGAIN_SECONDS
from vagus.certificates.observe import endpoints
from vagus.certificates.observed import Observed
from vagus.certificates.showing import shown
from vagus.certificates.telling import PATIENCE_SECONDS
from vagus.errors import Denied, Throttled, Unreachable, VagusError
from vagus.handshake import Handshake
from vagus.plan import Blocked, Done
from vagus.policy import Certificates, Gateway
from vagus.procedure import gateway_told, rows
from vagus.procedure.loop import Answer, Outcome
from vagus.procedure.rows import Identity
from vagus.reasons import Reason
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.trust import GatewayIssued, Imported, Trust

ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
OTHER = ARN.replace("9012", "9013")
NAME = f"search.{CLUSTER}.vagus.internal"
DECLARED = [{"arn": ARN, "names": [NAME], "endpoint": f"{NAME}:443"}, {"arn": OTHER, "names": [f"a.{NAME}"]}]


def _world(meter: Meter | None = None, declared: list[dict[str, Any]] | None = None, **policy: object) -> World:
    return World(meter, gateways=declared or DECLARED, **policy)


def _lies(world: World, arn: str = ARN) -> x509.Certificate:
    return world.imported.certificates[arn]


def _by(world: World, arn: str = ARN) -> str:
    """Whose certificate lies in ACM."""
    return profile.name_digest(_lies(world, arn).issuer)


def test_the_first_is_imported_under_the_same_arn_for_its_names_and_as_a_server_alone() -> None:
    world = _world().known()
    signer = world.trust.signer
    assert signer is not None
    assert _by(world) == _by(world, OTHER) == signer.name
    names = _lies(world).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    uses = _lies(world).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [profile.SERVER], "it calls nobody: no node takes it for a node's, nor for a client's"
    issued = world.trust.gateways[ARN]
    assert (issued.signed_by, issued.serial) == (1, profile.serial(_lies(world)))
    assert issued.ends == _lies(world).not_valid_after_utc.timestamp()


def test_its_key_lies_in_acm_and_nowhere_else() -> None:
    world = _world().known()
    body = "".join(world.imported.keys[ARN].splitlines()[1:-1])
    assert body
    written = str([*world.table.read(rows.partition(CLUSTER)).values()]) + str(vars(world.records))
    assert body[:40] not in written.replace("\\n", "")


def test_each_import_has_a_record_before_and_after() -> None:
    world = _world().known()
    told = str(vars(world.records))
    assert told.count("ImportCertificate") >= 4
    assert ARN in told


def test_it_is_renewed_at_half_its_life_and_nothing_is_done_before() -> None:
    world = _world().known()
    before, imports = _lies(world), world.imported.imports
    for instance in world.nodes:  # nodes are not what is looked at here
        world.renew_certificate(instance)
    assert world.run().imported.imports == imports
    world.now += 60 * DAY  # 15 % of 90 days either way
    world.run()
    assert _lies(world).serial_number != before.serial_number
    assert isinstance(plan(world), Done)


def test_on_a_replacement_it_is_of_the_new_authority_before_the_old_one_is_dropped() -> None:
    world = _world().known()
    seen: list[tuple[tuple[int, ...], bool]] = []

    def watch() -> bool:
        signer = world.trust.signer
        seen.append((world.trust.generations, signer is not None and _by(world) == signer.name))
        return False

    world.rotate().run(until=watch)
    assert world.trust.generations == (2,)
    assert all(ours for generations, ours in seen if generations == (2,))
    assert world.steps.index("ImportCertificate", world.steps.index("SignWith")) < world.steps.index("DropAuthority")


def test_the_old_authority_stays_while_the_endpoint_shows_the_certificate_of_before() -> None:
    world = _world().known()
    world.behind[ARN] = _lies(world)
    world.rotate().run(until=lambda: getattr(plan(world), "reason", "") == Reason.GATEWAY_NOT_SERVED)
    assert world.trust.generations == (1, 2)
    assert world.trust.signs == 2
    began = world.now
    world.run(until=lambda: world.now > began + PATIENCE_SECONDS + 60)
    assert world.trust.generations == (1, 2)
    assert world.pages == [Reason.GATEWAY_NOT_SERVED]
    world.behind.clear()
    assert world.run().trust.generations == (2,)


def test_who_drops_the_old_authority_looks_at_endpoints_afresh() -> None:
    world = _world().known()
    before, apply = _lies(world), world._apply
    outcomes: list[Outcome | None] = []

    def changed_in_between(answer: Answer) -> Outcome | None:
        if answer.next == "DropAuthority" and not outcomes:
            world.behind[ARN] = before
            outcomes.append(apply(answer))
            world.behind.clear()
            return outcomes[0]
        return apply(answer)

    world._apply = changed_in_between  # type: ignore[method-assign]
    world.rotate().run()
    (first,) = outcomes
    assert first is not None
    assert first.result == "superseded"
    assert ARN in first.message
    assert world.trust.generations == (2,)


def test_what_acm_does_not_take_holds_up_no_node_pages_once_and_is_tried_again() -> None:
    world = _world()
    world.imported.certificates.pop(ARN)
    world.imported.first(ARN, *first_certificate((NAME,), NOW, ec.SECP384R1()))
    world.run(until=lambda: world.now > NOW + 2 * AGAIN_SECONDS + 120)
    for instance in world.nodes:
        world.boot(instance)
    assert world.pages == [Reason.GATEWAY_NOT_RENEWED]
    assert "EC_secp384r1" in world.told[0][1]
    assert ARN not in {arn for arn, one in world.trust.gateways.items() if one.signed_by}
    assert world.trust.gateways[OTHER].signed_by == 1, "the other one is imported all the same"
    assert world.steps.count("ImportCertificate") >= 3
    assert world.healthy()
    world.now += 60
    wishes.renew_leaves(world.table, CLUSTER, world.now)
    before = {name: node.leaf for name, node in world.nodes.items()}
    world.run(until=lambda: all(node.leaf is not before[name] for name, node in world.nodes.items()))
    world.imported.certificates.pop(ARN)
    world.imported.first(ARN, *first_certificate((NAME,), world.now))
    world.now += AGAIN_SECONDS
    world.run()
    assert world.trust.gateways[ARN].refused == ""
    assert isinstance(plan(world), Done)


class Shut:
    """An ACM in which one certificate is out of reach, by an error of its own."""

    def __init__(self, inner: FakeImported, error: VagusError) -> None:
        self._inner, self._error = inner, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def of(self, arn: str) -> Imported:
        if arn == ARN:
            raise self._error
        return self._inner.of(arn)


OUT_OF_REACH = {
    "a policy of the organization denies it": Denied("acm:DescribeCertificate", "not authorized"),
    "nobody answers": Unreachable("acm: timed out"),
    "too many calls": Throttled("acm: rate exceeded"),
}


@pytest.mark.parametrize("error", OUT_OF_REACH.values(), ids=OUT_OF_REACH.keys())
def test_one_that_is_out_of_reach_keeps_no_authority_from_being_replaced(error: VagusError) -> None:
    world = _world().known()
    world.imported = Shut(world.imported, error)  # type: ignore[assignment]
    world.now += 58 * DAY
    for instance in world.nodes:
        world.renew_certificate(instance)
    world.rotate()
    began = world.now
    world.run(until=lambda: world.now > began + 3 * AGAIN_SECONDS)
    assert world.trust.generations == (1, 2), "the old one stays, for the gateway shows its certificate"
    assert world.trust.signs == 2
    assert world.healthy()
    assert world.trust.gateways[OTHER].signed_by == 2
    assert world.pages == [Reason.GATEWAY_NOT_RENEWED], "once, and for no other reason"
    assert str(error) in world.told[0][1]
    world.imported = world.imported._inner  # type: ignore[attr-defined]
    world.now += AGAIN_SECONDS
    assert world.run().trust.generations == (2,)


def test_what_passes_within_ten_minutes_calls_nobody() -> None:
    world = _world()
    world.imported = Shut(world.imported, Unreachable("acm: timed out"))  # type: ignore[assignment]
    world.run(until=lambda: bool(world.trust.gateways.get(ARN)))
    world.imported = world.imported._inner  # type: ignore[attr-defined]
    world.known()
    assert world.trust.gateways[ARN].signed_by == 1
    assert world.pages == []


def test_a_question_that_nobody_answers_hides_no_silent_node() -> None:
    world = _world(mode="approve")
    world.approves = 4 * 3600.0
    world.known()
    seen = rows.read(world.table, CLUSTER)
    world.table.write(rows.partition(CLUSTER), seen.put("identity", Identity(uuid="uuid-1")))
    world.approves = None
    world.now += 80 * DAY
    for instance in world.nodes:
        world.renew_certificate(instance)
    first = min(world.nodes)
    world.nodes[first].up = False
    pages, began = len(world.pages), world.now
    world.run(until=lambda: world.now > began + 2 * PATIENCE_SECONDS)
    told = [text for _, text in world.told[pages:]]
    assert [Reason.APPROVAL_NEEDED in text for text in told] == [True, True]
    assert f"Meanwhile: {first} does not answer" in told[-1]


NOT_OURS: dict[str, tuple[tuple[str, ...], str]] = {
    "another load balancer's, by a slip of the ARN": (("www.hospital.example",), "www.hospital.example"),
    "another cluster's": (("search.letters.vagus.internal",), "search.letters.vagus.internal"),
    "for names of ours and of others": ((NAME, "www.hospital.example"), "is for www.hospital.example"),
}


@pytest.mark.parametrize(("names", "said"), NOT_OURS.values(), ids=NOT_OURS.keys())
def test_a_certificate_for_names_of_others_is_not_overwritten(names: tuple[str, ...], said: str) -> None:
    world = _world()
    world.imported.first(ARN, *first_certificate(names, world.now))
    before = _lies(world)
    world.run(until=lambda: isinstance(plan(world), Blocked))
    assert _lies(world) is before
    assert said in world.trust.gateways[ARN].refused
    assert "under an ARN of its own" in world.trust.gateways[ARN].refused
    assert world.trust.gateways[OTHER].signed_by == 1


USES: dict[str, tuple[tuple[x509.ObjectIdentifier, ...], str]] = {
    "none, to which ACM lets none be added": ((), "cannot be added"),
    "a client's too, which ACM lets nobody take away": ((profile.SERVER, profile.CLIENT), "takes none away"),
}


@pytest.mark.parametrize(("uses", "said"), USES.values(), ids=USES.keys())
def test_a_first_one_with_other_uses_is_refused_with_the_way_out(
    uses: tuple[x509.ObjectIdentifier, ...], said: str
) -> None:
    world = _world()
    world.imported.first(ARN, *first_certificate((NAME,), world.now, uses=uses))
    world.run(until=lambda: isinstance(plan(world), Blocked))
    refused = world.trust.gateways[ARN].refused
    assert said in refused
    assert "extendedKeyUsage=serverAuth" in refused


def test_endpoints_are_called_at_once_and_one_that_hangs_takes_no_longer_than_all() -> None:
    ends, both = threading.Event(), threading.Barrier(2, timeout=60)

    class Some(FakeHandshakes):
        def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
            both.wait()
            if name == NAME:
                ends.wait(60)
            return Handshake(instance=name, address=name, port=port, answered=bool(bundle))

    declared = msgspec.convert(
        [{"arn": arn, "names": [name], "endpoint": f"{name}:443"} for arn, name in ((ARN, NAME), (OTHER, f"a.{NAME}"))],
        list[Gateway],
    )
    shown = endpoints(Some(), declared, "pem")
    ends.set()
    assert (shown[ARN].answered, shown[ARN].failure) == (False, "not done after 5 s")
    assert shown[OTHER].answered
    assert endpoints(Some(), [Gateway(arn=ARN, names=(NAME,))], "pem") == {}


TOLD: dict[str, tuple[bool, int, bool, list[int]]] = {
    "ACM takes none, a month is left": (True, 59, False, [0]),
    "ACM takes none, three weeks are left": (True, 70, False, [0, 4]),
    "another is shown, a month is left of either": (False, 59, False, [0]),
    "another is shown, of which three weeks are left": (False, 70, False, [0, 4]),
    "another is shown, and an authority that is being replaced waits": (False, 1, True, [0, 4]),
}


@pytest.mark.parametrize(("refuses", "days", "rotates", "hours"), TOLD.values(), ids=TOLD.keys())
def test_a_person_is_told_once_and_again_only_while_it_presses(
    refuses: bool, days: int, rotates: bool, hours: list[int]
) -> None:
    world = _world().known()
    before, acm = _lies(world), world.imported
    world.now += days * DAY
    for instance in world.nodes:
        world.renew_certificate(instance)
    if refuses:
        world.imported = Shut(acm, Denied("acm:DescribeCertificate", "not authorized"))  # type: ignore[assignment]
    else:
        world.behind[ARN] = before
    if rotates:
        world.rotate()
    began = world.now
    world.run(until=lambda: world.now > began + 5 * 3600, looks=700)
    first = world.told[0][0]
    assert [round((at - first) / 3600) for at, _ in world.told] == hours
    assert set(world.pages) <= {Reason.GATEWAY_NOT_RENEWED, Reason.GATEWAY_NOT_SERVED}


def test_one_that_aws_issued_is_left_alone() -> None:
    world = _world()
    world.imported.by_people = False
    before = _lies(world)
    world.run(until=lambda: isinstance(plan(world), Blocked))
    assert _lies(world) is before
    assert "AWS issued" in world.trust.gateways[ARN].refused


def test_one_that_a_person_changed_the_names_of_is_issued_anew() -> None:
    world = _world().known()
    more = Gateway(arn=ARN, names=(NAME, f"www.{NAME}"))
    world.declare(more)
    world.run()
    names = _lies(world).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(more.names)


def test_in_mode_approve_one_question_is_asked_for_all() -> None:
    world = _world(mode="approve")
    world.approves = 4 * 3600.0
    world.run()
    ((_, said),) = world.told
    assert ARN in said
    assert OTHER in said
    assert {arn: one.signed_by for arn, one in world.trust.gateways.items()} == {ARN: 1, OTHER: 1}
    assert len(world.pages) == 1
    for instance in world.nodes:
        world.boot(instance)
    world.approves = None
    world.now += 55 * DAY
    for instance in world.nodes:
        world.renew_certificate(instance)
    world.run()
    assert len(world.pages) == 1, "due, and nobody is called yet: 39 % is left"
    world.now += 9 * DAY
    world.run(until=lambda: len(world.pages) == 2)


@pytest.mark.parametrize(
    ("sentence", "why", "since", "again"),
    [("half its life is left", "", 0.0, False), ("ACM refused it", "why", 599.0, False), ("and", "why", 600.0, True)],
)
def test_in_mode_approve_one_that_was_refused_is_tried_again_however_much_is_left(
    sentence: str, why: str, since: float, again: bool
) -> None:
    now = NOW + 58.6 * DAY  # due, and more than 30 % is left
    issued = GatewayIssued(signed_by=1, names=(NAME,), serial="ff", begins=NOW, ends=NOW + 90 * DAY)
    issued = msgspec.structs.replace(issued, refused=why, tried=now - since)
    one = Gateway(arn=ARN, names=(NAME,))
    policy = Certificates(mode="approve", issuer="kms", gateways=(one,))
    assert gateways.due(Trust(signs=1, gateways={ARN: issued}), policy, now) == ((one,) if again else ())


def test_in_observe_it_is_shown_and_not_done() -> None:
    world = _world(mode="observe")
    world.run(until=lambda: bool(world.trust.clients.get("write")))
    assert world.imported.imports == 2, "those of people"


def test_its_end_counts_among_those_of_the_cluster() -> None:
    world = _world().known()
    world.now += 85 * DAY
    alone = msgspec.structs.replace(world.trust, clients={}, authorities=())
    first, least = shown(Observed(trust=alone), world.spec, world.now)
    assert f"the gateway a.{NAME}" in first.says
    assert least.wrong, "a person is called by the alarm certificate-ends"


WRONG = [
    ("of another cluster", {"names": ["search.other.vagus.internal"]}, "does not lie below"),
    ("of the world", {"names": ["www.example.org"]}, "does not lie below"),
    ("the domain itself", {"names": [f"{CLUSTER}.vagus.internal"]}, "does not lie below"),
    ("as an instance", {"names": [f"i-0123456789abcdef0.{CLUSTER}.vagus.internal"]}, "nodes or functions"),
    ("as nodes are called", {"names": [f"node-1.{CLUSTER}.vagus.internal"]}, "nodes or functions"),
    ("as functions are called", {"names": [f"vagus-write.{CLUSTER}.vagus.internal"]}, "nodes or functions"),
    ("as the administrator is called", {"names": [f"admin.{CLUSTER}.vagus.internal"]}, "nodes or functions"),
    ("too long for a common name", {"names": [f"{'a' * 60}.{CLUSTER}.vagus.internal"]}, "may have 64"),
    ("an endpoint that no function reaches", {"names": [NAME], "endpoint": f"{NAME}:8443"}, "out of reach"),
    ("an endpoint of another name", {"names": [NAME], "endpoint": "elsewhere.org:443"}, "none of its names"),
]


@pytest.mark.parametrize(("sentence", "said", "why"), WRONG, ids=[one[0] for one in WRONG])
def test_names_that_may_not_be_had(sentence: str, said: dict[str, Any], why: str) -> None:
    declared = msgspec.convert({"arn": ARN, **said}, Gateway)
    assert why in " ".join(gateways.wrong(CLUSTER, declared))
    world = _world(declared=[{"arn": ARN, "names": [NAME]}])
    world.declare(declared)
    before = _lies(world)
    world.run(until=lambda: isinstance(plan(world), Blocked))
    assert _lies(world) is before, "a fleet file that nobody checked gets nothing either"


def test_the_end_of_another_than_ours_has_it_replaced() -> None:
    """Somebody imported another by hand: ACM's event says when that ends."""
    world = _world().known()
    issued = world.trust.gateways[ARN]
    world.now += 5 * DAY
    gateway_told.note(world.table, CLUSTER, ARN, at=world.now, days=20)
    assert world.trust.gateways[ARN].ends == world.now + 20 * DAY
    world.run()
    assert world.trust.gateways[ARN].serial not in ("", issued.serial)
    assert isinstance(plan(world), Done)


@pytest.mark.parametrize(
    ("sentence", "after", "days"),
    [("of ours, to the day", 50.0, 40), ("of ours, rounded down", 50.3, 39), ("a late copy", -1.0, 1)],
)
def test_what_acm_tells_of_ours_changes_nothing(sentence: str, after: float, days: int) -> None:
    world = _world().known()
    before = world.trust
    gateway_told.note(world.table, CLUSTER, ARN, at=before.gateways[ARN].begins + 300 + after * DAY, days=days)
    gateway_told.note(world.table, CLUSTER, "arn:of:nobody", at=world.now + DAY, days=1)
    assert world.trust == before


def _points(world: World) -> list[tuple[int, str, str]]:
    """Before and after each call of an import, and of the three that follow it: the row, and the record."""
    begins, calls = len(world.meter.calls), world.meter.calls
    world.rotate().run()
    of_import = {at + more for at, name in enumerate(calls) if "imported" in name for more in range(4)}
    points = world.meter.points(every_read=False, until=10_000)
    points = [(at, when) for at, when in points if at >= begins and at in of_import]
    return [(at, when, calls[at]) for at, when in world.meter.different(points)]


def test_interrupted_at_any_call_it_ends_as_if_it_had_not_been() -> None:
    expected = _world().known().rotate().run().summary()
    assert set(expected["gateways"].values()) == {(2, True)}  # type: ignore[attr-defined]
    points = _points(_world().known())
    assert {"apply.imported.of", "apply.imported.replace", "apply.table.write"} <= {name for _, _, name in points}
    for at, when, name in points:
        world = _world(meter=Meter(crashes={at: when}))  # type: ignore[dict-item]
        assert world.known().rotate().run().summary() == expected, f"died {when} call {at}, {name}"
