"""What a fleet file says by where its nodes are, and what makes no sense on Kubernetes: rules as `fleet_rules` has."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

import msgspec

from vagus.fleet import ClusterSpec
from vagus.policy import ClusterWatch, RollingUpgrade, ZoneBalance
from vagus.trust import PRIVATE
from vagus_cli.fleet_shape import Fault

OF_EC2 = {
    "zones": "zones of one Region, such as [eu-west-1a, eu-west-1b, eu-west-1c]",
    "groups": "nodes by kind",
}
"""Fields that placement ec2 demands, and what they say."""


def field_of_another_placement(spec: ClusterSpec) -> Iterator[Fault]:
    """Where its nodes are says which fields a file has. Whatever else is wrong is told once this is right."""
    if spec.placement == "ec2":
        for field, words in OF_EC2.items():
            if not getattr(spec, field):
                yield (field,), f"is missing: add it ({words})"
        if spec.kubernetes is not None:
            yield ("kubernetes",), "is of placement kubernetes, and the placement is ec2: remove it, or say that one"
        return
    for field in (*OF_EC2, "zones_leaving", "network", "settings", "waived"):
        if getattr(spec, field) != _unsaid(field):
            yield (
                (field,),
                "is of placement ec2, and the placement is kubernetes, where pods are declared by their owners' "
                "manifests: remove it",
            )
    if spec.kubernetes is None:
        yield ("kubernetes",), "is missing: add it (the namespace, service account and StatefulSets of its pods)"


def _unsaid(field: str) -> object:
    found = next(one for one in msgspec.structs.fields(ClusterSpec) if one.name == field)
    return found.default if found.default is not msgspec.NODEFAULT else found.default_factory()


def not_yet_on_kubernetes(spec: ClusterSpec) -> Iterator[Fault]:
    """What Vagus does not do there yet must not look as if it did."""
    untouched = {"zone_balance": ZoneBalance(), "rolling_upgrade": RollingUpgrade(), "cluster_watch": ClusterWatch()}
    for field, default in untouched.items():
        if getattr(spec, field) != default:
            yield (field,), f"does nothing on Kubernetes yet, where Vagus does certificates alone: remove {field}"
    if spec.certificates.client_addresses:
        yield (
            ("certificates", "client_addresses"),
            "does nothing on Kubernetes yet, for nothing at the site notes who calls its pods: remove "
            "certificates.client_addresses",
        )


def nothing_to_do_on_kubernetes(spec: ClusterSpec) -> Iterator[Fault]:
    """Certificates are all that Vagus does there."""
    if spec.engine.name != "opensearch":
        yield (
            ("engine", "name"),
            f"is {spec.engine.name}, for which Vagus issues no certificates, and these are all that it does on "
            "Kubernetes: remove this file, or use opensearch",
        )
        return
    if not spec.engine.tls:
        yield ("engine", "tls"), "is false, and certificates are all that Vagus does on Kubernetes: leave it out"
    if spec.certificates.issuer == "own":
        yield (
            ("certificates", "issuer"),
            "is own (also where it is left out), and certificates are all that Vagus does on Kubernetes: say kms, or "
            "remove this file",
        )


def account_not_of_search_pods(spec: ClusterSpec) -> Iterator[Fault]:
    """Whoever runs as it, and bears a declared pod's name, may have a node's certificate."""
    path, agent = ("kubernetes", "service_account"), f"{spec.name}-agent"
    account = spec.kubernetes.service_account if spec.kubernetes else ""
    if account == "default":
        yield (
            path,
            "is default, as which every pod of the namespace runs that says no other: make one for the search pods "
            f"alone, such as {spec.name}-nodes",
        )
    if account == agent:
        yield (
            path,
            f"{agent} is the agent's own account, which gives certificates: make one for the search pods alone, such "
            f"as {spec.name}-nodes",
        )


def gateway_named_like_a_pod(spec: ClusterSpec) -> Iterator[Fault]:
    """Its certificate would be for a node's name; a StatefulSet's next pods count too."""
    sets = spec.kubernetes.stateful_sets if spec.kubernetes else ()
    for number, one in enumerate(spec.certificates.gateways):
        for name in one.names:
            owner, _, ordinal = name.partition(".")[0].rpartition("-")
            if owner in sets and ordinal.isdecimal():
                yield (
                    ("certificates", "gateways", number, "names"),
                    f"{name} is the name of a pod of StatefulSet {owner}: choose another",
                )


def pod_network_not_usable(spec: ClusterSpec) -> Iterator[Fault]:
    """A typing error, or addresses that an authority does not certify."""
    for number, block in enumerate(spec.kubernetes.pods if spec.kubernetes else ()):
        path = ("kubernetes", "pods", number)
        try:
            network = ip_network(block)
        except ValueError as error:
            yield path, f"{error}: write a CIDR block such as 10.42.0.0/16"
            continue
        if not any(_within(network, one) for one in PRIVATE):
            yield path, f"{block} is no private network, and an authority certifies addresses of these alone"


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    match inner, outer:
        case (IPv4Network(), IPv4Network()):
            return inner.subnet_of(outer)
        case (IPv6Network(), IPv6Network()):
            return inner.subnet_of(outer)
    return False


KUBERNETES_RULES: tuple[Callable[[ClusterSpec], Iterator[Fault]], ...] = (
    not_yet_on_kubernetes,
    nothing_to_do_on_kubernetes,
    account_not_of_search_pods,
    gateway_named_like_a_pod,
    pod_network_not_usable,
)
