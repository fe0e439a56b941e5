"""Owned settings: what the open demands make of a cluster's settings. Pure; nothing here does I/O.

Safety: what people set by hand stays. A setting and the mark that it is ours are written in the same cluster-state
update (`cluster.metadata.*` is free for users), so no crash can come between the two and no table can disagree with
the cluster. Convergence: with no demand left, neither setting nor mark of ours is left.

Two kinds. The exclusion is a set of names, of which some are ours and some a person's. The others (`owned_values`)
have one value each: ours stands in place of what was there before, which the mark carries and which is given back.
"""

from collections.abc import Iterable

import msgspec

from vagus import owned_values
from vagus.cluster import Cluster
from vagus.intent import Demand, ExcludeNode
from vagus.owned_values import VALUES, Change, Settings

EXCLUDE = "cluster.routing.allocation.exclude._name"
MARK = "cluster.metadata.vagus.excluded"
TOKEN = "cluster.metadata.vagus.lease"  # noqa: S105  (a lease's counter, no secret)
MARKS = (MARK, *(value.mark for value in VALUES))
"""Every mark of a setting that there may be: what is ours says so in one of these."""
VOTES = "cluster.metadata.vagus.voting"
"""The mark of votes that were taken, which are no setting (`zone_balance.voting`). The lease's token stays with it."""


class SettingsUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The body of one `PUT /_cluster/settings`; `None` clears a setting. All of it holds, or nothing."""

    persistent: Settings = {}
    transient: Settings = {}

    def __bool__(self) -> bool:
        return bool(self.persistent or self.transient)


class Converged(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written (falsy: nothing); which exclusions of ours a person removed, and which other settings of
    ours a person removed or changed."""

    update: SettingsUpdate
    removed_by_hand: tuple[str, ...] = ()
    changed_by_hand: tuple[str, ...] = ()

    @property
    def by_hand(self) -> str:
        """What a person did to ours, for a person; empty if nothing."""
        parts = [f"the exclusion of {', '.join(self.removed_by_hand)} was removed"] if self.removed_by_hand else []
        parts += [f"{', '.join(self.changed_by_hand)} was changed"] if self.changed_by_hand else []
        return f"{' and '.join(parts)} by hand" if parts else ""


def names(value: str | None) -> frozenset[str]:
    """The names in a comma-separated setting."""
    return frozenset(name.strip() for name in (value or "").split(",") if name.strip())


def ours(cluster: Cluster) -> frozenset[str]:
    """The nodes whose exclusion is marked as ours, whether or not it is still set."""
    return names(cluster.persistent.get(MARK))


def excluded(cluster: Cluster) -> frozenset[str]:
    """Every name that the exclusion settings hold, ours and others', persistent and transient."""
    return names(cluster.persistent.get(EXCLUDE)) | names(cluster.transient.get(EXCLUDE))


def marked(cluster: Cluster) -> tuple[str, ...]:
    """The marks of ours that stand in the cluster's settings."""
    return tuple(mark for mark in MARKS if mark in cluster.persistent)


def standing(cluster: Cluster, demands: Iterable[Demand]) -> list[Demand]:
    """The demands as far as they were set before (or a person set them): what is kept, and given back, without
    disturbing.

    The rest waits for a step that may be held back: a crash between the row and the setting must not let an exclusion
    slip past a rule, a stop or an approval.
    """
    demands = list(demands)
    known = ours(cluster) | excluded(cluster)
    kept: list[Demand] = [one for one in demands if isinstance(one, ExcludeNode) and one.node in known]
    return kept + [demand for value in VALUES for demand in value.standing(cluster, demands)]


def converge(cluster: Cluster, demands: Iterable[Demand]) -> Converged:
    """What the settings must become for these demands.

    A name that a person excluded as well is the person's: it stays when our demand ends. A name of ours that is no
    longer set was removed by a person: it keeps its mark, and isn't set again.
    """
    demands = list(demands)
    wanted = frozenset(demand.node for demand in demands if isinstance(demand, ExcludeNode))
    by_hand = excluded(cluster) - ours(cluster)
    removed = (ours(cluster) - excluded(cluster)) & wanted
    mine = wanted - by_hand
    exclusion = _exclusion(
        cluster, exclude=by_hand | (mine - removed), mark=mine, shadowed=_shadowed(cluster, wanted - removed)
    )
    values = [owned_values.converge(value, cluster, demands) for value in VALUES]
    return Converged(
        update=_together(cluster, [exclusion, *values]),
        removed_by_hand=tuple(sorted(removed)),
        changed_by_hand=tuple(sorted(one.by_hand for one in values if one.by_hand)),
    )


def signed(update: SettingsUpdate, token: int) -> SettingsUpdate:
    """The update with the lease's token, which goes with our marks, and goes when the last of them goes."""
    note = str(token) if any(update.persistent.get(mark) for mark in (*MARKS, VOTES)) else None
    return msgspec.structs.replace(update, persistent={**update.persistent, TOKEN: note})


def _together(cluster: Cluster, changes: Iterable[Change]) -> SettingsUpdate:
    """One update. Where anything changes, the marks that stay are written again: the update alone says what is ours
    when it holds."""
    persistent: dict[str, str | None] = {}
    transient: dict[str, str | None] = {}
    for change in changes:
        persistent |= change.persistent
        transient |= change.transient
    if not persistent and not transient:
        return SettingsUpdate()
    stands = [mark for mark in (*MARKS, VOTES) if mark in cluster.persistent]
    stay = {mark: cluster.persistent[mark] for mark in stands if mark not in persistent}
    return SettingsUpdate(persistent={**persistent, **stay}, transient=transient)


def _shadowed(cluster: Cluster, wanted: frozenset[str]) -> bool:
    """Whether a transient twin, which wins, keeps a wanted name from having an effect."""
    return EXCLUDE in cluster.transient and not wanted <= names(cluster.transient[EXCLUDE])


def _exclusion(cluster: Cluster, *, exclude: frozenset[str], mark: frozenset[str], shadowed: bool) -> Change:
    """Nothing where the marks agree and nothing of ours is touched: a person's own layout is left as it is."""
    settled = mark == ours(cluster) and exclude == excluded(cluster)
    if settled and not shadowed:
        return Change()
    return Change(
        persistent={EXCLUDE: _joined(exclude), MARK: _joined(mark)},
        transient={EXCLUDE: None} if EXCLUDE in cluster.transient else {},
    )


def _joined(values: frozenset[str]) -> str | None:
    return ",".join(sorted(values)) or None
