"""Which instances are to be replaced, in which order, and what stands against replacing one now. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from vagus.allocation import LOW, reserve
from vagus.cluster import Cluster, Node
from vagus.fleet import ClusterSpec
from vagus.instances import Group, Instance
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.observed import Observed
from vagus.rolling_upgrade.on_the_way import suspended
from vagus.rolling_upgrade.order import in_order
from vagus.rolling_upgrade.rules import Violation

GIB = 1 << 30
NEEDED = ("Launch", "Terminate")
"""Processes of a group without which nothing is replaced."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An instance that is to be replaced. `node`: its node, if that is in the cluster; `bytes`: what that holds."""

    instance: Instance
    group: Group
    node: Node | None
    bytes: int

    @property
    def id(self) -> str:
        """The instance's id, and its node's name."""
        return self.instance.id


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a check is asked about: the one that would be next."""

    observed: Observed
    cluster: Cluster
    spec: ClusterSpec
    one: Candidate

    @property
    def of_a_stop(self) -> rules.Question:
        """The same, as the checks of a restart are asked."""
        names = frozenset({self.one.id} & self.cluster.names())
        return rules.Question(observed=self.observed, cluster=self.cluster, spec=self.spec, names=names)


# -- which -----------------------------------------------------------------------------------------------------------


def candidates(observed: Observed, cluster: Cluster, named: Sequence[str] = ()) -> tuple[Candidate, ...]:
    """Every instance that is to be replaced, in order: those whose node is away, then as nodes are restarted; last
    those that somebody has to set right first. `named`: these alone, whatever they were launched from."""
    wanted = {
        one.id: (one, group)
        for group in observed.groups
        for one in group.instances
        if (one.id in named if named else group.behind(one))
    }
    if not wanted:
        return ()
    nodes, held = {node.name: node for node in cluster.nodes}, _bytes(cluster)
    found = {
        name: Candidate(instance=one, group=group, node=nodes.get(name), bytes=held[name])
        for name, (one, group) in wanted.items()
    }
    away = [name for name in sorted(found) if found[name].node is None]
    present = in_order(cluster, [one.node for one in found.values() if one.node])
    ordered = [found[name] for name in (*away, *(node.name for node in present))]
    return tuple(sorted(ordered, key=lambda one: _set_aside(observed, one) is not None))


def unknown(observed: Observed) -> tuple[str, ...]:
    """Groups of which nobody knows who is behind: their launch template's version is no number."""
    return tuple(sorted(group.name for group in observed.groups if group.instances and not group.template))


def _bytes(cluster: Cluster) -> Counter[str]:
    """What each node holds: one pass, for there may be 100,000 copies."""
    held: Counter[str] = Counter()
    for copy in cluster.copies:
        if copy.node:
            held[copy.node] += copy.bytes
    return held


# -- checks ----------------------------------------------------------------------------------------------------------


def held_by_nobody(asked: Question) -> Violation | None:
    """Our terminate hook, or the policy that retains, is missing: the instance would end with its data."""
    return _unheld(asked.observed, asked.one.group)


def set_aside(asked: Question) -> Violation | None:
    """A person protects it, has set it aside, or has suspended what its group needs."""
    return _by_people(asked.observed, asked.one)


def nobody_drains(asked: Question) -> Violation | None:
    """zone_balance would not drain it: it would wait for ever."""
    why = asked.observed.undrained
    message = f"{asked.one.id} would wait to leave for ever: {why}"
    return Violation(Reason.NOT_REPLACEABLE, message, about=(why,)) if why else None


def another_version(asked: Question) -> Violation | None:
    """A node runs another version than the replacement is to bring: that is an upgrade, asked for as one. Any node is
    asked: an instance of an adopted group brings what its own image holds, which only its node tells."""
    brings = asked.observed.version or (asked.one.node.version if asked.one.node else "")
    other = next((node for node in asked.cluster.nodes if brings and node.version != brings), None)
    if other is None:
        return None
    return Violation(
        Reason.VERSION_PATH,
        f"{other.name} runs {other.version}, and the replacement of {asked.one.id} is to bring {brings}: no further "
        f"instance is replaced. If {other.name} came by a replacement, the launch template of its group brings another "
        f"engine than the cluster runs: put that right first. `vagus abort {asked.spec.name}`, bring the cluster to "
        "one version (`vagus upgrade`), then ask anew",
        about=(f"{other.name} to {brings}",),
    )


def volume_too_small(asked: Question) -> Violation | None:
    """The declared volume can't hold what the node holds now: the shards would find no room to come back to."""
    one, volume = asked.one, _volume(asked.spec, asked.one.group.name)
    if not volume or one.bytes <= volume - reserve(asked.cluster.setting(LOW, "85%"), volume):
        return None
    return Violation(
        Reason.NO_ROOM,
        f"{one.id} holds {one.bytes / 1e9:,.1f} GB, and a volume of {volume // GIB} GiB, which its group gives to new "
        "instances, is above its low watermark with that: declare a larger `data_volume`",
        about=(f"the volume of {one.id}",),
    )


def quorum(asked: Question) -> Violation | None:
    """No majority of the voters would stay."""
    return rules.quorum(asked.cluster, asked.of_a_stop.names)


def _red(asked: Question) -> Violation | None:
    return rules.red(asked.of_a_stop)


def _disk_full(asked: Question) -> Violation | None:
    return rules.disk_full(asked.of_a_stop)


def _snapshot_running(asked: Question) -> Violation | None:
    return rules.snapshot_running(asked.of_a_stop)


Rule = Callable[[Question], Violation | None]
RULES: tuple[Rule, ...] = (
    nobody_drains,
    held_by_nobody,
    set_aside,
    another_version,
    volume_too_small,
    quorum,
    _red,
    _disk_full,
    _snapshot_running,
)


def against(asked: Question) -> Violation | None:
    """The first check that stands against replacing this one now."""
    return next((found for rule in RULES if (found := rule(asked))), None)


def results(asked: Question) -> str:
    found = ((rule.__name__.strip("_").replace("_", " "), rule(asked)) for rule in RULES)
    return "; ".join(f"{name}: {violation.message if violation else 'passed'}" for name, violation in found)


def _set_aside(observed: Observed, one: Candidate) -> Violation | None:
    """What stands against this one, and may not stand against another."""
    return _unheld(observed, one.group) or _by_people(observed, one)


def _unheld(observed: Observed, group: Group) -> Violation | None:
    name = group.name
    if not group.retains:
        return _no(
            f"{name} retains",
            f"{name} does not retain what is abandoned, so that its instance could not be held: `vagus doctor`",
        )
    if group.hook is None or name in observed.unhooked:
        return _no(
            f"{name} holds",
            f"{name} has no terminate hook of ours, and its instance would end with its data: `vagus doctor`",
        )
    return None


def _by_people(observed: Observed, one: Candidate) -> Violation | None:
    group = one.group.name
    if one.instance.lifecycle.endswith("Standby"):
        way = "return it to service (`aws autoscaling exit-standby`), or end it by hand"
        return _no(f"{one.id} on standby", f"{one.id} is on standby: {way}")
    if one.instance.protected:
        return _no(
            f"{one.id} protected",
            f"{one.id} is protected from scale-in: take that back (`aws autoscaling set-instance-protection "
            f"--auto-scaling-group-name {group} --instance-ids {one.id} --no-protected-from-scale-in`)",
        )
    halted = next((name for name in NEEDED if name in one.group.suspended), None)
    return _no(f"{halted} in {group}", suspended(observed, one.group, halted)) if halted else None


def _no(about: str, message: str) -> Violation:
    """Each for itself: when one cause is put right, another is told, under the same reason."""
    return Violation(Reason.NOT_REPLACEABLE, message, about=(about,))


def _volume(spec: ClusterSpec, group: str) -> int:
    """Bytes of the data volume that a new instance of a group gets; 0 where others made the group."""
    for name, declared in spec.groups.items():
        if group in (spec.group_name(name, zone) for zone in spec.zones):
            return 0 if declared.adopted else declared.data_volume * GIB
    return 0
