"""Restarts by Vagus against a loop by hand that follows OpenSearch's documentation, in the same run.

Three of six nodes by a person, all six by one run of Vagus, the other three by the person: a machine that gets
busier meanwhile burdens both alike. An application is at work all the while, which tries refused and closed
connections again, and nothing else. Then: how long an instance that is to leave in the midst of a restart waits for its
first write.
"""

import statistics
import time

import msgspec

from benchmarks._restarts import ZONES, by_vagus, failed, made_ready, reported, settled, working
from benchmarks._restarts_by_hand import Person, Taken, in_order
from benchmarks._stack import demo
from benchmarks.event_to_first_write import epoch
from benchmarks.figure import Figure, against
from vagus.intent import restart
from vagus.procedure.records import iso
from vagus_local.scene import Scene
from vagus_local.workload import Result

BAR = 1.1


class ByHand(msgspec.Struct, frozen=True, kw_only=True):
    """A node restarted by a person; `calls`: to the cluster and to AWS."""

    took: Taken
    calls: int
    work: Result


def figures() -> list[Figure]:
    """Seconds and calls of a node; failed requests; and seconds until an urgent intent is served."""
    scene = demo()
    made_ready(scene)
    names = in_order(scene, scene.names())
    half = len(names) // 2
    hand = [by_hand(scene, name) for name in names[:half]]
    ours = by_vagus(scene, names)
    hand += [by_hand(scene, name) for name in names[half:]]
    careful = statistics.mean(one.took.answered for one in hand)
    documented = statistics.mean(one.took.green for one in hand)
    asked = statistics.mean(one.calls for one in hand)
    urgent = to_first_write(scene)
    return [
        against("restart of a node (mean of six), against a careful loop by hand", ours.per_node, careful, "s", BAR),
        against("the same, against the documented loop, which ends with green", ours.per_node, documented, "s", BAR),
        failed("failed requests of the application", [ours.work], [one.work for one in hand]),
        reported("calls of functions per node, against requests by hand", ours.functions / ours.nodes, asked, "calls"),
        reported("calls of AWS per node, against one command", ours.aws / ours.nodes, 1, "calls"),
        reported("urgent intent in mid-restart -> first write, against one node by hand", urgent, careful, "s"),
    ]


def by_hand(scene: Scene, name: str) -> ByHand:
    """One node."""
    settled(scene)
    person = Person(scene)
    with working(scene) as work:
        took = person.restart(name)
        return ByHand(took=took, calls=person.calls, work=work.stop())


def to_first_write(scene: Scene) -> float:
    """Seconds from the call that makes an instance leave, while another node restarts, to the first exclusion."""
    settled(scene)
    restarted = {name for name, (zone, _) in scene.instances().items() if zone == ZONES[0]}
    asked = time.time()
    wanted = restart({name: one for name, one in scene.processes().items() if name in restarted}, iso(asked), "bench")
    scene.ask(wanted)
    scene.await_step("RestartNodes", asked, 120)
    leaving, urgent = scene.scale_in(f"demo-data-{ZONES[-1]}")
    scene.await_step("ExcludeNodes", urgent, 300)
    first = next(record for record in scene.records_since(urgent) if record.step == "ExcludeNodes")
    scene.wait_until_closed(wanted)
    scene.wait_until_gone(leaving)
    scene.restore_sizes()
    return epoch(first.at) - urgent
