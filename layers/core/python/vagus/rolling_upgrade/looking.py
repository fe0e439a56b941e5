"""What every stage of a decision is asked about. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from vagus import owned, weights
from vagus.cluster import Cluster, Node
from vagus.command import Command
from vagus.fleet import ClusterSpec
from vagus.intent import AllocationPrimaries, AnyPreference, Demand, Intent, Rolling
from vagus.plan import Progress
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.observed import Observed, begun, is_done, remaining, rolling
from vagus.rolling_upgrade.order import batches

LINGERING_SECONDS = 300
"""How long nodes may be in hand without being told to restart (once more), as when an approval ran out; then they are
let be. Longer than a command may be in vain."""
IN_VAIN_SECONDS = 180
"""A command that is pending for so long stops nothing any more, and nothing is lost by sending it once more."""
FORGOTTEN_SECONDS = 1800
"""What failed longer ago counts no more: it is tried again."""
LISTED_SECONDS = 60
"""How long a command may take to be listed before it is sent once more (a node does each once), or no longer believed
to be under way."""
AGREES_SECONDS = 5
"""How much earlier than our row a command of that row may seem to have been sent, by AWS's clock."""
STOPS_WITHIN_SECONDS = IN_VAIN_SECONDS - 15
"""The document stops nothing later than this after it was sent (`nodes/documents/restart-search.yaml`): earlier than it
is given up, by what the clock of a node may differ from ours."""
SERVES_WITHIN_SECONDS = 960
"""A command whose node has restarted ends within this, for the document waits for 11 minutes at most."""
TOLD_ENOUGH = 3
"""After so many restarts of one node in vain a person is called."""
SOON_SECONDS = 30
"""For so long what is waited for is looked at each second."""
MOST_SECONDS = 15
"""The longest time between two looks at it."""
MINUTES_EACH = 3
"""What is said of the time that a batch takes, before it is known."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One observation, prepared. `intent`: the restart or upgrade that is worked on, the oldest one."""

    observed: Observed
    cluster: Cluster
    spec: ClusterSpec
    now: float
    intent: Intent | None

    @property
    def wanted(self) -> Rolling:
        """What is wanted; nothing where there is no intent."""
        return rolling(self.intent) if self.intent else Rolling()

    @property
    def holding(self) -> bool:
        """Whether nodes are in hand: allocation is ours, or is about to be."""
        return self.intent is not None and AllocationPrimaries() in self.intent.demands

    @property
    def absent(self) -> tuple[str, ...]:
        """Nodes in hand that are not in the cluster, while their instances are still there."""
        there = {one.id for group in self.observed.groups for one in group.instances if not one.let_go}
        return tuple(name for name in self.wanted.taken if self.cluster.node(name) is None and name in there)

    @property
    def away(self) -> tuple[str, ...]:
        """Those, and the ones that have joined again and don't serve yet."""
        absent = self.absent
        return tuple(name for name in self.wanted.taken if name in absent or self._closed(name))

    @property
    def coming(self) -> bool:
        """Whether each that is away is still waited for by its command, and for no longer than it may take."""
        since = self.since(self.wanted.sent_at or self.wanted.taken_at)
        return since < self.spec.rolling_upgrade.rejoin_seconds and all(self.expected(name) for name in self.away)

    def expected(self, name: str) -> bool:
        """Whether a command to this node is under way, or not listed yet."""
        return self._unlisted(name) or any(one.outcome == "pending" for one in self.told([name]))

    def _closed(self, name: str) -> bool:
        """Whether a node has joined again, and its port is not known to be open: its command still waits for that, or
        has waited in vain."""
        node = self.cluster.node(name)
        if node is None or not is_done(self.wanted, node):
            return False
        if self._unlisted(name):
            return True
        told = self.told([name])
        waits = any(one.outcome == "pending" and self.now - one.sent < SERVES_WITHIN_SECONDS for one in told)
        in_vain = any(one.outcome == "not-serving" and not self._newer(node, one) for one in told)
        return (waits or in_vain) and not any(one.outcome == "done" for one in told)

    def _newer(self, node: Node, command: Command) -> bool:
        """Whether a node's process was started after the one that this command waited for, as by a person."""
        return node.started / 1000 > command.sent + IN_VAIN_SECONDS

    def _unlisted(self, name: str) -> bool:
        """Whether a node was told a moment ago, and AWS does not list it yet: what is not heard of is no good news."""
        if name in self.refused:
            return False
        since, told = self.since(self.wanted.sent_at or self.wanted.taken_at), self.told([name])
        listed = any(one.outcome == "done" or self.now - one.sent <= since + AGREES_SECONDS for one in told)
        return since < LISTED_SECONDS and not listed

    @property
    def to_restart(self) -> tuple[Node, ...]:
        """Nodes in hand that run as before."""
        nodes = (self.cluster.node(name) for name in self.wanted.taken)
        return tuple(node for node in nodes if node is not None and not is_done(self.wanted, node))

    @property
    def refused(self) -> Mapping[str, str]:
        """Nodes that could not be told to restart, and why; forgotten after a while, so that they are told again."""
        return self.wanted.refused if self.since(self.wanted.sent_at) < FORGOTTEN_SECONDS else {}

    @property
    def to_tell(self) -> tuple[Node, ...]:
        """Nodes in hand that run as before, and can be told to restart."""
        return tuple(node for node in self.to_restart if node.name not in self.refused)

    @property
    def left(self) -> tuple[Node, ...]:
        """Every node that is still to be restarted."""
        return remaining(self.wanted, self.cluster)

    @property
    def batches(self) -> list[list[Node]]:
        """What goes together, in order. Nodes that no group lists come last: a person has to restart them."""
        outside = self.observed.unlisted(self.cluster)
        ours = [node for node in self.left if node.name not in outside]
        theirs = [node for node in self.left if node.name in outside]
        most, accepted = self.spec.rolling_upgrade.batch, self.wanted.unavailable
        return [batch for nodes in (ours, theirs) for batch in batches(self.cluster, nodes, most, accepted)]

    def told(self, names: Iterable[str]) -> tuple[Command, ...]:
        """The restarts of these nodes for this intent."""
        prefixes = tuple(f"{self.intent.id}-{name}-" for name in names) if self.intent else ()
        return tuple(one for one in self.observed.commands if prefixes and one.step.startswith(prefixes))

    def in_vain(self, node: Node) -> int:
        """How often a node that runs as before was told to restart, by now without effect. What is long ago is
        forgotten: it is told again."""
        told = [one for one in self.told([node.name]) if self.now - one.sent < FORGOTTEN_SECONDS]
        return sum(self.ended(one) for one in told)

    def ended(self, command: Command) -> bool:
        """Whether a command has ended, or will have no effect any more."""
        return command.outcome != "pending" or self.now - command.sent > IN_VAIN_SECONDS

    def question(self, names: Iterable[str]) -> rules.Question:
        """What the rules are asked for these nodes."""
        return rules.Question(
            observed=self.observed,
            cluster=self.cluster,
            spec=self.spec,
            names=frozenset(names),
            version=self.wanted.version,
            accepted=self.wanted.unavailable,
            begun=self.intent is not None and begun(self.intent, self.cluster, self.observed.version),
            without_snapshot=self.wanted.without_snapshot,
            now=self.now,
        )

    def since(self, at: str) -> float:
        """Seconds since an ISO time; for ever, if there is none."""
        return self.now - datetime.fromisoformat(at).timestamp() if at else float("inf")

    def demands(self, names: Iterable[str]) -> tuple[Demand, ...]:
        """What it takes to have these nodes in hand. Where searches are led away, those that ask for certain nodes are
        answered all the same, unless a person said that they are not to be."""
        led = not weights.why_not(self.cluster, self.observed.weights, tuple(names))
        lax = led and not weights.strict_by_hand(self.cluster)
        return (AllocationPrimaries(), *([AnyPreference()] if lax else []))

    def converged(self, mine: Iterable[Demand] = ()) -> owned.Converged:
        """What the settings must be, with demands of our own or none. Others' that wait for a step of theirs wait."""
        demands: list[Demand] = owned.standing(self.cluster, others_demands(self.observed, self.intent))
        return owned.converge(self.cluster, [*demands, *mine])


def others_demands(observed: Observed, intent: Intent | None) -> list[Demand]:
    """What all open intents but this one demand."""
    return [
        demand
        for one in (*observed.intents, *observed.others)
        if intent is None or one.id != intent.id
        for demand in one.demands
    ]


def looked(observed: Observed, cluster: Cluster, spec: ClusterSpec, now: float) -> Look:
    """Prepare an observation for the stages. `now`: epoch seconds."""
    first = min(observed.intents, key=lambda one: (one.opened, one.id), default=None)
    return Look(observed=observed, cluster=cluster, spec=spec, now=now, intent=first)


def waited(before: Progress | None, about: str, now: float) -> Progress:
    """Since when it is about the same thing."""
    same = before is not None and before.about == about
    since = before.changed_at if before is not None and same else now
    return Progress(bytes_left=0, about=about, at=now, changed_at=since)


def overdue(progress: Progress, seconds: int) -> bool:
    """Whether it has been the same for so long."""
    return progress.at - progress.changed_at >= seconds


def soon(progress: Progress) -> int:
    """Seconds until the next look at what is waited for: every second at first, for a node is away for half a minute
    only; then ever more seldom."""
    return min(MOST_SECONDS, 1 + int(progress.at - progress.changed_at) // SOON_SECONDS)
