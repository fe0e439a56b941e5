"""Owned settings of one value each: allocation, the balance threshold, the zones of forced awareness, whether
searches may ask for certain nodes. Pure.

A row of `VALUES` for each: its demand, its setting, and the mark `cluster.metadata.vagus.<word>`. The mark is written
in the same update as the setting and holds, as JSON, what we set and what stood in either layer before:
`{"set":"primaries","persistent":null,"transient":"all"}`. With no demand left the former values are given back, each to
its layer. A value in force that is not the one we set was changed by a person: it stays, and ours is not set again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from vagus.cluster import Cluster
from vagus.intent import AllocationPrimaries, AnyPreference, AwareZones, BalanceThreshold, Demand

Settings = Mapping[str, str | None]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one owned setting adds to the update. `by_hand`: the setting, if a person removed or changed ours."""

    persistent: Settings = {}
    transient: Settings = {}
    by_hand: str = ""


class Mark(msgspec.Struct, frozen=True):
    """What we set, and what stood before in each layer (`None`: nothing)."""

    set: str
    persistent: str | None = None
    transient: str | None = None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One owned setting. `come_to`: what several demands come to. `enough`: whether a value that a person set (or the
    engine's `default`) does what is wanted already, so that nothing of ours is needed. `held_to`: a demand of what is
    set now, and no more. `told_by_nodes`: nodes' own configurations differ in it, so that what counts as in force is
    only what is set: the elected manager's word may be another's tomorrow."""

    demand: type[Demand]
    setting: str
    word: str
    default: str
    come_to: Callable[[Sequence[Demand]], str]
    enough: Callable[[str, str], bool]
    held_to: Callable[[str], Demand]
    told_by_nodes: bool = False

    @property
    def mark(self) -> str:
        """The setting that says that it is ours."""
        return f"cluster.metadata.vagus.{self.word}"

    def in_force(self, cluster: Cluster) -> str | None:
        """What is set, by us or by hand: the transient value wins."""
        return cluster.transient.get(self.setting, cluster.persistent.get(self.setting))

    def before(self, cluster: Cluster, mark: Mark | None) -> str:
        """What is in force without us."""
        theirs = (mark.transient or mark.persistent) if mark else self.in_force(cluster)
        told = None if self.told_by_nodes else cluster.defaults.get(self.setting)
        return theirs or told or self.default

    def wanted(self, demands: Iterable[Demand]) -> str | None:
        """What the demands come to; `None` if nobody demands it."""
        mine = [demand for demand in demands if isinstance(demand, self.demand)]
        return self.come_to(mine) if mine else None

    def standing(self, cluster: Cluster, demands: Iterable[Demand]) -> list[Demand]:
        """A demand of what is set now, if one is open; of nothing new."""
        if self.wanted(demands) is None:
            return []
        if self.mark not in cluster.persistent:
            return []
        mark = marked(self, cluster)
        return [self.held_to(mark.set)] if mark else [demand for demand in demands if isinstance(demand, self.demand)]


def marked(value: Value, cluster: Cluster) -> Mark | None:
    """Our mark. One that can't be read, as a person may have changed it, tells nothing: `None`."""
    try:
        return msgspec.json.decode(cluster.persistent.get(value.mark, ""), type=Mark)
    except msgspec.DecodeError:
        return None


def converge(value: Value, cluster: Cluster, demands: Iterable[Demand]) -> Change:
    """What this setting must become for these demands."""
    wanted, mark = value.wanted(demands), marked(value, cluster)
    needed = wanted is not None and not value.enough(value.before(cluster, mark), wanted)
    if value.mark not in cluster.persistent:
        return _set(value, cluster, str(wanted), _as_it_is(value, cluster)) if needed else Change()
    if mark is None or value.in_force(cluster) != mark.set:
        return Change(by_hand=value.setting) if needed else Change(persistent={value.mark: None})
    if not needed:
        return _given_back(value, mark)
    return Change() if wanted == mark.set else _set(value, cluster, str(wanted), mark)


def _as_it_is(value: Value, cluster: Cluster) -> Mark:
    return Mark("", cluster.persistent.get(value.setting), cluster.transient.get(value.setting))


def _set(value: Value, cluster: Cluster, wanted: str, before: Mark) -> Change:
    """A transient twin would win: it makes room, and the mark remembers it."""
    mark = msgspec.json.encode(msgspec.structs.replace(before, set=wanted)).decode()
    return Change(
        persistent={value.setting: wanted, value.mark: mark},
        transient={value.setting: None} if value.setting in cluster.transient else {},
    )


def _given_back(value: Value, mark: Mark) -> Change:
    return Change(
        persistent={value.setting: mark.persistent, value.mark: None},
        transient={value.setting: mark.transient} if mark.transient is not None else {},
    )


def zones(text: str) -> tuple[str, ...]:
    """The values of a comma-separated setting, sorted."""
    return tuple(sorted({zone.strip() for zone in text.split(",") if zone.strip()}))


def _highest(demands: Sequence[Demand]) -> str:
    return str(max(demand.value for demand in demands if isinstance(demand, BalanceThreshold)))


def _all_zones(demands: Sequence[Demand]) -> str:
    found = {zone for demand in demands if isinstance(demand, AwareZones) for zone in demand.values}
    return ",".join(sorted(found))


def _as_high(theirs: str, wanted: str) -> bool:
    try:
        return float(theirs) >= float(wanted)
    except ValueError:
        return False  # the engine would not have taken it: an answer of another engine


VALUES: tuple[Value, ...] = (
    Value(
        demand=AllocationPrimaries,
        setting="cluster.routing.allocation.enable",
        word="allocation",
        default="all",
        come_to=lambda _: "primaries",
        enough=lambda theirs, _: theirs in ("primaries", "new_primaries", "none"),  # a person's stricter value stays
        held_to=lambda _: AllocationPrimaries(),
    ),
    Value(
        demand=BalanceThreshold,
        setting="cluster.routing.allocation.balance.threshold",
        word="threshold",
        default="1.0",
        come_to=_highest,
        enough=_as_high,
        held_to=lambda text: BalanceThreshold(value=float(text)),
    ),
    Value(
        demand=AwareZones,
        setting="cluster.routing.allocation.awareness.force.zone.values",
        word="zones",
        default="",
        come_to=_all_zones,
        enough=lambda theirs, wanted: zones(theirs) == zones(wanted),
        told_by_nodes=True,
        held_to=lambda text: AwareZones(values=zones(text)),
    ),
    Value(
        demand=AnyPreference,
        setting="cluster.routing.weighted.strict",
        word="strict",
        default="true",
        come_to=lambda _: "false",
        enough=lambda theirs, _: theirs == "false",
        held_to=lambda _: AnyPreference(),
    ),
)
"""In the order in which they are written."""
