"""A simulated search cluster, as `ports.SearchWrite` and as a world to be moved about.

It does what a drain depends on: copies of a shard never share a node, forced awareness spreads them over zones,
exclusions drive started copies away, bytes take time, disks have watermarks, a node that dies leaves its stores on
its disk, a primary comes back only from an in-sync store, a manager needs a majority of the voters, settings are one
all-or-nothing update. It does not rebalance for balance's sake.

Time passes only as the clock says; every call first lets happen what was due by then.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from fnmatch import fnmatchcase

from vagus.allocation import FORCED
from vagus.cluster import Awaited, Cluster, Node, Placement, ShardMove
from vagus.errors import Denied, Refused, Unreachable
from vagus.owned import SettingsUpdate
from vagus.owned_values import Settings
from vagus.search.fake_copies import Machine, Rules
from vagus.search.fake_shards import Shards
from vagus.snapshots import Snapshots
from vagus.weights import Weighing, Weights

Clock = Callable[[], float]

ROLES = ("cluster_manager", "data")
KNOWN_SETTINGS = ("cluster.routing.*", "cluster.metadata.*", "cluster.blocks.*", "search.*", "indices.recovery.*")


class FakeEngine:
    """One cluster. `speed`: bytes a second that one recovery moves; `delayed`: seconds before a lost replica is
    rebuilt (`index.unassigned.node_left.delayed_timeout`); `managers`: declared ones, of which more than half must
    have joined before a cluster forms."""

    def __init__(
        self, clock: Clock, *, uuid: str = "uuid-1", speed: float = 1000.0, delayed: float = 0.0, managers: int = 1
    ) -> None:
        self._clock = clock
        self._managers = managers
        self._form_as = uuid
        self.uuid = "_na_"
        self.machines: dict[str, Machine] = {}
        self.shards = Shards(speed=speed, delayed=delayed)
        self.persistent: dict[str, str] = {}
        self.transient: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.denied: str = ""
        self.unreachable = False
        self.flushed: list[tuple[str, ...]] = []
        self.updates: list[SettingsUpdate] = []
        self.reroutes: list[tuple[ShardMove, ...]] = []
        self.queries = 0
        self.query_ms = 0
        self.running_snapshots: dict[str, frozenset[tuple[str, int]]] = {}
        self.newest_snapshot: float | None = None
        self.created: dict[str, int] = {}
        self.voters: tuple[str, ...] = ()
        self.votes_taken: list[str] = []
        self.zone_weights = Weights()
        self._settled_at: float | None = None

    # -- the world's side ----------------------------------------------------------------------------------------

    def start_node(
        self,
        name: str,
        zone: str,
        *,
        roles: Sequence[str] = ROLES,
        disk: int = 1_000_000,
        version: str = "3.4.0",
        forced: Sequence[str] | None = None,
    ) -> None:
        """A node starts: on its old disk if it had one, else on an empty disk of `disk` bytes. `forced`: the zones that
        its configuration file forces copies over, as long as no setting says otherwise (`None`: those of before)."""
        self.settle()
        machine = self.machines.get(name) or Machine(name, zone, tuple(roles), disk, version)
        machine.up = True
        machine.starts += 1
        machine.forced = machine.forced if forced is None else tuple(forced)
        machine.started = int(self._clock() * 1000)
        self.machines[name] = machine
        self._form_and_elect()
        self._changed()

    def crash(self, name: str) -> None:
        """A node's process dies; its disk stays."""
        self.settle()
        if self.machines[name].up:
            self.machines[name].up = False
            self.shards.node_left(name, self._clock(), self.machines)
        self._form_and_elect()
        self._changed()

    def remove(self, name: str) -> None:
        """An instance is gone with its disk."""
        self.crash(name)
        del self.machines[name]
        self.shards.disk_gone(name)
        self._changed()

    def create_index(
        self, name: str, *, shards: int = 1, replicas: int = 1, size: int = 1000, expands: bool = False
    ) -> None:
        """An index, its primaries placed on the emptiest legal nodes; `size`: bytes of each copy. `expands`: with a
        copy on every data node, as the security plugin's own index has it."""
        self.settle()
        for number in range(shards):
            self.shards.create(name, number, replicas=replicas, size=size, expands=expands)
        self.created[name] = min((_made_by(one.version) for one in self.machines.values()), default=_made_by("3.4.0"))
        self._changed()

    def delete_index(self, name: str) -> None:
        """A person gives an index up."""
        self.settle()
        self.shards.delete(name)
        del self.created[name]
        self._changed()

    def exhaust(self, index: str, shard: int, node: str) -> None:
        """A copy fails on its node and its retries are used up: unassigned, while its store stays on the disk."""
        self.settle()
        self.shards.exhaust(index, shard, node, self.machines)
        self._changed()

    def settle(self) -> None:
        """Let happen what is due by now, in the order of time."""
        now = self._clock()
        if now != self._settled_at and self.has_manager():
            self.shards.advance(self._rules(), now)
        self._settled_at = now

    def _changed(self) -> None:
        self._settled_at = None
        self.settle()

    def has_manager(self) -> bool:
        """Whether the cluster has formed and a majority of its voters is up."""
        up = [name for name in self.voters if name in self.machines and self.machines[name].up]
        return self.uuid != "_na_" and len(up) * 2 > len(self.voters)

    def up(self) -> list[Machine]:
        """Nodes whose process runs."""
        return [one for one in self.machines.values() if one.up]

    def could_take(self, index: str, shard: int) -> list[str]:
        """Nodes that may take one more copy of a shard."""
        self.settle()
        rules = self._rules()
        return [name for name, one in rules.nodes.items() if not self.shards.why_not(rules, index, shard, None, one)]

    # -- the port ------------------------------------------------------------------------------------------------

    def look(self) -> Cluster:
        """One whole look."""
        self._answers("cluster:monitor/state")
        copies = self.shards.copies()
        return Cluster(
            uuid=self.uuid,
            status=self.shards.status(),
            nodes=tuple(self._node(machine) for machine in self.up()),
            copies=tuple(copy for copy in copies if copy.index not in self.hidden),
            manager=next((name for name in self.voters if self._is_up(name)), ""),
            persistent=dict(self.persistent),
            transient=dict(self.transient),
            defaults={FORCED: ",".join(self._configured())},
            visible_indices=len({copy.index for copy in copies} - self.hidden),
            counted_indices=len({copy.index for copy in copies}),
            stores=tuple(name for name in self.shards.stores_of_unassigned() if self._is_up(name)),
            voters=self.voters,
            voting_exclusions=tuple(sorted(self.votes_taken)),
            auto_expanding=self.shards.expanding(),
            created={index: made for index, made in self.created.items() if index not in self.hidden},
        )

    def awaited(self, wanted: Awaited, seconds: int) -> bool:  # noqa: ARG002  (it does not wait)
        """Time passes only as the clock says: whether it is so already."""
        cluster = self.look()
        return len(cluster.nodes) >= wanted.nodes and (not wanted.green or cluster.status == "green")

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        """Why the copy does not move: one line per node."""
        self._answers("cluster:monitor/allocation/explain")
        copy = next(
            (one for one in self.shards.copies() if one.id == (index, shard) and one.primary == primary),
            None,
        )
        if copy is None:
            raise Refused(f"{index}[{shard}]: no such shard")
        rules = self._rules()
        words = ((one.name, self.shards.why_not(rules, index, shard, node or copy.node, one)) for one in self.up())
        lines = (f"{name}: {why}" for name, why in words if why)
        return "\n".join(sorted(lines, key=lambda line: (len(line), line)))

    def placement(self) -> Placement:
        """What decides where shards may stand."""
        self._answers("cluster:monitor/state")
        return Placement(
            ids={one.name: one.name for one in self.up()},
            attributes={one.name: {"zone": one.zone} for one in self.up()},
            settings={**self.persistent, **self.transient},
            snapshots=frozenset().union(*self.running_snapshots.values()),
            queries=self.queries,
            query_ms=self.query_ms,
        )

    def reroute(self, moves: Sequence[ShardMove], *, dry_run: bool) -> tuple[str, ...]:
        """These moves in one request: all of them, or with `Refused` none."""
        self._answers("cluster:admin/reroute")
        shards = deepcopy(self.shards) if dry_run else self.shards
        before = None if dry_run else deepcopy(self.shards)
        refused = shards.reroute(self._rules(), moves, self._clock())
        if dry_run:
            return refused
        if refused:
            self.shards = before or self.shards
            raise Refused(refused[0])
        self.reroutes.append(tuple(moves))
        self._changed()
        return ()

    def snapshots(self, *, newest: bool) -> Snapshots:
        """As the test says they are."""
        self._answers("cluster:monitor/state")
        return Snapshots(running=tuple(self.running_snapshots), newest=self.newest_snapshot if newest else None)

    def weights(self) -> Weights | None:
        """How searches are shared among zones."""
        self._answers("cluster:admin/routing/awareness/weights/get")
        self._aware()
        return self.zone_weights

    def _aware(self) -> None:
        settings = self.persistent | self.transient
        if "zone" not in _items(settings.get("cluster.routing.allocation.awareness.attributes")):
            raise Refused("invalid awareness attribute zone requested for weighted routing")

    def weigh(self, weighing: Weighing) -> None:
        """Set or take away, if the version is still the same: every zone needs a weight, at most half of them none."""
        self._answers(f"cluster:admin/routing/awareness/weights/{'put' if weighing.zones else 'delete'}")
        self._aware()
        if weighing.version != self.zone_weights.version:
            raise Refused(f"requested version is {weighing.version}, and the weights are at a different version")
        known = {one.zone for one in self.up()} | set(_items(self.persistent.get(FORCED))) | set(self._configured())
        weights = {zone: float(weight) for zone, weight in weighing.zones.items()}
        if missing := known - set(weights) if weights else set():
            raise Refused(f"weight for {sorted(missing)} is not set")
        if list(weights.values()).count(0.0) * 2 > len(weights):
            raise Refused("There are too many attribute values given zero weight")
        if not weights and not self.zone_weights.zones:
            raise Refused("weighted routing metadata does not have weights set for awareness attribute zone")
        self.zone_weights = Weights(zones=weights, version=self.zone_weights.version + 1)

    def update_settings(self, update: SettingsUpdate) -> None:
        """One cluster-state update; an unknown name, or a value that can't be, changes nothing."""
        self._answers("cluster:admin/settings/update")
        for name, value in (*update.persistent.items(), *update.transient.items()):
            if not any(fnmatchcase(name, known) for known in KNOWN_SETTINGS):
                raise Refused(f"transient or persistent setting [{name}], not recognized")
            if value is not None and name.endswith(".exclude._ip") and not value.replace(".", "").isdigit():
                raise Refused(f"invalid IP address [{value}] for [{name}]")
        _set(self.persistent, update.persistent)
        _set(self.transient, update.transient)
        self.updates.append(update)
        self._changed()

    def take_vote(self, node: str) -> None:
        """Exclude a node from voting: the others' votes decide from then on, if they are a majority by themselves."""
        self._answers("cluster:admin/voting_config/add_exclusions")
        if node not in self.votes_taken:
            self.votes_taken.append(node)
        self._form_and_elect()
        if node in self.voters:
            raise Unreachable(f"timed out waiting for voting config exclusions {{{node}}} to take effect")

    def clear_votes_taken(self, *, gone: bool) -> None:
        """Clear every voting exclusion."""
        self._answers("cluster:admin/voting_config/clear_exclusions")
        if gone and (there := [name for name in self.votes_taken if self._is_up(name)]):
            raise Unreachable(f"timed out waiting for removal of nodes; {there} is still there")
        self.votes_taken.clear()
        self._form_and_elect()

    def set_replicas(self, indices: Sequence[str], replicas: int) -> None:
        """Copies come or go at once; where those that come stand is for allocation."""
        self._answers("indices:admin/settings/update")
        for index in indices:
            self.shards.set_replicas(index, replicas)
        self._changed()

    def flush(self, indices: Sequence[str]) -> None:
        """Flush these indices; one that is gone meanwhile has nothing to flush."""
        self._answers("indices:admin/flush")
        self.flushed.append(tuple(indices))

    # -- how things are ------------------------------------------------------------------------------------------

    def _answers(self, action: str) -> None:
        self.settle()
        if self.unreachable or not self.up():
            raise Unreachable("no node answered")
        if self.denied == action:
            raise Denied(action, "no permissions")
        if not self.has_manager():
            raise Unreachable("cluster_manager_not_discovered_exception")

    def _is_up(self, name: str) -> bool:
        return name in self.machines and self.machines[name].up

    def _node(self, machine: Machine) -> Node:
        return Node(
            name=machine.name,
            zone=machine.zone,
            address="127.0.0.1",
            roles=machine.roles,
            version=machine.version,
            ephemeral_id=f"{machine.name}-{machine.starts}",
            forced=machine.forced,
            started=machine.started,
            disk_total=machine.disk,
            disk_free=machine.disk - self.shards.used(machine.name),
            heap=machine.heap,
        )

    def _form_and_elect(self) -> None:
        """Form once; then the voters follow the managers that are there, as the engine's `Reconfigurator` has it."""
        eligible = [one.name for one in self.up() if one.manager]
        if self.uuid == "_na_":
            if len(eligible) * 2 <= self._managers:
                return
            self.uuid, self.voters = self._form_as, tuple(eligible)
        while self.has_manager() and self._reconfigured([name for name in eligible if name not in self.votes_taken]):
            pass  # each change of the voters is looked at again

    def _reconfigured(self, live: list[str]) -> bool:
        """An odd number of live ones, those that vote already first; three at least where three voted, dead ones among
        them if need be. A vote that was taken never counts. Nothing changes that would leave no majority."""
        kept = [name for name in self.voters if name in live]
        dead = [name for name in self.voters if name not in live and name not in self.votes_taken]
        candidates = [*kept, *(name for name in live if name not in kept), *dead]
        least = 1 if len(self.voters) < 3 else 3
        chosen = candidates[: max(len(live) - (len(live) % 2 == 0), least)]
        if set(chosen) == set(self.voters) or len(set(chosen) & set(live)) * 2 <= len(chosen):
            return False
        self.voters = tuple(chosen)
        return True

    def _configured(self) -> tuple[str, ...]:
        """The zones of the elected manager's configuration file."""
        elected = next((name for name in self.voters if self._is_up(name)), None)
        return self.machines[elected].forced if elected else ()

    def _rules(self) -> Rules:
        settings = self.persistent | self.transient
        prefix = "cluster.routing.allocation"
        aware = "zone" in _items(settings.get(f"{prefix}.awareness.attributes"))
        zones = {one.zone for one in self.up() if one.data}
        zones |= set(_items(settings.get(FORCED) or ",".join(self._configured())))
        excluded = _items(settings.get(f"{prefix}.exclude._name"))
        return Rules(
            nodes={one.name: one for one in self.up() if one.data},
            zones=frozenset(zones) if aware else frozenset(),
            excluded=frozenset(one.name for one in self.up() if any(fnmatchcase(one.name, name) for name in excluded)),
            enabled=settings.get(f"{prefix}.enable", "all"),
            threshold=settings.get(f"{prefix}.disk.threshold_enabled", "true") == "true",
            low=_used(settings.get(f"{prefix}.disk.watermark.low", "85%")),
            high=_used(settings.get(f"{prefix}.disk.watermark.high", "90%")),
        )


def _set(layer: dict[str, str], values: Settings) -> None:
    for name, value in values.items():
        if value is None:
            layer.pop(name, None)
        else:
            layer[name] = value


def _items(value: str | None) -> list[str]:
    return [item.strip() for item in (value or "").split(",") if item.strip()]


def _used(watermark: str) -> float:
    """The used fraction that a watermark in percent means."""
    if not watermark.endswith("%"):
        raise Refused(f"watermark {watermark}: this fake reads percentages only")
    return float(watermark[:-1]) / 100


def _made_by(version: str) -> int:
    """The number by which an index remembers the version that made it; OpenSearch's has a bit that marks it."""
    major, minor, patch = (int(part) for part in version.split("."))
    return (major * 1_000_000 + minor * 10_000 + patch * 100 + 99) | (0 if major == 7 else 0x08000000)
