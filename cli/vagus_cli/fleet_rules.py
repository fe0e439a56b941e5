"""What makes a fleet file of the right shape wrong all the same: small predicates, each named for its violation.

Each yields where (a path in the file) and a sentence that ends with the remedy.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network

from vagus import owned_values
from vagus.certificates import gateways
from vagus.fleet import ClusterSpec, NodeGroup
from vagus.policy import Certificates
from vagus_cli import fleet_placement
from vagus_cli.fleet_shape import Fault

SUPPORTED = {
    "opensearch": (
        re.compile(r"2\.19\.[1-9]\d*|3\.(0|[1-9]\d*)\.(0|[1-9]\d*)"),
        "2.19.1 or a later 2.19.x, or 3.x",
    ),
    "elasticsearch": (re.compile(r"7\.17\.(0|[1-9]\d*)"), "7.17.x"),
}
"""OpenSearch before 2.19.1 does not start: it does not know `certificates_hot_reload`, which the boot script writes."""
LEADING_ZERO = re.compile(r"(^|\.)0\d")
"""Such a version names no archive that anybody has made."""
LOCAL_CELL = "local"
"""The cell of the local stack: its nodes have loopback addresses."""
SMALLEST_HEAP = 128
"""MiB: below, no engine starts."""
WIDEST_CLIENTS = 8
"""Length of the prefix: a wider block is no network that one owner has."""
LARGEST_HEAP = 31 * 1024
"""MiB: from 32 GiB on, Java's object pointers double in size, and more heap holds less."""

OF_THE_NODE = (
    "cluster.name",
    "cluster.initial_",
    "cluster.metadata.vagus.",
    "cluster.routing.allocation.awareness.",
    "cluster.routing.allocation.exclude.",
    "discovery.",
    "http.",
    "network.",
    "node.",
    "path.",
    "plugins.security.",
    "transport.",
    "xpack.security.",
    *(value.setting for value in owned_values.VALUES),
)
"""Settings that the boot script or Vagus writes: a second value would stop the node, or be fought over."""


def engine_not_supported(spec: ClusterSpec) -> Iterator[Fault]:
    """Only versions that tests run against."""
    pattern, words = SUPPORTED[spec.engine.name]
    if not pattern.fullmatch(spec.engine.version):
        zeros = ", its numbers without leading zeros" if LEADING_ZERO.search(spec.engine.version) else ""
        yield (
            ("engine", "version"),
            f"{spec.engine.name} {spec.engine.version} is not supported: use {words}{zeros}",
        )


def plain_http(spec: ClusterSpec) -> Iterator[Fault]:
    """Without TLS there are no users either: whoever reaches a node reads and writes everything."""
    if spec.engine.tls:
        return
    if spec.engine.name == "opensearch":
        yield ("engine", "tls"), "is false, but OpenSearch never runs without TLS: leave it out"
    elif spec.cell != LOCAL_CELL:
        yield (
            ("engine", "tls"),
            f"is false in cell {spec.cell}: whoever reaches a node would read all data; leave it out "
            f"(only the local stack's cell, {LOCAL_CELL}, may: its nodes serve the loopback alone)",
        )


def nodes_without_tls(spec: ClusterSpec) -> Iterator[Fault]:
    """The Elasticsearch that Vagus installs is without x-pack, so that its boot script refuses to start it with TLS."""
    if spec.engine.name == "opensearch" or not spec.engine.tls or any(engine_not_supported(spec)):
        return
    made = [name for name, group in spec.groups.items() if not group.adopted]
    if made:
        yield (
            ("engine", "name"),
            f"is elasticsearch, which Vagus installs without TLS, and {' and '.join(made)} would be made by Vagus: "
            "name groups that exist (`adopted`), whose nodes bring TLS, or use opensearch",
        )


def zone_given_twice(spec: ClusterSpec) -> Iterator[Fault]:
    """Two groups of one name would follow."""
    for zone, times in Counter(spec.zones).items():
        if times > 1:
            yield ("zones",), f"{zone} is given {times} times: give each zone once"


def zones_of_several_regions(spec: ClusterSpec) -> Iterator[Fault]:
    """A cell is in one Region, and a cluster in one cell."""
    regions = sorted({zone[:-1] for zone in spec.zones})
    if len(regions) > 1:
        yield ("zones",), f"zones of {' and '.join(regions)}: a cluster lies in one Region; declare one cluster in each"


def zone_leaving_of_no_use(spec: ClusterSpec) -> Iterator[Fault]:
    """What leaves is one of the zones, and some stay: the zone's groups are kept until its nodes are gone."""
    for number, zone in enumerate(spec.zones_leaving):
        if zone not in spec.zones:
            yield (
                ("zones_leaving", number),
                f"{zone} is not one of zones: leave it there until it is empty, so that its groups and subnets stay",
            )
    if set(spec.zones) <= set(spec.zones_leaving):
        yield ("zones_leaving",), "no zone would stay: delete the cluster in another way, or keep a zone"


def no_managers(spec: ClusterSpec) -> Iterator[Fault]:
    """A cluster without manager-eligible nodes never forms."""
    if not _managers(spec):
        yield ("groups",), "no group has the role cluster_manager with a size above 0: give it to one group"


def managers_cannot_lose_a_zone(spec: ClusterSpec) -> Iterator[Fault]:
    """A majority of the managers has to outlive the loss of any zone; of any node where there is one zone."""
    stay = sum(zone not in spec.zones_leaving for zone in spec.zones)
    count = sum(group.per_zone for group in _managers(spec).values()) * stay
    if not count or (count == 1 and stay == 1):
        return
    if stay == 2:
        yield (
            ("zones",),
            f"with two zones, the loss of one takes half of the {count} managers, and half is no majority: "
            "use three zones, or one",
        )
    elif count < 3:
        yield ("groups",), f"{count} managers lose their majority with one of them: use 3, or 1 for a trial cluster"


def managers_of_several_groups(spec: ClusterSpec) -> Iterator[Fault]:
    """Managers leave one at a time: that can be kept where one group of each zone has them all."""
    managers = sorted(_managers(spec))
    if len(managers) > 1:
        yield (
            ("groups", managers[1], "roles"),
            f"{' and '.join(managers)} have the role cluster_manager: give it to one of them",
        )


def data_group_with_many_managers(spec: ClusterSpec) -> Iterator[Fault]:
    """Scaling data nodes must not scale the voters: managers may hold data while there is one of them in each zone."""
    for name, group in _managers(spec).items():
        if "data" in group.roles and group.per_zone > 1:
            yield (
                ("groups", name, "per_zone"),
                f"{name} has managers that hold data, {group.per_zone} in each zone, so that scaling the data would "
                "scale the voters: set it to 1 and add data nodes in a group of their own",
            )


def no_data(spec: ClusterSpec) -> Iterator[Fault]:
    """Somebody has to hold the shards."""
    if not any("data" in group.roles and group.per_zone for group in spec.groups.values()):
        yield ("groups",), "no group has the role data with a size above 0: give it to one group"


def role_given_twice(spec: ClusterSpec) -> Iterator[Fault]:
    """Harmless to the engine, and a sign of a slip."""
    for name, group in spec.groups.items():
        if len(set(group.roles)) != len(group.roles):
            yield ("groups", name, "roles"), "a role is given twice: give each once"


def size_above_the_most(spec: ClusterSpec) -> Iterator[Fault]:
    """AWS refuses a desired size above the group's MaxSize."""
    for name, group in spec.groups.items():
        if group.per_zone > group.most_per_zone:
            yield (
                ("groups", name, "per_zone"),
                f"{group.per_zone} is more than most_per_zone ({group.most_per_zone}): raise most_per_zone",
            )


def heap_too_large(spec: ClusterSpec) -> Iterator[Fault]:
    """Beyond the bound of compressed pointers."""
    for name, group in spec.groups.items():
        if _mebibytes(group.heap) > LARGEST_HEAP:
            yield ("groups", name, "heap"), f"{group.heap} is beyond Java's compressed pointers: use 31g or less"


def heap_too_small(spec: ClusterSpec) -> Iterator[Fault]:
    """Most often a unit that was mistaken."""
    for name, group in spec.groups.items():
        if _mebibytes(group.heap) < SMALLEST_HEAP:
            yield ("groups", name, "heap"), f"{group.heap} starts no engine: use {SMALLEST_HEAP}m or more"


def client_network_not_usable(spec: ClusterSpec) -> Iterator[Fault]:
    """A typing error in a CIDR block, or the whole internet."""
    blocks = [
        *((("network", "clients", number), block) for number, block in enumerate(spec.network.clients)),
        *(
            (("certificates", "client_addresses", number), block)
            for number, block in enumerate(spec.certificates.client_addresses)
        ),
    ]
    for path, block in blocks:
        try:
            network = IPv4Network(block)
        except ValueError as error:
            yield path, f"{error}: write a CIDR block such as 10.20.0.0/16"
            continue
        if network.prefixlen < WIDEST_CLIENTS:
            yield path, f"{block} is everyone, or nearly: name the networks of your clients"


def setting_of_the_node(spec: ClusterSpec) -> Iterator[Fault]:
    """Written by the boot script, or by Vagus."""
    for name in spec.settings:
        if not name.strip():
            yield ("settings", name), "has no name: name the setting, or remove it"
        if name.startswith(OF_THE_NODE):
            yield ("settings", name), "is set by Vagus from the rest of this file: remove it"


def adopted_in_some_zones(spec: ClusterSpec) -> Iterator[Fault]:
    """A kind of nodes is adopted in all of the cluster's zones, or made by Vagus in all of them."""
    for name, group in spec.groups.items():
        if group.adopted and set(group.adopted) != set(spec.zones):
            yield (
                ("groups", name, "adopted"),
                f"names groups in {', '.join(sorted(group.adopted))}, and the cluster's zones are "
                f"{', '.join(spec.zones)}: name one for each of them",
            )


def issuer_where_it_cannot_be(spec: ClusterSpec) -> Iterator[Fault]:
    """Vagus issues for nodes that it makes, of an engine that takes certificates, with what its cell has."""
    issuer = spec.certificates.issuer
    if issuer == "own":
        return
    path, remedy = ("certificates", "issuer"), "use own, and bring the certificates"
    adopted = " and ".join(sorted(name for name, group in spec.groups.items() if group.adopted))
    if spec.engine.name != "opensearch" and spec.placement == "ec2":  # else fleet_placement says it, with a way out
        yield path, f"is {issuer}, but Vagus issues no certificates for {spec.engine.name}: {remedy}"
    elif adopted:
        yield path, f"is {issuer}, but the nodes of {adopted} are adopted and keep their owners' certificates: {remedy}"
    elif issuer == "private_ca" and spec.cell == LOCAL_CELL:
        yield path, f"is {issuer}, but the local stack has no AWS Private CA: use kms"


def issuer_that_renews_nothing(spec: ClusterSpec) -> Iterator[Fault]:
    """Where Vagus issues nobody else renews: certificates would run out."""
    issuer = spec.certificates.issuer
    if issuer != "own" and spec.certificates.mode == "observe":
        yield (
            ("certificates", "mode"),
            f"is observe (also where it is left out), and with issuer {issuer} nobody else renews: every certificate "
            "would end. Set it to approve, or act",
        )


def clients_not_usable(spec: ClusterSpec) -> Iterator[Fault]:
    """Each is acknowledged by its name, and names that begin as Vagus's own are Vagus's."""
    for name, times in Counter(spec.certificates.clients).items():
        if times > 1:
            yield ("certificates", "clients"), f"{name} is given {times} times: give each client once"
    for number, name in enumerate(spec.certificates.clients):
        if name.startswith("vagus-"):
            yield (
                ("certificates", "clients", number),
                f"{name} is named as Vagus's own functions are: they are renewed by themselves, remove it",
            )
        if name.startswith("node-") or name == "admin":
            yield (
                ("certificates", "clients", number),
                f"{name} is named as the engine's nodes, or its administrator, are: the engine would take it for one. "
                "Choose another name",
            )


def words_to_no_issuer(spec: ClusterSpec) -> Iterator[Fault]:
    """Without Vagus as the issuer they would do nothing, and be believed all the same."""
    if spec.certificates.issuer != "own":
        return
    if spec.certificates.clients:
        yield ("certificates", "clients"), "is for issuers kms and private_ca, and the issuer is own: remove it"
    if spec.certificates.client_addresses:
        yield (
            ("certificates", "client_addresses"),
            "is for issuers kms and private_ca, and the issuer is own: remove it",
        )
    if spec.certificates.days != Certificates().days:
        yield ("certificates", "days"), "is for issuers kms and private_ca, and the issuer is own: remove it"


def private_cas_not_usable(spec: ClusterSpec) -> Iterator[Fault]:
    """Issuer private_ca needs one, in the cluster's Region; another issuer uses none."""
    path, declared = ("certificates", "private_cas"), spec.certificates.private_cas
    if spec.certificates.issuer != "private_ca":
        if declared:
            yield path, f"is for issuer private_ca, and the issuer is {spec.certificates.issuer}: remove it"
        return
    if not declared:
        yield path, "is empty, and the issuer is private_ca: give the ARN of a root CA that is this cluster's alone"
    if len(set(declared)) < len(declared):
        yield path, "gives one private CA twice: the second is the one that is to replace the first"
    for number, arn in enumerate(declared):
        region = arn.split(":")[3]
        if any(one != region for one in spec.regions):
            yield (*path, number), f"lies in {region}, and the cluster does not: give one of its own Region"


def gateways_not_usable(spec: ClusterSpec) -> Iterator[Fault]:
    """Certificates in ACM: of the cluster's own Region and names, each once; and Vagus has to be the issuer."""
    declared = spec.certificates.gateways
    if declared and spec.certificates.issuer == "own":
        yield ("certificates", "gateways"), "is for issuers kms and private_ca, and the issuer is own: remove it"
    for number, one in enumerate(declared):
        path = ("certificates", "gateways", number)
        region = one.arn.split(":")[3]
        if any(one != region for one in spec.regions):
            yield (*path, "arn"), f"lies in {region}, and the cluster does not: give one of its own Region"
        if one.arn in [other.arn for other in declared[:number]]:
            yield (*path, "arn"), "is given twice: give each certificate once, with all its names"
        for sentence in gateways.wrong_names(spec.name, one):
            yield (*path, "names"), sentence
        for sentence in gateways.wrong_endpoint(one):
            yield (*path, "endpoint"), sentence


Rule = Callable[[ClusterSpec], Iterator[Fault]]

EC2_RULES: tuple[Rule, ...] = (
    plain_http,
    nodes_without_tls,
    zone_given_twice,
    zones_of_several_regions,
    zone_leaving_of_no_use,
    no_managers,
    managers_cannot_lose_a_zone,
    managers_of_several_groups,
    data_group_with_many_managers,
    no_data,
    role_given_twice,
    size_above_the_most,
    heap_too_large,
    heap_too_small,
    client_network_not_usable,
    setting_of_the_node,
    adopted_in_some_zones,
)
RULES: tuple[Rule, ...] = (
    engine_not_supported,
    issuer_where_it_cannot_be,
    issuer_that_renews_nothing,
    clients_not_usable,
    words_to_no_issuer,
    private_cas_not_usable,
    gateways_not_usable,
)
"""Those of both."""
EVERY: tuple[Rule, ...] = (
    fleet_placement.field_of_another_placement,
    *RULES,
    *EC2_RULES,
    *fleet_placement.KUBERNETES_RULES,
)


def faults(spec: ClusterSpec) -> Iterator[Fault]:
    """Every rule that one cluster breaks."""
    if misplaced := list(fleet_placement.field_of_another_placement(spec)):
        yield from misplaced
        return
    for rule in (*RULES, *(EC2_RULES if spec.placement == "ec2" else fleet_placement.KUBERNETES_RULES)):
        yield from rule(spec)


def _managers(spec: ClusterSpec) -> dict[str, NodeGroup]:
    return {name: group for name, group in spec.groups.items() if "cluster_manager" in group.roles and group.per_zone}


def _mebibytes(heap: str) -> int:
    return int(heap[:-1]) * (1024 if heap.endswith("g") else 1)
