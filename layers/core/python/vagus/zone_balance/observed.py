"""What a decision is made of: one look at AWS, at the cluster and at our own rows."""

from collections.abc import Iterable, Mapping

import msgspec

from vagus.cluster import Cluster, Copy, Node, Placement, ShardMove, Unseen
from vagus.instances import Group, Instance, Launch, Launches
from vagus.intent import AllocationPrimaries, Intent
from vagus.plan import Progress


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What was moved for the bytes' sake, as it was noted (`note#zone_balance`). Times in seconds since the epoch.

    `moves` and `bytes`: within the hour that began at `since`. `wave`: the last request, at `at`; `sent`: it was known
    to be done. `undone`: how many waves in a row, before that one, the engine has moved on. `queries`, `query_ms`:
    searches up to that wave.
    """

    since: float = 0.0
    moves: int = 0
    bytes: int = 0
    at: float = 0.0
    wave: tuple[ShardMove, ...] = ()
    sent: bool = False
    undone: int = 0
    queries: int = 0
    query_ms: int = 0


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `decide` may know. `explanation`: the deciders' words about a drain that stalls.

    `others`: open intents of other capabilities, whose demands the settings have to keep.
    `launches`: the tries to launch instances, newest first, of those groups where something comes or should.
    `trust_published`: whether a node that boots could get a certificate; where owners bring them, always.
    `suspended`: what we have suspended of that. `placement`: only where shards might be moved for the bytes' sake, now.
    """

    cluster: Cluster | Unseen
    groups: tuple[Group, ...]
    intents: tuple[Intent, ...] = ()
    others: tuple[Intent, ...] = ()
    identity: str | None = None
    sizes: Mapping[str, int] = {}
    trust_published: bool = True
    launches: Mapping[str, tuple[Launch, ...]] = {}
    suspended: Launches = Launches()
    progress: Progress | None = None
    explanation: str = ""
    placement: Placement | None = None
    moved: Moved = Moved()

    def leaving(self) -> tuple[tuple[Group, Instance], ...]:
        """Each instance that leaves, or that EC2 has warned of, with its group, in a stable order."""
        return leaving(self.groups, self.intents)

    def unreliable(self, cluster: Cluster) -> frozenset[str]:
        """Nodes of the cluster on which nothing may lean: let go already, or members of no group that we know.

        An instance that was let go serves on for seconds, or minutes: its copies and its vote still show. So it does
        where AWS still shows it as waiting, and where a Spot warning has come.
        """
        known = {one.id for group in self.groups for one in group.instances} - self.let_go()
        return frozenset(node.name for node in cluster.nodes) - known

    def in_hand(self) -> frozenset[str]:
        """Nodes that a restart has in hand: each may be told to stop, or be stopping, at any moment. The lease says
        nothing of that: it rests once the command was accepted."""
        taken = [one.rolling.taken for one in self.others if one.rolling and AllocationPrimaries() in one.demands]
        return frozenset(name for names in taken for name in names)

    def let_go(self) -> frozenset[str]:
        """Instances that were let go, by our own notes or by what AWS shows of their groups, or that EC2 takes back."""
        released = {intent.instance for intent in self.intents if intent.let_go or intent.kind == "spot"}
        shown = {one.id for group in self.groups for one in group.instances if one.let_go}
        return frozenset(released | shown)

    def deadline(self) -> bool:
        """Whether a hook waits, so that giving up is not an end."""
        return any(instance.waits_to_leave for _, instance in self.leaving())


def leaving(groups: Iterable[Group], intents: Iterable[Intent]) -> tuple[tuple[Group, Instance], ...]:
    """Each instance that leaves, or that EC2 has warned of, with its group, in a stable order."""
    warned = {intent.instance for intent in intents if intent.kind in ("spot", "rebalance")}
    every = [(group, one) for group in groups for one in group.instances]
    found = [pair for pair in every if pair[1].leaving or (pair[1].id in warned and pair[1].lifecycle == "InService")]
    return tuple(sorted(found, key=lambda pair: pair[1].id))


class Leaver(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that leaves, and its node (`None`: not in the cluster) with the copies that routing lists on it."""

    instance: Instance
    group: Group
    node: Node | None
    copies: tuple[Copy, ...]
    has_store: bool
    shielded: bool

    @property
    def id(self) -> str:
        """The instance's id, which is its node's name."""
        return self.instance.id

    @property
    def lost(self) -> bool:
        """Its node is not in the cluster. Lost is not empty."""
        return self.node is None

    @property
    def empty(self) -> bool:
        """Proven: in the cluster, nothing routed to it, no store of an unassigned shard, and nothing can come back."""
        return self.node is not None and not self.copies and not self.has_store and self.shielded

    @property
    def bytes_left(self) -> int:
        """Bytes that still have to leave it."""
        return sum(copy.bytes for copy in self.copies if copy.node == self.id)


MOVE_SECONDS = 2 * 3600
"""How long the very same copies may be on their way: the largest shards take tens of minutes."""


def patience(taken: Iterable[Leaver], stall_seconds: int) -> int:
    """For how many seconds nothing may change on nodes that are drained before a person is told: longer while copies
    are on their way, of which nothing shows until they have arrived."""
    moves = any(copy.target for one in taken for copy in one.copies)
    return MOVE_SECONDS if moves else stall_seconds


def explained_after(taken: Iterable[Leaver], stall_seconds: int) -> int:
    """For how many seconds nothing may change before the engine is asked why: at once where one copy stands, however
    many others are on their way."""
    copies = [copy for one in taken for copy in one.copies if copy.node == one.id]
    return MOVE_SECONDS if copies and all(copy.target for copy in copies) else stall_seconds


def leavers(observed: Observed, cluster: Cluster, excluded: frozenset[str]) -> tuple[Leaver, ...]:
    """Every leaving instance with what the cluster says of it. `excluded`: names that are shielded from allocation."""
    return tuple(_leaver(cluster, group, instance, excluded) for group, instance in observed.leaving())


def _leaver(cluster: Cluster, group: Group, instance: Instance, excluded: frozenset[str]) -> Leaver:
    node = cluster.node(instance.id)
    return Leaver(
        instance=instance,
        group=group,
        node=node,
        copies=cluster.on(instance.id),
        has_store=instance.id in cluster.stores,
        shielded=instance.id in excluded or (node is not None and not node.holds_data),
    )
