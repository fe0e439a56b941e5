"""A simulated world whose nodes can be restarted: each restart takes its time, and brings the version that it is told.

It asserts, at each moment at which a node stops, what must never be broken: a majority of the voters, an active copy of
every shard that had one (but of indices that a person let be away), one zone at a time, no more nodes than go together,
and no node that would start as an older version than it runs. A node that has joined, but does not serve yet, is away.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.unit.simulation.declared import spec
from tests.unit.simulation.ports import Meter
from tests.unit.simulation.world import World

from vagus.aws.fake import FakeCommands
from vagus.fleet import ClusterSpec, Engine
from vagus.intent import Intent
from vagus.policy import Mode, RollingUpgrade
from vagus.ports import Put
from vagus.procedure import head as heads
from vagus.procedure import rows
from vagus.rolling_upgrade.observed import rolling
from vagus.rolling_upgrade.room import ROLLING_UPGRADE
from vagus.zone_balance.room import ZONE_BALANCE

BOOT_SECONDS = 30.0
CLOSED_SECONDS = 15.0
"""How long after a node has joined its port stays closed."""
VERSION = "/vagus/claims/node/version"
ROOM = "rolling_upgrade"


class Broken(AssertionError):
    """A node was stopped that should not have been."""


def declared(*, version: str = "3.4.0", mode: Mode = "act", batch: int = 1, **options: Any) -> ClusterSpec:
    """Six nodes in three zones, unless said otherwise."""
    return msgspec.structs.replace(
        spec(**options),
        engine=Engine(version=version),
        rolling_upgrade=RollingUpgrade(mode=mode, batch=batch, rejoin_seconds=300),
    )


@dataclass
class RollingWorld(World):
    """`runs`: the version that its nodes ran at first. `spoilt`: versions whose archive nobody can start with;
    `stages`: which node brought and checked which; `spared`: of each stop, whether searches were led away before;
    `unregistered`: nodes of which SSM refuses commands."""

    spec: ClusterSpec = field(default_factory=declared)
    runs: str = "3.4.0"

    def __post_init__(self) -> None:
        self.rooms = {"zone_balance": ZONE_BALANCE, ROOM: ROLLING_UPGRADE}
        self.booting: dict[str, float] = {}
        self.opening: dict[str, float] = {}
        self.broken: set[str] = set()
        self.accepted: frozenset[str] = frozenset()
        self.restarts: list[str] = []
        self.spoilt: set[str] = set()
        self.unregistered: set[str] = set()
        self.stages: list[tuple[str, str]] = []
        self.spared: list[bool] = []
        super().__post_init__()
        self.commands = FakeCommands(self, self.clock)
        for machine in self.engine.machines.values():
            machine.version = self.runs
        self.parameters.values[VERSION] = self.runs
        self.engine.newest_snapshot = self.clock.now
        self.engine.create_index("notes", shards=3, replicas=1, size=5000)
        self.table.write(
            rows.partition(self.spec.name),
            Put(key="identity", data={"uuid": self.engine.uuid}, expected=0),
            Put(key="sizes", data=self.spec.sizes(), expected=0),
            Put(key="version", data={"version": self.runs}, expected=0),
        )

    # -- services, as commands find them -------------------------------------------------------------------------------

    def started(self, instance: str) -> int | None:
        machine = self.engine.machines.get(instance)
        return None if machine is None or instance in self.unregistered else machine.started

    def active(self, instance: str) -> bool:
        return instance in self.booting or self.engine.machines[instance].up

    def start(self, instance: str) -> bool:
        if instance in self.broken:
            return False
        self.engine.machines[instance].started = int(self.clock.now * 1000)
        self.booting[instance] = self.clock.now + BOOT_SECONDS
        self.opening[instance] = self.booting[instance] + CLOSED_SECONDS
        self.commands.closed.add(instance)
        return True

    def stage(self, instance: str, version: str) -> bool:
        self.stages.append((instance, version))
        return version not in self.spoilt

    def stop_service(self, instance: str) -> None:
        self._judge(instance)
        self.restarts.append(instance)
        self.spared.append(self.engine.zone_weights.zones.get(self.engine.machines[instance].zone) == 0)
        self.booting.pop(instance, None)
        self.engine.crash(instance)

    def _none_goes_back(self, instance: str) -> None:
        runs, brings = self.engine.machines[instance].version, self.parameters.values[VERSION]
        if _numbers(brings) < _numbers(runs):
            raise Broken(f"{instance} was stopped, runs {runs} and would start as {brings}")
        if brings != runs and not any(rolling(one).version for one in self.seen().intents_of(ROOM)):
            raise Broken(f"{instance} was stopped by a restart, runs {runs} and would start as {brings}")

    def _judge(self, instance: str) -> None:
        self._none_goes_back(instance)
        before = self.engine.look()
        away = [one for one in self.engine.machines.values() if not one.up or one.name in {instance, *self.opening}]
        if len({one.zone for one in away}) > 1:
            raise Broken(f"{instance} was stopped while another zone had a node away")
        if len(away) > self.spec.rolling_upgrade.batch:
            raise Broken(f"{instance} was stopped, and so many are away: {sorted(one.name for one in away)}")
        held = {copy.id for copy in before.copies if copy.active and copy.index not in self.accepted}
        left = {copy.id for copy in before.copies if copy.active and copy.node != instance}
        if missing := held - left:
            raise Broken(f"{instance} was stopped with the only active copy of {missing}")
        up = {one.name for one in self.engine.up()} - {instance}
        if len(up & set(self.engine.voters)) * 2 <= len(self.engine.voters):
            raise Broken(f"{instance} was stopped, and no majority is left")

    def stop(self, name: str) -> None:
        """A service of an instance, or an execution (a person presses Stop in the console)."""
        if name in self.executions:
            super().stop(name)
        else:
            self.stop_service(name)

    # -- time --------------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        for name, due in list(self.booting.items()):
            if due <= self.clock.now and name in self.engine.machines:
                del self.booting[name]
                machine, brings = self.engine.machines[name], self.parameters.values[VERSION]
                if _numbers(brings) < _numbers(machine.version):
                    raise Broken(f"{name} ran {machine.version} and starts as {brings}")
                machine.version = brings
                self.engine.start_node(name, machine.zone, version=machine.version)
                self.stir()
        for name, due in list(self.opening.items()):
            if due <= self.clock.now:
                del self.opening[name]
                self.commands.closed.discard(name)
                self.stir()
        super().sync()

    def wakes(self) -> list[float]:
        return [at for at in (*self.booting.values(), *self.opening.values()) if at > self.clock.now]

    def ask(self, intent: Intent) -> None:
        """A person asks for a restart or an upgrade."""
        heads.open_intent(self.table, self.spec.name, intent)
        heads.ensure_running(self.table, self.machines, self.spec.name, ROOM, self.clock.now, self.iso())

    def processes(self) -> dict[str, str]:
        return {node.name: node.ephemeral_id for node in self.engine.look().nodes}

    def done(self) -> "RollingWorld":
        """The same, at its end."""
        self.run()
        return self

    def reason(self) -> str:
        return self.seen().head(ROOM).reason

    def summary(self) -> dict[str, Any]:
        seen = self.seen()
        found = super().summary()
        found["head"] = (seen.head(ROOM).state, seen.head(ROOM).reason)
        found["closed"] = sorted(seen.closed)
        found["weights"] = dict(self.engine.zone_weights.zones)
        found["versions"] = sorted({machine.version for machine in self.engine.machines.values()})
        found["restarted"] = {name: self.restarts.count(name) for name in self.engine.machines}
        return found


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def world(**options: Any) -> RollingWorld:
    """`crashes` and the like as the simulation has them."""
    return RollingWorld(**{"meter": Meter(), **options})
