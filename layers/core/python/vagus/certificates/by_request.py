"""A certificate for a client, which a person asks for with the client's request: its key stays where it was born.

The person's own right to sign with the cluster's authority (`kms:Sign`) is what it takes; no function of Vagus does it.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from vagus.certificates import issuing, requests
from vagus.certificates.issuing import Issued
from vagus.certificates.requests import RequestRefused
from vagus.errors import Refused
from vagus.fleet import ClusterSpec
from vagus.ports import Signers, Table
from vagus.procedure import rows
from vagus.trust import Trust

Kind = Literal["client", "dashboards", "agent", "admin"]

ADMIN = "admin"
"""The one subject that the engine takes for its administrator (nodes/boot.sh, `admin_dn`)."""
LEAST_DAYS = 1 / 24
ADMIN_DAYS = 1.0
"""An administrator reads all there is: such a certificate is for one piece of work."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `days`: `None` for as long as that kind lasts at most."""

    kind: Kind
    common: str
    request: bytes
    days: float | None = None


def issue(
    keys: Signers,
    table: Table,
    spec: ClusterSpec,
    wanted: Wanted,
    recorded: Callable[[str], AbstractContextManager[object]],
    now: float,
) -> Issued:
    """The certificate; the same request gets the same one. `recorded`: what is done inside is recorded with that
    sentence. Raises `RequestRefused` for what may not be had, `Refused` where nobody signs."""
    trust = rows.read(table, spec.name).trust
    for sentence in _wrong(spec, wanted):
        raise RequestRefused(sentence)
    sound = requests.client(wanted.request, wanted.common)
    digest = hashlib.sha256(wanted.request).hexdigest()
    _signs(spec, trust, now)
    if found := issuing.before(table, spec.name, sound, digest):
        return _still_good(found, trust, now)
    days = wanted.days or longest(spec, wanted.kind)
    what = f"issues {wanted.common} a certificate ({wanted.kind}, {days:g} days), by authority {trust.signs}"
    sentence = f"{what}, for the key {sound.key_digest}"  # which joins the record, the row and the certificate
    with recorded(sentence):
        leaf = issuing.certified(keys, spec.name, trust, wanted.kind, sound, now=now, days=days)
        return issuing.keep(table, spec.name, leaf, sound, digest, instance="", signed_by=trust.signs)


def _still_good(found: Issued, trust: Trust, now: float) -> Issued:
    """Whoever died before the answer asks again; whoever renews has to make a new key."""
    if found.ends <= now or found.signed_by != trust.signs:
        over = "has ended" if found.ends <= now else f"is authority {found.signed_by}'s, and {trust.signs} signs now"
        raise RequestRefused(f"what this request got {over}: make a new key, and a request of it")
    return found


def longest(spec: ClusterSpec, kind: Kind) -> float:
    """The most days that a certificate of that kind lasts."""
    return ADMIN_DAYS if kind == "admin" else float(spec.certificates.days)


def _wrong(spec: ClusterSpec, wanted: Wanted) -> Iterator[str]:
    declared = spec.certificates.clients
    if wanted.kind == "admin" and wanted.common != ADMIN:
        yield f"the engine knows one administrator, {ADMIN}: not {wanted.common}"
    if wanted.kind != "admin" and (wanted.common == ADMIN or wanted.common.startswith(("node-", "vagus-"))):
        yield f"{wanted.common} is a name of the cluster's own: choose another for a {wanted.kind}"
    if wanted.kind != "admin" and wanted.common not in declared:
        known = ", ".join(declared) or "none"
        yield (
            f"{spec.name} declares no client {wanted.common} (certificates.clients: {known}): declare it in its fleet "
            "file first, so that a replacement of the authority waits for it"
        )
    most = longest(spec, wanted.kind)
    if wanted.days is not None and not LEAST_DAYS <= wanted.days <= most:
        yield f"a certificate of kind {wanted.kind} lasts {most:g} days at most, and an hour at least"


def _signs(spec: ClusterSpec, trust: Trust, now: float) -> None:
    if trust.signer is None or trust.signer.over(now):
        raise Refused(f"{spec.name} has no authority that may sign now: see `vagus plan {spec.name}`")
