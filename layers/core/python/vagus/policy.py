"""What the owners of a cluster allow and wish: part of its fleet file, read by every decision."""

from typing import Annotated, Literal

import msgspec

Mode = Literal["observe", "approve", "act"]

Waiver = Literal["spot"]
"""Rules of `vagus.group_safety` that an owner may waive: nodes that hold data or vote may be Spot instances."""


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
