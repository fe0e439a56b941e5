"""A rolling restart of real nodes, with an application at work that tries refused and closed connections again, and
nothing else."""

import time

import pytest
from tests.e2e.test_drain import held, indices

from vagus.intent import restart
from vagus.procedure.records import iso
from vagus_local import gate
from vagus_local.scene import Scene
from vagus_local.workload import at_work

OURS = ("cluster.metadata.vagus.", "cluster.routing.allocation.enable", "cluster.routing.weighted.strict")
WEIGHTS = "/_cluster/routing/awareness/zone/weights"


@pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)
def test_every_node_is_restarted_once_and_no_request_fails(ward: Scene) -> None:
    names = indices(ward, "rolling-a", "rolling-b")
    before, asked = ward.processes(), time.time()
    changed = ward.admin.call("GET", WEIGHTS).get("_version", -1)
    wanted = restart(before, iso(asked), "ada")
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        ward.ask(wanted)
        ward.wait_until_closed(wanted)
        done = work.stop()
        print(done)
        held(done)
    assert done.searches_retried == 0, "searches were led away before each stop"
    after = ward.processes()
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    restarted = [record.subject for record in ward.records_since(asked) if record.step == "RestartNodes"]
    assert sorted(restarted) == sorted(before), "each once, one at a time"
    assert not ward.without_outcome()
    assert not [name for name in ward.settings() if name.startswith(OURS)]
    weights = ward.admin.call("GET", WEIGHTS)
    assert weights["weights"] == {}
    assert weights["_version"] >= changed + 2 * len(before), "set before each stop, and taken away after"
