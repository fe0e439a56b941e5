"""`vagus certificates`, `certify`, `rotate`, `acknowledge`: who issued what, when it ends, what a person asks for."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.text import Text

from vagus.certificates import wishes
from vagus.fleet import ClusterSpec
from vagus.procedure import head as heads
from vagus.procedure import rows
from vagus.procedure.records import iso
from vagus_cli import by_person, callers_shown, options, output
from vagus_cli.certificates_shown import shown_certificates, table
from vagus_cli.world import UsageFault, World

if TYPE_CHECKING:
    from vagus.certificates.by_request import Wanted

CAPABILITY = wishes.CAPABILITY
KINDS = ("client", "dashboards", "agent", "admin")
"""Of certificates that a person may have issued."""


def certificates(
    context: typer.Context,
    cluster: options.ClusterName,
    bundle: Annotated[
        bool, typer.Option("--bundle", help="Print the certificates that are to be trusted, in PEM, and nothing else.")
    ] = False,
    called: Annotated[
        bool, typer.Option("--callers", help="Who called the nodes lately, as their last commands told, and no more.")
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
    if bundle and called:
        raise UsageFault("--bundle prints the bundle and nothing else: ask for --callers by itself")
    world = options.opened(context, target, fleet, profile, region)
    spec = world.cluster(cluster)
    trust = rows.read(world.state(spec), spec.name).trust
    if bundle:
        if not trust.authorities:
            raise UsageFault(f"{cluster} has no authority of Vagus's")
        typer.echo(trust.bundle, nl=False)
        return
    if called:
        found = callers_shown.shown_callers(world, spec, trust.bundle)
        output.answer(found, as_json, callers_shown.table)
        output.aside(callers_shown.whose(world, found))
        return
    shown = shown_certificates(world, spec, trust)
    output.answer(shown, as_json, table)
    raise typer.Exit(1 if any(one.wrong for one in shown) else 0)


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
