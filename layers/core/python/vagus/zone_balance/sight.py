"""Stages about whom we look at, and whether we see all of it."""

from vagus.cluster import Unseen
from vagus.fleet import ClusterSpec
from vagus.plan import Blocked, Done, Plan, Steps
from vagus.reasons import Reason
from vagus.steps import NoteIdentity
from vagus.zone_balance import launching
from vagus.zone_balance.looking import Look, unsure
from vagus.zone_balance.observed import Observed
from vagus.zone_balance.rules import Violation
from vagus.zone_balance.sizing import before_trust, sizes


def unseen(observed: Observed, why: Unseen, spec: ClusterSpec, now: float) -> Plan:
    """The cluster does not answer. A cluster that never formed is given its nodes; any other is a case for a person.

    That its identity was not noted does not prove that it never formed: an instance that waits may hold data.
    """
    if why.reason == "DENIED":
        return Blocked(reason=Reason.DENIED, message=why.message, open_deadline=observed.deadline())
    if observed.identity is None and not observed.deadline():
        return _forming(observed, spec, f"the cluster has not formed yet: {why.message}")
    violation = Violation(Reason.UNREACHABLE, why.message)
    return unsure(observed, spec, violation, now, open_deadline=observed.deadline())


def _forming(observed: Observed, spec: ClusterSpec, why: str) -> Plan:
    """It is given its nodes, once they can get certificates; that they can't be launched is told."""
    due = before_trust(observed) or sizes(observed, spec, green=False) or launching.stopped(observed, spec)
    return due or Done(reason=Reason.FORMING, message=why)


def identity(look: Look) -> Plan | None:
    """One cluster stays one cluster: its UUID is noted once, and another one that answers is never written to."""
    uuid, noted = look.cluster.uuid, look.observed.identity
    if noted == uuid:
        return None
    if noted is not None:
        return Blocked(
            reason=Reason.WRONG_CLUSTER,
            message=f"cluster {uuid} answers, but {look.spec.name} is {noted}: nothing is written",
            open_deadline=look.observed.deadline(),
        )
    if not _has_formed(look):
        if look.observed.deadline():
            few = Violation(
                Reason.UNREACHABLE, "an instance waits, and fewer than half of the declared managers are seen"
            )
            return unsure(look.observed, look.spec, few, look.now, open_deadline=True)
        why = "fewer than half of the declared managers have joined"
        return launching.heed(look) or _forming(look.observed, look.spec, why)
    step = NoteIdentity(uuid=uuid)
    return Steps(steps=(step,), reason=Reason.NOTING, message=step.sentence)


def _has_formed(look: Look) -> bool:
    declared = sum(
        group.per_zone * len(look.spec.zones) for group in look.spec.groups.values() if "cluster_manager" in group.roles
    )
    present = sum(node.may_be_manager for node in look.cluster.nodes)
    return look.cluster.uuid not in ("", "_na_") and present * 2 > declared


def blind(look: Look) -> Plan | None:
    """An index that we don't see may have its last copy anywhere."""
    visible, counted = look.cluster.visible_indices, look.cluster.counted_indices
    if visible >= counted:
        return None
    violation = Violation(
        Reason.CANNOT_SEE_ALL,
        f"{visible} of {counted} indices are visible: give the read role `indices:monitor/*` on all of them",
    )
    return unsure(look.observed, look.spec, violation, look.now, open_deadline=look.observed.deadline())
