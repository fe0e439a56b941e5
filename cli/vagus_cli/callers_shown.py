"""What `vagus certificates --callers` shows: who called a cluster's nodes lately, by what the nodes told."""

from collections.abc import Mapping
from ipaddress import ip_address

import msgspec
from rich.table import Table

from vagus import callers
from vagus.callers import Callers
from vagus.fleet import ClusterSpec
from vagus.procedure.records import iso
from vagus_cli.world import World

TOLD_SECONDS = 30 * 86_400
"""For so long Systems Manager keeps what nodes told."""


class ShownCaller(msgspec.Struct, frozen=True, kw_only=True):
    """One address. `known`: "node", "client" (in `certificates.client_addresses`), or "". `told`: when the last node
    told of it; `week`: whether it may have called days before, and not only just then."""

    address: str
    known: str
    nodes: tuple[str, ...]
    told: str
    week: bool


def shown_callers(world: World, spec: ClusterSpec, bundle: str) -> list[ShownCaller]:
    """Each address once, strangers first."""
    heard = world.reads.commands(spec).callers(world.now() - TOLD_SECONDS)
    ours = {one.address for one in world.reads.handshakes(spec).all(bundle, closely=True)}
    strange = callers.undeclared(heard, ours, spec.certificates.client_addresses)
    found = {address for one in heard.values() for address in one.addresses}
    known = {one: "node" if one in ours else "" if one in strange else "client" for one in found}
    ordered = sorted(found, key=lambda one: (known[one], ip_address(one).version, int(ip_address(one))))
    return [_shown(one, known[one], heard) for one in ordered]


def _shown(address: str, known: str, heard: Mapping[str, Callers]) -> ShownCaller:
    those = {node: one for node, one in heard.items() if address in one.addresses}
    return ShownCaller(
        address=address,
        known=known,
        nodes=tuple(sorted(those)),
        told=iso(max(one.at for one in those.values())),
        week=all(one.week for one in those.values()),
    )


def whose(world: World, shown: list[ShownCaller]) -> str:
    """How a person finds out who the strangers are, or why there is nobody."""
    if not shown:
        return (
            "no node has told of callers within 30 days: nodes do with each renewal, and by the document list-callers"
        )
    strange = ",".join(one.address for one in shown if not one.known)
    if not strange:
        return "all are known"
    return (
        "whose they are (Vagus's own functions are among them): "
        f"{world.aws} ec2 describe-network-interfaces --filters Name=addresses.private-ip-address,Values={strange} "
        "--query 'NetworkInterfaces[].[PrivateIpAddress,InterfaceType,Description,Attachment.InstanceId]' "
        "--output table"
    )


def table(shown: list[ShownCaller]) -> Table:
    """As a person reads it."""
    grid = Table("address", "known as", "called", "told at", "of the week before", box=None)
    for one in shown:
        grid.add_row(one.address, one.known or "nobody", ", ".join(one.nodes), one.told, "yes" if one.week else "no")
    return grid
