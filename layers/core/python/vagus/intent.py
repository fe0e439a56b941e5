"""What is wanted of a cluster, as rows: an intent stays open until the truth agrees with it.

An intent carries *demands*: what the cluster's settings must say while it is open. `vagus.owned` alone turns the
demands of all open intents into settings, so that two capabilities never overwrite each other.
"""

from collections.abc import Container, Iterable, Mapping
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


class AnyPreference(msgspec.Struct, frozen=True, tag=True):
    """Searches that ask for certain nodes are answered while zones have weights (`cluster.routing.weighted.strict:
    false`); the engine refuses them otherwise."""


Demand = ExcludeNode | AllocationPrimaries | BalanceThreshold | AwareZones | AnyPreference


Kind = Literal["leave", "spot", "rebalance", "retire", "gone", "balance", "zones", "restart", "upgrade", "replace"]
"""What is wanted, or why an instance is of interest. `leave`: a terminate hook waits, or it was retained. `spot`: EC2
takes it back within two minutes. `rebalance`: EC2 may take it back. `retire`: EC2 ends it at the deadline. `gone`: it
went without us. `balance`: bytes lead where shards stand. `zones`: a zone comes or goes. `restart`, `upgrade`,
`replace`: a person wants nodes restarted, of another version, or on other instances."""


class Rolling(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart, an upgrade or a replacement is about, and how far it is.

    `version` is what every node is to run; without one, `processes` says which process of which node (its ephemeral id)
    is to be gone. `instances`: those that are to be replaced, whatever they were launched from (none: all that are
    behind their group's launch template). `taken`: the nodes in hand, since `taken_at`; `sent_at`: when they were last
    told to restart, or asked to be replaced; `refused`: why those could not be told that SSM does not reach. `staging`:
    the node that was told to bring and check the version beforehand, at `staging_at`; `staging_refused`: why it could
    not be told. `led`: how often it was begun to lead searches away from the nodes that were
    last taken so (0: never, so that no weights of ours can stand); `unled`: why the engine did not take it; `led_back`:
    when it was begun to lead them back, which is tried once while those nodes are away.
    `unavailable`: indices that a person lets be away meanwhile; `without_snapshot`: a person waived it. `aborted`: who
    wants no further node taken. Times are ISO 8601.
    """

    version: str = ""
    processes: Mapping[str, str] = {}
    instances: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    taken_at: str = ""
    sent_at: str = ""
    refused: Mapping[str, str] = {}
    staging: str = ""
    staging_at: str = ""
    staging_refused: str = ""
    led: int = 0
    unled: str = ""
    led_back: str = ""
    unavailable: tuple[str, ...] = ()
    without_snapshot: bool = False
    person: str = ""
    aborted: str = ""


STANDING: frozenset[Kind] = frozenset({"balance", "zones"})
"""Kinds that may stay open for months: nothing is to be done about them at each look."""


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `id` is made of what it is about, so that the same event twice is one intent. `instance` and its
    `group`: of an intent that is about one.

    Times are ISO 8601. `let_go` and `held`: when its hook was last answered with CONTINUE (or its instance ended), and
    with ABANDON: AWS may show it as waiting for long after, and another's hook may hold it. `deadline`: by when it has
    to be done, or EC2 takes the instance away; `acted`: when we last did something about it; `lost`: the shards
    without a started copy once it was gone; `raised`: the indices that were given a copy for a zone that came.
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
    rolling: Rolling | None = None
    raised: tuple[str, ...] = ()
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


def needless(intent: Intent, known: Container[str], let_go: Container[str], still_open: Iterable[Intent]) -> bool:
    """Whether an intent need not be opened: it was before, or, for one that is gone, it leaves still or was let go, or
    goes by a Spot warning that is open. One that was to leave once and stayed says nothing of how it went. `known`,
    `let_go`: the ids of all that there are, and of those that were let go."""
    if intent.id in known:
        return True
    if intent.kind != "gone":
        return False
    going = any(other.kind in {"leave", "spot"} and other.instance == intent.instance for other in still_open)
    return going or f"leave-{intent.instance}" in let_go


def restart(processes: Mapping[str, str], opened: str, person: str, unavailable: tuple[str, ...] = ()) -> Intent:
    """The intent that these processes are to be gone, each for a new one of its node."""
    return _rolling("restart", opened, Rolling(processes=processes, person=person, unavailable=unavailable))


def upgrade(
    version: str, opened: str, person: str, unavailable: tuple[str, ...] = (), *, without_snapshot: bool = False
) -> Intent:
    """The intent that every node is to run a version."""
    wanted = Rolling(version=version, person=person, unavailable=unavailable, without_snapshot=without_snapshot)
    return _rolling("upgrade", opened, wanted)


def replace(instances: tuple[str, ...], opened: str, person: str) -> Intent:
    """The intent that these instances are to be gone, each for a new one of its group; none named: all that are behind
    their group's launch template."""
    return _rolling("replace", opened, Rolling(instances=instances, person=person))


def _rolling(kind: Literal["restart", "upgrade", "replace"], opened: str, wanted: Rolling) -> Intent:
    """Its id is short: with a node and a process it names a command, of which AWS keeps a hundred characters."""
    stamp = "".join(character for character in opened if character.isalnum())[:15]
    return Intent(
        id=f"{kind}-{stamp}", capability="rolling_upgrade", kind=kind, opened=opened, source="person", rolling=wanted
    )
