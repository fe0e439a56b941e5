"""What `vagus certificates --callers` shows: who called a cluster's nodes lately, by what the nodes told."""

from collections.abc import Mapping
from ipaddress import ip_address

import msgspec
from rich.table import Table

from vagus import callers
from vagus.callers import Callers
from vagus.fleet import ClusterSpec
from vagus.procedure.records import iso
from vagus_cli.world import UsageFault, World

FILTERED = 200
"""Values that a filter of EC2 takes at most."""
TOLD_SECONDS = 30 * 86_400
"""For so long Systems Manager keeps what nodes told."""


class ShownCaller(msgspec.Struct, frozen=True, kw_only=True):
    """One address. `known`: "node", "client" (in `certificates.client_addresses`), or "". `told`: when the last node
    told of it."""

    address: str
    known: str
    nodes: tuple[str, ...]
    told: str


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Each address once, strangers first; and whom nobody can name."""

    callers: list[ShownCaller]
    unknown: list[str]


def shown_callers(world: World, spec: ClusterSpec, bundle: str) -> Shown:
    """What nodes told within 30 days. Raises `UsageFault` where they never do."""
    if not spec.reached:
        raise UsageFault(
            f"{spec.name} is on Kubernetes, where nobody sees who calls a node: a sidecar sees no connections"
        )
    heard = world.reads.commands(spec).callers(world.now() - TOLD_SECONDS)
    shaken = world.reads.handshakes(spec).all(bundle, closely=True)
    ours = {one.address for one in shaken}
    strange = callers.undeclared(heard, ours, spec.certificates.client_addresses)
    found = {address for one in heard.values() for address in one.addresses}
    known = {one: "node" if one in ours else "" if one in strange else "client" for one in found}
    ordered = sorted(found, key=lambda one: (known[one], ip_address(one).version, int(ip_address(one))))
    nodes = {one.instance for one in shaken if one.answered}
    return Shown(
        callers=[_shown(one, known[one], heard) for one in ordered],
        unknown=callers.unknown(heard, nodes | heard.keys()),
    )


def _shown(address: str, known: str, heard: Mapping[str, Callers]) -> ShownCaller:
    those = {node: one for node, one in heard.items() if address in one.addresses}
    return ShownCaller(
        address=address, known=known, nodes=tuple(sorted(those)), told=iso(max(one.at for one in those.values()))
    )


def whose(world: World, shown: Shown) -> str:
    """What a person should know beside the table: of whom nothing is known, and how to find out who strangers are."""
    parts, strange = list(shown.unknown), [one.address for one in shown.callers if not one.known]
    if shown.unknown:
        parts.append("nodes tell with each renewal, and by the document list-callers (docs/certificates.md)")
    if strange:
        parts.append(
            "whose the first are (Vagus's own functions are among them): "
            f"{world.aws} ec2 describe-network-interfaces "
            f"--filters Name=addresses.private-ip-address,Values={','.join(strange[:FILTERED])} "
            "--query 'NetworkInterfaces[].[PrivateIpAddress,InterfaceType,Description,Attachment.InstanceId]' "
            "--output table"
        )
    return "; ".join(parts) or "all are known"


def table(shown: Shown) -> Table:
    """As a person reads it."""
    grid = Table("address", "known as", "called", "told at", box=None)
    for one in shown.callers:
        grid.add_row(one.address, one.known or "nobody", ", ".join(one.nodes), one.told)
    return grid
