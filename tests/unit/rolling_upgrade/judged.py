"""A rolling world that keeps its own account of what is down by us and what by fate, and judges each stop by it.

It shares no code with `vagus.rolling_upgrade`: it reads the simulated engine's truth.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.unit.rolling_upgrade.world import ROOM, VERSION, Broken, RollingWorld

from vagus import owned
from vagus.cluster import Copy
from vagus.instances import Group

ENABLE = "cluster.routing.allocation.enable"


@dataclass(frozen=True)
class Stopped:
    """What a node was stopped for, and the shards of which it held an active copy."""

    intent: str
    held: frozenset[tuple[str, int]]


@dataclass
class JudgedWorld(RollingWorld):
    """`ours`: nodes that are down because a restart stopped them."""

    ours: dict[str, Stopped] = field(default_factory=dict)

    # -- judged ------------------------------------------------------------------------------------------------------

    def _judge(self, instance: str) -> None:
        if not self.engine.machines[instance].up:
            return
        intents = {one.id for one in self.seen().intents_of(ROOM)}
        if not intents:
            raise Broken(f"{instance} was stopped, and nobody asks for a restart")
        held = frozenset(copy.id for copy in self._active() if copy.node == instance)
        down = {name: one for name, one in self.ours.items() if one.intent in intents}
        down[instance] = Stopped(min(intents), held)
        self._one_zone(down)
        self._no_shard_twice(down)
        self._a_copy_of_each_stays(instance)
        self._a_majority_stays(instance)
        self._none_goes_back(instance)
        self.ours[instance] = down[instance]

    def _one_zone(self, down: Iterable[str]) -> None:
        zones = {self.engine.machines[name].zone for name in down}
        if len(zones) > 1:
            raise Broken(f"{sorted(down)} are down by us, and in {len(zones)} zones")

    def _no_shard_twice(self, down: Mapping[str, Stopped]) -> None:
        """The nodes that are down by us held copies of different shards (but of indices with a copy on every node)."""
        spread = self.engine.shards.expanding()
        held = [shard for one in down.values() for shard in one.held if shard[0] not in spread]
        if twice := {shard for shard in held if held.count(shard) > 1}:
            raise Broken(f"{sorted(down)} are down by us, and held two copies of {twice}")

    def _a_copy_of_each_stays(self, instance: str) -> None:
        there = [copy for copy in self._active() if copy.index not in self.accepted]
        if missing := {copy.id for copy in there} - {copy.id for copy in there if copy.node != instance}:
            raise Broken(f"{instance} was stopped with the only active copy of {missing}")

    def _a_majority_stays(self, instance: str) -> None:
        voters, up = set(self.engine.voters), {one.name for one in self.engine.up()} - {instance}
        if instance in voters and len(up & voters) * 2 <= len(voters):
            raise Broken(f"{instance} was stopped, and no majority of {voters} is left")

    def _active(self) -> list[Copy]:
        self.engine.settle()
        return [copy for copy in self.engine.shards.copies() if copy.active]

    # -- time --------------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Instances that are launched bring the version that the parameter says."""
        for name, group in self._launched():
            self.engine.start_node(
                name, group.zone, roles=group.roles, version=self.parameters.values[VERSION], forced=self.spec.zones
            )
            self.stir()
        super().sync()
        up = {one.name for one in self.engine.up()}
        self.ours = {name: why for name, why in self.ours.items() if name in self.engine.machines and name not in up}

    def _launched(self) -> Iterator[tuple[str, Group]]:
        if VERSION in self.parameters.values:
            for name, group in self.groups.existing().items():
                if name not in self.engine.machines:
                    yield name, group

    # -- what is left ------------------------------------------------------------------------------------------------

    def left_behind(self) -> list[str]:
        """Settings and marks of ours, intents, leases and suspended processes."""
        seen, layers = self.seen(), {**self.engine.persistent, **self.engine.transient}
        found = [name for name in layers if name.startswith("cluster.metadata.vagus") and name != owned.TOKEN]
        found += [name for name in (ENABLE, owned.EXCLUDE) if name in layers]
        found += [intent.id for intent in seen.intents]
        found += [
            f"lease of {one.holder}" for one in seen.leases.values() if one.holder and one.expires > self.clock.now
        ]
        found += [f"{group.name} does not launch" for group in self.groups.describe() if group.suspended]
        found += [f"weights {dict(self.engine.zone_weights.zones)}"] if self.engine.zone_weights.zones else []
        return found + [f"the vote of {name}" for name in self.engine.votes_taken]
