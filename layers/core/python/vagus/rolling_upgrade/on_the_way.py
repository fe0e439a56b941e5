"""Who leaves, who comes, and which group lacks an instance: meanwhile no further one is asked to be replaced. Pure."""

from datetime import datetime

from vagus.cluster import Cluster
from vagus.instances import Group, Launches
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.observed import Observed

LATE_SECONDS = 300
"""How long after we let a group launch again AWS may show that it does not."""


def under_way(observed: Observed, cluster: Cluster) -> str:
    """Who leaves, who comes, and which group lacks an instance; empty if none does."""
    return moving(observed, cluster) or lacking(observed)


def moving(observed: Observed, cluster: Cluster) -> str:
    """Who leaves, or comes."""
    members = [one for group in observed.groups for one in group.instances]
    leaving = {one.id for one in members if one.leaving or one.let_go or one.lifecycle.startswith("Terminat")}
    leaving |= {one.instance for one in rules.urgent(observed, cluster)}
    leaving |= {one.instance for one in observed.others if one.kind == "retire" and one.acted}
    if leaving:
        return f"{', '.join(sorted(leaving))} leaves, and goes first"
    coming = sorted(one.id for one in members if one.launching)
    return f"{', '.join(coming)} comes, and has to serve first" if coming else ""


def lacking(observed: Observed) -> str:
    """Which groups lack an instance, whether they launch or not: where launches fail, the next group's would too."""
    short = {group.name: group for group in observed.groups if group.short}
    failing = sorted(name for name, group in short.items() if not_launching(group) and name in observed.stopped)
    if failing:
        return f"{', '.join(failing)} lacks an instance, and {_ours(short[failing[0]].cluster)}"
    return f"{', '.join(sorted(short))} lacks an instance, and has to launch it first" if short else ""


def forbidden(observed: Observed) -> Group | None:
    """A group that lacks an instance and in which somebody else has suspended launching: it waits for that person."""
    groups = [group for group in observed.groups if group.short and not_launching(group)]
    return min((one for one in groups if one.name not in observed.stopped), key=lambda one: one.name, default=None)


def not_launching(group: Group) -> bool:
    """Whether its launching is suspended, by whomever."""
    return "Launch" in group.suspended


def suspended(observed: Observed, group: Group, process: str) -> str:
    """That a process of a group is suspended, and the way out: another one where we did it, for its launches fail."""
    if process == "Launch" and group.name in observed.stopped:
        return _ours(group.cluster)
    way = f"`aws autoscaling resume-processes --auto-scaling-group-name {group.name} --scaling-processes {process}`"
    return f"the process {process} is suspended in {group.name}: resume it ({way})"


def replaced_by_hand(instance: str) -> str:
    """How a person has one instance replaced, whatever else is under way: it leaves as any, held by its hook."""
    return (
        "have its instance replaced (`aws autoscaling terminate-instance-in-auto-scaling-group --instance-id "
        f"{instance} --no-should-decrement-desired-capacity`)"
    )


def stopped(launches: Launches, now: float) -> frozenset[str]:
    """Groups in which we suspended launching, or let it begin again a moment ago."""
    times = {name: one.at for name, one in launches.again.items()} | dict(launches.forgiven)
    late = {name for name, at in times.items() if now - datetime.fromisoformat(at).timestamp() < LATE_SECONDS}
    return frozenset({*launches.marks, *late})


def _ours(cluster: str) -> str:
    return (
        "its launches failed, so that Vagus has suspended launching there: put right what LAUNCHES_FAIL names, then "
        f"`vagus resume {cluster}`"
    )
