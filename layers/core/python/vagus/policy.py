"""What the owners of a cluster allow and wish: part of its fleet file, read by every decision."""

from typing import Annotated, Literal

import msgspec

Mode = Literal["observe", "approve", "act"]

Waiver = Literal["spot"]
"""Rules of `vagus.group_safety` that an owner may waive: nodes that hold data or vote may be Spot instances."""


class ClusterWatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the cluster watch tells, and when (docs/events.md).

    `looks`: in how many looks in a row, a minute apart, something that may pass has to be found before it is told.
    `skew`: how far above its fair share of its zone's bytes a node may be, as a part of it; and `skew_bytes` by how
    many bytes it has to be. `watermark_margin`: how near to the low watermark a disk is told of, as a part of the disk.
    """

    looks: Annotated[int, msgspec.Meta(ge=1, le=30)] = 2
    skew: Annotated[float, msgspec.Meta(ge=0.01, le=10.0)] = 0.2
    skew_bytes: Annotated[int, msgspec.Meta(ge=0)] = 10_737_418_240
    watermark_margin: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.05


class ZoneBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy of zone_balance.

    `nowhere_to_go`: what follows where no node may legally take a leaving node's shards: `hold` (retain the instance
    until its replacement has joined) or `one_zone_at_a_time` (flush, let it go, rely on the other copies).
    `stall_seconds`: when no shard moves for so long, a drain says why. `wait_cap_seconds`: the longest wait between
    two looks. `failures_in_a_row`: after so many a person is called.
    """

    mode: Mode = "observe"
    nowhere_to_go: Literal["hold", "one_zone_at_a_time"] = "hold"
    stall_seconds: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 120
    wait_cap_seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 60
    failures_in_a_row: Annotated[int, msgspec.Meta(ge=2, le=20)] = 5
