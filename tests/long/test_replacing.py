"""Another instance type on the whole local stack: a deploy, `vagus replace`, a yes, and three real nodes stand on new
instances, with an application at work that tries refused and closed connections again, and nothing else."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import FLEET, made_whole
from tests.e2e.test_drain import held, indices
from tests.long.commanding import vagus

from vagus_local import gate
from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.stack import Stack
from vagus_local.waiting import until
from vagus_local.workload import at_work

ROOM, TYPE = "rolling_upgrade", "r7g.xlarge"
OURS = ("cluster.metadata.vagus.excluded", "cluster.metadata.vagus.voting", "cluster.routing.allocation.exclude")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def stack(alone: Path) -> Iterator[Stack]:
    """With the cluster of three alone: the time that a machine has is for these."""
    (fleet := alone / "fleet").mkdir()
    shutil.copy(FLEET / "trio.yaml", fleet)
    up = stacks.up(fleet=fleet, cell="e2e", folder=alone)
    yield up
    stacks.down(alone)


def types(scene: Scene) -> dict[str, str]:
    """The instance type of each instance, as EC2 says it."""
    shown = scene.stack.client("ec2").describe_instances(InstanceIds=sorted(scene.instances()))
    return {one["InstanceId"]: one["InstanceType"] for many in shown["Reservations"] for one in many["Instances"]}


def elected(scene: Scene) -> str:
    """The name of the elected manager."""
    return str(scene.admin.call("GET", "/_cat/cluster_manager?format=json&h=node")[0]["node"])


def await_asked(scene: Scene) -> str:
    """Until a person is asked. Returns what that person reads."""

    def asked() -> str:
        noted = scene.rows().plans.get(ROOM, {})
        return str(noted["message"]) if noted.get("kind") == "Ask" else ""

    return until(asked, 180, lambda: f"a person is asked (now: {scene.rows().plans.get(ROOM, {})})")


@pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)
def test_another_instance_type_is_brought_to_every_node_and_no_request_fails(stack: Stack, alone: Path) -> None:
    """One index has a copy on every node, so that nobody may take its shards: each instance is held until its
    replacement has joined."""
    trio = made_whole(Scene(stack, "trio"))
    names = [*indices(trio, "replaced-two", replicas=1), *indices(trio, "replaced-three", shards=2, replicas=2)]
    before, last = set(trio.instances()), elected(trio)
    file = alone / "fleet" / "trio.yaml"
    changed = file.read_text().replace("heap: 192m", f"heap: 192m, instance_type: {TYPE}")
    file.write_text(f"{changed}rolling_upgrade: {{mode: act}}\n")
    stacks.redeploy(trio.stack, alone)
    shown = " ".join(vagus(alone, "plan", "trio", codes=(0, 3)).split())
    assert "REPLACE_AVAILABLE" in shown, shown
    assert all(shown.count(f"replace {name}") == 1 for name in before)
    with at_work(trio.stack.application("trio"), names) as work:
        trio.await_writes(work, 100)
        asked = time.time()
        vagus(alone, "replace", "trio")
        told = await_asked(trio)
        assert all(name in told for name in before)
        vagus(alone, "approve", "trio", "--yes")
        (wanted,) = trio.rows().intents_of(ROOM)
        trio.wait_until_closed(wanted, 1500)
        result = work.stop()
    print(f"{result}; {time.time() - asked:.0f} s")
    held(result)
    after = types(trio)
    assert len(after) == len(before)
    assert not before & set(after)
    assert set(after.values()) == {TYPE}
    replaced = [record.subject for record in trio.records_since(asked) if record.step == "ReplaceNext"]
    assert sorted(replaced) == sorted(before), "each once"
    assert replaced[-1] == last
    trio.await_rest()
    assert not trio.without_outcome()
    assert not [name for name in trio.settings() if name.startswith(OURS)]
