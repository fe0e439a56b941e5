"""One look for zone_balance: an error is an observation and never empty; a drain that stalls asks for the reason."""

import msgspec
import pytest
from tests.unit.simulation.happenings import DRAIN, FIRST, SECOND, by_hand
from tests.unit.simulation.world import World

from vagus import owned
from vagus.cluster import Cluster, Unseen
from vagus.errors import Denied, Malformed, Refused, Throttled, Unreachable, VagusError
from vagus.instances import Launch
from vagus.owned import SettingsUpdate
from vagus.plan import Progress
from vagus.policy import Certificates
from vagus.procedure import head as heads
from vagus.procedure import rows
from vagus.procedure.room import Reads
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.trust import Trust
from vagus.zone_balance import launching
from vagus.zone_balance.observe import observe, see
from vagus.zone_balance.observed import Observed


class Broken(FakeEngine):
    """A cluster that can't be looked at; `error` is why."""

    error: VagusError

    def look(self) -> Cluster:
        raise self.error


UNSEEN: dict[str, tuple[VagusError, str]] = {
    "nobody answers": (Unreachable("time-out"), "UNREACHABLE"),
    "a permission is missing": (Denied("cluster:monitor/state", "no"), "DENIED"),
    "it is asked too much": (Throttled("429"), "THROTTLED"),
    "its certificate has not been put yet": (Refused("secret without a value"), "UNREACHABLE"),
    "its certificate can't be read": (Malformed("secret: no key"), "UNREACHABLE"),
}


@pytest.mark.parametrize(("error", "reason"), UNSEEN.values(), ids=UNSEEN.keys())
def test_a_look_that_fails_is_an_observation(error: VagusError, reason: str) -> None:
    engine = Broken(lambda: 0.0)
    engine.error = error
    found = see(engine)
    assert isinstance(found, Unseen)
    assert (found.reason, found.message) == (reason, str(error))


def _observed(world: World, *, silent: float | None) -> Observed:
    now = world.clock.now
    progress = None if silent is None else Progress(bytes_left=DRAIN, at=now, changed_at=now - silent)
    reads = Reads(
        groups=world.groups,
        search=lambda _: world.engine,
        commands=lambda _: world.commands,
        handshakes=lambda _: FakeHandshakes(),
    )
    return observe(reads, world.spec, world.seen(), progress, now)


def _stuck() -> World:
    """Its shards may go nowhere: every other node is excluded as well."""
    world = World().known()
    world.engine.create_index("notes", shards=3, replicas=1, size=DRAIN)
    world.groups.scale_in(FIRST)
    world.engine.update_settings(SettingsUpdate(persistent={owned.EXCLUDE: ",".join(world.engine.machines)}))
    return world


def test_a_drain_that_stalls_is_explained() -> None:
    found = _observed(_stuck(), silent=120)
    assert found.explanation.startswith("notes[0]: ")
    assert SECOND in found.explanation
    assert "exclude" in found.explanation


def test_one_whose_shards_are_on_their_way_is_not() -> None:
    world = World().known()
    world.engine.create_index("notes", shards=6, replicas=1, size=DRAIN)
    world.groups.scale_in(FIRST)
    world.engine.update_settings(by_hand(FIRST))
    world.engine.settle()
    assert any(copy.target for copy in world.engine.look().on(FIRST))
    first = next(copy for copy in world.engine.look().on(FIRST) if copy.target)
    alone = msgspec.structs.replace(world.engine.look(), copies=(first,))
    world.engine.look = lambda: alone  # type: ignore[method-assign]  # the others have left
    assert _observed(world, silent=7199).explanation == ""


def test_one_of_whose_shards_one_stands_while_others_move_is() -> None:
    world = World().known()
    world.engine.create_index("notes", shards=6, replicas=1, size=DRAIN)
    world.groups.scale_in(FIRST)
    world.engine.update_settings(by_hand(FIRST))
    world.engine.settle()
    found = world.engine.look().on(FIRST)
    assert any(copy.target for copy in found)
    assert any(not copy.target for copy in found)
    assert _observed(world, silent=119).explanation == ""
    assert _observed(world, silent=120).explanation


def test_one_that_does_not_asks_for_nothing() -> None:
    assert _observed(_stuck(), silent=119).explanation == ""
    assert _observed(_stuck(), silent=None).explanation == ""


def test_a_run_has_progress_from_its_first_look_on_and_a_sweep_has_none() -> None:
    world = _stuck()
    assert _observed(world, silent=None).progress is None
    heads.ensure_running(world.table, world.machines, "claims", "zone_balance", world.clock.now, world.iso())
    now = world.clock.now
    assert _observed(world, silent=None).progress == Progress(bytes_left=0, at=now, changed_at=now)


def test_an_explanation_that_can_not_be_had_is_no_reason_to_stop() -> None:
    world = _stuck()
    world.engine.denied = "cluster:monitor/allocation/explain"
    assert "no explanation: cluster:monitor/allocation/explain" in _observed(world, silent=120).explanation


def test_what_is_explained_changes_nothing_else() -> None:
    world = _stuck()
    explained = _observed(world, silent=120)
    assert msgspec.structs.replace(explained, explanation="") == msgspec.structs.replace(
        _observed(world, silent=119), progress=explained.progress
    )


def test_launches_that_cannot_be_asked_for_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _stuck()
    asked: list[str] = []

    def throttled(group: str, _since: object) -> tuple[Launch, ...]:
        asked.append(group)
        raise Throttled("Rate exceeded")

    monkeypatch.setattr(launching, "asked_for", lambda seen: seen.groups)
    monkeypatch.setattr(world.groups, "launches", throttled)
    found = _observed(world, silent=120)
    assert asked
    assert found.launches == {}
    assert found.explanation, "the drain is looked at all the same"


TRUST: dict[str, tuple[Certificates, Trust, bool]] = {
    "its owners certify it": (Certificates(), Trust(), True),
    "Vagus has no authority for it yet": (Certificates(issuer="kms"), Trust(), False),
    "it is made, and nodes are not told of it": (Certificates(issuer="kms"), Trust(signs=1), False),
    "nodes are told of it": (Certificates(issuer="kms"), Trust(signs=1, published=(1,)), True),
}


@pytest.mark.parametrize(("policy", "trust", "published"), TRUST.values(), ids=TRUST.keys())
def test_whether_nodes_could_get_a_certificate(policy: Certificates, trust: Trust, published: bool) -> None:
    world = World().known()
    world.spec = msgspec.structs.replace(world.spec, certificates=policy)
    world.table.write(rows.partition(world.spec.name), world.seen().put("trust", trust))
    assert _observed(world, silent=None).trust_published is published
