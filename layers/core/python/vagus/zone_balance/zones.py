"""Stages about the zones of forced awareness, when a zone comes or goes. Pure.

The order is the engine's own advice. A zone that comes: its nodes join, then it is forced. A zone that goes (listed in
`zones_leaving`): its groups shrink to nothing, node by node, each drained; then it is forced no more; then a person
takes it out of the file. A zone whose nodes are merely away is forced on: else an outage would crowd its copies
elsewhere.
"""

from datetime import UTC, datetime

from vagus import owned
from vagus.allocation import FORCED
from vagus.cluster import Cluster
from vagus.intent import AwareZones, Intent
from vagus.plan import Blocked, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import ForceZones
from vagus.zone_balance.forced_zones import needed, set_now, wanted
from vagus.zone_balance.looking import Look, demands
from vagus.zone_balance.placement import fit

MARK = "cluster.metadata.vagus.zones"


def force(look: Look) -> Plan | None:
    """Demand the zones that are wanted, where nodes differ. What a person has set is left alone, and said."""
    cluster, spec, groups = look.cluster, look.spec, look.observed.groups
    if cluster.status != "green" or not needed(cluster, spec, groups):
        return None
    mine = wanted(cluster, spec, groups)
    if set_now(cluster) and MARK not in cluster.persistent:
        return None if set_now(cluster) == mine else _by_hand(cluster, mine)
    intent = _intent(look, mine)
    if set_now(cluster) == mine and intent in look.observed.intents:
        return None
    others = [one for one in (*look.observed.intents, *look.observed.others) if one.id != intent.id]
    standing = owned.standing(cluster, demands(others))
    update = owned.converge(cluster, [*standing, *intent.demands]).update
    step = ForceZones(intent=intent, zones=mine, update=update)
    return Steps(steps=(step,), reason=Reason.ZONES_CHANGE, message=step.sentence) if update else None


def cannot_leave(look: Look) -> Plan | None:
    """A zone that is to go, while its shards could not: said before the first of its nodes is let go."""
    for zone in look.spec.zones_leaving:
        going = frozenset(node.name for node in look.cluster.nodes if node.zone == zone)
        if stuck := fit(look.cluster, going).nowhere:
            indices = ", ".join(sorted({copy.index for copy in stuck})[:5])
            return Blocked(
                reason=Reason.ZONE_CANT_LEAVE,
                message=f"{zone} can't leave: {len(stuck)} shards of {indices} have nowhere to go, for they have as "
                "many copies as there are zones: give these indices fewer replicas, or take it out of zones_leaving",
                open_deadline=look.observed.deadline(),
            )
    return None


def undeclared(look: Look) -> Plan | None:
    """Nodes in a zone that the fleet file has no longer: nothing was deleted, and nobody drains them."""
    for group in look.observed.groups:
        if group.instances and group.mode == "declared" and group.zone not in look.spec.zones:
            return Blocked(
                reason=Reason.ZONE_UNDECLARED,
                message=f"{group.name} has {len(group.instances)} instances in {group.zone}, which the fleet file no "
                f"longer has: put {group.zone} back into zones, and into zones_leaving, so that they are drained first "
                "(until then a node there that restarts refuses to start)",
                open_deadline=look.observed.deadline(),
            )
    return None


def _by_hand(cluster: Cluster, mine: tuple[str, ...]) -> Plan:
    message = (
        f"{FORCED} is set by hand to {','.join(set_now(cluster))}, and the fleet file means {','.join(mine)}: "
        "set it so, or remove it and Vagus sets it"
    )
    return Blocked(reason=Reason.ZONES_BY_HAND, message=message)


def _intent(look: Look, mine: tuple[str, ...]) -> Intent:
    opened = datetime.fromtimestamp(look.now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    before = next((intent for intent in look.observed.intents if intent.kind == "zones"), None)
    return Intent(
        id="zones",
        capability="zone_balance",
        kind="zones",
        opened=before.opened if before else opened,
        source="sweep",
        demands=(AwareZones(values=mine),),
        raised=before.raised if before else (),
    )
