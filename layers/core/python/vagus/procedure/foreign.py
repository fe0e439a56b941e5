"""What every room's writes look at afresh: whose cluster answers, and whether anybody younger has written to it."""

from vagus import owned
from vagus.cluster import Cluster
from vagus.procedure.rows import Rows


def foreign(cluster: Cluster, seen: Rows, token: int) -> str | None:
    """Another cluster than the noted one (before one is noted, any), one we can't wholly see, or a younger writer."""
    if seen.identity is not None and cluster.uuid != seen.identity:
        return f"cluster {cluster.uuid} answers instead of {seen.identity}"
    if cluster.visible_indices < cluster.counted_indices:
        return f"only {cluster.visible_indices} of {cluster.counted_indices} indices are visible"
    noted = cluster.persistent.get(owned.TOKEN, "0")
    if not noted.isdecimal() or int(noted) > token:
        return f"a younger writer (lease {noted!r}) was here; ours is {token}"
    return None
