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


RULES: tuple[Callable[[Mapping[str, ClusterSpec]], Iterator[tuple[str, Fault]]], ...] = (
    same_group_name,
    adopted_twice,
    certificate_shared,
    agent_shared,
)
