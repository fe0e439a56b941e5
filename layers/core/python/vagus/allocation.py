"""What the engine's allocation settings say of a cluster's nodes: asked by every capability. Pure."""

import math
from fnmatch import fnmatchcase

from vagus.cluster import Cluster

AWARENESS = "cluster.routing.allocation.awareness.attributes"
FORCED = "cluster.routing.allocation.awareness.force.zone.values"
EXCLUDE = "cluster.routing.allocation.exclude._name"
LOW = "cluster.routing.allocation.disk.watermark.low"
HIGH = "cluster.routing.allocation.disk.watermark.high"
FLOOD = "cluster.routing.allocation.disk.watermark.flood_stage"
THRESHOLD = "cluster.routing.allocation.disk.threshold_enabled"

UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}


def shielded(cluster: Cluster) -> frozenset[str]:
    """The nodes that an exclusion by name in force keeps shards off, wildcards included."""
    patterns = [pattern.strip() for pattern in cluster.setting(EXCLUDE).split(",") if pattern.strip()]
    return frozenset(node.name for node in cluster.nodes if any(fnmatchcase(node.name, p) for p in patterns))


def reserve(watermark: str, total: int) -> int:
    """Bytes that a watermark wants free: `90%` or `0.9` (used) or `50gb` (free)."""
    text = watermark.strip().lower()
    if text.endswith("%"):
        return math.ceil(total * (100 - float(text[:-1])) / 100)
    number = text.rstrip("bkmgtp")
    if unit := text[len(number) :]:
        return int(float(number) * UNITS[unit])
    return math.ceil(total * (1 - float(number)))
