"""One planning look of 1,000 nodes and 100,000 shards, from the engine's answers to the plan, in a process of its own:
prints the seconds of CPU and the most memory that it ever had (MB), with all that a function imports."""

import json
import resource
import sys
import time
from collections.abc import Iterator

import msgspec

import vagus.runtime  # what a function has loaded anyway
from benchmarks._layouts import layout
from vagus.cluster import Placement
from vagus.fleet import ClusterSpec, Engine, NodeGroup
from vagus.policy import Shards, ZoneBalance
from vagus.search import answers, looking
from vagus.search.answers import decoded
from vagus.zone_balance import balancing
from vagus.zone_balance.looking import looked
from vagus.zone_balance.observed import Observed
from vagus.zone_balance.planner import Layout, Plan


def answer(given: Layout) -> Iterator[bytes]:
    """The two answers that grow with the shards: the cluster's state, and the sizes in the nodes' statistics."""
    ids = {node.name: f"id-{node.name}" for node in given.nodes}
    routed: dict[str, dict[str, dict[str, list[object]]]] = {}
    stats: dict[str, dict[str, list[object]]] = {node.name: {} for node in given.nodes}
    for copy in given.copies:
        row = {"state": "STARTED", "primary": copy.primary, "node": ids[copy.node or ""], "relocating_node": None}
        routed.setdefault(copy.index, {"shards": {}})["shards"].setdefault(str(copy.shard), []).append(row)
        told = {str(copy.shard): {"store": {"size_in_bytes": copy.bytes}}}
        stats[copy.node or ""].setdefault(copy.index, []).append(told)
    yield msgspec.json.encode(
        {
            "cluster_uuid": "uuid-1",
            "cluster_manager_node": ids[given.nodes[0].name],
            "nodes": {
                ids[node.name]: {
                    "name": node.name,
                    "ephemeral_id": node.name,
                    "transport_address": "127.0.0.1:9300",
                    "attributes": {"zone": node.zone},
                }
                for node in given.nodes
            },
            "routing_table": {"indices": routed},
        }
    )
    yield msgspec.json.encode(
        {
            "nodes": {
                ids[node.name]: {
                    "fs": {"total": {"total_in_bytes": node.disk_total, "available_in_bytes": node.disk_free}},
                    "indices": {"shards": stats[node.name]},
                }
                for node in given.nodes
            }
        }
    )


def plan_once(state: bytes, stats: bytes) -> Plan:
    """As a deciding function does it: decode, make one cluster of it, plan."""
    read = decoded(state, answers.State, "state")
    indices = list(read.routing_table.indices)
    cluster = looking.cluster(
        looking.Pieces(
            state=read,
            settings=answers.Settings(),
            stats=decoded(stats, answers.Stats, "stats"),
            health=answers.Health(status="green", number_of_pending_tasks=0, indices={index: {} for index in indices}),
            voting=decoded(b'{"metadata":{"cluster_coordination":{"last_committed_config":[]}}}', answers.Voting, "v"),
            visible={index: answers.IndexSettings() for index in indices},
            info={
                key: answers.NodeInfo(version="3.4.0", roles=("data",)) for key in (n.name for n in read.nodes.values())
            },
        )
    )
    forced = {f"{ROUTING}attributes": "zone", f"{ROUTING}force.zone.values": "a,b,c"}
    placement = Placement(ids={node.name: key for key, node in read.nodes.items()}, settings=forced)
    look = looked(Observed(cluster=cluster, groups=(), placement=placement), cluster, SPEC, 0.0)
    return balancing.planned(look)


DATA = answers.NodeInfo(version="3.4.0", roles=("data",))
ROUTING = "cluster.routing.allocation.awareness."
SPEC = ClusterSpec(
    name="large",
    cell="bench",
    engine=Engine(version="3.4.0"),
    zones=("a", "b", "c"),
    groups={"data": NodeGroup(roles=("data",), per_zone=100)},
    zone_balance=ZoneBalance(mode="act", shards=Shards(mode="on", highest_threshold=12.0)),
)


def main(folder: str) -> None:
    """With `write`, make the answers; else read them and plan, so that making them costs no memory here."""
    if folder.startswith("write:"):
        for name, body in zip(("state", "stats"), answer(layout(999, 1000, 50, 1.0)), strict=True):
            with open(f"{folder.removeprefix('write:')}/{name}", "wb") as file:
                file.write(body)
        return
    state, stats = (open(f"{folder}/{name}", "rb").read() for name in ("state", "stats"))  # noqa: SIM115
    began = time.process_time()
    made = plan_once(state, stats)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loaded = vagus.runtime.__name__
    print(json.dumps({"seconds": seconds, "peak": peak, "moves": len(made.moves), "loaded": loaded}))


if __name__ == "__main__":
    main(sys.argv[1])
