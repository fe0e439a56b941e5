"""zone_balance on real nodes without AWS: groups, rows and executions are the fakes, the search engine is real."""

import time
from collections.abc import Sequence
from typing import Any, Literal

from tests.integration.contracts.search_world import ZONES, RealSearch
from tests.unit.simulation.execution import Execution

from vagus.aws.fake import FakeCommands, FakeExecutions, FakeGroups, FakeParameters, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.cluster import Awaited, Cluster, Copy, Placement, ShardMove
from vagus.fleet import ClusterSpec, NodeGroup
from vagus.owned import SettingsUpdate
from vagus.policy import ZoneBalance
from vagus.procedure import intake, loop, records, rows
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.records import Book
from vagus.procedure.room import Reads, Writes
from vagus.procedure.sweep import Sweep
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.snapshots import Snapshots
from vagus.steps import AnyStep
from vagus.weights import Weighing, Weights
from vagus.zone_balance.room import ZONE_BALANCE

DRAIN_SECONDS = 90.0


class Watched:
    """The search port, with every look noted."""

    def __init__(self, world: RealSearch) -> None:
        self._port = world.port
        self.looks: list[Cluster] = []
        self.rerouted: list[tuple[tuple[ShardMove, ...], bool, tuple[str, ...]]] = []

    def look(self) -> Cluster:
        self.looks.append(self._port.look())
        return self.looks[-1]

    def awaited(self, wanted: Awaited, seconds: int) -> bool:
        return self._port.awaited(wanted, seconds)

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        return self._port.explain(index, shard, primary=primary, node=node)

    def update_settings(self, update: SettingsUpdate) -> None:
        self._port.update_settings(update)

    def set_replicas(self, indices: Sequence[str], replicas: int) -> None:
        self._port.set_replicas(indices, replicas)

    def flush(self, indices: Any) -> None:
        self._port.flush(indices)

    def placement(self) -> Placement:
        return self._port.placement()

    def snapshots(self, *, newest: bool) -> Snapshots:
        return self._port.snapshots(newest=newest)

    def weights(self) -> Weights | None:
        return self._port.weights()

    def weigh(self, weighing: Weighing) -> None:
        self._port.weigh(weighing)

    def reroute(self, moves: Sequence[ShardMove], *, dry_run: bool) -> tuple[str, ...]:
        refused = self._port.reroute(moves, dry_run=dry_run)
        self.rerouted.append((tuple(moves), dry_run, refused))
        return refused

    def take_vote(self, node: str) -> None:
        self._port.take_vote(node)

    def clear_votes_taken(self, *, gone: bool) -> None:
        self._port.clear_votes_taken(gone=gone)


class EndingGroups(FakeGroups):
    """Groups whose instances are the cluster's nodes: whose hook is let go, that node is stopped, as EC2 does.

    `left_with`: what the engine listed on each at that moment.
    """

    def __init__(self, world: RealSearch) -> None:
        # nodes are declared zone by zone, as the groups are created
        super().__init__(time.time, name=lambda number: list(world.cluster.nodes)[number - 1])
        self._world = world
        self.left_with: dict[str, tuple[Copy, ...]] = {}

    def complete(self, group: str, hook: str, instance: str, result: Literal["CONTINUE", "ABANDON"]) -> bool:
        self.left_with[instance] = self._world.port.look().on(instance)
        done = super().complete(group, hook, instance, result)
        if done and result == "CONTINUE":
            self._world.cluster.stop(self._world.cluster.nodes[instance])
        return done


class Ward:
    """One cluster, its groups, and Vagus: a sweep, intake, and executions that look again as soon as they may."""

    def __init__(self, world: RealSearch, *, per_zone: int = 1, zone_balance: ZoneBalance | None = None) -> None:
        self.world = world
        self.per_zone = per_zone
        self.search = Watched(world)
        self.groups = EndingGroups(world)
        self.table, self.recorded = FakeTable(), FakeTable()
        self.machines, self.parameters = FakeExecutions(), FakeParameters()
        self.executions: dict[str, Execution] = {}
        self.spec = ClusterSpec(
            name="ward",
            cell="local",
            engine=world.engine,
            zones=ZONES,
            groups={"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=per_zone)},
            zone_balance=zone_balance or ZoneBalance(mode="act"),
        )
        for zone in ZONES:
            self.groups.create(self.spec.group_name("core", zone), cluster="ward", zone=zone, desired=per_zone)
        self.groups.events.clear()

    def sweep(self) -> None:
        """One minute's sweep, and whatever it starts, to its end."""
        now = time.time()
        Sweep(
            reads=self._reads(),
            table=self.table,
            fleet={"ward": self.spec},
            rooms={"zone_balance": ZONE_BALANCE},
            executions={"zone_balance": self.machines},
        ).run(now, records.iso(now))
        self._run()

    def take_events(self) -> None:
        """Intake takes what EventBridge was given; then whatever that starts, to its end."""
        now = time.time()
        for event in self.groups.events:
            intake.take(
                event,
                {"ward": self.spec},
                self.table,
                {"zone_balance": self.machines},
                now,
                records.iso(now),
                self.groups.groups_of,
            )
        self.groups.events.clear()
        self._run()

    def close(self) -> None:
        """The nodes that were ended are started again, for the next test."""
        for node in self.world.cluster.nodes.values():
            if node.process is None:
                self.world.cluster.start(node)
        self.world.cluster.wait_green(len(self.world.cluster.nodes))

    def steps(self) -> list[str]:
        """The kinds of the steps that were done, in order."""
        found = [
            row.data
            for partition in self.recorded.partitions()
            for row in self.recorded.read(partition).values()
            if row.data["phase"] == "intended"
        ]
        return [str(one["step"]) for one in sorted(found, key=lambda one: (one["at"], one["id"]))]

    def rows(self) -> rows.Rows:
        """All rows of the cluster."""
        return rows.read_shown(self.table, "ward")

    # -- the two functions -----------------------------------------------------------------------------------------

    def decide(self, call: Call) -> Answer:
        """The function that decides."""
        return loop.look(ZONE_BALANCE, self._reads(), self.spec, rows.read(self.table, "ward"), call, time.time())

    def apply(self, call: Call, step: AnyStep) -> Outcome:
        """The function that writes."""
        now = time.time()
        writes = Writes(
            spec=self.spec,
            groups=self.groups,
            search=self.search,
            parameters=self.parameters,
            commands=FakeCommands(),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(time.time),
            table=self.table,
            now=now,
            iso=records.iso(now),
        )
        book = Book(table=self.recorded, clock=time.time, new_id=lambda: f"{time.monotonic_ns():020}")
        return loop.act(ZONE_BALANCE, writes, self.machines, book, call, step)

    def _reads(self) -> Reads:
        return Reads(
            groups=self.groups,
            search=lambda _: self.search,
            commands=lambda _: FakeCommands(),
            handshakes=lambda _: FakeHandshakes(),
        )

    def _run(self) -> None:
        self.world.cluster.wait_until(self._ended, "at the end of its run", DRAIN_SECONDS)

    def _ended(self) -> bool:
        """One turn of each execution; whether all have ended. A planned wait is cut short, a back-off is not."""
        for name, payload in self.machines.started.items():
            one = self.executions.setdefault(name, Execution(name, payload, self))
            if not one.ended and (one.wakes <= time.time() or not one.retries):
                one.go_on(time.time())
            if one.ended:
                self.machines.end(name, one.ended)
        return all(one.ended for one in self.executions.values())
