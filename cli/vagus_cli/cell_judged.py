"""What `vagus doctor CELL` makes of what it read: pure. Each check has a name, and a remedy where it fails."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

State = Literal["well", "ill", "untried", "skipped"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check. `untried`: it could not be made, and proves nothing; `skipped`: the same of one that may be."""

    name: str
    state: State
    found: str
    remedy: str = ""


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """Who must be allowed what by a key's policy, and what fails silently where that is missing."""

    key: str
    principal: str
    actions: tuple[str, ...]
    otherwise: str


USES = ("kms:Decrypt", "kms:GenerateDataKey")
NEEDED = (
    Needed(
        key="nodes",
        principal="AWSServiceRoleForAutoScaling",
        actions=(*USES, "kms:CreateGrant"),
        otherwise="new instances end at once with Client.InternalError",
    ),
    Needed(
        key="messages",
        principal="events.amazonaws.com",
        actions=USES,
        otherwise="events vanish before the queue",
    ),
    Needed(
        key="messages",
        principal="cloudwatch.amazonaws.com",
        actions=USES,
        otherwise="alarms reach nobody",
    ),
    Needed(key="logs", principal="logs.", actions=USES, otherwise="functions write no logs"),
)


def well(name: str, found: str) -> Check:
    """It holds."""
    return Check(name=name, state="well", found=found)


def ill(name: str, found: str, remedy: str) -> Check:
    """It does not."""
    return Check(name=name, state="ill", found=found, remedy=remedy)


def policy(needed: Needed, document: Mapping[str, Any]) -> Check:
    """Whether a key's policy lets a service use the key."""
    name = f"key policy: {needed.principal.rstrip('.')} on {needed.key}"
    allowed = [
        action
        for statement in _listed(document.get("Statement", []))
        if statement.get("Effect") == "Allow" and _names(statement.get("Principal", {}), needed.principal)
        for action in _listed(statement.get("Action", []))
    ]
    missing = [one for one in needed.actions if not any(fnmatchcase(one, pattern) for pattern in allowed)]
    if missing:
        remedy = f"deploy the cell again; as long as it is missing, {needed.otherwise}"
        return ill(name, f"{', '.join(missing)} is not allowed", remedy)
    return well(name, "allowed")


def pinged(cluster: str, instances: Collection[str], online: Collection[str]) -> Check:
    """Whether the SSM agent of every running instance answers."""
    name = f"SSM ping: {cluster}"
    silent = sorted(set(instances) - set(online))
    if silent:
        remedy = "see the agent's log there; it needs the endpoints ssm, ssmmessages and ec2messages, and its role"
        return ill(name, f"no answer from {', '.join(silent)}", remedy)
    return well(name, f"{len(instances)} of {len(instances)} instances answer")


def called(subscribers: Sequence[str]) -> Check:
    """Whether a page reaches anybody. `subscribers`: what SNS says for each subscription's ARN."""
    confirmed = [one for one in subscribers if one.startswith("arn:")]
    if not confirmed:
        pending = f"{len(subscribers)} not confirmed" if subscribers else "no subscription"
        return ill("page: subscriptions", pending, "subscribe those who are on call to the topic, and confirm it")
    return well("page: subscriptions", f"{len(confirmed)} confirmed")


def headroom(name: str, used: int, limit: int, least: int, remedy: str) -> Check:
    """Whether a quota leaves room for at least so many more."""
    found = f"{used} of {limit} used"
    return well(name, found) if limit - used >= least else ill(name, f"{found}, {least} more are needed", remedy)


def _names(principal: Any, wanted: str) -> bool:
    values = [one for some in principal.values() for one in _listed(some)] if isinstance(principal, dict) else []
    return any(str(one).startswith(wanted) or str(one).endswith(f"/{wanted}") for one in values)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
