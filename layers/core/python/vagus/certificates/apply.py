"""How each step of certificates is done. Each looks again at the row that it changes, and refuses where that moved on.

The row `trust` is written last where something outside comes with it: what was made and not noted is made again.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from vagus.certificates import gateways
from vagus.certificates.observe import endpoints, there
from vagus.certificates.observed import concerned
from vagus.certificates.telling import FORGOTTEN_SECONDS
from vagus.errors import AgentAwaited, Denied, Refused, Transient, VagusError
from vagus.procedure import rows
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import (
    DropAuthority,
    ImportCertificate,
    InstallTrust,
    IssueClientCertificate,
    MakeAuthority,
    PublishTrust,
    RenewLeaves,
    SignWith,
    Step,
)
from vagus.trust import Acknowledged, ClientIssued, GatewayIssued, Told, Trust, told_as

REFUSED_MOST = 300
"""Characters that are kept of why a node could not be told."""


def _put(writes: Writes, seen: Rows, trust: Trust) -> None:
    writes.table.write(rows.partition(writes.spec.name), seen.put("trust", trust))


# -- the authority -----------------------------------------------------------------------------------------------------


def _may_make(_writes: Writes, seen: Rows, step: MakeAuthority, _token: int) -> str | None:
    if step.generation != seen.trust.newest + 1:
        return f"authority {seen.trust.newest} is the newest: {step.generation} does not follow it"
    return "an authority is being replaced already" if len(seen.trust.authorities) > 1 else None


def _make(writes: Writes, seen: Rows, step: MakeAuthority, _token: int) -> None:
    from vagus.certificates.issuing import new_authority  # cryptography: only steps that sign need it

    made = new_authority(writes.authority_keys, writes.spec.name, seen.trust, secrets.token_hex(8), writes.now)
    _put(
        writes,
        seen,
        msgspec.structs.replace(
            seen.trust,
            authorities=(*seen.trust.authorities, made),
            signs=seen.trust.signs or step.generation,
            wanted=max(seen.trust.wanted, step.generation),
        ),
    )


def _may_publish(_writes: Writes, seen: Rows, step: PublishTrust, _token: int) -> str | None:
    return None if step.generations == seen.trust.generations else "other authorities are trusted by now"


def _publish(writes: Writes, seen: Rows, step: PublishTrust, _token: int) -> None:
    writes.parameters.put(f"/vagus/{writes.spec.name}/node/trust", seen.trust.bundle)
    _put(writes, seen, msgspec.structs.replace(seen.trust, published=step.generations))


def _may_sign(writes: Writes, seen: Rows, step: SignWith, _token: int) -> str | None:
    trust = seen.trust
    if step.generation != trust.newest or trust.signs == step.generation:
        return f"authority {trust.signs} signs, and {trust.newest} is the newest"
    if trust.signer is not None and trust.signer.over(writes.now):
        return None  # nothing that it signed is trusted any more: there is nothing to wait for
    return _not_where_it_should_be(writes, trust)


def _sign(writes: Writes, seen: Rows, step: SignWith, _token: int) -> None:
    _put(writes, seen, msgspec.structs.replace(seen.trust, signs=step.generation))


def _may_drop(writes: Writes, seen: Rows, step: DropAuthority, _token: int) -> str | None:
    trust = seen.trust
    if step.generation == trust.signs or step.generation not in trust.generations:
        return f"authority {trust.signs} signs, and {trust.generations} are trusted"
    if any(one.generation == step.generation and one.over(writes.now) for one in trust.authorities):
        return None
    return _not_where_it_should_be(writes, trust) or _gateways_elsewhere(writes, trust)


def _gateways_elsewhere(writes: Writes, trust: Trust) -> str | None:
    """Gateways that may show a certificate of the authority that goes: by the row, and by their endpoints afresh."""
    policy = writes.spec.certificates
    if others := gateways.of_another(trust, policy):
        return f"{', '.join(others)} has a certificate of another authority"
    shown = endpoints(writes.handshakes, policy.gateways, trust.bundle)
    late = gateways.not_served(trust, policy, shown)
    return "; ".join(f"{arn}: {instead}" for arn, instead in late.items()) or None


def _drop(writes: Writes, seen: Rows, step: DropAuthority, _token: int) -> None:
    """What clients have of a newest authority that is dropped is worth nothing: the next has its number."""
    kept = tuple(one for one in seen.trust.authorities if one.generation != step.generation)
    newest = max(one.generation for one in kept)
    known = {
        name: Acknowledged(trusts=min(one.trusts, newest), holds=min(one.holds, newest))
        for name, one in seen.trust.acknowledged.items()
    }
    _put(writes, seen, msgspec.structs.replace(seen.trust, authorities=kept, acknowledged=known))


def _not_where_it_should_be(writes: Writes, trust: Trust) -> str | None:
    """Handshakes afresh, with every node that there is: one that trusts, or shows, something else stops the step."""
    try:
        signer, shaken = trust.signer, writes.handshakes.all(trust.bundle)
    except AgentAwaited as error:
        return str(error)
    wanted = concerned(there(writes.groups, writes.spec, shaken), shaken)
    shaken = tuple(one for one in shaken if one.instance in wanted)
    if silent := sorted(set(wanted) - {one.instance for one in shaken}):
        return f"{', '.join(silent)} is not seen"
    for one in shaken:
        if not one.answered or one.failure:
            return f"{one.instance}:{one.port} is not seen: {one.failure or 'no answer'}"
        if frozenset(one.trusts) != trust.names:
            return f"{one.instance}:{one.port} trusts other authorities"
        if signer is None or one.issuer != signer.name:
            return f"{one.instance}:{one.port} shows a certificate of {one.issuer_subject}"
    return None


# -- certificates ------------------------------------------------------------------------------------------------------


def _may_issue(writes: Writes, seen: Rows, step: IssueClientCertificate, _token: int) -> str | None:
    if not writes.spec.reached:
        return f"no function calls {writes.spec.name}, whose nodes are pods elsewhere"
    fits = (step.signed_by, step.bundle) == (seen.trust.signs, seen.trust.generations)
    return None if fits else "another authority signs, or others are trusted, by now"


def _issue(writes: Writes, seen: Rows, step: IssueClientCertificate, _token: int) -> None:
    from vagus.certificates.clients import new_client

    name, days = f"vagus-{step.role}", writes.spec.certificates.days
    pair = new_client(writes.authority_keys, writes.spec.name, seen.trust, name, now=writes.now, days=days)
    secret = {"certificate": pair.certificate, "key": pair.key, "ca": seen.trust.bundle}
    writes.secrets.put(writes.spec.name, step.role, msgspec.json.encode(secret).decode())
    issued = ClientIssued(
        signed_by=step.signed_by, bundle=step.bundle, serial=pair.serial, begins=pair.begins, ends=pair.ends
    )
    _put(writes, seen, msgspec.structs.replace(seen.trust, clients={**seen.trust.clients, step.role: issued}))


def _may_install(_writes: Writes, seen: Rows, step: InstallTrust, _token: int) -> str | None:
    fits = step.generations == seen.trust.generations == seen.trust.published
    return None if fits else "another bundle is published by now"


def _may_renew(_writes: Writes, seen: Rows, step: RenewLeaves, _token: int) -> str | None:
    return None if step.signed_by == seen.trust.signs else f"authority {seen.trust.signs} signs by now"


def _command(document: str, wanted: Callable[[Trust], str]) -> Callable[[Writes, Rows, Any, int], None]:
    def send(writes: Writes, seen: Rows, step: InstallTrust | RenewLeaves, token: int) -> None:
        """Noted, then sent: whoever dies between has it sent again, when it has taken too long. A node does a step
        once: the same nodes are told again under another id, for it is another attempt."""
        what = wanted(seen.trust)
        noted = _noted(seen.trust, step.nodes, what, writes.now)
        _put(writes, seen, noted)
        refused = {
            told_as(what, node): why
            for node in step.nodes
            if (why := _sent(writes, document, node, f"{document}-{token}-{int(writes.now)}"))
        }
        if refused:
            told = {one: msgspec.structs.replace(noted.told[one], refused=why) for one, why in refused.items()}
            fresh = rows.read(writes.table, writes.spec.name)
            _put(writes, fresh, msgspec.structs.replace(fresh.trust, told={**fresh.trust.told, **told}))

    return send


def _sent(writes: Writes, document: str, node: str, step: str) -> str:
    """Why a node could not be told: one whose agent is dead holds up no other."""
    try:
        writes.commands.send(document, node, step, {})
    except Refused as error:
        return str(error)[:REFUSED_MOST]
    return ""


def _noted(trust: Trust, nodes: tuple[str, ...], what: str, now: float) -> Trust:
    standing = {key: told for key, told in trust.told.items() if now - told.last < FORGOTTEN_SECONDS}
    since = {key: told.first for key, told in standing.items() if told.what == what}
    keys = [told_as(what, one) for one in nodes]
    fresh = {key: Told(what=what, first=since.get(key, now), last=now) for key in keys}
    return msgspec.structs.replace(trust, told={**standing, **fresh})


# -- gateways ----------------------------------------------------------------------------------------------------------


def _may_import(writes: Writes, seen: Rows, step: ImportCertificate, _token: int) -> str | None:
    declared = {one.arn: one.names for one in writes.spec.certificates.gateways}
    if declared.get(step.arn) != step.names:
        return f"{step.arn} is not declared with these names by now"
    if step.signed_by != seen.trust.signs:
        return f"authority {seen.trust.signs} signs by now"
    serial = seen.trust.gateways.get(step.arn, GatewayIssued()).serial
    return None if serial == step.replaces else f"another certificate was imported by now, with serial {serial}"


def _import(writes: Writes, seen: Rows, step: ImportCertificate, _token: int) -> None:
    """Noted when ACM tells of it: whoever dies before has another imported. What failed is noted too, whatever it was,
    so that it holds up nobody else. A right that is missing is told with the gateway, not as the run's own."""
    before = seen.trust.gateways.get(step.arn, GatewayIssued())
    try:
        issued = _imported(writes, seen.trust, step)
    except VagusError as error:
        _note_gateway(writes, seen, step.arn, _failed(before, error, writes.now))
        if isinstance(error, Denied):
            raise Refused(str(error)) from error
        raise
    _note_gateway(writes, seen, step.arn, issued)


def _failed(before: GatewayIssued, error: VagusError, now: float) -> GatewayIssued:
    since = (before.since or now) if isinstance(error, Transient) else 0.0
    return msgspec.structs.replace(before, refused=str(error)[:REFUSED_MOST], tried=now, since=since)


def _imported(writes: Writes, trust: Trust, step: ImportCertificate) -> GatewayIssued:
    from vagus.certificates.clients import new_client

    there, spec = writes.imported.of(step.arn), writes.spec
    for one in spec.certificates.gateways:
        if one.arn == step.arn and (why := "; ".join(gateways.wrong(spec.name, one))):
            raise Refused(why)
    if unfit := gateways.unfit(spec.name, there):
        raise Refused(f"{step.arn}: {': '.join(unfit)}")
    pair = new_client(
        writes.authority_keys,
        spec.name,
        trust,
        step.names[0],
        now=writes.now,
        days=spec.certificates.days,
        kind="gateway",
        names=step.names,
    )
    signer = trust.signer
    try:
        told = writes.imported.replace(
            step.arn, pair.certificate, pair.key, signer.certificate if signer else "", pair.serial
        )
    except Refused as error:
        raise error if there.uses else Refused(f"{error}. {': '.join(gateways.WITHOUT_USES)}") from error
    if abs(told.ends - pair.ends) >= 1:
        raise Refused(f"ACM tells another end of {step.arn} than its certificate has")
    return GatewayIssued(
        signed_by=step.signed_by, names=step.names, serial=told.serial, begins=told.begins, ends=told.ends
    )


def _note_gateway(writes: Writes, seen: Rows, arn: str, issued: GatewayIssued) -> None:
    _put(writes, seen, msgspec.structs.replace(seen.trust, gateways={**seen.trust.gateways, arn: issued}))


HANDLERS: Mapping[type[Step], Handler] = {
    MakeAuthority: Handler(_may_make, _make),
    PublishTrust: Handler(_may_publish, _publish),
    IssueClientCertificate: Handler(_may_issue, _issue),
    InstallTrust: Handler(_may_install, _command("install-trust", lambda trust: trust.bundle_wanted)),
    ImportCertificate: Handler(_may_import, _import),
    RenewLeaves: Handler(_may_renew, _command("renew-certificate", lambda trust: trust.leaf_wanted)),
    SignWith: Handler(_may_sign, _sign),
    DropAuthority: Handler(_may_drop, _drop),
}
