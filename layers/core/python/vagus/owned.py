"""Owned settings: what the open demands make of a cluster's settings. Pure; nothing here does I/O.

Safety: what people set by hand stays. The exclusion and the mark that it is ours are written in the same
cluster-state update (`cluster.metadata.*` is free for users), so no crash can come between the two and no table can
disagree with the cluster. Convergence: with no demand left, neither exclusion nor mark of ours is left.
"""

from collections.abc import Iterable, Mapping

import msgspec

from vagus.cluster import Cluster
from vagus.intent import Demand, ExcludeNode

EXCLUDE = "cluster.routing.allocation.exclude._name"
MARK = "cluster.metadata.vagus.excluded"
TOKEN = "cluster.metadata.vagus.lease"  # noqa: S105  (a lease's counter, no secret)

Settings = Mapping[str, str | None]


class SettingsUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The body of one `PUT /_cluster/settings`; `None` clears a setting. All of it holds, or nothing."""

    persistent: Settings = {}
    transient: Settings = {}

    def __bool__(self) -> bool:
        return bool(self.persistent or self.transient)


class Converged(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written (falsy: nothing), and which exclusions of ours a person removed."""

    update: SettingsUpdate
    removed_by_hand: tuple[str, ...] = ()


def names(value: str | None) -> frozenset[str]:
    """The names in a comma-separated setting."""
    return frozenset(name.strip() for name in (value or "").split(",") if name.strip())


def ours(cluster: Cluster) -> frozenset[str]:
    """The nodes whose exclusion is marked as ours, whether or not it is still set."""
    return names(cluster.persistent.get(MARK))


def excluded(cluster: Cluster) -> frozenset[str]:
    """Every name that the exclusion settings hold, ours and others', persistent and transient."""
    return names(cluster.persistent.get(EXCLUDE)) | names(cluster.transient.get(EXCLUDE))


def standing(cluster: Cluster, demands: Iterable[Demand]) -> list[Demand]:
    """The demands that were set before (or that a person set): what is kept, and given back, without disturbing.

    The others wait for a step that may be held back: a crash between the row and the setting must not let an exclusion
    slip past a rule, a stop or an approval.
    """
    known = ours(cluster) | excluded(cluster)
    return [demand for demand in demands if demand.node in known]


def converge(cluster: Cluster, demands: Iterable[Demand]) -> Converged:
    """What the settings must become for these demands.

    A name that a person excluded as well is the person's: it stays when our demand ends. A name of ours that is no
    longer set was removed by a person: it keeps its mark, and isn't set again.
    """
    wanted = frozenset(demand.node for demand in demands if isinstance(demand, ExcludeNode))
    by_hand = excluded(cluster) - ours(cluster)
    removed = (ours(cluster) - excluded(cluster)) & wanted
    mine = wanted - by_hand
    return Converged(
        update=_update(
            cluster, exclude=by_hand | (mine - removed), mark=mine, shadowed=_shadowed(cluster, wanted - removed)
        ),
        removed_by_hand=tuple(sorted(removed)),
    )


def _shadowed(cluster: Cluster, wanted: frozenset[str]) -> bool:
    """Whether a transient twin, which wins, keeps a wanted name from having an effect."""
    return EXCLUDE in cluster.transient and not wanted <= names(cluster.transient[EXCLUDE])


def _update(cluster: Cluster, *, exclude: frozenset[str], mark: frozenset[str], shadowed: bool) -> SettingsUpdate:
    """Nothing where the marks agree and nothing of ours is touched: a person's own layout is left as it is."""
    settled = mark == ours(cluster) and exclude == excluded(cluster)
    if settled and not shadowed:
        return SettingsUpdate()
    return SettingsUpdate(
        persistent={EXCLUDE: _joined(exclude), MARK: _joined(mark)},
        transient={EXCLUDE: None} if EXCLUDE in cluster.transient else {},
    )


def _joined(values: frozenset[str]) -> str | None:
    return ",".join(sorted(values)) or None
