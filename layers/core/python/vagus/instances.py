"""Auto Scaling groups and their instances as AWS describes them: frozen data, made by `vagus.aws`."""

from typing import Literal

import msgspec

Zone = str

TERMINATE_HOOK = "vagus-terminate"
"""The name of the hook that our templates put on each group."""


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a group. `lifecycle` is Auto Scaling's own word, such as `Terminating:Wait`."""

    id: str
    zone: Zone
    lifecycle: str
    healthy: bool = True

    @property
    def waits_to_leave(self) -> bool:
        """A terminate hook holds it: it can be outlived, not refused."""
        return self.lifecycle == "Terminating:Wait"

    @property
    def retained(self) -> bool:
        """Its hook ended with ABANDON and the group kept it: billed, replaced, ours to end."""
        return self.lifecycle == "Terminating:Retained"

    @property
    def leaving(self) -> bool:
        """It goes, or would go, as soon as its data is safe."""
        return self.waits_to_leave or self.retained

    @property
    def let_go(self) -> bool:
        """Nothing holds it any more: its node may vanish at any moment, and nothing may lean on it."""
        return self.lifecycle.startswith(("Terminat", "Detach")) and not self.leaving


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """An Auto Scaling group of a declared cluster. `retains`: whether an abandoned terminate hook retains. `least` and
    `most`: its bounds. `replaces_early`: whether it launches a replacement when EC2 recommends a rebalance."""

    name: str
    cluster: str
    zone: Zone
    roles: tuple[str, ...]
    desired: int
    instances: tuple[Instance, ...]
    retains: bool
    hook: str | None = TERMINATE_HOOK
    suspended: tuple[str, ...] = ()
    mode: Literal["declared", "adopted"] = "declared"
    least: int = 0
    most: int = 10_000
    replaces_early: bool = False

    @property
    def unprotected(self) -> bool:
        """An ABANDON, or a hook that runs out, would end the instance with its data."""
        return not self.retains or self.hook is None
