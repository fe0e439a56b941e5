"""What a synth is told: the fleet's files and the context of `cdk.json` or `-c name=value`.

cell          which cell to synthesize; may be left out when the fleet has one only
fleet         folder of fleet files (default: fleet)
architecture  of functions: arm64 (default) or x86_64
account       12 digits, so that a deploy with other credentials is refused
vpc           JSON: a VPC of yours instead of one of ours, see `network.Imported`
image         AMI of the nodes (default: the newest Amazon Linux 2023, by public parameter)
operators     ARNs of roles of people who may read the read certificate, joined by commas
xray          on: trace state machines (default: off)
synthesizer   cli: deploy with the caller's credentials instead of the bootstrap roles
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from vagus.fleet import ClusterSpec
from vagus_cli import fleet_files

ROOT = Path(__file__).resolve().parents[2]

Architecture = Literal["arm64", "x86_64"]


class SettingsError(Exception):
    """A synth that was told something it can't use; the message says the way out."""


class ImportedVpc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A VPC that exists. It brings its own endpoints (docs/infrastructure.md lists them).

    `subnets`: id of a private subnet by zone; every zone of the cell's clusters needs one.
    """

    id: str
    cidr: str
    subnets: Mapping[str, str]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A checked synth. `clusters` are those of the cell, by name; `build` is where assets are made."""

    cell: str
    clusters: Mapping[str, ClusterSpec]
    architecture: Architecture
    region: str
    account: str | None
    vpc: ImportedVpc | None
    image: str | None
    operators: tuple[str, ...]
    xray: bool
    cli_credentials: bool
    build: Path = ROOT / ".build"

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone that a cluster of this cell has, in order; where none has any, those of the VPC that is given."""
        declared = {zone for spec in self.clusters.values() for zone in spec.zones}
        return tuple(sorted(declared or (self.vpc.subnets if self.vpc else ())))

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the clusters whose nodes are pods elsewhere."""
        return tuple(name for name, spec in self.clusters.items() if not spec.reached)

    @property
    def certified(self) -> tuple[str, ...]:
        """Names of the clusters whose certificates Vagus issues."""
        return tuple(name for name, spec in self.clusters.items() if spec.certified)

    @property
    def private_cas(self) -> dict[str, tuple[str, ...]]:
        """ARNs of the private CAs of clusters that have them, by cluster."""
        of_clusters = ((name, spec.certificates.private_cas) for name, spec in self.clusters.items() if spec.certified)
        return {name: arns for name, arns in of_clusters if arns}

    @property
    def gateways(self) -> tuple[str, ...]:
        """ARNs of the certificates in ACM that Vagus issues."""
        certified = (spec for spec in self.clusters.values() if spec.certified)
        return tuple(sorted({one.arn for spec in certified for one in spec.certificates.gateways}))


def read(context: Mapping[str, str | None], root: Path = ROOT) -> Settings:
    """Settings from context. Raises `SettingsError`, or the fleet's own error with every finding."""
    fleet = fleet_files.load(root / (context.get("fleet") or "fleet"))
    cell = _cell(context.get("cell"), fleet)
    clusters = {name: spec for name, spec in sorted(fleet.items()) if spec.cell == cell}
    vpc = context.get("vpc")
    settings = Settings(
        cell=cell,
        clusters=clusters,
        architecture=_architecture(context.get("architecture")),
        region=next(region for spec in clusters.values() for region in spec.regions),  # a sound fleet has one in a cell
        account=context.get("account"),
        vpc=_vpc(vpc) if vpc else None,
        image=context.get("image"),
        operators=tuple(arn for arn in (context.get("operators") or "").split(",") if arn),
        xray=context.get("xray") == "on",
        cli_credentials=context.get("synthesizer") == "cli",
    )
    if not settings.zones:
        raise SettingsError(
            f"cell {cell} has clusters on Kubernetes alone, and its functions need subnets: say in context vpc which, "
            "or declare a cluster on EC2 in it"
        )
    if settings.vpc and (missing := [zone for zone in settings.zones if zone not in settings.vpc.subnets]):
        raise SettingsError(f"context vpc: no subnet for {', '.join(missing)}; add one to `subnets`")
    return settings


def _cell(said: str | None, fleet: Mapping[str, ClusterSpec]) -> str:
    cells = sorted({spec.cell for spec in fleet.values()})
    if said is None and len(cells) == 1:
        return cells[0]
    if said not in cells:
        raise SettingsError(f"context cell: {said or 'not said'}; the fleet has {', '.join(cells)}: say -c cell=<one>")
    return said


def _architecture(said: str | None) -> Architecture:
    match said or "arm64":
        case "arm64":
            return "arm64"
        case "x86_64":
            return "x86_64"
        case other:
            raise SettingsError(f"context architecture: {other} is neither arm64 nor x86_64")


def _vpc(said: str) -> ImportedVpc:
    try:
        return msgspec.convert(json.loads(said) if isinstance(said, str) else said, ImportedVpc)
    except (ValueError, msgspec.ValidationError) as error:
        shape = '{"id": "vpc-...", "cidr": "10.0.0.0/16", "subnets": {"eu-west-1a": "subnet-..."}}'
        raise SettingsError(f"context vpc: {error}; it should look like {shape}") from error
