"""What the owners of a cluster allow and wish: part of its fleet file, read by every decision."""

from typing import Annotated, Literal

import msgspec

Mode = Literal["observe", "approve", "act"]

Waiver = Literal["spot"]
"""Rules of `vagus.group_safety` that an owner may waive: nodes that hold data or vote may be Spot instances."""


class ClusterWatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the cluster watch tells, and when (docs/events.md).

    `looks`: in how many looks in a row, a minute apart, something that may pass has to be found before it is told.
    `skew`: how far above its fair share of its zone's bytes a node may be, as a part of it; and `skew_bytes` by how
    many bytes it has to be. `watermark_margin`: how near to the low watermark a disk is told of, as a part of the disk.
    """

    looks: Annotated[int, msgspec.Meta(ge=1, le=30)] = 2
    skew: Annotated[float, msgspec.Meta(ge=0.01, le=10.0)] = 0.2
    skew_bytes: Annotated[int, msgspec.Meta(ge=0)] = 10_737_418_240
    watermark_margin: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.05


class Shards(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy of evening bytes: `zone_balance.shards`.

    `mode`: `on` moves shards, as disturbing steps (`vagus plan` shows them, a stop and mode `approve` hold them back).

    What is wanted. `skew`: how far above its fair share of its zone's bytes a node may be, as a part of it. `margin`:
    how far beyond that it has to be before anything is moved; and how much less skewed a zone must become by it.
    `least_bytes`: what lies above the fair shares in a zone before it is worth a move. `spare`: by how many copies any
    node's count may change, as an index is created or deleted, without the engine's balancer stirring.
    `highest_threshold`: how far `cluster.routing.allocation.balance.threshold` may be raised, so that bytes may lead
    (1.0: it is never raised). `even_primaries`: whether bytes may be moved for even primaries' sake.

    How fast. `moves_at_once`: the most moves of one wave, beyond the engine's own recovery limits. `moves_per_hour`.
    `every_minutes`: how often a quiet cluster is planned for. `slowest_search_ms`: while the searches of a shard have
    taken longer on average since the last wave, none is begun for a quarter of an hour (0: no bound).
    `undone_waves`: after so many waves in a row of which the engine moved a shard on, a person is called.
    """

    mode: Literal["off", "on"] = "off"
    skew: Annotated[float, msgspec.Meta(ge=0.001, le=1.0)] = 0.02
    margin: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.03
    least_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 30
    spare: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    highest_threshold: Annotated[float, msgspec.Meta(ge=1.0, le=50.0)] = 1.0
    even_primaries: bool = False
    moves_at_once: Annotated[int, msgspec.Meta(ge=2, le=100)] = 20
    moves_per_hour: Annotated[int, msgspec.Meta(ge=2, le=10_000)] = 200
    every_minutes: Annotated[int, msgspec.Meta(ge=5, le=1440, multiple_of=5)] = 30
    slowest_search_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    undone_waves: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3


PrivateCa = Annotated[
    str,
    msgspec.Meta(pattern=r"^arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:[0-9]{12}:certificate-authority/[0-9a-f-]{36}$(?!\n)"),
]
"""The ARN of a private CA."""


LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
GatewayName = Annotated[str, msgspec.Meta(pattern=rf"^{LABEL}(\.{LABEL})+$(?!\n)", max_length=253)]
"""A DNS name in lower case."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A load balancer's or gateway's certificate, which people imported into ACM once: Vagus issues it anew and imports
    it under the same ARN (docs/certificates.md).

    `names`: DNS names below the cluster's domain, of which clients call one. `endpoint`: a name of these, and a port,
    by which Vagus's functions reach it: then it counts only when a handshake there shows it.
    """

    arn: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$(?!\n)",
            description="the ARN of a certificate that was imported into ACM",
        ),
    ]
    names: Annotated[
        tuple[GatewayName, ...],
        msgspec.Meta(
            min_length=1,
            max_length=10,
            description="DNS names in lower case below <cluster>.vagus.internal, written out: no wildcard",
        ),
    ]
    endpoint: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^([a-z0-9.-]+:[1-9][0-9]{0,4})?$(?!\n)",
            description="one of the names and a port, as search.<cluster>.vagus.internal:443",
        ),
    ] = ""


class Certificates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy of certificates.

    `issuer`: `own`: people bring the certificates, as they always do for adopted groups; `kms`: Vagus makes the
    cluster's authority, whose key lies in KMS, and every certificate; `private_ca`: a root CA of AWS Private CA that
    people made for this cluster alone signs every certificate. `private_cas`: its ARN, and that of the one that is to
    replace it. `days`: the life of a certificate; it is renewed
    at about half of it. `clients`: who holds a client certificate of this authority, beside Vagus; an old authority is
    dropped only when each of them is acknowledged. `client_addresses`: networks (CIDR) that they, and Vagus's
    functions, call from: who called from elsewhere is named before an authority is dropped. `gateways`: certificates in
    ACM that this authority issues too.
    `failures_in_a_row`: after so many a person is called.
    """

    mode: Mode = "observe"
    issuer: Literal["own", "kms", "private_ca"] = "own"
    private_cas: Annotated[tuple[PrivateCa, ...], msgspec.Meta(max_length=2)] = ()
    days: Annotated[int, msgspec.Meta(ge=2, le=397)] = 90
    clients: tuple[Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{1,62}$(?!\n)")], ...] = ()
    client_addresses: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)] = ()
    gateways: Annotated[tuple[Gateway, ...], msgspec.Meta(max_length=5)] = ()
    failures_in_a_row: Annotated[int, msgspec.Meta(ge=2, le=20)] = 5


class ZoneBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy of zone_balance.

    `nowhere_to_go`: what follows where no node may legally take a leaving node's shards: `hold` (retain the instance
    until its replacement has joined) or `one_zone_at_a_time` (flush, let it go, rely on the other copies).
    `stall_seconds`: when no shard moves for so long, a drain says why. `wait_cap_seconds`: the longest wait between
    two looks. `failures_in_a_row`: after so many a person is called. `shards`: whether, and how, bytes are evened.
    `replicas`: `kept`, or `with_zones`: an index with a copy in each zone keeps one in each as zones come and go.
    """

    mode: Mode = "observe"
    nowhere_to_go: Literal["hold", "one_zone_at_a_time"] = "hold"
    stall_seconds: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 120
    wait_cap_seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 60
    failures_in_a_row: Annotated[int, msgspec.Meta(ge=2, le=20)] = 5
    shards: Shards = Shards()
    replicas: Literal["kept", "with_zones"] = "kept"


class RollingUpgrade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy of rolling_upgrade: restarts follow the mode; an upgrade is always asked for.

    `batch`: the most nodes of one zone that are restarted together where awareness makes it safe. `rejoin_seconds`:
    when a node is away for longer, a person is called. `recovery_seconds`: when nothing has recovered for so long, too.
    `snapshot_hours`: how old the newest successful snapshot may be when an upgrade begins. `failures_in_a_row`: after
    so many a person is called.
    """

    mode: Mode = "observe"
    batch: Annotated[int, msgspec.Meta(ge=1, le=50)] = 1
    rejoin_seconds: Annotated[int, msgspec.Meta(ge=60, le=7200)] = 900
    recovery_seconds: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 1800
    snapshot_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24
    failures_in_a_row: Annotated[int, msgspec.Meta(ge=2, le=20)] = 5
