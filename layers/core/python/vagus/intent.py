"""What is wanted of a cluster, as rows: an intent stays open until the truth agrees with it.

An intent carries *demands*: what the cluster's settings must say while it is open. `vagus.owned` alone turns the
demands of all open intents into settings, so that two capabilities never overwrite each other.
"""

from collections.abc import Container, Iterable
from typing import Literal

import msgspec


class ExcludeNode(msgspec.Struct, frozen=True, tag=True):
    """No shard may stay on, or come to, this node."""

    node: str


class AllocationPrimaries(msgspec.Struct, frozen=True, tag=True):
    """Replicas are not allocated (`cluster.routing.allocation.enable: primaries`), while a node is away for minutes."""


class BalanceThreshold(msgspec.Struct, frozen=True, tag=True):
    """The engine's balancer lets counts differ by this much (`balance.threshold`), so that bytes may lead. The highest
    demand holds."""

    value: float


class AwareZones(msgspec.Struct, frozen=True, tag=True):
    """The zones over which copies are forced to spread (`awareness.force.zone.values`), all of them and no other."""

    values: tuple[str, ...]


Demand = ExcludeNode | AllocationPrimaries | BalanceThreshold | AwareZones


Kind = Literal["leave", "spot", "rebalance", "retire", "gone", "balance", "zones"]
"""What is wanted, or why an instance is of interest. `leave`: a terminate hook waits, or it was retained. `spot`: EC2
takes it back within two minutes. `rebalance`: EC2 may take it back. `retire`: EC2 ends it at the deadline. `gone`: it
went without us. `balance`: bytes lead where shards stand. `zones`: a zone comes or goes."""


STANDING: frozenset[Kind] = frozenset({"balance", "zones"})
"""Kinds that may stay open for months: nothing is to be done about them at each look."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `id` is made of what it is about, so that the same event twice is one intent. `instance` and its
    `group`: of an intent that is about one.

    Times are ISO 8601. `let_go` and `held`: when its hook was last answered with CONTINUE (or its instance ended), and
    with ABANDON: AWS may show it as waiting for long after, and another's hook may hold it. `deadline`: by when it has
    to be done, or EC2 takes the instance away; `acted`: when we last did something about it; `lost`: the shards
    without a started copy once it was gone.
    """

    id: str
    capability: str
    kind: Kind
    instance: str = ""
    group: str = ""
    opened: str
    source: Literal["event", "sweep", "person"]
    demands: tuple[Demand, ...] = ()
    let_go: str | None = None
    held: str | None = None
    deadline: str | None = None
    acted: str | None = None
    lost: tuple[str, ...] = ()
    closed: str | None = None


def leave(instance: str, group: str, opened: str, source: Literal["event", "sweep", "person"]) -> Intent:
    """The intent that an instance leaves: its terminate hook waits, or a person wants it gone."""
    return Intent(
        id=f"leave-{instance}",
        capability="zone_balance",
        kind="leave",
        instance=instance,
        group=group,
        opened=opened,
        source=source,
    )


def gone(instance: str, group: str, opened: str) -> Intent:
    """The intent that what an instance held is judged: it ended, and nobody had asked us."""
    return Intent(
        id=f"gone-{instance}",
        capability="zone_balance",
        kind="gone",
        instance=instance,
        group=group,
        opened=opened,
        source="event",
    )


def balance(opened: str, demand: BalanceThreshold) -> Intent:
    """The intent that bytes lead where shards stand, as far as this threshold allows."""
    return Intent(
        id="balance", capability="zone_balance", kind="balance", opened=opened, source="sweep", demands=(demand,)
    )


def needless(intent: Intent, known: Container[str], still_open: Iterable[Intent]) -> bool:
    """Whether an intent need not be opened: it was before, or, for one that is gone, it was to leave (`leave`, whatever
    became of that), or goes by a Spot warning that is open. `known`: the ids of all that there are."""
    if intent.id in known:
        return True
    if intent.kind != "gone":
        return False
    warned = any(other.kind == "spot" and other.instance == intent.instance for other in still_open)
    return warned or f"leave-{intent.instance}" in known
