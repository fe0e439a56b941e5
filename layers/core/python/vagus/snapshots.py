"""What is seen of a cluster's snapshots: frozen data, made by `vagus.search`. Pure."""

import msgspec


class Snapshots(msgspec.Struct, frozen=True, kw_only=True):
    """`running`: names of those under way. `newest`: when the last one that succeeded ended (epoch seconds)."""

    running: tuple[str, ...] = ()
    newest: float | None = None
