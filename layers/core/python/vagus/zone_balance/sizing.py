"""Stages about the declared size of groups: given once per change; what people set later stays."""

from collections.abc import Iterator

from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.plan import Blocked, Done, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import SetGroupSize
from vagus.zone_balance.looking import Look
from vagus.zone_balance.observed import Observed


def grow(look: Look) -> Plan | None:
    """More nodes never hurt, and may be what a drain waits for: before anything that may block, or waits. After each
    step of a drain, since a size that is refused would else hold them all back. A size that a person has still to allow
    hides nothing of what leaves."""
    if look.spec.zone_balance.mode != "act" and look.leavers:
        return None
    return _plan([step for step in _due(look.observed, look.spec, green=False) if step.desired == step.declared])


def shrink(look: Look) -> Plan | None:
    """One node at a time, when nothing else is to be done and the cluster is green."""
    return sizes(look.observed, look.spec, green=look.cluster.status == "green")


def sizes(observed: Observed, spec: ClusterSpec, *, green: bool) -> Plan | None:
    """What is due of the declared sizes; shrinking only where `green`."""
    return _plan(list(_due(observed, spec, green=green)))


def before_trust(observed: Observed) -> Plan | None:
    """A cluster that never had a node is given none before its trust is published: they would boot, ask for
    certificates that nobody can sign yet, and be given up. One node, or one size, that was ever given is never held up:
    how its nodes boot is known by then. The next sweep looks again; that certificates can't be issued is told by
    their own capability."""
    if observed.trust_published or observed.sizes or any(one.desired or one.instances for one in observed.groups):
        return None
    return Done(
        reason=Reason.TRUST_AWAITED,
        message="no node is launched before Vagus has made the cluster's authority and published it: it could get no "
        "certificate. `vagus plan` says under certificates what that waits for",
    )


def _due(observed: Observed, spec: ClusterSpec, *, green: bool) -> Iterator[SetGroupSize]:
    groups = {group.name: group for group in observed.groups}
    still = green and all(settled(group) for group in observed.groups)
    for name, declared in spec.sized().items():
        if name not in groups or observed.sizes.get(name) == declared or not groups[name].allows(declared):
            continue
        if declared >= groups[name].desired:
            yield SetGroupSize(group=name, desired=declared, declared=declared)
        elif still:
            yield SetGroupSize(group=name, desired=groups[name].desired - 1, declared=declared)


def out_of_bounds(look: Look) -> Plan | None:
    """A size that Auto Scaling would refuse is not asked for: somebody has narrowed the group by hand."""
    sizes = look.spec.sized()
    wrong = [one for one in look.observed.groups if one.name in sizes and not one.allows(sizes[one.name])]
    wrong = [one for one in wrong if look.observed.sizes.get(one.name) != sizes[one.name]]
    if not wrong:
        return None
    said = "; ".join(
        f"{one.name} is declared with {sizes[one.name]}, and its group allows {one.least} to {one.most}"
        for one in wrong
    )
    return Blocked(
        reason=Reason.SIZE_OUT_OF_BOUNDS,
        message=f"{said}: give the group its bounds back (a deploy does), or declare another `per_zone` or "
        "`most_per_zone` in the fleet file",
    )


def settled(group: Group) -> bool:
    """Its size is what was asked for: an instance that is still to leave for the last shrink would be one more."""
    serving = sum(one.lifecycle == "InService" for one in group.instances)
    return serving == group.desired and not any(one.leaving or one.let_go for one in group.instances)


def _plan(steps: list[SetGroupSize]) -> Plan | None:
    if not steps:
        return None
    return Steps(steps=tuple(steps), reason=Reason.SIZING, message=steps[0].sentence)
