"""What a step looks at afresh before it is done: reads only, and says why not."""

import msgspec

from vagus import owned
from vagus.allocation import shielded
from vagus.cluster import Cluster
from vagus.procedure.room import Writes
from vagus.procedure.rows import Rows
from vagus.zone_balance import rules
from vagus.zone_balance.observed import Leaver, Observed, leavers


def foreign(cluster: Cluster, seen: Rows, token: int) -> str | None:
    """Another cluster, one we can't wholly see, or a younger writer."""
    if seen.identity is not None and cluster.uuid != seen.identity:
        return f"cluster {cluster.uuid} answers instead of {seen.identity}"
    if cluster.visible_indices < cluster.counted_indices:
        return f"only {cluster.visible_indices} of {cluster.counted_indices} indices are visible"
    noted = cluster.persistent.get(owned.TOKEN, "0")
    if not noted.isdecimal() or int(noted) > token:
        return f"a younger writer (lease {noted!r}) was here; ours is {token}"
    return None


def leaving(writes: Writes) -> frozenset[str]:
    """The instances that AWS shows as leaving now."""
    groups = writes.groups.describe([writes.spec.name])
    return frozenset(one.id for group in groups for one in group.instances if one.leaving)


class Fresh(msgspec.Struct, frozen=True):
    """A fresh look at one leaving instance: the cluster as it is, what will be left of it, and the leaver."""

    cluster: Cluster
    rest: Cluster
    one: Leaver


def afresh(writes: Writes, seen: Rows, instance: str) -> Fresh | None:
    """A fresh look at an instance; `None` if it does not leave."""
    cluster = writes.search.look()
    observed = Observed(
        cluster=cluster,
        groups=writes.groups.describe([writes.spec.name]),
        intents=seen.intents_of("zone_balance"),
        identity=seen.identity,
    )
    found = leavers(observed, cluster, shielded(cluster))
    one = next((one for one in found if one.id == instance), None)
    return None if one is None else Fresh(cluster, cluster.without(observed.unreliable(cluster)), one)


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
