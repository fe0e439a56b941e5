"""A zone comes, and goes, by two deploys of the fleet file on the whole local stack, and replicas follow it."""

from pathlib import Path

from vagus.allocation import FORCED
from vagus_local.scene import Scene
from vagus_local.stack import redeploy
from vagus_local.waiting import until
from vagus_local.workload import create_indices

THREE, FOURTH = "[us-east-1a, us-east-1b, us-east-1c]", "us-east-1d"
DOCUMENTS = 200


def copies(scene: Scene, index: str) -> list[str]:
    """The nodes of its started copies."""
    rows = scene.admin.call("GET", f"/_cat/shards/{index}?format=json&h=state,node")
    return [row["node"] for row in rows if row["state"] == "STARTED"]


def in_the_fourth(scene: Scene) -> list[str]:
    """The nodes that have joined there."""
    return [row.instance for row in scene.nodes() if row.zone == FOURTH and row.joined]


def test_a_zone_comes_and_goes_by_deploys_and_replicas_follow_it(trio: Scene, fleet: Path, folder: Path) -> None:
    file = fleet / "trio.yaml"
    before = file.read_text()
    write = {"users": ["CN=vagus-write,O=vagus"]}  # the owner's word, as docs/shards.md gives it
    trio.admin.call("PUT", "/_plugins/_security/api/rolesmapping/vagus_replicas", write)
    create_indices(trio.stack.application("trio"), {"each": (2, 2), "plain": (2, 1)}, documents=DOCUMENTS, padding=200)

    four = before.replace(THREE, f"{THREE[:-1]}, {FOURTH}]").replace(
        "  mode: act", "  mode: act\n  replicas: with_zones"
    )
    file.write_text(four)
    redeploy(trio.stack, folder)
    until(lambda: in_the_fourth(trio), 300, lambda: f"a node joins in {FOURTH} ({trio.plan_in_words()})", 1.0)
    until(lambda: len(copies(trio, "each")) == 2 * 4, 300, lambda: f"a copy in each ({trio.plan_in_words()})", 1.0)
    (fresh,) = in_the_fourth(trio)
    assert copies(trio, "each").count(fresh) == 2
    assert len(copies(trio, "plain")) == 2 * 2
    assert trio.settings()[FORCED].split(",")[-1] == FOURTH
    until(lambda: trio.green() and trio.state_of(fresh) == "InService", 180, "it serves")

    file.write_text(f"{four}zones_leaving: [{FOURTH}]\n")
    redeploy(trio.stack, folder)
    trio.wait_until_settled(fresh, seconds=400)
    assert len(copies(trio, "each")) == 2 * 3
    assert len(copies(trio, "plain")) == 2 * 2
    assert trio.admin.call("GET", "/each/_count")["count"] == DOCUMENTS
    steps = [record.step for record in trio.records() if record.phase == "intended"]
    assert steps.count("SetReplicas") == 2
    assert trio.without_outcome() == []
    trio.admin.call("DELETE", "/each,plain")
