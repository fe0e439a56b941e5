"""The stage before an upgrade is begun: one node brings and checks the new version while it serves.

From then on instances that boot bring it too: an archive that none can start with has to be found before.
"""

from vagus.cluster import Node
from vagus.command import Command
from vagus.plan import Blocked, Plan, Steps, Wait
from vagus.reasons import Reason
from vagus.rolling_upgrade.in_hand import SILENT
from vagus.rolling_upgrade.looking import LISTED_SECONDS, Look, soon, waited
from vagus.rolling_upgrade.observed import stage_id, staged
from vagus.rolling_upgrade.taking import told_to_people, unbegun
from vagus.steps import StageEngine

BUSY = "another command is under way"
"""How a document says that it found the node's lock taken (`nodes/documents`): it did nothing, and proves nothing."""
AGAIN_SECONDS = 1800
"""So long after it could not be told, a node is told again."""
STAGED_WITHIN_SECONDS = 1620
"""The document ends within 1,500 s; it may have waited a minute for its agent, and one for another command."""


def stage(look: Look) -> Plan | None:
    """Until one node has brought and checked the version. What failed is tried again once it is forgotten."""
    foreseen, intent = unbegun(look), look.intent
    if not foreseen or intent is None or staged(look.observed.commands, intent):
        return None
    if look.wanted.staging_refused and _is_there(look) and look.since(look.wanted.staging_at) < AGAIN_SECONDS:
        return _not_told(look)
    said = _said(look)
    pending = said is not None and said.outcome == "pending"
    if said and not (pending or _busy(said)):
        return _not_staged(look, said)
    if said and look.now - said.sent > STAGED_WITHIN_SECONDS:
        return _not_staged(look, said)
    if _is_there(look) and (pending or look.since(look.wanted.staging_at) < LISTED_SECONDS):
        return _awaited(look)
    first = _first(look).name
    step = StageEngine(intent=intent.id, wanted=look.wanted.version, node=first, step=stage_id(intent, first))
    return Steps(steps=(step, *foreseen), reason=Reason.UPGRADING, message=told_to_people(look))


def _first(look: Look) -> Node:
    return look.batches[0][0]


def _is_there(look: Look) -> bool:
    return look.cluster.node(look.wanted.staging) is not None


def _said(look: Look) -> Command | None:
    """What counts of the commands to the node that stages, if it is there still: one that is under way; else the last
    that had its turn; else the first that had none. A function that dies in between sends a second one, and that finds
    the lock taken while the first brings the version."""
    if look.intent is None or not _is_there(look):
        return None
    step = stage_id(look.intent, look.wanted.staging)
    sent = [one for one in look.observed.commands if one.step == step]
    pending = [one for one in sent if one.outcome == "pending"]
    had_turn = [one for one in sent if not _busy(one)]
    return next(iter([*reversed(pending), *reversed(had_turn), *sent]), None)


def _busy(said: Command) -> bool:
    return said.outcome == "failed" and BUSY in said.said


def _awaited(look: Look) -> Plan:
    version, node = look.wanted.version, look.wanted.staging
    progress = waited(look.observed.progress, f"{Reason.STAGING} {node}", look.now)
    return Wait(
        seconds=soon(progress),
        reason=Reason.STAGING,
        message=f"{node} brings and checks {version}; it serves on, and no node is told to bring it before",
        progress=progress,
    )


def _not_staged(look: Look, said: Command) -> Blocked:
    return _blocked(
        look,
        f"{said.instance} could not bring and check {look.wanted.version}; its answer: {said.said or SILENT}",
        "put right what it says",
    )


def _not_told(look: Look) -> Blocked:
    node = look.wanted.staging
    return _blocked(
        look,
        f"{node} could not be told to bring and check {look.wanted.version}: {look.wanted.staging_refused}",
        f"see why SSM does not reach it (on it: `systemctl restart amazon-ssm-agent`), or end {node}",
    )


def _blocked(look: Look, what: str, mend: str) -> Blocked:
    name = look.spec.name
    return Blocked(
        reason=Reason.NOT_STAGED,
        message=f"{what}. Nothing was stopped, and nodes that boot bring what they did. Way out: {mend}. It is tried "
        f"again half an hour after the last time, or at once by `vagus abort {name}` and `vagus upgrade {name}`",
        open_deadline=True,
    )
