"""Certificates on real nodes, twice in a row on each version, and with functions that die: no stack is needed.

A client connects anew for each request and trusts its bundle alone; a writer and a searcher work all the while.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.long.certified import NAME, Certified
from tests.unit.simulation.ports import Crash, Meter, reads

from vagus.certificates import profile, wishes
from vagus.certificates.issuing import new_authority
from vagus.plan import Done
from vagus.reasons import Reason
from vagus_local.engines import engine
from vagus_local.waiting import TimedOut, until
from vagus_local.workload import Workload, create_indices

PHASES = [
    "MakeAuthority",
    "PublishTrust",
    "IssueClientCertificate",
    "InstallTrust",
    "SignWith",
    "IssueClientCertificate",
    "RenewLeaves",
    "DropAuthority",
    "PublishTrust",
    "IssueClientCertificate",
    "InstallTrust",
]


@contextmanager
def under_load(ward: Certified) -> Iterator[None]:
    client = ward.client("client")
    create_indices(client, {"claims": (3, 1)}, 100, 200)  # type: ignore[arg-type]  # what it has of AdminClient
    load = Workload(client, ["claims"])  # type: ignore[arg-type]
    load.start()
    try:
        yield
    finally:
        found = load.stop()
    print(found)
    assert (found.requests_failed, found.writes_lost) == (0, 0), found
    assert found.writes_acknowledged > 0
    assert found.searches > 0


def test_nodes_ask_for_their_certificates_and_the_authority_is_replaced_under_load(tmp_path: Path) -> None:
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running():
        ward.check()
        client = ward.client("client")
        create_indices(client, {"claims": (3, 1)}, 100, 200)  # type: ignore[arg-type]  # what it has of AdminClient
        load = Workload(client, ["claims"])  # type: ignore[arg-type]
        load.start()
        before, done = ward.serials(), len(ward.steps())
        ward.rotate().check()
        found = load.stop()
        assert ward.steps()[done:] == PHASES
        assert ward.trust.generations == (2,)
        assert set(before.values()).isdisjoint(ward.serials().values())
        assert (found.requests_failed, found.writes_lost) == (0, 0), found
        assert found.writes_acknowledged > 0
        assert found.searches > 0
        assert isinstance(ward.plan(), Done)
        assert ward.refused == []


@pytest.mark.parametrize("label", ["opensearch-3.4.0", "opensearch-2.19.4"])
def test_renewal_and_a_new_authority_twice_in_a_row(tmp_path: Path, label: str) -> None:
    ward = Certified(tmp_path, engine(label))
    with ward.running(), under_load(ward):
        for generation in (2, 3):
            before, began = ward.serials(), time.monotonic()
            ward.renew().check()
            renewed = ward.serials()
            assert set(before.values()).isdisjoint(renewed.values())
            print(f"{label}: renewed in {time.monotonic() - began:.0f} s")
            began = time.monotonic()
            ward.rotate().check()
            print(f"{label}: authority {generation} in {time.monotonic() - began:.0f} s")
            assert ward.trust.generations == (generation,)
            assert set(renewed.values()).isdisjoint(ward.serials().values())


class Dying(Meter):
    """Each seventh call that writes is a process's last, before it and after it in turn: seven is no multiple of what
    any step writes, so that steps die at each of their calls."""

    armed = False
    died: tuple[str, ...] = ()
    _writes = 0

    def around[T](self, name: str, call: Callable[[], T]) -> T:
        if not self.armed or reads(name) or not name.startswith("apply."):
            return call()
        self._writes += 1
        if self._writes % 7:
            return call()
        after = len(self.died) % 2 == 1
        self.died += (f"{'after' if after else 'before'} {name}",)
        if after:
            call()
        raise Crash(name)


def test_functions_that_die_at_their_writes(tmp_path: Path) -> None:
    meter = Dying()
    ward = Certified(tmp_path, engine("opensearch-3.4.0"), meter)
    with ward.running(), under_load(ward):
        ward.check()
        meter.armed = True
        ward.rotate(seconds=900)
        meter.armed = False
        print(meter.died)
        assert len(meter.died) > 5
        ward.check()
        assert (ward.trust.generations, ward.trust.signs) == ((2,), 2)


def test_a_node_that_was_away_comes_back_with_old_files(tmp_path: Path) -> None:
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running():
        away = next(iter(ward.cluster.nodes.values()))
        ward.cluster.stop(away)
        ward.groups.scale_in(away.id)  # it is to go, and says nothing: it is not waited for
        ward.rotate()
        assert ward.trust.generations == (2,)
        ward.cluster.start(away)
        ward.cluster.wait_green(3)
        ward.run().check()


def test_a_rotation_waits_for_a_node_that_does_not_answer(tmp_path: Path) -> None:
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running():
        away = next(iter(ward.cluster.nodes.values()))
        ward.cluster.stop(away)
        with pytest.raises(TimedOut):
            ward.rotate(seconds=45)
        plan = ward.plan()
        assert (plan.reason, ward.trust.signs) == (Reason.NODES_SILENT, 1)
        assert away.id in plan.message
        ward.cluster.start(away)
        ward.run().check()
        assert ward.trust.generations == (2,)


# -- time --------------------------------------------------------------------------------------------------------------


def over(ward: Certified) -> bool:
    """Every node shows a certificate that has ended."""
    return all(one.answered and "expired" in one.failure for one in ward.shown())


def test_certificates_that_have_ended_are_renewed(tmp_path: Path) -> None:
    """Nobody ran for as long: no node takes a new connection of another any more."""
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running():
        (only,) = ward.trust.authorities
        ward.plant(only, 20, ward.trust.bundle)
        until(lambda: over(ward), 120, "the certificates have ended")
        began = time.monotonic()
        ward.run().check()
        print(f"every certificate renewed {time.monotonic() - began:.0f} s after they had ended")
        ward.cluster.wait_green(3)


def test_an_authority_that_has_ended_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running():
        monkeypatch.setattr(profile, "AUTHORITY_DAYS", 40 / 86_400)
        short = new_authority(ward.keys, NAME, ward.trust, "0123456789abcdef", time.time())
        monkeypatch.undo()
        ward.put_trust(msgspec.structs.replace(ward.trust, authorities=(short,), signs=2, published=(2,), wanted=2))
        ward.plant(short, 40, short.certificate)
        until(lambda: over(ward), 120, "the authority, and all that it signed, has ended")
        began = time.monotonic()
        ward.run().check()
        print(f"another authority {time.monotonic() - began:.0f} s after the one before had ended")
        assert ward.trust.generations == (3,)
        ward.give("admin")
        ward.cluster.wait_green(3)


def test_an_authority_that_ends_in_the_bundle_is_dropped_and_nobody_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine reads no bundle that holds it, and serves the files of before on."""
    ward = Certified(tmp_path, engine("opensearch-3.4.0"))
    with ward.running(), under_load(ward):
        monkeypatch.setattr(profile, "AUTHORITY_DAYS", 60 / 86_400)
        wishes.rotate_authority(ward.table, NAME)
        ward.owners = False
        with pytest.raises(TimedOut):  # the client's owner acknowledges nothing
            ward.run(seconds=40)
        monkeypatch.undo()
        assert (ward.trust.generations, ward.trust.signs) == ((1, 2), 1)
        ended = ward.trust.authorities[1]
        until(lambda: time.time() > ended.ends + 5, 120, "authority 2 has ended")
        ward.owners = True
        ward.run().check()
        assert ward.trust.generations == (2,), "the wish stands: another takes its place"
        assert ended.name not in ward.trust.names
