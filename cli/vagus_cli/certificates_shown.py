"""What `vagus certificates` shows of a cluster: authorities, Vagus's own, gateways', clients', then the nodes'."""

from datetime import UTC, datetime

import msgspec
from rich.table import Table
from rich.text import Text

from vagus.certificates import gateways
from vagus.certificates.at_site import where_to_look
from vagus.certificates.observe import endpoints
from vagus.cluster_watch.certificates import faults
from vagus.ending import soon
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.procedure import rows
from vagus.procedure.records import iso
from vagus.site import SILENT_SECONDS
from vagus.trust import GatewayIssued, Trust, issued_partition, renewal_at, share_left
from vagus_cli.world import World


class ShownCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate. `renewal`: when it is due, "" where a person renews it. `wrong`: what is the matter with it."""

    cluster: str
    node: str
    port: str
    subject: str
    issuer: str
    ends: str
    days_left: float
    renewal: str
    wrong: str = ""


def shown_certificates(world: World, spec: ClusterSpec, trust: Trust) -> list[ShownCertificate]:
    """Authorities, Vagus's own, then the nodes'. Handshakes are made with the caller's own reach."""
    if not spec.engine.tls:
        return []
    now = world.now()
    own = [*_authorities(spec, trust, now), *_own(spec, trust, now), *_gateways(world, spec, trust, now)]
    seen = [*_clients(world, spec, trust, now), *_nodes(world, spec, trust, now)]
    return [*own, *seen, *([] if spec.reached else [_agent(world, spec, now)])]


def _agent(world: World, spec: ClusterSpec, now: float) -> ShownCertificate:
    """Of a cluster on Kubernetes: how old is what its agent told."""
    at = world.reads.reported(spec)
    age = f"{now - at:.0f} s ago" if at else "never"
    silent = not at or now - at > SILENT_SECONDS
    return ShownCertificate(
        cluster=spec.name,
        node="",
        port=f"told by its agent, {age}",
        subject="",
        issuer="",
        ends="",
        days_left=0.0,
        renewal="",
        wrong=f"its agent is silent: {where_to_look(spec)}" if silent else "",
    )


def countdown(world: World, spec: ClusterSpec) -> str:
    """What a stop of renewal means, and by when; empty where Vagus renews nothing. A client's certificate, or a private
    CA, that ends is its owners' matter, stopped or not."""
    if not spec.certified:
        return ""
    shown = shown_certificates(world, spec, rows.read(world.state(spec), spec.name).trust)
    ending = [one for one in shown if one.renewal]
    if not ending:
        return ""
    first = min(ending, key=lambda one: one.days_left)
    where = f"{first.node}:{first.port}" if first.node else first.port
    return f"; the first certificate ends in {first.days_left:.1f} days ({where}), and none is renewed meanwhile"


def _authorities(spec: ClusterSpec, trust: Trust, now: float) -> list[ShownCertificate]:
    by_kms = spec.certificates.issuer == "kms"
    return [
        ShownCertificate(
            cluster=spec.name,
            node="",
            port="authority" if one.generation == trust.signs else "authority, signs nothing",
            subject=one.subject,
            issuer="itself, by KMS" if by_kms else "itself, a private CA",
            ends=iso(one.ends),
            days_left=_days(one.ends, now),
            renewal=iso((one.begins + one.ends) / 2) if by_kms else "",
            wrong=_short(one.begins, one.ends, now),
        )
        for one in sorted(trust.authorities, key=lambda one: -one.generation)
    ]


def _own(spec: ClusterSpec, trust: Trust, now: float) -> list[ShownCertificate]:
    subjects = {one.generation: one.subject for one in trust.authorities}
    return [
        ShownCertificate(
            cluster=spec.name,
            node="",
            port=f"functions that {role}",
            subject=f"CN=vagus-{role},O=vagus",
            issuer=subjects.get(one.signed_by, f"authority {one.signed_by}"),
            ends=iso(one.ends),
            days_left=_days(one.ends, now),
            renewal=iso(renewal_at(one.serial, one.begins, one.ends)),
            wrong=_short(one.begins, one.ends, now),
        )
        for role, one in sorted(trust.clients.items())
    ]


def _gateways(world: World, spec: ClusterSpec, trust: Trust, now: float) -> list[ShownCertificate]:
    """As they lie in ACM; where an endpoint is declared, what a handshake there shows instead."""
    declared = spec.certificates.gateways
    shaken = endpoints(world.reads.handshakes(spec), declared, trust.bundle)
    late = gateways.not_served(trust, spec.certificates, shaken)
    subjects = {one.generation: one.subject for one in trust.authorities}
    return [
        ShownCertificate(
            cluster=spec.name,
            node="",
            port=f"gateway {one.endpoint or one.names[0]}",
            subject=f"CN={one.names[0]},O=vagus",
            issuer=subjects.get(issued.signed_by, "not Vagus"),
            ends=iso(issued.ends) if issued.ends else "",
            days_left=_days(issued.ends, now) if issued.ends else 0.0,
            renewal=iso(renewal_at(issued.serial, issued.begins, issued.ends)) if issued.signed_by else "",
            wrong=_of_gateway(issued, late.get(one.arn, ""), now),
        )
        for one, issued in ((one, gateways.of(trust, one)) for one in declared)
    ]


def _of_gateway(issued: GatewayIssued, late: str, now: float) -> str:
    imported = "" if issued.signed_by else "Vagus has not imported one"
    short = _short(issued.begins, issued.ends, now) if issued.ends else ""
    return "; ".join(one for one in (imported, issued.refused, late, short) if one)


def _clients(world: World, spec: ClusterSpec, trust: Trust, now: float) -> list[ShownCertificate]:
    """The last that each declared client was issued, by the rows of `vagus certify`: their owners renew them."""
    if not spec.certificates.clients:
        return []
    from vagus.certificates.issuing import Issued  # cryptography, which the others don't need

    found: dict[str, Issued] = {}
    for row in world.state(spec).read(issued_partition(spec.name)).values():
        one = msgspec.convert(row.data, Issued)
        if not one.instance and one.common in spec.certificates.clients:
            found[one.common] = max(found.get(one.common, one), one, key=lambda each: each.ends)
    subjects = {one.generation: one.subject for one in trust.authorities}
    return [
        ShownCertificate(
            cluster=spec.name,
            node="",
            port=f"client {name}",
            subject=f"CN={name},O=vagus",
            issuer=subjects.get(one.signed_by, f"authority {one.signed_by}"),
            ends=iso(one.ends),
            days_left=_days(one.ends, now),
            renewal="",
            wrong=_short(one.begins, one.ends, now),
        )
        for name, one in sorted(found.items())
    ]


def _nodes(world: World, spec: ClusterSpec, trust: Trust, now: float) -> list[ShownCertificate]:
    return [
        ShownCertificate(
            cluster=spec.name,
            node=one.instance,
            port=str(one.port),
            subject=one.subject,
            issuer=one.issuer_subject,
            ends=iso(one.ends) if one.answered else "",
            days_left=_days(one.ends, now) if one.answered else 0.0,
            renewal=iso(renewal_at(one.serial, one.begins, one.ends)) if one.answered and spec.certified else "",
            wrong=_wrong(one, now),
        )
        for one in world.reads.handshakes(spec).all(trust.bundle, closely=True)
    ]


def _wrong(one: Handshake, now: float) -> str:
    """Why its certificate is not to be trusted, and what the cluster watch would tell."""
    failure = [one.failure] if one.failure and not one.plain else []
    return "; ".join([*failure, *(says for _, _, says in faults(one, now))])


def _days(ends: float, now: float) -> float:
    return round((ends - now) / 86_400, 1)


def _short(begins: float, ends: float, now: float) -> str:
    if now >= ends:
        return "it has ended"
    return f"{share_left(begins, ends, now):.0%} of its life is left" if soon(begins, ends, now) else ""


def table(shown: list[ShownCertificate]) -> Table:
    """As a person reads it."""
    grid = Table("cluster", "node", "port", "subject", "issuer", "ends in", "next renewal", "wrong", box=None)
    for one in shown:
        left = f"{one.days_left:.1f} d" if one.ends else ""
        renewal = datetime.fromisoformat(one.renewal).astimezone(UTC).strftime("%Y-%m-%d") if one.renewal else ""
        wrong = Text(one.wrong, style="red")
        grid.add_row(one.cluster, one.node, one.port, one.subject, one.issuer, left, renewal, wrong)
    return grid
