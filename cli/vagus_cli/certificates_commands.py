"""`vagus certificates`, `certify`, `rotate`, `acknowledge`: who issued what, when it ends, what a person asks for."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from vagus.certificates import gateways, wishes
from vagus.certificates.observe import endpoints
from vagus.cluster_watch.certificates import faults
from vagus.ending import soon
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.procedure import head as heads
from vagus.procedure import rows
from vagus.procedure.records import iso
from vagus.site import SILENT_SECONDS
from vagus.trust import GatewayIssued, Trust, renewal_at, share_left
from vagus_cli import by_person, options, output
from vagus_cli.world import UsageFault, World

if TYPE_CHECKING:
    from vagus.certificates.by_request import Wanted

CAPABILITY = wishes.CAPABILITY
KINDS = ("client", "dashboards", "agent", "admin")
"""Of certificates that a person may have issued."""


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


def certificates(
    context: typer.Context,
    cluster: options.ClusterName,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Print the certificates that are to be trusted, in PEM, and nothing else.")
    ] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """What each node of CLUSTER shows in a TLS handshake, on both ports, beside its authorities and Vagus's own.

    Exit code: 0 all is well, 1 something is wrong, 2 the command failed.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    trust = rows.read(world.state(spec), spec.name).trust
    if bundle:
        if not trust.authorities:
            raise UsageFault(f"{cluster} has no authority of Vagus's")
        typer.echo(trust.bundle, nl=False)
        return
    shown = shown_certificates(world, spec, trust)
    output.answer(shown, as_json, _table)
    raise typer.Exit(1 if any(one.wrong for one in shown) else 0)


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
    where = spec.kubernetes.namespace if spec.kubernetes else ""
    wrong = f"its agent is silent: see its pod and its log in namespace {where}"
    return ShownCertificate(
        cluster=spec.name,
        node="",
        port=f"told by its agent, {age}",
        subject="",
        issuer="",
        ends="",
        days_left=0.0,
        renewal="",
        wrong=wrong if silent else "",
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
    from vagus.certificates.issuing import Issued, partition  # cryptography, which the others don't need

    found: dict[str, Issued] = {}
    for row in world.state(spec).read(partition(spec.name)).values():
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


def _table(shown: list[ShownCertificate]) -> Table:
    table = Table("cluster", "node", "port", "subject", "issuer", "ends in", "next renewal", "wrong", box=None)
    for one in shown:
        left = f"{one.days_left:.1f} d" if one.ends else ""
        renewal = datetime.fromisoformat(one.renewal).astimezone(UTC).strftime("%Y-%m-%d") if one.renewal else ""
        wrong = Text(one.wrong, style="red")
        table.add_row(one.cluster, one.node, one.port, one.subject, one.issuer, left, renewal, wrong)
    return table


# -- what a person asks for --------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and whether a run goes on with it now."""

    cluster: str
    message: str
    running: bool


def rotate(
    context: typer.Context,
    cluster: options.ClusterName,
    authority: Annotated[
        bool, typer.Option("--ca", help="The authority too: bundle of both, certificates of the new one, old one out.")
    ] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Replace every certificate of CLUSTER's nodes, gateways, and of Vagus's own; with --ca, the authority, too.

    Nothing fails meanwhile: each step waits until every node has been seen to have taken up the one before.
    """
    world = options.opened(context, target, fleet, profile, region)
    spec = _certified(world, cluster)
    if spec.certificates.mode == "observe":
        raise UsageFault(
            f"{cluster}: certificates.mode is observe in its fleet file, and nothing would be replaced: set it to "
            "approve (or act) first"
        )
    if authority and spec.certificates.issuer == "private_ca" and len(spec.certificates.private_cas) < 2:
        raise UsageFault(
            f"{cluster} declares one private CA, and another is to replace it: add its ARN to certificates.private_cas "
            "in its fleet file, deploy, and ask again"
        )
    what = "replace the authority and every certificate" if authority else "replace every certificate"
    with by_person.noted(world, spec, CAPABILITY, "Rotate", f"{world.person()} asks to {what}"):
        if authority:
            wishes.rotate_authority(world.state(spec), spec.name)
        else:
            wishes.renew_leaves(world.state(spec), spec.name, world.now())
    output.answer(_go_on(world, spec, f"{what}: see `vagus plan {cluster}`"), as_json, lambda one: Text(one.message))


class Certified(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that was issued; its key is the client's, and never was here."""

    cluster: str
    subject: str
    serial: str
    signed_by: int
    ends: str
    certificate: str


def certify(
    context: typer.Context,
    cluster: options.ClusterName,
    client: Annotated[
        str, typer.Argument(metavar="CLIENT", help="A client that the fleet file declares, or admin with --kind admin.")
    ],
    request: Annotated[
        Path,
        typer.Option("--request", help="The client's certificate request in PEM.", exists=True, dir_okay=False),
    ],
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help=f"One of {', '.join(KINDS)}.")] = "client",
    days: Annotated[
        float | None, typer.Option("--days", help="How long it lasts; if not said, as long as that kind may.")
    ] = None,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Issue CLIENT a certificate of CLUSTER's authority, by its own request: its key stays with it. Printed in PEM.

    You sign, with your own right to the authority's key in KMS, and it is recorded.
    """
    from vagus.certificates import by_request  # cryptography: only who signs needs it

    world = options.opened(context, target, fleet, profile, region)
    spec = _certified(world, cluster)
    if kind not in KINDS:
        raise UsageFault(f"--kind {kind}: one of {', '.join(KINDS)}")
    wanted = by_request.Wanted(kind=kind, common=client, request=request.read_bytes(), days=days)  # type: ignore[arg-type]  # looked up above
    found = _issued(world, spec, wanted)
    newest = rows.read(world.state(spec), spec.name).trust.newest
    if found.signed_by != newest:
        typer.echo(
            f"authority {found.signed_by} is being replaced by {newest}: ask again, with a new key, when that "
            f"one signs (`vagus plan {cluster}`)",
            err=True,
        )
    if as_json:
        output.answer(found, as_json, lambda one: Text(one.certificate))
    else:
        typer.echo(found.certificate, nl=False)


def _issued(world: World, spec: ClusterSpec, wanted: "Wanted") -> Certified:
    """What the request gets; a refusal is recorded too."""
    from vagus.certificates import by_request
    from vagus.certificates.requests import RequestRefused

    def recorded(sentence: str) -> AbstractContextManager[object]:
        return by_person.noted(world, spec, CAPABILITY, "Certify", f"{world.person()} {sentence}")

    try:
        issued = by_request.issue(world.authority_keys(spec), world.state(spec), spec, wanted, recorded, world.now())
    except RequestRefused:
        with recorded(f"asks for a certificate for {wanted.common} ({wanted.kind})"):
            raise
    return Certified(
        cluster=spec.name,
        subject=f"CN={issued.common},O=vagus",
        serial=issued.serial,
        signed_by=issued.signed_by,
        ends=iso(issued.ends),
        certificate=issued.certificate,
    )


def acknowledge(
    context: typer.Context,
    cluster: options.ClusterName,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help="A client that the fleet file declares.")],
    renewed: Annotated[
        bool, typer.Option("--renewed", help="It has a certificate of the new authority too, or shows none.")
    ] = False,
    as_json: options.Json = False,
    target: options.Target = None,
    fleet: options.FleetFolder = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Say that CLIENT trusts the present bundle of CLUSTER; with --renewed, that it is done with the old authority."""
    world = options.opened(context, target, fleet, profile, region)
    spec = _certified(world, cluster)
    if client not in spec.certificates.clients:
        known = ", ".join(spec.certificates.clients) or "none"
        raise UsageFault(f"{cluster} declares no client {client} (certificates.clients: {known})")
    what = f"{client} as renewed" if renewed else client
    with by_person.noted(world, spec, CAPABILITY, "Acknowledge", f"{world.person()} acknowledges {what}"):
        trust = wishes.acknowledge(world.state(spec), spec.name, client, renewed=renewed)
    known_for = trust.acknowledged[client]
    held = f", and needs none before authority {known_for.holds}" if known_for.holds else ""
    said = f"{client} is known to trust authority {known_for.trusts}{held}"
    output.answer(_go_on(world, spec, said), as_json, lambda one: Text(one.message))


def _certified(world: World, cluster: str) -> ClusterSpec:
    spec = world.cluster(cluster)
    if not spec.certified:
        raise UsageFault(f"the certificates of {cluster} are its owners' own: Vagus issues none (certificates.issuer)")
    return spec


def _go_on(world: World, spec: ClusterSpec, said: str) -> Asked:
    now = world.now()
    running = heads.ensure_running(
        world.state(spec), world.executions(spec)[CAPABILITY], spec.name, CAPABILITY, now, iso(now)
    )
    held = "" if running else "; it is stopped, or backing off: `vagus status` says why"
    return Asked(cluster=spec.name, message=f"{said}{held}", running=running)
