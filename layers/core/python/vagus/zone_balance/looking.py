"""What every stage of a decision is asked about."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from vagus import owned
from vagus.allocation import shielded
from vagus.cluster import Cluster
from vagus.fleet import ClusterSpec
from vagus.intent import BalanceThreshold, Demand, Intent
from vagus.plan import Blocked, Plan, Progress, Wait
from vagus.zone_balance import forced_zones
from vagus.zone_balance.observed import Leaver, Observed, leavers
from vagus.zone_balance.rules import Violation

ANSWERED_SECONDS = 300
"""How long an answer to a hook is given to show before it is given again."""

FORGIVEN_LOOKS = 3
"""How many looks in a row may fail, or show less than all, before a person is told."""
MOST_INTENTS = 90
"""How many intents one step may write: a transaction holds a hundred rows."""
SPARED_SECONDS = 30 * 60
"""After which an instance that a Spot warning came for, and that still serves, was spared."""
RECOMMENDED_SECONDS = 2 * 3600
"""After which a rebalance recommendation has expired: its group has not ended the instance."""
UNSURE_SECONDS = 10
"""Until the next look after such a one."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One observation, prepared.

    `cluster` is as it was seen. `rest` is what will be left of it once every instance that was let go is gone: safety
    is asked of that, never of copies and votes that are about to vanish.
    """

    observed: Observed
    cluster: Cluster
    rest: Cluster
    spec: ClusterSpec
    now: float
    leavers: tuple[Leaver, ...]

    @property
    def firm(self) -> Cluster:
        """What is left of `rest` while the nodes that a restart has in hand are away: nobody is let go against it."""
        return self.rest.without(self.observed.in_hand())

    @property
    def taken(self) -> tuple[Leaver, ...]:
        """Leavers that are kept free of new shards already, or have nothing to be freed of."""
        return tuple(one for one in self.leavers if one.node is not None and one.shielded)

    @property
    def waiting(self) -> tuple[Leaver, ...]:
        """Leavers that hold data and have not been taken yet."""
        return tuple(
            one for one in self.leavers if one.node is not None and not one.shielded and not self.just_let_go(one)
        )

    @property
    def still_go(self) -> frozenset[str]:
        """Nodes whose instance was let go, and that have not left the cluster yet."""
        return self.cluster.names() - self.rest.names()

    @property
    def in_transit(self) -> bool:
        """Whether an instance is still to go, or to come, or a node restarts: what stands now may not for long."""
        groups = self.observed.groups
        serving = [[one for one in group.instances if one.lifecycle == "InService"] for group in groups]
        coming = any(len(ones) < group.desired for ones, group in zip(serving, groups, strict=True))
        booting = any(self.cluster.node(one.id) is None for ones in serving for one in ones)
        return bool(self.still_go) or bool(self.observed.in_hand()) or coming or booting

    def just_let_go(self, one: Leaver) -> bool:
        """Whether we let it go moments ago: AWS may show that late, and another's hook may hold it still."""
        return self._answered(intent.let_go for intent in self.observed.intents if intent.instance == one.id)

    def let_go_before(self, one: Leaver) -> bool:
        """Whether we let it go at some time, and it is still there."""
        return not one.instance.retained and any(
            intent.let_go for intent in self.observed.intents if intent.instance == one.id
        )

    def just_held(self, one: Leaver) -> bool:
        """Whether we held it moments ago."""
        return self._answered(intent.held for intent in self.observed.intents if intent.instance == one.id)

    def _answered(self, times: Iterable[str | None]) -> bool:
        return any(at and self.now - datetime.fromisoformat(at).timestamp() < ANSWERED_SECONDS for at in times)

    def over(self, intent: Intent) -> bool:
        """The truth agrees with it: its instance is gone with its node, or back in service, or no longer warned of.

        One that went without us is not over before what it held was judged (`departed`). Of an intent about no instance
        its own stage, or capability, says when it is over.
        """
        if intent.kind == "balance":
            return _no_longer_allowed(intent, self.spec)
        if not intent.instance:
            return forced_zones.over(self.cluster, self.spec, self.observed.groups, intent)
        found = [(group, one) for group in self.observed.groups for one in group.instances if one.id == intent.instance]
        stays = any(one.stays for _, one in found)
        match intent.kind:
            case "leave":
                if found and found[0][1].launching:
                    return not self._left(intent)  # it was given up, and has joined after all
                return stays or (not found and self._left(intent) and not self.departed(intent))
            case "spot":
                return stays and self._since(intent.opened) > SPARED_SECONDS
            case "rebalance":
                early = any(group.replaces_early for group, one in found if one.lifecycle == "InService")
                return not early or self._since(intent.opened) > RECOMMENDED_SECONDS
            case "retire":
                return not stays
            case "gone":
                return stays
            case _:
                return False

    def departed(self, intent: Intent) -> bool:
        """Its instance is gone with its node, and nothing of ours had let it go."""
        listed = any(one.id == intent.instance for group in self.observed.groups for one in group.instances)
        judged = intent.kind in ("spot", "gone") or (intent.kind == "leave" and not intent.let_go)
        return judged and not listed and self._left(intent)

    def _left(self, intent: Intent) -> bool:
        return self.cluster.node(intent.instance) is None

    def _since(self, when: str) -> float:
        return self.now - datetime.fromisoformat(when).timestamp()

    def open(self) -> tuple[Intent, ...]:
        """Intents that the truth does not agree with yet."""
        return tuple(intent for intent in self.observed.intents if not self.over(intent))


def _no_longer_allowed(intent: Intent, spec: ClusterSpec) -> bool:
    """Whether the fleet file allows no such balance threshold (any more)."""
    shards = spec.zone_balance.shards
    highest = shards.highest_threshold if shards.mode == "on" else 1.0
    raised = [demand.value for demand in intent.demands if isinstance(demand, BalanceThreshold)]
    return any(value > highest for value in raised)


def looked(observed: Observed, cluster: Cluster, spec: ClusterSpec, now: float) -> Look:
    """Prepare an observation for the stages. `now`: epoch seconds."""
    return Look(
        observed=observed,
        cluster=cluster,
        rest=cluster.without(observed.unreliable(cluster)),
        spec=spec,
        now=now,
        leavers=leavers(observed, cluster, shielded(cluster)),
    )


def demands(intents: Iterable[Intent]) -> list[Demand]:
    """Everything that these intents demand."""
    return [demand for intent in intents for demand in intent.demands]


def iso(now: float) -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def undone_by_hand(look: Look) -> str:
    """What a person did to settings of ours that are still wanted, for a person; empty if nothing."""
    return owned.converge(look.cluster, demands(look.open())).by_hand


def ids(many: Iterable[Leaver]) -> str:
    """Their names, for a sentence."""
    return ", ".join(one.id for one in many)


def blocked(violation: Violation, progress: Progress | None = None) -> Plan:
    """A rule stands against a leaver whose hook waits: a Wait with a page, never an end."""
    return Blocked(reason=violation.reason, message=violation.message, open_deadline=True, progress=progress)


def unsure(observed: Observed, spec: ClusterSpec, violation: Violation, now: float, *, open_deadline: bool) -> Plan:
    """A look that can't be decided on. A run looks again soon, three times, before a person is told.

    In mode `observe` nobody would hear of a wait, so that there it is told at once. Time in which nothing was seen is
    none in which nothing moved: the clock of a stall stands meanwhile.
    """
    before = observed.progress
    after = before and msgspec.structs.replace(
        before, unseen=before.unseen + 1, at=now, changed_at=before.changed_at + now - before.at
    )
    if after is not None and after.unseen <= FORGIVEN_LOOKS and spec.zone_balance.mode != "observe":
        return Wait(seconds=UNSURE_SECONDS, reason=violation.reason, message=violation.message, progress=after)
    return Blocked(reason=violation.reason, message=violation.message, open_deadline=open_deadline, progress=after)
