"""Steps on the cluster's settings, whatever procedure demands them."""

from collections.abc import Mapping

from vagus.intent import Intent
from vagus.owned import SettingsUpdate
from vagus.steps.base import OfNodes, Step
from vagus.weights import Weighing


class ExcludeNodes(OfNodes, frozen=True, kw_only=True):
    """Note the demands in the intents' rows, then set what they make of the cluster's settings."""

    title = "Keep shards off the leaving nodes"
    search = ("cluster:admin/settings/update",)
    intents: tuple[Intent, ...]
    update: SettingsUpdate
    moves: Mapping[str, int] = {}

    @property
    def sentence(self) -> str:
        return f"exclude {', '.join(self.nodes)} from allocation, so that the shards move elsewhere"


class PutSettingsRight(Step, frozen=True, kw_only=True):
    """Close what is over and give the cluster back what we had set for it."""

    title = "Put the cluster's settings right"
    search = ("cluster:admin/settings/update", "cluster:admin/routing/awareness/weights/delete")
    protective = True
    in_every_mode = True
    closes: tuple[str, ...]
    update: SettingsUpdate
    weighing: Weighing | None = None

    @property
    def sentence(self) -> str:
        closing = f"close {', '.join(self.closes)}" if self.closes else ""
        setting = "make the allocation settings what the open intents demand, and no more" if self.update else ""
        searched = "have every zone searched again" if self.weighing else ""
        return " and ".join(part for part in (closing, setting, searched) if part) or "nothing"

    @property
    def subject(self) -> str:
        return ",".join(self.closes)


class ForceZones(Step, frozen=True, kw_only=True):
    """Note the zones' intent, then have the engine force copies over these zones, whatever a node's own file says."""

    title = "Force copies over the zones that are declared"
    search = ("cluster:admin/settings/update",)
    intent: Intent
    zones: tuple[str, ...]
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"force copies over {', '.join(self.zones)}: some nodes still have other zones in their configuration"

    @property
    def subject(self) -> str:
        return ",".join(self.zones)


class RaiseBalanceThreshold(Step, frozen=True, kw_only=True):
    """Note the demand in the intent's row, then let the engine's balancer bear counts that differ by more."""

    title = "Let bytes lead where shards stand"
    search = ("cluster:admin/settings/update",)
    intent: Intent
    value: float
    update: SettingsUpdate

    @property
    def sentence(self) -> str:
        return f"raise the engine's balance threshold to {self.value}, so that it leaves shards where the bytes fit"

    @property
    def subject(self) -> str:
        return f"balance threshold {self.value}"
