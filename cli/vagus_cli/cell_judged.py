"""What `vagus doctor CELL` makes of what it read: pure. Each check has a name, and a remedy where it fails."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

from vagus.certificates import gateways
from vagus.site import SILENT_SECONDS
from vagus.trust import Imported

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


def agent(cluster: str, reported: float | None, now: float) -> Check:
    """Whether the agent of a cluster on Kubernetes tells something. `reported`: when it did last (epoch seconds)."""
    name = f"agent: {cluster}"
    if reported is None:
        remedy = f"apply its manifests at the site (docs/kubernetes.md); if they are, see {_log_of_agent(cluster)}"
        return ill(name, "there is no report of it in the bucket", remedy)
    age = f"its last report was put {now - reported:.0f} s ago"
    if now - reported > SILENT_SECONDS:
        return ill(name, age, f"see {_log_of_agent(cluster)}")
    return well(name, age)


def _log_of_agent(cluster: str) -> str:
    return (
        f"`kubectl logs deploy/{cluster}-agent` in its namespace: it says whether its way to S3 or its API server is "
        "away, or its own certificate has ended"
    )


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


SHORT_LIVED_DAYS = 7
"""The longest that a private CA of mode SHORT_LIVED_CERTIFICATE signs for."""
SIGNING_KEYS = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1")
"""Keys of private CAs that Vagus knows how to have sign."""
SOON = 180 * 86_400
"""Seconds: making another root, and a replacement, take people a while."""


def private_ca(name: str, about: Mapping[str, Any], days: int, now: float) -> Check:
    """Whether a private CA (as DescribeCertificateAuthority tells of it) can sign for a cluster whose certificates last
    so many days. `now`: epoch seconds."""
    config, ends = about.get("CertificateAuthorityConfiguration", {}), about.get("NotAfter")
    key, mode = str(config.get("KeyAlgorithm", "")), about.get("UsageMode", "GENERAL_PURPOSE")
    if (status := about.get("Status")) != "ACTIVE":
        return ill(name, f"it is {status}, and signs nothing", "have its owners activate it, or declare another")
    if (kind := about.get("Type")) != "ROOT":
        return ill(name, f"it is {kind}, and nodes trust a root alone", "declare a root CA")
    if key not in SIGNING_KEYS:
        return ill(name, f"its key is {key}", f"declare one with a key of {', '.join(SIGNING_KEYS)}")
    if mode == "SHORT_LIVED_CERTIFICATE" and days > SHORT_LIVED_DAYS:
        found = f"it is short-lived and signs for {SHORT_LIVED_DAYS} days at most; certificates.days is {days}"
        return ill(name, found, f"set certificates.days to {SHORT_LIVED_DAYS} or less")
    if ends is None or ends.timestamp() - now < SOON:
        found = f"it ends {ends:%Y-%m-%d}" if ends else "it has no certificate"
        return ill(name, found, "add the next one to certificates.private_cas, deploy, and `vagus rotate --ca`")
    return well(name, f"active, a root, {key}, until {ends:%Y-%m-%d}")


def gateway(name: str, cluster: str, told: Imported, now: float) -> Check:
    """Whether a certificate in ACM can be imported anew for that cluster. `now`: epoch seconds."""
    if unfit := gateways.unfit(cluster, told):
        return ill(name, *unfit)
    if not told.uses:
        return ill(name, *gateways.WITHOUT_USES)
    return well(name, f"imported, {told.key}, ends in {(told.ends - now) / 86_400:.0f} days")
