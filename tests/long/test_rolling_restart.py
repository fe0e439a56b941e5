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

OURS = ("cluster.metadata.vagus.", "cluster.routing.allocation.enable")


@pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)
def test_every_node_is_restarted_once_and_no_request_fails(ward: Scene) -> None:
    names = indices(ward, "rolling-a", "rolling-b")
    before, asked = ward.processes(), time.time()
    wanted = restart(before, iso(asked), "ada")
    with at_work(ward.stack.application("ward"), names) as work:
        ward.await_writes(work, 100)
        ward.ask(wanted)
        ward.wait_until_closed(wanted)
        held(work.stop())
    after = ward.processes()
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    restarted = [record.subject for record in ward.records_since(asked) if record.step == "RestartNodes"]
    assert sorted(restarted) == sorted(before), "each once, one at a time"
    assert not ward.without_outcome()
    assert not [name for name in ward.settings() if name.startswith(OURS)]
