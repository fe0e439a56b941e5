"""Stages about whom we look at, whether we see all of it, and which version nodes are to bring."""

from collections.abc import Collection, Sized

from vagus import owned
from vagus.cluster import Unseen
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import replaceable, replacing, rules, versions
from vagus.rolling_upgrade.looking import Look, overdue, soon, waited
from vagus.rolling_upgrade.observed import Observed
from vagus.steps import NoteVersion, PutSettingsRight
from vagus.weights import taken_away

UNSEEN_SECONDS = 5
FORGIVEN_SECONDS = 120
"""How long the cluster may not answer before a person is told: a manager that restarts costs some seconds."""


def unseen(observed: Observed, why: Unseen, now: float) -> Plan:
    """The cluster does not answer. With nothing in hand that is zone_balance's to tell."""
    if not observed.intents:
        return Done(reason=Reason.UNREACHABLE, message=f"no restart is asked for, and {why.message}")
    if why.reason == "DENIED":
        return Blocked(reason=Reason.DENIED, message=why.message, open_deadline=True)
    progress = waited(observed.progress, Reason.UNREACHABLE, now)
    return Wait(
        seconds=min(UNSEEN_SECONDS, soon(progress)),
        page=overdue(progress, FORGIVEN_SECONDS),
        reason=Reason.UNREACHABLE,
        message=why.message,
        progress=progress,
    )


def identity(look: Look) -> Plan | None:
    """Another cluster that answers is never written to; one whose identity nobody noted is still forming."""
    uuid, noted = look.cluster.uuid, look.observed.identity
    if noted is None:
        return Done(reason=Reason.FORMING, message="the cluster's identity has not been noted yet")
    if noted == uuid:
        return None
    return Blocked(
        reason=Reason.WRONG_CLUSTER,
        message=f"cluster {uuid} answers, but {look.spec.name} is {noted}: nothing is written",
        open_deadline=look.holding,
    )


def blind(look: Look) -> Plan | None:
    """The only copy of an index that we don't see may be anywhere."""
    visible, counted = look.cluster.visible_indices, look.cluster.counted_indices
    if visible >= counted or look.intent is None:
        return None
    progress = waited(look.observed.progress, Reason.CANNOT_SEE_ALL, look.now)
    return Wait(
        seconds=UNSEEN_SECONDS,
        page=overdue(progress, FORGIVEN_SECONDS),
        reason=Reason.CANNOT_SEE_ALL,
        message=f"{visible} of {counted} indices are visible: give the read role `indices:monitor/*` on all of them",
        progress=progress,
    )


def version_unnoted(look: Look) -> Plan | None:
    """What runs is what nodes bring, until an upgrade was approved: the fleet file's word is not enough."""
    running = {node.version for node in look.cluster.nodes}
    if look.intent is not None and look.wanted.version:
        return None
    if len(running) != 1 or look.observed.version in running or _newer_away(look, running):
        return None
    step = NoteVersion(runs=running.pop())
    return Steps(steps=(step,), reason=Reason.NOTING, message=step.sentence)


def _newer_away(look: Look, running: Collection[str]) -> str:
    """Why what every node runs is not noted; empty if nothing stands against it."""
    noted = look.observed.version
    found = [rules.may_have_newer(look.observed.groups, look.cluster, noted, runs) for runs in running]
    return (found[0] or "") if len(found) == 1 else ""


def nothing_wanted(look: Look) -> Plan | None:
    """No restart and no upgrade is asked for: what is left of one is put right."""
    if look.intent is not None:
        return None
    update, weighing = look.converged().update, taken_away(look.observed.weights)
    ours = update and any(mark in look.cluster.persistent for mark in owned.MARKS)
    if ours or weighing:
        step = PutSettingsRight(closes=(), update=update if ours else owned.SettingsUpdate(), weighing=weighing)
        return Steps(steps=(step,), reason=Reason.TIDYING, message=step.sentence)
    behind = replaceable.candidates(look.observed, look.cluster)
    shown = replacing.steps(behind)
    said = f"{_count(behind)} behind their group's launch template: `vagus replace {look.spec.name}`" if behind else ""
    running, wanted = sorted({node.version for node in look.cluster.nodes}), look.spec.engine.version
    if running == [wanted] and behind:
        return Done(reason=Reason.REPLACE_AVAILABLE, message=said, foreseen=shown)
    kept = f". Meanwhile {found}" if (found := _newer_away(look, running)) else ""
    if running == [wanted]:
        return Done(reason=Reason.UP_TO_DATE, message=f"every node runs {wanted}, and no restart is asked for{kept}")
    differs = f"nodes run {', '.join(running)}, and the fleet file says {wanted}"
    besides = f"{kept}. Besides, {said}" if said else kept
    if why := versions.no_path_from_all(look.spec.engine.name, running, wanted):
        message = f"{differs}, which no upgrade can bring: {why}{besides}"
        return Done(reason=Reason.VERSION_PATH, message=message, foreseen=shown)
    message = f"{differs}: `vagus upgrade {look.spec.name}`{besides}"
    return Done(reason=Reason.UPGRADE_AVAILABLE, message=message, foreseen=shown)


def _count(behind: Sized) -> str:
    return f"{len(behind)} instances are" if len(behind) != 1 else "1 instance is"
