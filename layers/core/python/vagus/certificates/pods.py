"""Which pods may have certificates: each check is a sentence, the first that trips is the refusal. Pure.

The agent says what its cluster's API server says of a pod; the fleet file says which pods there are. The agent
is believed within those bounds: whoever has its role can have certificates for declared pods of this one cluster.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from vagus.certificates.requests import RequestRefused
from vagus.fleet import ClusterSpec, Kubernetes
from vagus.instances import Asker
from vagus.site import Asked

Address = IPv4Address | IPv6Address


def asker(asked: Asked, spec: ClusterSpec) -> Asker:
    """Who asks, as `requests.checked` wants it. Raises `RequestRefused` with the first thing that is wrong."""
    if spec.kubernetes is None:
        raise RequestRefused(f"{spec.name} is not on Kubernetes: it has no pods")
    for sentence in _wrong(asked, spec.name, spec.kubernetes):
        raise RequestRefused(sentence)
    addresses = tuple(sorted(str(one) for one in _declared(asked, spec.kubernetes)))
    return Asker(instance=asked.pod, state="running", addresses=addresses, cell=spec.cell, cluster=spec.name)


def _wrong(asked: Asked, cluster: str, declared: Kubernetes) -> Iterator[str]:
    if asked.namespace != declared.namespace:
        yield f"pod {asked.pod} is in namespace {asked.namespace}, and {cluster}'s are in {declared.namespace} alone"
    if asked.account != declared.service_account:
        yield (
            f"pod {asked.pod} runs as service account {asked.account}, and {cluster}'s search pods as "
            f"{declared.service_account} alone (kubernetes.service_account)"
        )
    if asked.pod not in declared.names():
        sets = ", ".join(f"{name}: {size}" for name, size in declared.stateful_sets.items())
        yield (
            f"no declared StatefulSet has a pod {asked.pod} (kubernetes.stateful_sets: {sets}): declare it, or its "
            f"replicas, in {cluster}'s fleet file first"
        )
    if not asked.uid:
        yield f"the API server says no uid of pod {asked.pod}: it is not known to be there"
    if not asked.addresses:
        yield f"pod {asked.pod} has no address yet: it asks again when it has one"
    yield from _of_addresses(asked, declared)


def _of_addresses(asked: Asked, declared: Kubernetes) -> Iterator[str]:
    for said in asked.addresses:
        if _address(said) is None:
            yield f"{said[:60]!r} is no address of a pod"
    if not _declared(asked, declared):
        lie = f"{' and '.join(asked.addresses)} {'lie' if len(asked.addresses) > 1 else 'lies'}"
        yield f"{lie} in none of the declared networks of pods (kubernetes.pods: {', '.join(declared.pods)})"


def _declared(asked: Asked, declared: Kubernetes) -> list[Address]:
    """Those of a pod's addresses that count. One that lies elsewhere, as a public one of the other kind, is in no
    certificate, and no reason to have none."""
    networks = [ip_network(block) for block in declared.pods]
    found = [address for said in asked.addresses if (address := _address(said))]
    return [one for one in found if any(_in(one, network) for network in networks)]


def _in(address: Address, network: IPv4Network | IPv6Network) -> bool:
    return address.version == network.version and address in network


def _address(said: str) -> Address | None:
    try:
        return ip_address(said)
    except ValueError:
        return None
