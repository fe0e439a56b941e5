"""What the watch tells of nodes' TLS: each fault once, its end too, and nothing of nodes that say nothing."""

from datetime import UTC, datetime

import msgspec
import pytest
from tests.unit.cluster_watch.test_watch import SPEC, World

from vagus.aws.fake import FakeTable
from vagus.cluster import Unseen
from vagus.cluster_watch.certificates import certificates, strong
from vagus.cluster_watch.every import every
from vagus.cluster_watch.model import Memory, Sight
from vagus.cluster_watch.watch import Watched, tell
from vagus.errors import Throttled, Unreachable
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.policy import Certificates
from vagus.ports import Put
from vagus.procedure import hourly, noted_status
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.status import CERTIFICATE, LIFE, Shown

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
DAY = 86_400
WELL = Handshake(
    instance="i-1",
    address="10.42.1.7",
    port=9200,
    answered=True,
    subject="CN=one",
    begins=NOW - 10 * DAY,
    ends=NOW + 80 * DAY,
    names=("i-1.claims.vagus.internal", "10.42.1.7"),
    key="EC secp256r1",
)


def but(**what: object) -> Handshake:
    return msgspec.structs.replace(WELL, **what)


def sight(*shaken: Handshake, unseen: bool = False) -> Sight:
    cluster = Unseen(reason="UNREACHABLE", message="x") if unseen else World().engine.look()
    return Sight(name="ward", cell="prod", policy=SPEC.cluster_watch, cluster=cluster, shaken=shaken, now=NOW)


SILENT = Handshake(instance="i-1", address="10.42.1.7", port=9200, failure="no TLS handshake: refused")
FOUND: dict[str, tuple[Handshake, dict[str, str]]] = {
    "nothing is wrong": (WELL, {}),
    "more than a quarter of its life is left": (but(begins=NOW - 74 * DAY, ends=NOW + 26 * DAY), {}),
    "less than a quarter is": (but(begins=NOW - 76 * DAY, ends=NOW + 24 * DAY), {"expiry": "ENDING"}),
    "less than a quarter, of years: there is time": (but(begins=NOW - 1000 * DAY, ends=NOW + 31 * DAY), {}),
    "and a month later there is none": (but(begins=NOW - 1000 * DAY, ends=NOW + 29 * DAY), {"expiry": "ENDING"}),
    "it has ended": (but(ends=NOW - 1), {"expiry": "ENDED"}),
    "it is for another address": (but(names=("10.42.1.8",)), {"name": "WRONG_NAME"}),
    "it is for no address": (but(names=()), {"name": "WRONG_NAME"}),
    "its key is weak": (but(key="RSA 2048"), {"key": "WEAK_KEY"}),
    "it takes TLS 1.1": (but(old="TLS 1.1"), {"tls": "OLD_TLS"}),
    "it answers without TLS": (msgspec.structs.replace(SILENT, plain=True), {"tls": "NO_TLS"}),
    "it answers nothing": (SILENT, {}),
    "all at once": (
        but(old="TLS 1.0", ends=NOW - 1, names=(), key="EC secp192r1"),
        {"tls": "OLD_TLS", "expiry": "ENDED", "name": "WRONG_NAME", "key": "WEAK_KEY"},
    ),
}


@pytest.mark.parametrize(("shaken", "faults"), FOUND.values(), ids=FOUND.keys())
def test_what_a_node_shows_and_what_is_wrong_with_it(shaken: Handshake, faults: dict[str, str]) -> None:
    found = {item.key: item.level for item in certificates(sight(shaken), {})}
    assert found == {f"i-1:9200 {name}": level for name, level in faults.items()}


@pytest.mark.parametrize(
    ("key", "as_strong"),
    [
        ("EC secp256r1", True),
        ("EC secp384r1", True),
        ("EC secp521r1", True),
        ("EC secp224r1", False),
        ("EC secp256k1", False),
        ("EC sect163k1", False),
        ("RSA 1024", False),
        ("RSA 2048", False),
        ("RSA 3072", True),
        ("RSA 4096", True),
        ("Ed25519PublicKey", True),
        ("DSAPublicKey", False),
        ("", False),
    ],
)
def test_how_strong_a_key_is(key: str, as_strong: bool) -> None:
    assert strong(key) is as_strong


def told(
    shaken: tuple[Handshake, ...] | None, memory: Memory | None, *, unseen: bool = False
) -> tuple[list[str], Memory]:
    events, after = tell(msgspec.structs.replace(sight(unseen=unseen), shaken=shaken), memory)
    changes = ((one.kind, change) for one in events for change in one.event.changes)
    return [
        f"{kind}: {one.key} {one.before}>{one.after}" for kind, one in changes if kind.startswith("Certificate")
    ], after


def test_a_fault_is_told_once_stays_while_nobody_looks_or_answers_and_its_end_is_told() -> None:
    ending, ended = but(ends=NOW + DAY), but(ends=NOW - 1)
    seen: list[str] = []
    memory: Memory | None = None
    for shaken in (None, (ending,), None, (ending,), (SILENT,), (ended,), None, (SILENT,), (WELL,), (WELL,)):
        news, memory = told(shaken, memory)
        seen += news
    assert seen == [
        "Certificate Faulty: i-1:9200 expiry >ENDING",
        "Certificate Faulty: i-1:9200 expiry ENDING>ENDED",
        "Certificate Well: i-1:9200 expiry ENDED>",
    ]


def test_what_was_wrong_with_a_node_that_is_gone_is_over() -> None:
    _, memory = told((but(names=()),), None)
    assert told((), memory)[0] == ["Certificate Well: i-1:9200 name WRONG_NAME>"]


def test_it_is_told_of_a_cluster_that_can_not_be_seen_because_of_it() -> None:
    assert told((but(ends=NOW - 1),), None, unseen=True)[0] == ["Certificate Faulty: i-1:9200 expiry >ENDED"]


def test_the_event_says_what_a_person_needs() -> None:
    (event,) = tell(sight(but(names=("10.42.1.8",))), None)[0]
    (change,) = event.event.changes
    assert change.message == "i-1:9200 shows a certificate for 10.42.1.8, not for its address 10.42.1.7"
    assert change.about == {"node": "i-1", "port": 9200, "address": "10.42.1.7", "subject": "CN=one"}
    assert change.facts == {"ends": "2026-05-21T12:00:00+00:00", "names": ["10.42.1.8"], "key": "EC secp256r1"}


class Counted(FakeHandshakes):
    """How often it was asked, and whether closely."""

    def __init__(self, *seen: Handshake) -> None:
        super().__init__(*seen)
        self.asked: list[bool] = []

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        self.asked.append(closely)
        return super().all(bundle, closely=closely)


def test_nodes_are_asked_once_an_hour_and_closely() -> None:
    world, nodes = World(), Counted(WELL)
    for minute in range(hourly.MINUTES):
        now = NOW + 60 * minute
        every([SPEC], lambda _: world.engine, world.table, world.bus, lambda _: nodes, now=now, seconds=60)
    assert nodes.asked == [True]


def test_a_cluster_without_tls_is_not_asked() -> None:
    bare = msgspec.structs.replace(SPEC, engine=msgspec.structs.replace(SPEC.engine, tls=False))
    world, nodes = World(), Counted(WELL)
    for minute in range(hourly.MINUTES):
        now = NOW + 60 * minute
        every([bare], lambda _: world.engine, world.table, world.bus, lambda _: nodes, now=now, seconds=60)
    assert nodes.asked == []


def test_where_nodes_can_not_be_named_the_watch_has_failed_that_once() -> None:
    class Away(FakeHandshakes):
        def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
            raise Unreachable(f"ec2 did not answer {bundle!r} {closely}")

    world = World()
    seen = [
        every([SPEC], lambda _: world.engine, world.table, world.bus, lambda _: Away(), now=now, seconds=60)[0]
        for now in (NOW + 60 * minute for minute in range(hourly.MINUTES))
    ]
    assert sum(not isinstance(one, Watched) for one in seen) == 1


OLD = but(begins=NOW - 80 * DAY, ends=NOW + 20 * DAY)


def _an_hour(world: World, shaken: tuple[Handshake, ...], spec: ClusterSpec = SPEC) -> list[Shown]:
    """What is noted of certificates for the status, when every minute of an hour was watched."""
    nodes = FakeHandshakes(*shaken)
    for minute in range(hourly.MINUTES):
        now = NOW + 60 * minute
        every([spec], lambda _: world.engine, world.table, world.bus, lambda _: nodes, now=now, seconds=60)
    return _noted(world, spec, NOW + 3600)


def _noted(world: World, spec: ClusterSpec, now: float) -> list[Shown]:
    noted = noted_status.noted(world.table, spec.name, now)
    return [line for line in noted.lines if line.title in (CERTIFICATE, LIFE)]


@pytest.mark.parametrize(
    ("shaken", "says"),
    [((OLD,), "20%, that of i-1"), ((SILENT,), None), ((), None)],
    ids=["a fifth of its life is left", "no node answers", "there are no nodes"],
)
def test_the_look_of_the_hour_notes_the_ends_of_certificates_that_others_issue(
    shaken: tuple[Handshake, ...], says: str | None
) -> None:
    found = _an_hour(World(), shaken)
    assert [(line.says, line.wrong) for line in found[-1:]] == ([(says, True)] if says else [])


def test_ends_of_an_hour_ago_still_hold_when_no_node_answers_and_are_over_with_the_last_node() -> None:
    world = World()
    before = _an_hour(world, (OLD,))
    assert before
    assert _an_hour(world, (SILENT,)) == before
    assert _an_hour(world, ()) == []


def test_life_goes_by_while_nobody_answers_and_after_a_day_nothing_is_known() -> None:
    world = World()
    at_first = _an_hour(world, (but(begins=NOW - 74 * DAY, ends=NOW + 26 * DAY),))[-1]
    assert not at_first.wrong
    later = _noted(world, SPEC, NOW + 23 * 3600)[-1]
    assert (later.wrong, later.number) == (False, 25.0)
    assert "as seen 2026-03-02 12:" in later.says
    assert "not since" in later.says
    (unknown,) = _noted(world, SPEC, NOW + 2 * DAY)
    assert (unknown.title, unknown.wrong, unknown.number) == (CERTIFICATE, True, None)
    assert "not known" in unknown.says


def test_what_an_older_version_noted_is_shown_as_it_was() -> None:
    world, line = World(), Shown(title=LIFE, says="20%, that of i-1", wrong=True, number=20.0)
    noted_status.note_lines(world.table, SPEC.name, "certificates", [line])
    assert _noted(world, SPEC, NOW) == [line]


def test_a_cluster_whose_tls_was_turned_off_has_no_certificate_left() -> None:
    bare = msgspec.structs.replace(SPEC, engine=msgspec.structs.replace(SPEC.engine, tls=False))
    world = World()
    assert _an_hour(world, (OLD,))
    assert _an_hour(world, (OLD,), bare) == []


def test_a_status_table_that_is_throttled_costs_no_minute_of_the_watch() -> None:
    class Slow(FakeTable):
        def write(self, partition: str, *puts: Put) -> None:
            if partition.startswith("status#"):
                raise Throttled("dynamodb: slow down")
            super().write(partition, *puts)

    world = World()
    world.table = Slow()
    seen = []
    for minute in range(hourly.MINUTES):
        seen += every(
            [SPEC], lambda _: world.engine, world.table, world.bus, lambda _: FakeHandshakes(OLD),
            now=NOW + 60 * minute, seconds=60,
        )  # fmt: skip
    (failed,) = [one for one in seen if not isinstance(one, Watched)]
    assert "was not noted: Throttled" in failed.message
    assert [one.kind for one in world.bus.taken] == ["Certificate Faulty"], "told all the same"


def test_ends_of_what_vagus_issues_are_its_own_capabilitys_to_show() -> None:
    certified = msgspec.structs.replace(SPEC, certificates=Certificates(issuer="kms", mode="act"))
    world = World()
    assert _an_hour(world, (OLD,))
    assert _an_hour(world, (OLD,), certified) == [], "what was noted before is over"
