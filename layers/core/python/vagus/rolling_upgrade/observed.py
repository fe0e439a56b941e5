"""What rolling_upgrade sees, as data. Pure."""

from collections.abc import Iterable

import msgspec

from vagus.cluster import Cluster, Node, Unseen
from vagus.command import Command
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.intent import AllocationPrimaries, Intent, Rolling
from vagus.plan import Progress
from vagus.snapshots import Snapshots
from vagus.weights import Weights


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `decide` may know.

    `version` is what booting nodes are told to bring, once it was noted. `others`: open intents of other capabilities.
    `weights`: how searches are shared among zones, while a restart is asked for; `None` where the engine knows none.
    `commands`: what was sent to the nodes in hand, and to the one that stages. `paused`: a person stopped this
    capability. `unhooked`: groups that were asked and have no terminate hook of ours; `undrained`: why nobody would
    drain an instance that leaves; `stopped`: groups in which we suspended launching, for it fails.
    """

    cluster: Cluster | Unseen
    groups: tuple[Group, ...]
    intents: tuple[Intent, ...] = ()
    others: tuple[Intent, ...] = ()
    identity: str | None = None
    version: str | None = None
    snapshots: Snapshots | Unseen | None = None
    weights: Weights | Unseen | None = None
    commands: tuple[Command, ...] = ()
    paused: bool = False
    unhooked: frozenset[str] = frozenset()
    undrained: str = ""
    stopped: frozenset[str] = frozenset()
    progress: Progress | None = None

    @property
    def leaving(self) -> tuple[Intent, ...]:
        """Instances that leave. One that was let go counts until it is gone, and its intent with it: its copies are
        about to vanish."""
        return tuple(one for one in self.others if one.kind in ("leave", "spot"))

    def unlisted(self, cluster: Cluster) -> frozenset[str]:
        """Nodes that no group lists: let go a moment ago, or never of a group. Without groups nothing is known."""
        listed = {one.id for group in self.groups for one in group.instances}
        return frozenset(node.name for node in cluster.nodes if listed and node.name not in listed)

    def staying(self, cluster: Cluster) -> frozenset[str]:
        """The nodes that may be leant on: no group lets them go, or holds them only for a moment, and EC2 has not said
        that it takes them back. One that no group lists was let go; where there are no groups, nothing is known, and
        every other node counts."""
        listed = {one.id: one for group in self.groups for one in group.instances}
        warned = {one.instance for one in self.others if one.kind == "spot"}
        return frozenset(
            node.name
            for node in cluster.nodes
            if node.name not in warned
            and (not listed or ((one := listed.get(node.name)) and not one.let_go and not one.waits_to_leave))
        )


def undrained(spec: ClusterSpec, *, paused: bool) -> str:
    """Why zone_balance would drain nobody; empty where it would. `paused`: a person stopped it."""
    if spec.zone_balance.mode == "observe":
        return "zone_balance.mode is observe in the fleet file: set it to approve or act"
    return f"zone_balance is stopped: `vagus resume {spec.name} --capability zone_balance`" if paused else ""


def rolling(intent: Intent) -> Rolling:
    """What a restart or an upgrade is about."""
    return intent.rolling or Rolling()


def begun(intent: Intent, cluster: Cluster, noted: str | None) -> bool:
    """Whether an upgrade is past what is asked of it as a whole: nodes that start are told to bring its version
    (`noted`), and one has it or is in hand. A node that a person upgraded beforehand begins none."""
    version = rolling(intent).version
    if not version or noted != version:
        return False
    return AllocationPrimaries() in intent.demands or any(node.version == version for node in cluster.nodes)


def is_done(wanted: Rolling, node: Node) -> bool:
    """Whether a node runs what is wanted: the version, or another process than the one that is to be gone."""
    if wanted.version:
        return node.version == wanted.version
    return wanted.processes.get(node.name) != node.ephemeral_id


def remaining(wanted: Rolling, cluster: Cluster) -> tuple[Node, ...]:
    """The nodes that are still to be restarted."""
    return tuple(node for node in cluster.nodes if not is_done(wanted, node))


def stage_id(intent: Intent, name: str) -> str:
    """Names the command that has a node bring and check the version of this intent."""
    return f"stage-{intent.id}-{name}"


def staged(commands: Iterable[Command], intent: Intent) -> bool:
    """Whether the node that was told has done so."""
    step = stage_id(intent, rolling(intent).staging)
    return any(one.step == step and one.outcome in ("done", "already") for one in commands)


def step_id(intent: Intent, node: Node) -> str:
    """The same for the same decision, however often it is sent: this intent, on this process."""
    return f"{intent.id}-{node.name}-{node.started}"
