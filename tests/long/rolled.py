"""rolling_upgrade and zone_balance on real nodes without AWS: nodes boot by their own scripts and documents, the two
capabilities' functions are the ones that are deployed; rows, groups and executions are the fakes.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from tests.integration.contracts.drain_world import EndingGroups
from tests.integration.contracts.search_world import RealSearch
from tests.long.on_nodes import Documents, NodeParameters
from tests.unit.simulation.execution import Execution
from tests.unit.simulation.ports import Crash, Meter, reads, wired

from vagus.aws.fake import FakeExecutions, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.fleet import ClusterSpec, NodeGroup
from vagus.fleet import Engine as Declared
from vagus.intent import Intent, Rolling
from vagus.plan import Ask, Plan
from vagus.policy import RollingUpgrade, ZoneBalance
from vagus.ports import Put
from vagus.procedure import head as heads
from vagus.procedure import intake, loop, people, records, rows
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.records import Book
from vagus.procedure.room import Reads, Room, Writes
from vagus.procedure.sweep import Sweep
from vagus.rolling_upgrade.room import ROLLING_UPGRADE
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import AnyStep, kind
from vagus.zone_balance.room import ZONE_BALANCE
from vagus_local import artifacts
from vagus_local.cluster import LocalCluster
from vagus_local.engines import engine
from vagus_local.search_client import AdminClient
from vagus_local.waiting import until

NAME, ZONES, ROOM = "rolled", ("a", "b", "c"), "rolling_upgrade"
ROOMS: Mapping[str, Room] = {"zone_balance": ZONE_BALANCE, ROOM: ROLLING_UPGRADE}
SWEEP_SECONDS = 10.0
"""On AWS it is a minute: what is proved here does not hang on it."""
OURS = (
    "cluster.metadata.vagus.",
    "cluster.routing.allocation.enable",
    "cluster.routing.allocation.exclude",
    "cluster.routing.weighted.strict",
)


class DyingOnce(Meter):
    """The function that writes dies once before and once after each of its writes, of each kind of step that it does.

    `made`: each write that was tried, as (kind of step, call, which of its name in that act); `died`: those, with when.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[tuple[str, str, int], None] = {}
        self.died: dict[tuple[str, str, int, str], None] = {}
        self._act, self._so_far = "", Counter[str]()

    def begins(self, act: str) -> None:
        """A step of this kind is done now."""
        self._act, self._so_far = act, Counter()

    def around[T](self, name: str, call: Callable[[], T]) -> T:
        if not name.startswith("apply.") or reads(name):
            return call()
        self._so_far[name] += 1
        point = (self._act, name, self._so_far[name])
        self.made[point] = None
        if when := next((one for one in ("before", "after") if (*point, one) not in self.died), None):
            self.died[*point, when] = None
            if when == "after":
                call()
            raise Crash(name)
        return call()

    @property
    def left(self) -> list[tuple[str, str, int, str]]:
        """Where it could still die."""
        points = [(*point, when) for point in self.made for when in ("before", "after")]
        return [one for one in points if one not in self.died]


class Rolled:
    """Real nodes in three zones, and a Vagus that minds them: three managers with data, and as many data nodes a zone
    besides as `data` says. `runs`: the version at first; `wants`: what the fleet file says. `texts`: the
    pages that people got."""

    def __init__(
        self, folder: Path, *, runs: str = "3.4.0", wants: str = "3.4.0", data: int = 0, meter: Meter | None = None
    ) -> None:
        artifacts.resolve(engine(f"opensearch-{wants}"))
        said = {"path.repo": str(folder / "snapshots")}
        self.cluster = LocalCluster(
            name=NAME, zones=ZONES, engine=engine(f"opensearch-{runs}"), folder=folder, settings=said
        )
        self.runs, self._data = runs, data
        groups = {"core": NodeGroup(roles=("cluster_manager", "data"), per_zone=1)}
        if data:
            groups["data"] = NodeGroup(roles=("data",), per_zone=data)
        self.spec = ClusterSpec(
            name=NAME,
            cell="local",
            engine=Declared(name="opensearch", version=wants),
            zones=ZONES,
            groups=groups,
            zone_balance=ZoneBalance(mode="act"),
            rolling_upgrade=RollingUpgrade(mode="act", failures_in_a_row=1000, rejoin_seconds=600),
        )
        self.meter = meter or Meter()
        self.table, self.recorded = FakeTable(), FakeTable()
        self.machines, self.executions = FakeExecutions(), dict[str, Execution]()
        self.commands, self.parameters = Documents(self.cluster), NodeParameters(self.cluster)
        self.texts: list[str] = []
        self._swept = 0.0

    @contextmanager
    def running(self) -> Iterator["Rolled"]:
        """All nodes are up, and what Vagus notes in its first minutes is noted."""
        (self.cluster.folder / "snapshots").mkdir()
        try:
            with self.cluster:
                for zone in ZONES:
                    for _ in range(self._data):
                        self.cluster.add_node(zone, roles="data")
                self.cluster.wait_green()
                known = self.cluster.certificates
                self._owner = AdminClient(known, known.admin, lambda: self.cluster.addresses)
                self.world = RealSearch(self.cluster)
                self.groups = EndingGroups(self.world)
                for name, group in self.spec.groups.items():
                    for zone in ZONES:
                        self.groups.create(
                            self.spec.group_name(name, zone), cluster=NAME, zone=zone, roles=group.roles,
                            desired=group.per_zone,
                        )  # fmt: skip
                self.groups.events.clear()
                uuid = self.cluster.call("GET", "/")["cluster_uuid"]
                self.parameters.put("version", self.runs)
                told = {"identity": {"uuid": uuid}, "sizes": self.spec.sizes(), "version": {"version": self.runs}}
                self.table.write(rows.partition(NAME), *(Put(key=k, data=v, expected=0) for k, v in told.items()))
                yield self
        finally:
            self.commands.close()

    # -- people ------------------------------------------------------------------------------------------------------

    def application(self) -> AdminClient:
        known = self.cluster.certificates
        return AdminClient(known, known.application, lambda: self.cluster.addresses)

    def ask(self, intent: Intent) -> None:
        """As `vagus restart` and `vagus upgrade` do."""
        heads.open_intent(self.table, NAME, intent)
        self._start()

    def approve(self) -> None:
        plan = self.plan()
        assert isinstance(plan, Ask), plan
        steps = (*plan.steps, *plan.foreseen)
        given = people.approved(ROOM, steps, person="ada", now=time.time(), seconds=3600)
        people.approve(self.table, NAME, given)

    def stop(self) -> None:
        people.stop(self.table, NAME, ROOM, person="ada", why="an audit", now=time.time())

    def resume(self) -> None:
        people.resume(self.table, NAME, ROOM, now=time.time())
        self._start()

    def abort(self) -> None:
        (intent,) = (seen := self.seen()).intents_of(ROOM)
        noted = msgspec.structs.replace(intent.rolling or Rolling(), aborted="ada")
        row = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, rolling=noted))
        self.table.write(rows.partition(NAME), row)
        self._start()

    def _start(self) -> None:
        now = time.time()
        heads.ensure_running(self.table, self.machines, NAME, ROOM, now, records.iso(now))

    # -- what is seen ------------------------------------------------------------------------------------------------

    def seen(self) -> rows.Rows:
        return rows.read_shown(self.table, NAME)

    def plan(self, room: str = ROOM) -> Plan:
        """What a dry run shows."""
        return loop.plan_for(ROOMS[room], self._reads(), self.spec, rows.read(self.table, NAME), None, time.time())

    def versions(self) -> dict[str, str]:
        """By node, of those in the cluster."""
        return {one["name"]: one["version"] for one in self.owner("GET", "/_cat/nodes?format=json&h=name,version")}

    def processes(self) -> dict[str, str]:
        nodes = self.owner("GET", "/_cluster/state/nodes")["nodes"]
        return {node["name"]: node["ephemeral_id"] for node in nodes.values()}

    def starts(self) -> Counter[str]:
        """How often each node's service was started, by its own log."""
        told = {name: node.log.read_text(errors="replace") for name, node in self.cluster.nodes.items()}
        return Counter({name: log.count("Started vagus-search.service") for name, log in told.items()})

    def ours(self) -> list[str]:
        """Settings and weights of ours that are left."""
        flat = self.owner("GET", "/_cluster/settings?flat_settings=true")["persistent"]
        weights = self.owner("GET", "/_cluster/routing/awareness/zone/weights").get("weights", {})
        return [*(name for name in flat if name.startswith(OURS)), *(f"the weight of {zone}" for zone in weights)]

    def owner(self, method: str, path: str, body: Any = None) -> Any:
        """As the cluster's owner, on any node that answers."""
        return self._owner.call(method, path, body)

    def steps(self) -> list[tuple[str, str]]:
        """(kind, subject) of the steps that were begun, in order."""
        found = [
            row.data
            for partition in self.recorded.partitions()
            for row in self.recorded.read(partition).values()
            if row.data["phase"] == "intended"
        ]
        return [
            (str(one["step"]), str(one["subject"])) for one in sorted(found, key=lambda one: (one["at"], one["id"]))
        ]

    # -- time --------------------------------------------------------------------------------------------------------

    def until(self, holds: Callable[[], object], what: str, seconds: float = 600) -> None:
        """Vagus goes on until something holds. Raises `TimedOut`."""

        def turned() -> object:
            self._turn()
            return holds()

        until(turned, seconds, lambda: f"{what} (now: {self.seen().plans.get(ROOM, {})}; {self.steps()[-3:]})")

    def closed(self, intent: Intent) -> Callable[[], bool]:
        """Whether it is over, and its run has ended."""

        def over() -> bool:
            seen = self.seen()
            return intent.id in seen.closed and seen.head(ROOM).state == "idle"

        return over

    def _turn(self) -> None:
        now = time.time()
        for event in list(self.groups.events):
            machines = dict.fromkeys(ROOMS, self.machines)
            intake.take(event, {NAME: self.spec}, self.table, machines, now, records.iso(now), self.groups.groups_of)
            self.groups.events.remove(event)
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            executions = dict.fromkeys(ROOMS, self.machines)
            Sweep(
                reads=self._reads(), table=self.table, fleet={NAME: self.spec}, rooms=ROOMS, executions=executions
            ).run(now, records.iso(now))
        for name, payload in list(self.machines.started.items()):
            one = self.executions.setdefault(name, Execution(name, payload, self))
            if not one.ended and one.wakes <= time.time():
                one.go_on(time.time())
            self.texts += one.texts
            one.texts.clear()
            if one.ended:
                self.machines.end(name, one.ended)

    # -- the functions -----------------------------------------------------------------------------------------------

    def decide(self, call: Call) -> Answer:
        loop.awaited(self._reads(), self.spec, call)
        return loop.look_and_note(ROOMS[call.capability], self._reads(), self.spec, self.table, call, time.time())

    def apply(self, call: Call, step: AnyStep) -> Outcome:
        if isinstance(self.meter, DyingOnce):
            self.meter.begins(kind(step) if call.capability == ROOM else "")
        now, meter = time.time(), self.meter
        writes = Writes(
            spec=self.spec,
            groups=self.groups,
            search=wired(self.world.port, "apply.search", meter),
            parameters=wired(self.parameters, "apply.parameters", meter),
            commands=wired(self.commands, "apply.commands", meter),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(time.time),
            table=wired(self.table, "apply.table", meter),
            now=now,
            iso=records.iso(now),
        )
        table = wired(self.recorded, "apply.records", meter)
        book = Book(table=table, clock=time.time, new_id=lambda: secrets.token_hex(8))
        return loop.act(ROOMS[call.capability], writes, self.machines, book, call, step)

    def _reads(self) -> Reads:
        return Reads(
            groups=self.groups,
            search=lambda _: self.world.port,
            commands=lambda _: self.commands,
            handshakes=lambda _: FakeHandshakes(),
        )
