"""A whole Vagus on fakes: a fleet, AWS, a search cluster, and the four actors that may die at any call.

- intake takes events from a queue that delivers at least once,
- sweep and keeper run each minute,
- executions interpret the state machine's loop.

Nothing here is random, and nothing sleeps: the clock jumps to when something happens next.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from tests.unit.simulation.declared import Clock, spec
from tests.unit.simulation.execution import Execution
from tests.unit.simulation.oracle import JudgedGroups, Oracle
from tests.unit.simulation.ports import Crash, Meter, wired

from vagus import owned
from vagus.aws.fake import FakeCommands, FakeExecutions, FakeParameters, FakeServices, FakeTable
from vagus.aws.fake_certificates import FakeAuthorityKeys, FakeSecrets
from vagus.aws.fake_gateways import FakeImported
from vagus.errors import Conflict, Denied, Malformed
from vagus.fleet import ClusterSpec
from vagus.instances import LAUNCH_HOOK
from vagus.owned import SettingsUpdate
from vagus.plan import Ask, Plan
from vagus.ports import Put
from vagus.procedure import head as heads
from vagus.procedure import intake, keeper, loop, people, records, rows
from vagus.procedure.loop import Answer, Call, Outcome
from vagus.procedure.records import Book
from vagus.procedure.room import Reads, Room, Writes
from vagus.procedure.sweep import Sweep
from vagus.search.fake import FakeEngine
from vagus.search.fake_handshakes import FakeHandshakes
from vagus.steps import AnyStep
from vagus.zone_balance.room import ZONE_BALANCE

REDELIVERY = 30.0
"""Seconds after which the queue shows a message again that was not deleted."""
CALM = 11 * 60.0
"""Seconds without anything happening after which a world is at its end: more than two of the sweep's quiet spells."""


@dataclass
class Happening:
    """Something that people, or the weather, do: once, as soon as `when` holds."""

    name: str
    when: Callable[["World"], bool]
    do: Callable[["World"], None]


@dataclass
class World:
    """`crash_as`: what dies with a call of an execution: the function alone (Catch goes on), or all of it. `barren`:
    instances whose node never joins. `kinds`: those that the deployed definition has states for; an execution keeps
    what it began with (empty: it does not say)."""

    spec: ClusterSpec = field(default_factory=spec)
    meter: Meter = field(default_factory=Meter)
    crash_as: Literal["function", "execution"] = "function"
    events: Literal["once", "never"] = "once"
    replaces: Literal["at_once", "when_gone"] = "at_once"
    retains: bool = True
    second_hook: float = 0.0
    holds_launches: bool = True
    barren: set[str] = field(default_factory=set)
    replaces_early: bool = False
    lag: float = 0.0
    speed: float = 1000.0
    round_limit: int = loop.ROUNDS
    kinds: tuple[str, ...] = ()
    calm: float = CALM
    table: FakeTable = field(default_factory=FakeTable)
    machines: FakeExecutions = field(default_factory=FakeExecutions)
    rooms: Mapping[str, Room] = field(default_factory=lambda: {"zone_balance": ZONE_BALANCE})

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.records = FakeTable()
        self.parameters = FakeParameters()
        self.commands = FakeCommands(FakeServices(self.clock), self.clock)
        self.executions: dict[str, Execution] = {}
        self.queue: list[tuple[float, dict[str, Any]]] = []
        self.dead_letters: list[dict[str, Any]] = []
        self.happenings: list[Happening] = []
        self.delivered = 0
        self.pages: list[str] = []
        self.texts: list[str] = []
        self.unkept = False
        self.ids = 0
        self._build()
        self.next_minute = self.clock.now
        self.stir()

    def _build(self) -> None:
        eligible = [group.per_zone for group in self.spec.groups.values() if "cluster_manager" in group.roles]
        self.engine = FakeEngine(self.clock, managers=sum(eligible) * len(self.spec.zones), speed=self.speed)
        self.groups = JudgedGroups(self.clock, launch_seconds=20.0, end_seconds=10.0, lag=self.lag)
        self.groups.oracle = self.oracle = Oracle(
            self.engine, one_zone=self.spec.zone_balance.nowhere_to_go == "one_zone_at_a_time"
        )
        for kind in self.spec.groups:
            for zone in self.spec.zones:
                self._group(kind, zone)
        self.clock.now += 60.0
        for name, group in self.groups.existing().items():
            self.engine.start_node(name, group.zone, roles=group.roles, forced=self.spec.zones)
        for name, group in self.groups.existing().items():
            self.groups.complete(group.name, LAUNCH_HOOK, name, "CONTINUE")
        self.groups.completed.clear()
        self.groups.events.clear()
        aware = {"cluster.routing.allocation.awareness.attributes": "zone"}
        self.engine.update_settings(SettingsUpdate(persistent=aware))

    def _group(self, kind: str, zone: str, *, empty: bool = False) -> None:
        declared = self.spec.groups[kind]
        self.groups.create(
            self.spec.group_name(kind, zone),
            cluster=self.spec.name,
            zone=zone,
            desired=0 if empty else declared.per_zone,
            roles=declared.roles,
            retains=self.retains,
            replaces=self.replaces,
            second_hook=self.second_hook,
            launch_hook=LAUNCH_HOOK if self.holds_launches else None,
            replaces_early=self.replaces_early,
        )

    def deploy(self, changed: ClusterSpec) -> None:
        """A deploy of a changed fleet file: groups of new zones begin empty, those of old ones are retained."""
        before, self.spec = self.spec.zones, changed
        known = {*before, *(group.zone for group in self.groups.describe())}
        for kind in changed.groups:
            for zone in (zone for zone in changed.zones if zone not in known):
                self._group(kind, zone, empty=True)

    def known(self) -> "World":
        """As after Vagus' first minutes: identity and sizes are noted."""
        self.table.write(
            rows.partition(self.spec.name),
            Put(key="identity", data={"uuid": self.engine.uuid}, expected=0),
            Put(key="sizes", data=self.spec.sizes(), expected=0),
        )
        return self

    def when(self, name: str, when: Callable[["World"], bool], do: Callable[["World"], None]) -> "World":
        """Add a happening; each waits for those before it."""
        self.happenings.append(Happening(name, when, do))
        return self

    # -- time ----------------------------------------------------------------------------------------------------

    def run(self, hours: float = 8.0) -> "World":
        """Until nothing happens any more. Raises if that takes longer than `hours`."""
        end = self.clock.now + hours * 3600
        while not self.at_rest():
            self.step()
            if self.clock.now > end:
                raise AssertionError(f"no end after {hours} h: {self.summary()}\n{self.story()}")
        return self

    def at_rest(self) -> bool:
        """Nothing runs, nothing is queued, nobody has anything planned, and nothing stirred for a while."""
        running = any(not one.ended for one in self.executions.values())
        heads_now = [self.seen().head(name) for name in self.rooms]
        starts = any(one.state == "running" or one.not_before + self.calm > self.clock.now for one in heads_now)
        busy = running or starts or self.queue or self.happenings
        return not busy and self.clock.now - self.last_stir >= self.calm

    def step(self) -> None:
        """Everything that is due now, then the clock jumps to what is next."""
        self.sync()
        self._happen()
        self._deliver()
        if self.clock.now >= self.next_minute:
            self.next_minute += 60.0
            self._minute()
        self._executions()
        self._jump()

    def sync(self) -> None:
        """Instances that run have nodes; those that are gone have none."""
        existing = self.groups.existing()
        for name, group in existing.items():
            if name not in self.engine.machines and name not in self.barren:
                self.engine.start_node(name, group.zone, roles=group.roles, forced=self.spec.zones)
                self.stir()
        for name in [name for name in self.engine.machines if name not in existing]:
            self.engine.remove(name)
            self.stir()

    def stir(self) -> None:
        """Something happened: the world isn't at its end yet."""
        self.last_stir = self.clock.now
        self.calls_at_stir = len(self.meter.calls)

    def _jump(self) -> None:
        wakes = [one.wakes for one in self.executions.values() if not one.ended]
        shows = [at for at, _ in self.queue]
        coming = [at for at in (self.next_minute, *wakes, *shows, *self.wakes()) if at > self.clock.now]
        if all(at > self.clock.now for at in (*wakes, *shows)):
            self.clock.now = min(coming)

    def wakes(self) -> list[float]:
        """When else something happens by itself."""
        return []

    # -- the world's acts ----------------------------------------------------------------------------------------

    def _happen(self) -> None:
        while self.happenings and self.happenings[0].when(self):
            self.happenings.pop(0).do(self)
            self.sync()
            self.stir()

    def _deliver(self) -> None:
        fresh, self.groups.events[:] = list(self.groups.events), []
        if self.events == "once":
            self.queue += [(self.clock.now, event) for event in fresh]
        due = [item for item in self.queue if item[0] <= self.clock.now]
        self.queue = [item for item in self.queue if item[0] > self.clock.now]
        for _, event in due:
            self.take(event)

    def take(self, event: Any) -> None:
        """One delivery of one event to intake; a crash, or what is transient, shows it again later."""
        self.stir()
        self.meter.next_process()
        table = wired(self.table, "intake", self.meter)
        machines = wired(self.machines, "intake.executions", self.meter)
        try:
            intake.take(
                event,
                {self.spec.name: self.spec},
                table,
                dict.fromkeys(self.rooms, machines),
                self.clock.now,
                self.iso(),
                wired(self.groups, "intake.groups", self.meter).groups_of,
            )
            self.delivered += 1
        except Malformed:
            self.dead_letters.append(event)
        except (Crash, Conflict, Denied):
            self.queue.append((self.clock.now + REDELIVERY, event))

    def _minute(self) -> None:
        for actor in (self._keep, self._sweep):
            self.meter.next_process()
            try:
                actor()
            except (Crash, Denied):
                continue  # the next minute brings another one, and an alarm counts those that fail

    def _keep(self) -> None:
        if not self.unkept:
            keeper.keep(wired(self.groups, "keeper.groups", self.meter), lambda *_: None)

    def _sweep(self) -> None:
        sweep = Sweep(
            reads=self._reads("sweep"),
            table=wired(self.table, "sweep.table", self.meter),
            fleet={self.spec.name: self.spec},
            rooms=self.rooms,
            executions=dict.fromkeys(self.rooms, wired(self.machines, "sweep.executions", self.meter)),
            seconds=math.inf,
            look_seconds=math.inf,
        )
        swept = sweep.run(self.clock.now, self.iso())
        if any(one.result in ("started", "failed") for one in swept):
            self.stir()

    # -- executions ----------------------------------------------------------------------------------------------

    def _executions(self) -> None:
        for name, payload in list(self.machines.started.items()):
            if name not in self.executions and payload["cluster"] == self.spec.name:
                call = {**payload, "round_limit": payload.get("round_limit", self.round_limit), "kinds": self.kinds}
                self.executions[name] = Execution(name, call, self, wakes=self.clock.now)
        for one in self.executions.values():
            self._go_on(one)

    def _go_on(self, one: Execution) -> None:
        while not one.ended and one.wakes <= self.clock.now and self.machines.status(one.name) == "RUNNING":
            self.stir()
            crashes = len(self.meter.calls)
            one.go_on(self.clock.now)
            if self.crash_as == "execution" and self._crashed_since(crashes):
                one.ended = "TIMED_OUT"
            if one.ended:
                self.machines.end(one.name, one.ended)
            self.sync()
            self._happen()
            self.pages += one.pages
            self.texts += one.texts
            one.pages.clear()
            one.texts.clear()

    def _crashed_since(self, calls: int) -> bool:
        return any(calls <= at < len(self.meter.calls) for at in self.meter.crashes)

    def stop(self, name: str) -> None:
        """A person presses Stop in the console: no Catch runs."""
        self.executions[name].ended = "ABORTED"
        self.machines.end(name, "ABORTED")

    # -- people --------------------------------------------------------------------------------------------------

    def shown(self, capability: str = "zone_balance") -> Plan:
        """What a person who asks for a dry run is shown."""
        reads = Reads(
            groups=self.groups,
            search=lambda _: self.engine,
            commands=lambda _: self.commands,
            handshakes=lambda _: FakeHandshakes(),
        )
        return loop.plan_for(self.rooms[capability], reads, self.spec, self.seen(), None, self.clock.now)

    def approve(self, seconds: float, capability: str = "zone_balance") -> None:
        """A person approves what is asked for."""
        plan = self.shown(capability)
        assert isinstance(plan, Ask)
        steps = (*plan.steps, *plan.foreseen)
        given = people.approved(capability, steps, person="ada", now=self.clock.now, seconds=seconds)
        people.approve(self.table, self.spec.name, given)

    def halt(self, capability: str = "zone_balance") -> None:
        """`vagus stop`."""
        people.stop(self.table, self.spec.name, capability, person="ada", why="an audit", now=self.clock.now)

    def resume(self, capability: str = "zone_balance") -> None:
        """`vagus resume`."""
        people.resume(self.table, self.spec.name, capability, now=self.clock.now)
        heads.ensure_running(self.table, self.machines, self.spec.name, capability, self.clock.now, self.iso())

    def decide(self, call: Call) -> Answer:
        """The function that decides."""
        self.meter.next_process()
        table = wired(self.table, "decide.table", self.meter)
        room = self.rooms[call.capability]
        loop.awaited(self._reads("decide"), self.spec, call)
        return loop.look_and_note(room, self._reads("decide"), self.spec, table, call, self.clock.now)

    def apply(self, call: Call, step: AnyStep) -> Outcome:
        """The function that writes."""
        self.meter.next_process()
        table = wired(self.table, "apply.table", self.meter)
        writes = Writes(
            spec=self.spec,
            groups=wired(self.groups, "apply.groups", self.meter),
            search=wired(self.engine, "apply.search", self.meter),
            parameters=wired(self.parameters, "apply.parameters", self.meter),
            commands=wired(self.commands, "apply.commands", self.meter),
            handshakes=FakeHandshakes(),
            authority_keys=FakeAuthorityKeys(),
            secrets=FakeSecrets(),
            imported=FakeImported(self.clock),
            table=table,
            now=self.clock.now,
            iso=self.iso(),
        )
        machines = wired(self.machines, "apply.executions", self.meter)
        book = Book(table=wired(self.records, "apply.records", self.meter), clock=self.clock, new_id=self._new_id)
        return loop.act(self.rooms[call.capability], writes, machines, book, call, step)

    def _reads(self, actor: str) -> Reads:
        search = wired(self.engine, f"{actor}.search", self.meter)
        commands = wired(self.commands, f"{actor}.commands", self.meter)
        return Reads(
            groups=wired(self.groups, f"{actor}.groups", self.meter),
            search=lambda _: search,
            commands=lambda _: commands,
            handshakes=lambda _: FakeHandshakes(),
        )

    def _new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:08d}"

    # -- what is to be seen --------------------------------------------------------------------------------------

    def iso(self) -> str:
        """Now, as rows have it."""
        return records.iso(self.clock.now)

    def seen(self) -> rows.Rows:
        """All rows of the cluster."""
        return rows.read_shown(self.table, self.spec.name)

    def head(self) -> rows.Head:
        """zone_balance's head row."""
        return self.seen().head("zone_balance")

    def instances(self, lifecycle: str = "InService") -> list[str]:
        """Instances in that state, in the order of groups."""
        found = (one for group in self.groups.describe() for one in group.instances)
        return [one.id for one in found if one.lifecycle == lifecycle]

    def excluded(self) -> frozenset[str]:
        """Every name that allocation is told to keep off."""
        return owned.names(self.engine.persistent.get(owned.EXCLUDE)) | owned.names(
            self.engine.transient.get(owned.EXCLUDE)
        )

    def summary(self) -> dict[str, Any]:
        """What a run leaves behind: the same, wherever it was interrupted."""
        seen = self.seen()
        lease = seen.lease("topology")
        return {
            "persistent": self.engine.persistent,
            "votes taken": self.engine.votes_taken,
            "transient": self.engine.transient,
            "status": self.engine.look().status if self.engine.has_manager() else "no manager",
            "head": (seen.head("zone_balance").state, seen.head("zone_balance").reason),
            "lease": "free" if not lease.holder or lease.expires <= self.clock.now else lease.holder,
            "open": sorted(intent.id for intent in seen.intents),
            # by instance: an end that is told before its beginning is judged for itself as well
            "closed": sorted({name[name.find("i-") :] if "i-" in name else name for name in seen.closed}),
            "waiting": self.instances("Terminating:Wait"),
            "retained": self.instances("Terminating:Retained"),
            "coming": self.instances("Pending:Wait"),
            "suspended": [group.name for group in self.groups.describe() if group.suspended],
            "marks": sorted(seen.launches.marks),
            "sizes": {group.name: (group.desired, len(group.instances)) for group in self.groups.describe()},
            "gone": sorted(self.oracle.let_go),
            "identity": seen.identity,
            "parameters": self.parameters.values,
        }

    def story(self) -> str:
        """What happened, for a failing test."""
        plans = rows.read_shown(self.table, self.spec.name).plans.get("zone_balance", {})
        tail = "\n".join(self.meter.calls[-15:])
        runs = "\n".join(f"{one.name}: {one.ended or 'runs'}: {one.states[-12:]}" for one in self.executions.values())
        return f"plan {msgspec.json.encode(plans).decode()[:600]}\n{runs}\n{tail}\nhappenings left: {self.happenings}"
