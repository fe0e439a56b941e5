"""What makes fleet files wrong together that are well each by itself."""

from collections.abc import Callable, Iterator, Mapping

from vagus.fleet import ClusterSpec
from vagus_cli.fleet_shape import Fault
from vagus_cli.yaml_lines import Path


def same_group_name(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """Clusters whose names and groups make the same Auto Scaling group: `a-b` + `c`, `a` + `b-c`. Yields the cluster.

    Group names are unique per account and Region, and two cells may share both.
    """
    owner: dict[str, tuple[str, str]] = {}
    for cluster, spec in fleet.items():
        for group in (name for name, declared in spec.groups.items() if not declared.adopted):
            first = owner.setdefault(f"{cluster}-{group}", (cluster, group))
            if first != (cluster, group):
                yield (
                    cluster,
                    (
                        ("groups", group),
                        f"would make the same Auto Scaling groups as {first[1]} of cluster {first[0]} "
                        f"({cluster}-{group}-...): rename one",
                    ),
                )


def adopted_twice(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """Auto Scaling groups that two kinds of nodes, or two clusters, adopt. Yields the later cluster."""
    owner: dict[str, tuple[str, str]] = {}
    for cluster, spec in fleet.items():
        for kind, group in spec.groups.items():
            for zone, name in group.adopted.items():
                first = owner.setdefault(name, (cluster, kind))
                if first != (cluster, kind):
                    where = f"{first[1]} of cluster {first[0]}"
                    yield (
                        cluster,
                        (("groups", kind, "adopted", zone), f"{name} is adopted by {where} too: take it out of one"),
                    )


def certificate_shared(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """Private CAs and gateways' certificates that two clusters declare: a node of one has a certificate that is good in
    the other, and of two that import under one ARN each undoes the other. Yields the later cluster."""
    owner: dict[str, str] = {}
    for cluster, spec in fleet.items():
        declared = spec.certificates
        found: list[tuple[Path, str]] = [
            *((("private_cas", number), arn) for number, arn in enumerate(declared.private_cas)),
            *((("gateways", number, "arn"), one.arn) for number, one in enumerate(declared.gateways)),
        ]
        for path, arn in found:
            if (first := owner.setdefault(arn, cluster)) != cluster:
                yield cluster, (("certificates", *path), f"cluster {first} declares it too: give each its own")


def agent_shared(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """An agent that two clusters declare could have certificates of both. Yields the later cluster."""
    owner: dict[tuple[str, str], str] = {}
    for cluster, spec in fleet.items():
        if spec.kubernetes is None:
            continue
        said = (spec.kubernetes.trust_anchor, spec.kubernetes.agent)
        if (first := owner.setdefault(said, cluster)) != cluster:
            yield (
                cluster,
                (
                    ("kubernetes", "agent"),
                    f"{said[1]} is the agent of cluster {first} too, and each agent has its own cluster's role alone: "
                    "give it a certificate, and a name, of its own",
                ),
            )


def cell_of_several_regions(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """A cell is in one Region: that of its zones, else of its first trust anchor. Yields who lies elsewhere."""
    first: dict[str, tuple[str, str]] = {}
    for cluster, spec in sorted(fleet.items(), key=lambda one: (one[1].placement != "ec2", one[0])):
        for region in spec.regions:  # one, in a sound file
            other, there = first.setdefault(spec.cell, (cluster, region))
            if there != region:
                path: Path = ("zones",) if spec.kubernetes is None else ("kubernetes", "trust_anchor")
                instead = "make the anchor there, or declare" if spec.kubernetes else "declare"
                yield (
                    cluster,
                    (
                        path,
                        f"lies in {region}, and cluster {other} of cell {spec.cell} in {there}: a cell is one Region; "
                        f"{instead} this cluster in another cell",
                    ),
                )


def pod_of_two_clusters(fleet: Mapping[str, ClusterSpec]) -> Iterator[tuple[str, Fault]]:
    """Pods that two clusters declare at what may be one site. Yields the later cluster, at the first pod of each
    StatefulSet."""
    owner: dict[tuple[str, str, str], str] = {}
    for cluster, spec in fleet.items():
        if (declared := spec.kubernetes) is None:
            continue
        for name in declared.stateful_sets:
            pod = f"{name}-0"
            first = owner.setdefault((declared.trust_anchor, declared.namespace, pod), cluster)
            if first != cluster:
                yield (
                    cluster,
                    (
                        ("kubernetes", "stateful_sets", name),
                        f"{pod} in namespace {declared.namespace} is a pod of cluster {first} too, under the same "
                        "trust anchor: one pod would be a node of two clusters. Name other StatefulSets; if these are "
                        "two sites, give each an anchor of its own",
                    ),
                )


RULES: tuple[Callable[[Mapping[str, ClusterSpec]], Iterator[tuple[str, Fault]]], ...] = (
    same_group_name,
    adopted_twice,
    certificate_shared,
    agent_shared,
    cell_of_several_regions,
    pod_of_two_clusters,
)
