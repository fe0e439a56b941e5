"""The engine's flat settings, read into `Settings` and `Index`."""

from collections.abc import Mapping

from vagus.zone_balance.planner.model import BREACHED, Index, Settings

ROUTING = "cluster.routing.allocation."
UNMODELLED = {
    ROUTING + "load_awareness.provisioned_capacity": "-1",
    "remote_store.compatibility_mode": "strict",
    "cluster.routing.allocation.type": "balanced",
}
"""Settings that change where the engine puts shards in ways that are not modelled, and the value that is harmless."""


def settings(flat: Mapping[str, str], version: str) -> Settings:
    """From the cluster's settings in force (a transient one has replaced its persistent twin already). `version`: of
    the engine; OpenSearch 2 knows no `primary_constraint.threshold`: there a million is fixed."""

    def of(name: str, default: str) -> str:
        return flat.get(ROUTING + name, default)

    both = of("node_concurrent_recoveries", "2")
    return Settings(
        awareness=_listed(of("awareness.attributes", "")),
        forced=_forced(flat),
        disk_threshold=_true(of("disk.threshold_enabled", "true")),
        watermark_low=of("disk.watermark.low", "85%"),
        watermark_high=of("disk.watermark.high", "90%"),
        include=_under(flat, ROUTING + "include."),
        exclude=_under(flat, ROUTING + "exclude."),
        require=_under(flat, ROUTING + "require."),
        incoming_recoveries=int(of("node_concurrent_incoming_recoveries", both)),
        outgoing_recoveries=int(of("node_concurrent_outgoing_recoveries", both)),
        cluster_recoveries=int(of("cluster_concurrent_recoveries", "-1")),
        shards_per_node=int(of("total_shards_per_node", "-1")),
        primaries_per_node=int(of("total_primary_shards_per_node", "-1")),
        same_host=_true(of("same_shard.host", "false")),
        balance_shard=float(of("balance.shard", "0.45")),
        balance_index=float(of("balance.index", "0.55")),
        threshold=float(of("balance.threshold", "1.0")),
        prefer_primary=_true(of("balance.prefer_primary", "false")),
        rebalance_primary=_true(of("rebalance.primary.enable", "false")),
        primary_buffer=float(of("rebalance.primary.buffer", "0.10")),
        primary_weight=float(of("primary_constraint.threshold", "10")) if _major(version) >= 3 else BREACHED,
        unmodelled=tuple(f"{name}={flat[name]}" for name, off in UNMODELLED.items() if flat.get(name, off) != off),
    )


def index(flat: Mapping[str, str]) -> Index:
    """From an index's own settings."""
    routing = "index.routing.allocation."
    include = _under(flat, routing + "include.")
    preference = include.pop("_tier_preference", "")
    return Index(
        include=include,
        exclude=_under(flat, routing + "exclude."),
        require=_under(flat, routing + "require."),
        shards_per_node=int(flat.get(routing + "total_shards_per_node", "-1")),
        primaries_per_node=int(flat.get(routing + "total_primary_shards_per_node", "-1")),
        tier_preference=_listed(preference),
        segment_replication=flat.get("index.replication.type", "").upper() == "SEGMENT",
    )


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _true(text: str) -> bool:
    return text.strip().lower() == "true"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _under(flat: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in sorted(flat.items()) if key.startswith(prefix) and value}


def _forced(flat: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    found = _under(flat, ROUTING + "awareness.force.")
    return {key.removesuffix(".values"): _listed(value) for key, value in found.items() if key.endswith(".values")}
