"""What every write of this room looks at afresh."""

from vagus.cluster import Cluster
from vagus.procedure import foreign as frame
from vagus.procedure.rows import Rows


def foreign(cluster: Cluster, seen: Rows, token: int) -> str | None:
    """As for every room; and a cluster whose identity is not noted is nobody's to restart."""
    if seen.identity is None:
        return f"cluster {cluster.uuid} answers, and nobody has noted which one is ours"
    return frame.foreign(cluster, seen, token)
