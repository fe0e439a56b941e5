"""Declared clusters: what `fleet/<name>.yaml` may say. Reviewed files are the interface.

Reading YAML is for the command line and the synth (`vagus_cli.fleet_files`); functions get the same documents as
JSON in a layer (`vagus_fleet/clusters.json`), so that they need no call, and no table, to know their clusters.
"""

import importlib.resources
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from vagus.policy import Certificates, ClusterWatch, RollingUpgrade, Waiver, ZoneBalance

Name = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$(?!\n)", description="lower case, 3 to 32 long")
]
ZoneName = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$", description="such as eu-west-1a")]
Role = Literal["cluster_manager", "data", "ingest", "remote_cluster_client"]
Placement = Literal["ec2", "kubernetes"]
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""A DNS label of RFC 1123, as Kubernetes names things."""
StatefulSetName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$(?!\n)",
        description="the name of a StatefulSet: lower case, 52 long at most",
    ),
]
Replicas = Annotated[
    int, msgspec.Meta(ge=1, le=100, description="a number of pods, 1 to 100; leave out a StatefulSet that has none")
]
PodNetwork = Annotated[str, msgspec.Meta(description="a CIDR block, such as 10.42.0.0/16")]


class Engine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs on the nodes.

    `tls`: only Elasticsearch on the loopback of the local stack may say no. Then there are no users either.
    """

    name: Literal["opensearch", "elasticsearch"] = "opensearch"
    version: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+$")]
    tls: bool = True


class NodeGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nodes of one kind: becomes one Auto Scaling group in each zone.

    `per_zone`: the size that each group is given when this number changes; what people or scaling policies set
    later stays. `most_per_zone`: the group's upper bound. Volumes in GiB; `heap` as Java writes it.

    `adopted`: Auto Scaling groups that exist, by zone (one that spans zones stands at each of them). They are looked
    at and drained under their own names; Vagus neither makes nor sizes them.
    """

    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1)]
    per_zone: Annotated[int, msgspec.Meta(ge=0, le=100)]
    most_per_zone: Annotated[int, msgspec.Meta(ge=1, le=200)] = 10
    instance_type: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")] = "r7g.large"
    root_volume: Annotated[int, msgspec.Meta(ge=8, le=1024)] = 20
    data_volume: Annotated[int, msgspec.Meta(ge=10, le=65536)] = 100
    heap: Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d*[mg]$")] = "8g"
    adopted: Mapping[ZoneName, Annotated[str, msgspec.Meta(min_length=1, max_length=255)]] = {}


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may reach the cluster's HTTP port, beside Vagus itself: CIDR blocks."""

    clients: tuple[str, ...] = ()


class Kubernetes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cluster whose nodes are pods elsewhere: its agent there has their certificates signed (docs/certificates.md).

    `service_account`: that of the search pods. `stateful_sets`: replicas by name; only their pods get certificates.
    `pods`: networks in which a pod's addresses count. `trust_anchor`, `agent`: who may act as the site's agent, by IAM
    Roles Anywhere: whoever shows a certificate of that anchor's authority with this common name.
    """

    namespace: Annotated[str, msgspec.Meta(pattern=rf"^{LABEL}$(?!\n)", description="a namespace of Kubernetes")]
    service_account: Annotated[
        str,
        msgspec.Meta(
            pattern=rf"^{LABEL}(\.{LABEL})*$(?!\n)", max_length=253, description="the service account of search pods"
        ),
    ]
    stateful_sets: Annotated[
        Mapping[StatefulSetName, Replicas],
        msgspec.Meta(min_length=1, description="replicas by the StatefulSet's name, such as {claims-data-a: 2}"),
    ]
    pods: Annotated[tuple[PodNetwork, ...], msgspec.Meta(min_length=1, max_length=20)]
    trust_anchor: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^arn:aws[a-z-]*:rolesanywhere:[a-z0-9-]+:[0-9]{12}:trust-anchor/[0-9a-f-]{36}$(?!\n)",
            description="the ARN of a trust anchor of IAM Roles Anywhere",
        ),
    ]
    agent: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)", description="the common name of the agent's certificate"
        ),
    ]

    def names(self) -> tuple[str, ...]:
        """Every declared pod, as a StatefulSet names them."""
        return tuple(f"{name}-{number}" for name, size in self.stateful_sets.items() for number in range(size))

    @property
    def region(self) -> str:
        """Where its agent comes in."""
        return self.trust_anchor.split(":")[3]


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared cluster: a whole fleet file. `zones_leaving`: those of `zones` that are drained, node by node.
    `zones` and `groups` are of placement ec2, `kubernetes` is of the other: `vagus fleet check` demands and refuses."""

    name: Name
    cell: Name
    engine: Engine
    placement: Placement = "ec2"
    zones: Annotated[tuple[ZoneName, ...], msgspec.Meta(max_length=6)] = ()
    zones_leaving: tuple[ZoneName, ...] = ()
    groups: Mapping[Name, NodeGroup] = {}
    kubernetes: Kubernetes | None = None
    network: Network = Network()
    settings: Mapping[str, str | int | bool] = {}
    zone_balance: ZoneBalance = ZoneBalance()
    cluster_watch: ClusterWatch = ClusterWatch()
    rolling_upgrade: RollingUpgrade = RollingUpgrade()
    certificates: Certificates = Certificates()
    waived: tuple[Waiver, ...] = ()

    @property
    def certified(self) -> bool:
        """Whether its certificates are Vagus's to issue. Nodes of adopted groups have their owners' own."""
        adopted = any(group.adopted for group in self.groups.values())
        return self.engine.tls and self.certificates.issuer != "own" and not adopted

    @property
    def regions(self) -> tuple[str, ...]:
        """Those that it lies in, or comes in by: a sound file has one."""
        away = {self.kubernetes.region} if self.kubernetes else set[str]()
        return tuple(sorted({zone[:-1] for zone in self.zones} | away))

    @property
    def pods(self) -> tuple[str, ...]:
        """The names of its declared pods; none on EC2."""
        return self.kubernetes.names() if self.kubernetes else ()

    @property
    def reached(self) -> bool:
        """Whether functions of Vagus call its nodes. On Kubernetes the site's agent does, and nothing connects in."""
        return self.placement == "ec2"

    @property
    def nodes(self) -> int:
        """How many are declared."""
        return sum(self.sizes().values()) + len(self.pods)

    def group_name(self, group: str, zone: str) -> str:
        """The name of the Auto Scaling group that holds `group`'s nodes in `zone`."""
        return self.groups[group].adopted.get(zone, f"{self.name}-{group}-{zone}")

    def sizes(self) -> dict[str, int]:
        """The declared size of each Auto Scaling group; groups with managers first, for a cluster has to form."""
        sizes: dict[str, int] = {}
        for name, group in self._managers_first():
            for zone in self.zones:
                named = self.group_name(name, zone)
                size = 0 if zone in self.zones_leaving else group.per_zone
                sizes[named] = sizes.get(named, 0) + size  # an adopted group may span zones
        return sizes

    def sized(self) -> dict[str, int]:
        """The sizes that Vagus gives: those of adopted groups are left to whoever has set them so far."""
        ours = {
            self.group_name(name, zone)
            for name, group in self.groups.items()
            if not group.adopted
            for zone in self.zones
        }
        return {name: size for name, size in self.sizes().items() if name in ours}

    def _managers_first(self) -> list[tuple[str, NodeGroup]]:
        return sorted(self.groups.items(), key=lambda item: "cluster_manager" not in item[1].roles)


Fleet = Mapping[str, ClusterSpec]


def decode(document: bytes) -> Fleet:
    """The fleet from the layer's JSON: a mapping of cluster name to fleet file."""
    return msgspec.json.decode(document, type=dict[str, ClusterSpec])


def deployed() -> Fleet:
    """The fleet that this deployment was synthesized with."""
    return decode(importlib.resources.files("vagus_fleet").joinpath("clusters.json").read_bytes())
