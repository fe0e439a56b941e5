"""Stages about instances that went, or stand apart, without us: what they held is judged and told. Pure.

Nobody can be asked to wait any more, so that nothing here lets anything go, or moves anything.
"""

from vagus.cluster import Cluster
from vagus.intent import Intent
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.steps import NoteDeparture
from vagus.zone_balance.looking import Look
from vagus.zone_balance.waiting import advanced, overdue

JUDGED_SECONDS = 10
"""Between two looks while a shard still recovers, so that nobody knows whether it was lost."""
DETACHED_SECONDS = 120
"""How long a node may serve on when its instance is in no group any more before a person is told."""
UNEXPLAINED_SECONDS = 60
"""How long shards may stand nowhere with nobody missing before a person is told."""
ON_THE_WAY = frozenset(
    {
        "INDEX_CREATED",
        "NEW_INDEX_RESTORED",
        "EXISTING_INDEX_RESTORED",
        "deciders_throttled",
        "fetching_shard_data",
    }
)
"""What the engine says of a primary that waits for its turn, or for a snapshot, or holds nothing yet: none is lost."""
LAST = (
    "Delete their indices last, and only if GET _cluster/allocation/explain says no_valid_shard_copy of them and the "
    "data is given up"
)
SHOWN = 10
"""How many shards a message names."""


def lost_shards(cluster: Cluster) -> tuple[str, ...]:
    """Shards of which every copy is unassigned. One that recovers, from a disk or as new, is not lost (yet)."""
    alive = {copy.id for copy in cluster.copies if copy.state != "UNASSIGNED"}
    return tuple(sorted(f"{index}[{shard}]" for index, shard in {copy.id for copy in cluster.copies} - alive))


def unaccounted(cluster: Cluster) -> tuple[str, ...]:
    """Those of them of which the engine does not say that they wait for their turn, are restored, or are new."""
    waits = {copy.id for copy in cluster.copies if copy.primary and not ON_THE_WAY.isdisjoint(copy.nowhere)}
    named = {f"{index}[{shard}]" for index, shard in waits}
    return tuple(one for one in lost_shards(cluster) if one not in named)


def all_active(cluster: Cluster) -> bool:
    """Whether every shard has a copy that serves."""
    return {copy.id for copy in cluster.copies} == {copy.id for copy in cluster.copies if copy.active}


def note(cluster: Cluster, intent: Intent) -> NoteDeparture | None:
    """What is to be noted of one that is gone: that all is safe, or what is lost. `None`: nothing new."""
    lost = lost_shards(cluster)
    if lost == intent.lost and lost:
        return None
    if not lost and not all_active(cluster):
        return None
    return NoteDeparture(intent=intent.id, instance=intent.instance, lost=lost, before=intent.lost)


def judge(look: Look) -> Plan | None:
    """Note what became of what they held, and close what is over."""
    steps = [step for one in look.observed.intents if look.departed(one) and (step := note(look.cluster, one))]
    if not steps:
        return None
    return Steps(steps=tuple(steps), reason=Reason.DEPARTED, message=steps[0].sentence)


def missing(look: Look) -> Plan | None:
    """Data went with an instance: a person is told which, and what survives."""
    gone = [intent for intent in look.observed.intents if look.departed(intent)]
    if not gone:
        return None
    lost = [intent for intent in gone if intent.lost]
    if not lost:
        return Wait(
            seconds=JUDGED_SECONDS,
            reason=Reason.DEPARTED,
            message=f"{_names(gone)} is gone; some shard still recovers",
        )
    shards = lost_shards(look.cluster)
    more = f" and {len(shards) - SHOWN} more" if len(shards) > SHOWN else ""
    return Blocked(
        reason=Reason.LOST_WITH_DATA,
        message=f"{_names(lost)} went without us, and no started copy is left of {', '.join(shards[:SHOWN])}{more}. "
        f"Its data volume is kept, unless it was deleted by hand: among the available volumes with the tag "
        f"vagus:cluster={look.spec.name} (made by {', '.join(sorted({one.group for one in lost}))}). Attach it to a "
        f"node of that zone, or restore the shards from a snapshot. {LAST}",
        open_deadline=True,
    )


def unexplained(look: Look) -> Plan | None:
    """Shards stand nowhere, and nobody who could bring them is missing: an instance went of which no event came. What
    is just being made shows so as well, for a moment: a run waits for that, from its first look on. A sweep has no
    clock: it starts that run."""
    shards = unaccounted(look.cluster)
    instances = [one for group in look.observed.groups for one in group.instances]
    if not shards or {one.id for one in instances} - look.cluster.names():
        return None
    more = f" and {len(shards) - SHOWN} more" if len(shards) > SHOWN else ""
    named = f"{', '.join(shards[:SHOWN])}{more}"
    waits = any(one.launching for one in instances)
    progress = advanced(look.observed.progress, f"{Reason.LOST_WITH_DATA} {named}", look.now)
    message = (
        f"no copy of {named} is assigned, and every instance has its node in the cluster: what held them went, and no "
        "event of that came, or these indices may stand nowhere. Its data volume is kept, unless it was deleted by "
        f"hand: among the available volumes with the tag vagus:cluster={look.spec.name}. Attach it to a node of its "
        f"zone, or restore the shards from a snapshot. {LAST}"
    )
    if look.observed.progress is not None and not overdue(progress, UNEXPLAINED_SECONDS):
        return Wait(seconds=JUDGED_SECONDS, reason=Reason.LOST_WITH_DATA, message=message, progress=progress)
    return Blocked(reason=Reason.LOST_WITH_DATA, message=message, progress=progress, open_deadline=waits)


def _names(intents: list[Intent]) -> str:
    return ", ".join(sorted({intent.instance for intent in intents}))


# -- still there -----------------------------------------------------------------------------------------------------


def detached(look: Look) -> Plan | None:
    """A node serves on, and no group has its instance: it is kept, and a person is told.

    A node of an adopted cluster may never have been in a group. One whose instance is just being ended shows so as
    well, for some seconds: a run waits for that.
    """
    if any(group.mode == "adopted" for group in look.observed.groups):
        return None
    listed = {one.id for group in look.observed.groups for one in group.instances}
    expected = {intent.instance for intent in look.observed.intents}
    names = sorted(node.name for node in look.cluster.nodes if node.name not in listed | expected)
    if not names:
        return None
    progress = advanced(look.observed.progress, f"{Reason.DETACHED} {', '.join(names)}", look.now)
    message = (
        f"{', '.join(names)} is in the cluster, and no Auto Scaling group has it: detached by hand? It is kept, its "
        "data stays where it is, and nothing of ours holds it when somebody ends it. Attach it again; or exclude it "
        "from allocation, and end it when it is empty"
    )
    if look.observed.progress is not None and not overdue(progress, DETACHED_SECONDS):
        return Wait(seconds=JUDGED_SECONDS, reason=Reason.DETACHED, message=message, progress=progress)
    return Blocked(reason=Reason.DETACHED, message=message, progress=progress)


def set_aside(look: Look) -> str:
    """What a person has set aside, for the message of a plan that does nothing."""
    names = [one.id for group in look.observed.groups for one in group.instances if one.lifecycle.endswith("Standby")]
    return f"; on standby, and kept: {', '.join(sorted(names))}" if names else ""
