"""A restart whose writer dies at each of its writes; an upgrade that is paused, resumed, ended half-way, asked for anew
and drained in between: real nodes, no stack.

An application tries refused and closed connections again, and nothing else.
"""

import time
from pathlib import Path

import pytest
from tests.e2e.test_drain import held
from tests.long.rolled import ROOM, DyingOnce, Rolled

from vagus.intent import restart, upgrade
from vagus.plan import Ask
from vagus.procedure.records import iso
from vagus.reasons import Reason
from vagus_local import gate
from vagus_local.workload import at_work, create_indices

pytestmark = pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)
MOST = 20
"""Restarts of one node each until the writer has died everywhere; about eight are needed."""


def test_an_upgrade_is_paused_resumed_ended_half_way_and_drained_in_between(tmp_path: Path) -> None:
    """From 2.19.4 to 3.4.0, three managers and three data nodes, and with a real snapshot."""
    ward = Rolled(tmp_path, runs="2.19.4", wants="3.4.0", data=1)
    with ward.running():
        create_indices(ward.application(), {"claims": (3, 1), "letters": (2, 1)}, 500, 200)
        ward.cluster.wait_green()
        old = set(ward.versions())
        with at_work(ward.application(), ["claims", "letters"]) as work:
            began = time.monotonic()
            _waits_for_a_snapshot(ward)
            _pauses_and_resumes(ward)
            _ends_half_way(ward)
            leaving = _goes_on_and_is_drained(ward)
            result = work.stop()
        print(f"{time.monotonic() - began:.0f} s; {result}")
        held(result)
        assert ward.versions() == dict.fromkeys(old - {leaving}, "3.4.0")
        assert ward.ours() == []
        assert {one.outcome for one in ward.commands.all()} == {"done"}
        _does_not_go_back(ward)


def done(ward: Rolled) -> int:
    """How many nodes have the new version."""
    return list(ward.versions().values()).count("3.4.0")


def _waits_for_a_snapshot(ward: Rolled) -> None:
    ward.ask(upgrade("3.4.0", iso(time.time()), "ada"))
    ward.until(lambda: any("NO_FRESH_SNAPSHOT" in text for text in ward.texts), "a person is told of the snapshot", 120)
    ward.world.snapshot()
    ward.until(lambda: isinstance(ward.plan(), Ask), "it is asked for", 120)
    assert ward.seen().node_version == "2.19.4"
    ward.approve()


def _pauses_and_resumes(ward: Rolled) -> None:
    ward.until(lambda: done(ward) == 1, "one node has it")
    ward.stop()
    ward.until(lambda: ward.seen().head(ROOM).state == "paused" and not ward.ours(), "paused, with nothing in hand")
    began, steps = time.monotonic(), ward.steps()
    ward.until(lambda: time.monotonic() - began > 20, "some time passes")
    assert (ward.steps(), done(ward), ward.ours()) == (steps, 1, []), "nothing is done meanwhile"
    assert [kind for kind, _ in steps][:2] == ["StageEngine", "BringVersion"]
    ward.resume()


def _ends_half_way(ward: Rolled) -> None:
    ward.until(lambda: done(ward) == 2, "two nodes have it")
    (intent,) = ward.seen().intents_of(ROOM)
    ward.abort()
    ward.until(ward.closed(intent), "ended")
    versions, processes = ward.versions(), ward.processes()
    behind = {name: processes[name] for name, version in versions.items() if version == "2.19.4"}
    assert 3 <= len(behind) <= 4, "the one in hand was finished"
    assert (ward.ours(), ward.seen().node_version) == ([], "3.4.0")
    wanted = restart(behind, iso(time.time()), "ada")
    ward.ask(wanted)
    ward.until(lambda: ward.plan().reason is Reason.VERSION_PATH, "it is refused")
    assert "a restart changes no version" in ward.plan().message
    ward.abort()
    ward.until(ward.closed(wanted), "given up")
    assert ward.processes() == processes


def _does_not_go_back(ward: Rolled) -> None:
    """What the engine itself notes of its data is what keeps an older one from being started on it."""
    node = next(one for one in ward.cluster.nodes.values() if one.process is not None)
    ward.parameters.put("version", "2.19.4")
    found = ward.cluster.shell(node, "stage-search")
    assert found.returncode == 78
    assert "holds data of opensearch 3.4.0, which 2.19.4 (the parameter version) can't read" in found.stderr


def _goes_on_and_is_drained(ward: Rolled) -> str:
    """The instance that leaves has the new version: its primaries may go to nodes of that alone. Returns it."""
    wanted = upgrade("3.4.0", iso(time.time()), "ada")
    ward.ask(wanted)
    ward.until(lambda: isinstance(ward.plan(), Ask), "it is asked for anew")
    ward.approve()
    ward.until(lambda: done(ward) == 4, "four nodes have it")
    data = [group for group in ward.groups.describe() if "data-" in group.name]
    leaving = data[0].instances[0].id
    assert ward.versions()[leaving] == "3.4.0"
    ward.groups.scale_in(leaving)
    ward.until(lambda: leaving in ward.groups.left_with, "it is let go")
    assert ward.groups.left_with[leaving] == (), "empty"
    assert "2.19.4" in ward.versions().values(), "while versions were mixed"
    ward.until(ward.closed(wanted), "the rest is upgraded", 1500)
    return leaving


def test_a_writer_that_dies_before_and_after_each_of_its_writes_restarts_each_node_once(tmp_path: Path) -> None:
    meter, asked = DyingOnce(), 0
    ward = Rolled(tmp_path, meter=meter)
    with ward.running():
        create_indices(ward.application(), {"claims": (3, 1)}, 500, 200)
        ward.cluster.wait_green()
        started, names = ward.starts(), sorted(ward.processes())
        with at_work(ward.application(), ["claims"]) as work:
            began = time.monotonic()
            for only in (None, *(names[at % 3] for at in range(MOST))):
                before, deaths = ward.processes(), len(meter.died)
                chosen = {name: process for name, process in before.items() if only in (None, name)}
                wanted = restart(chosen, iso(time.time()), "ada")
                ward.ask(wanted)
                ward.until(ward.closed(wanted), f"{wanted.id} closed")
                after = ward.processes()
                assert {name for name in names if after[name] != before[name]} == set(chosen)
                asked += len(chosen)
                if len(meter.died) == deaths:
                    break
            result = work.stop()
        print(f"{len(meter.died)} deaths, {asked} restarts, {time.monotonic() - began:.0f} s; {result}")
        print("\n".join(map(str, meter.made)))
        held(result)
        assert meter.left == []
        assert len(meter.died) == deaths, "the last one got to no write at which it had not died"
        assert {act for act, *_ in meter.made} >= {"KeepReplicas", "RestartNodes", "AllowAllocation", "EndRun"}
        assert (ward.starts() - started).total() == asked, "each once, however often it was told"
        assert ward.ours() == []
