"""Stages about what is still to do: ended, yielded, checked, begun, and the next nodes taken."""

from collections.abc import Sequence

from vagus import weights
from vagus.cluster import Node
from vagus.owned import SettingsUpdate
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.in_hand import keep
from vagus.rolling_upgrade.looking import MINUTES_EACH, Look, overdue, waited
from vagus.rolling_upgrade.observed import step_id
from vagus.rolling_upgrade.rules import Violation
from vagus.steps import AllowAllocation, AnyStep, BringVersion, KeepReplicas, Process, PutSettingsRight, RestartNodes

SNAPSHOT_SECONDS = 30


def over(look: Look) -> Plan | None:
    """Nothing is left to do."""
    return None if look.left else _closed(look, "every node is done")


def aborted(look: Look) -> Plan | None:
    """A person wants no further node taken, and none is in hand."""
    if not look.wanted.aborted:
        return None
    return _closed(look, f"aborted by {look.wanted.aborted}, with {len(look.left)} nodes to go")


def _closed(look: Look, why: str) -> Plan:
    name = look.intent.id if look.intent else ""
    step = PutSettingsRight(closes=(name,), update=look.converged().update)
    return Steps(steps=(step,), reason=Reason.TIDYING, message=f"{name}: {why}")


def yields(look: Look) -> Plan | None:
    """An instance that leaves goes first. The run ends, and with it the lease: the next sweep after it goes on."""
    urgent = rules.urgent(look.observed, look.cluster)
    if not urgent:
        return None
    names = ", ".join(one.instance for one in urgent)
    return Done(
        reason=Reason.YIELDING,
        message=f"{names} leaves, and goes first; {len(look.left)} nodes are to be restarted after that",
        foreseen=_foreseen(look, look.batches),
    )


def held_back(look: Look) -> Plan | None:
    """A check stands against the next nodes."""
    if (violation := _violation(look)) is None:
        return None
    foreseen = _foreseen(look, look.batches)
    if violation.reason is Reason.SNAPSHOT_RUNNING:
        progress = waited(look.observed.progress, f"{violation.reason} {violation.message}", look.now)
        return Wait(
            seconds=SNAPSHOT_SECONDS,
            page=look.observed.snapshots is None and overdue(progress, look.spec.rolling_upgrade.recovery_seconds),
            reason=violation.reason,
            message=violation.message,
            foreseen=foreseen,
            progress=progress,
        )
    return Blocked(reason=violation.reason, message=violation.message, about=violation.about, foreseen=foreseen)


def _violation(look: Look) -> Violation | None:
    wanted, declared = look.wanted.version, look.spec.engine.version
    if wanted and wanted != declared:
        return Violation(
            Reason.VERSION_PATH,
            f"{wanted} was asked for, and the fleet file now says {declared}: abort, and ask anew",
            about=(f"declared {declared}",),
        )
    names = [node.name for node in look.batches[0]]
    return rules.before(look.question(names))


def begin(look: Look) -> Plan | None:
    """Before the first node has the new version, those that start by themselves are told to bring it."""
    steps = unbegun(look)
    return Steps(steps=steps, reason=Reason.UPGRADING, message=told_to_people(look)) if steps else None


def unbegun(look: Look) -> tuple[AnyStep, ...]:
    """All steps of an upgrade of which nodes that start are not told yet; none otherwise."""
    version = look.wanted.version
    if not version or look.observed.version == version or look.intent is None:
        return ()
    return (BringVersion(intent=look.intent.id, wanted=version), *_foreseen(look, look.batches))


def take(look: Look) -> Plan:
    """Take the next batch in hand."""
    first, *others = look.batches
    steps = _each(look, first)
    return Steps(
        steps=steps,
        foreseen=_foreseen(look, others),
        reason=Reason.UPGRADING if look.wanted.version else Reason.RESTARTING,
        message=told_to_people(look),
    )


def told_to_people(look: Look) -> str:
    """What a person approves: nodes in order, time, what will be unavailable, each check's result."""
    order = "; then ".join(", ".join(node.name for node in batch) for batch in look.batches)
    away = ", ".join(look.wanted.unavailable) or "nothing"
    names = [node.name for node in look.batches[0]]
    checks = "; ".join(rules.results(look.question(names)))
    what = f"upgrade to {look.wanted.version}" if look.wanted.version else "restart"
    return (
        f"{what} of {order}; about {len(look.batches) * MINUTES_EACH} minutes; unavailable meanwhile: {away}; "
        f"found by the checks: {checks}; searches: {_searches(look, names)}"
    )


def _searches(look: Look, names: Sequence[str]) -> str:
    """Whether those that are under way are spared."""
    why = weights.why_not(look.cluster, look.observed.weights, names) or look.wanted.unled
    return f"not led away from nodes that stop ({why})" if why else "led to other zones before a node stops"


def _foreseen(look: Look, batches: Sequence[Sequence[Node]]) -> tuple[AnyStep, ...]:
    return tuple(step for batch in batches for step in _each(look, batch))


def _each(look: Look, batch: Sequence[Node]) -> tuple[KeepReplicas, RestartNodes, AllowAllocation]:
    """The three steps of one batch; the later ones are only foreseen."""
    intent = look.intent
    assert intent is not None  # noqa: S101  (stages about what is left have an intent)
    names = tuple(node.name for node in batch)
    processes = tuple(
        Process(node=one.name, ephemeral_id=one.ephemeral_id, started=one.started, step=step_id(intent, one))
        for one in batch
    )
    return (
        keep(look, names),
        RestartNodes(intent=intent.id, wanted=look.wanted.version, processes=processes),
        AllowAllocation(intent=intent.id, nodes=names, update=SettingsUpdate()),
    )
