"""What a step looks at afresh before it is done: reads only, and says why not."""

import msgspec

from vagus.cluster import Cluster
from vagus.procedure.room import Writes
from vagus.procedure.rows import Rows
from vagus.zone_balance import observed, rules
from vagus.zone_balance.looking import Look, looked
from vagus.zone_balance.observed import Leaver, Observed


def leaving(writes: Writes, seen: Rows) -> frozenset[str]:
    """The instances that leave now, by a hook or by EC2's warning."""
    found = observed.leaving(writes.groups.describe([writes.spec.name]), seen.intents)
    return frozenset(one.id for _, one in found)


class Fresh(msgspec.Struct, frozen=True):
    """A fresh look at one leaving instance: the cluster as it is, what is left of it once everybody who goes, or
    restarts, is away, and the leaver."""

    cluster: Cluster
    rest: Cluster
    one: Leaver


def look_afresh(writes: Writes, seen: Rows) -> Look:
    """A whole fresh look, as a decision has it. Raises what a look raises."""
    cluster = writes.search.look()
    made = Observed(
        cluster=cluster,
        groups=writes.groups.describe([writes.spec.name]),
        intents=seen.intents_of("zone_balance"),
        others=tuple(intent for intent in seen.intents if intent.capability != "zone_balance"),
        identity=seen.identity,
    )
    return looked(made, cluster, writes.spec, writes.now)


def afresh(writes: Writes, seen: Rows, instance: str) -> Fresh | None:
    """A fresh look at an instance; `None` if it does not leave."""
    look = look_afresh(writes, seen)
    one = next((one for one in look.leavers if one.id == instance), None)
    return None if one is None else Fresh(look.cluster, look.firm, one)


def waiting_afresh(writes: Writes, seen: Rows, instance: str) -> Fresh | None:
    """The same, if a terminate hook waits for it."""
    found = afresh(writes, seen, instance)
    return found if found is not None and found.one.instance.waits_to_leave else None


def red(cluster: Cluster) -> str | None:
    """Why nothing is moved about, if data is missing."""
    return says(rules.cluster_red(cluster))


def says(violation: rules.Violation | None) -> str | None:
    """A violation's sentence."""
    return violation.message if violation else None
