"""From what stands in an account to a fleet file: pure. What could not be known is marked, never made up silently."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from vagus.cluster import Cluster, Node
from vagus.group_safety import GroupFacts, Violation, violations
from vagus_cli.account import FoundGroup, Member

ENGINE_UNKNOWN = "3.4.0"
KNOWN_ROLES = ("cluster_manager", "data", "ingest", "remote_cluster_client")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes of one kind: groups of the same roles, at most one in each zone."""

    name: str
    roles: tuple[str, ...]
    groups: dict[str, FoundGroup]

    @property
    def members(self) -> tuple[Member, ...]:
        """Its instances, each once: a group may span zones."""
        every = {one.id: one for group in self.groups.values() for one in group.members}
        return tuple(every[name] for name in sorted(every))


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet file and what has to be known with it. `tags`: commands that make the groups known to Vagus."""

    text: str
    unknown: tuple[str, ...]
    findings: tuple[str, ...]
    violations: tuple[Violation, ...]
    tags: tuple[str, ...]


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """`what` is the text of one line; `unknown` says what a person has to find out."""

    what: str
    unknown: str = ""

    def __str__(self) -> str:
        return f"{self.what}  # UNKNOWN: {self.unknown}" if self.unknown else self.what


def draft(cluster: str, cell: str | None, region: str, groups: Sequence[FoundGroup], seen: Cluster | None) -> Draft:
    """The fleet file of a cluster that runs, in observe mode. `seen`: the cluster itself, if it could be looked at."""
    kinds = _kinds(groups, seen)
    lines = [*_head(cluster, cell, region, seen, kinds), *_groups(kinds), *_foot()]
    broken = violations([_with_nodes(group, seen) for group in groups])
    findings = tuple(_findings(groups, seen))
    told = [f"# {' '.join(str(one).split())}" for one in (*findings, *(f"BROKEN: {one}" for one in broken))]
    note = [
        "# Made by `vagus adopt`, which changed nothing. Search it for UNKNOWN; docs/adopt.md says what comes next."
    ]
    return Draft(
        text="\n".join([*note, *told, *map(str, lines)]) + "\n",
        unknown=tuple(line.unknown for line in lines if line.unknown),
        findings=findings,
        violations=broken,
        tags=tuple(_tag_commands(cluster, cell or region, kinds)),
    )


def node_of(member: Member, seen: Cluster | None) -> Node | None:
    """The node that runs on an instance: by name, as Vagus knows it, or by address."""
    nodes = seen.nodes if seen else ()
    return next((node for node in nodes if node.name == member.id or node.address == member.address), None)


# -- the file --------------------------------------------------------------------------------------------------------


def _head(cluster: str, cell: str | None, region: str, seen: Cluster | None, kinds: Sequence[Kind]) -> Iterator[_Line]:
    yield _Line(what=f"name: {cluster}")
    unsaid = "" if cell else "a name for this account, Region and VPC (--cell); all its clusters share it"
    yield _Line(what=f"cell: {cell or region}", unknown=unsaid)
    yield _Line(what="engine:")
    versions = sorted({node.version for node in seen.nodes}) if seen else []
    name = "elasticsearch" if versions and versions[0].startswith("7.") else "opensearch"
    yield _Line(what=f"  name: {name}", unknown="" if versions else "the cluster could not be looked at")
    unsure = "" if len(versions) == 1 else f"nodes have versions {', '.join(versions) or 'that were not seen'}"
    yield _Line(what=f"  version: {versions[0] if versions else ENGINE_UNKNOWN}", unknown=unsure)
    zones = sorted({zone for kind in kinds for zone in kind.groups})
    yield _Line(what=f"zones: [{', '.join(zones)}]")


def _groups(kinds: Sequence[Kind]) -> Iterator[_Line]:
    yield _Line(what="groups:")
    for kind in kinds:
        yield _Line(what=f"  {kind.name}:")
        yield from (_Line(what=f"    {line.what}", unknown=line.unknown) for line in _kind(kind))


def _kind(kind: Kind) -> Iterator[_Line]:
    roles = kind.roles or KNOWN_ROLES[:2]
    yield _Line(
        what=f"roles: [{', '.join(roles)}]", unknown="" if kind.roles else "no node was seen and no tag says it"
    )
    sizes = Counter(member.zone for member in kind.members)
    counts = [sizes[zone] for zone in sorted(kind.groups)]
    uneven = "" if len(set(counts)) == 1 else f"zones have {', '.join(map(str, counts))} nodes"
    yield _Line(what=f"per_zone: {max(counts)}", unknown=uneven)
    yield _Line(what=f"most_per_zone: {min(200, max(1, *(group.most for group in kind.groups.values())))}")
    types = sorted({member.type for member in kind.members})
    yield _Line(what=f"instance_type: {types[0] if types else 'r7g.large'}", unknown=_choice("types", types))
    yield from _volumes(kind)
    yield _Line(what="heap: 8g", unknown="the Java heap of these nodes, -Xmx")
    yield _Line(what="adopted:")
    for zone, group in sorted(kind.groups.items()):
        yield _Line(what=f"  {zone}: {json.dumps(group.name, ensure_ascii=False)}")


def _volumes(kind: Kind) -> Iterator[_Line]:
    root = sorted({member.volumes[member.root] for member in kind.members if member.root in member.volumes})
    yield _Line(what=f"root_volume: {max([8, *root[-1:]])}", unknown=_choice("root volumes of GiB", root))
    data = sorted({max(sizes) for member in kind.members if (sizes := _beside_root(member))})
    unsure = _choice("data volumes of GiB", data) if data else "no volume beside the root was seen: where is the data?"
    yield _Line(what=f"data_volume: {max([10, *data[-1:]])}", unknown=unsure)


def _beside_root(member: Member) -> list[int]:
    return [size for device, size in member.volumes.items() if device != member.root]


def _choice(what: str, found: Sequence[object]) -> str:
    """Empty where there is one answer."""
    return "" if len(found) == 1 else f"{what} {', '.join(map(str, found)) or 'were not seen'}"


def _foot() -> Iterator[_Line]:
    yield _Line(what="network:")
    yield _Line(
        what="  clients: []", unknown="who reaches port 9200 is in your security groups; Vagus leaves them alone"
    )
    yield _Line(what="zone_balance:")
    yield _Line(what="  mode: observe")


# -- kinds of nodes --------------------------------------------------------------------------------------------------


def _kinds(groups: Sequence[FoundGroup], seen: Cluster | None) -> list[Kind]:
    """Groups of the same roles side by side, one in each zone; those with managers first."""
    kinds: list[Kind] = []
    for group in sorted(groups, key=lambda one: one.name):
        roles = _roles(group, seen)
        here = (kind for kind in kinds if kind.roles == roles and not set(kind.groups) & set(group.zones))
        kind = next(here, None)
        if kind is None:
            kind = Kind(name=_named(roles, [one.name for one in kinds]), roles=roles, groups={})
            kinds.append(kind)
        kind.groups.update(dict.fromkeys(group.zones, group))
    return sorted(kinds, key=lambda kind: "cluster_manager" not in kind.roles)


def _roles(group: FoundGroup, seen: Cluster | None) -> tuple[str, ...]:
    """Of the nodes themselves, else of the tag; in the words of fleet files. Empty where nothing tells."""
    nodes = [node for member in group.members if (node := node_of(member, seen))]
    said = {role for node in nodes for role in node.roles} or set(filter(None, group.facts.roles))
    words = {"master": "cluster_manager"} | {f"data_{tier}": "data" for tier in ("hot", "warm", "cold", "content")}
    spoken = {words.get(role, role) for role in said}
    return tuple(role for role in KNOWN_ROLES if role in spoken)


def _named(roles: Sequence[str], taken: Sequence[str]) -> str:
    managers, data = "cluster_manager" in roles, "data" in roles
    stem = {(True, True): "core", (True, False): "managers", (False, True): "data"}.get((managers, data), "nodes")
    return next(name for name in [stem, *(f"{stem}-{n}" for n in range(2, 1000))] if name not in taken)


# -- what a person should know ---------------------------------------------------------------------------------------


def _findings(groups: Sequence[FoundGroup], seen: Cluster | None) -> Iterator[str]:
    if seen is None:
        yield "The cluster could not be looked at: roles, version and names of its nodes are guesses."
        return
    members = [member for group in groups for member in group.members]
    addresses = {member.address for member in members}
    names = {member.id for member in members}
    beside = sorted(node.name for node in seen.nodes if node.address not in addresses and node.name not in names)
    if beside:
        yield f"Nodes on no instance of these groups: {', '.join(beside)}. Name their groups too (--group)."
    other = sorted(node.name for node in seen.nodes if node.address in addresses and node.name not in names)
    if other:
        yield (
            f"Nodes that aren't named after their instance: {', '.join(other)}. Vagus knows a node by its instance's "
            "id and takes these for lost: set node.name to the id, node by node, before `approve` or `act`."
        )
    silent = sorted(one.id for one in members if node_of(one, seen) is None)
    if silent:
        yield f"Instances without a node: {', '.join(silent)}."


def _with_nodes(group: FoundGroup, seen: Cluster | None) -> GroupFacts:
    """The group's facts, with how many nodes answer from each instance, and with the roles that they have."""
    at = Counter(node.address for node in seen.nodes) if seen else Counter[str]()
    nodes = {f"instance {member.id}": at[member.address] for member in group.members}
    machines = tuple(msgspec.structs.replace(one, nodes=nodes.get(one.what, 0)) for one in group.facts.machines)
    return msgspec.structs.replace(group.facts, machines=machines, roles=_roles(group, seen))


def _tag_commands(cluster: str, cell: str, kinds: Sequence[Kind]) -> Iterator[str]:
    """Without these tags Vagus finds no group and no instance: groups first, then what runs already."""
    for kind in kinds:
        wanted = {"vagus:cell": cell, "vagus:cluster": cluster, "vagus:roles": ",".join(kind.roles)}
        for name in sorted({group.name for group in kind.groups.values()}):
            yield _group_tags(name, wanted)
        bare = [one.id for one in kind.members if not wanted.items() <= dict(one.tags).items()]
        if bare:
            tags = shlex.join(f"Key={key},Value={_quoted(value)}" for key, value in wanted.items())
            yield f"aws ec2 create-tags --resources {' '.join(bare)} --tags {tags}"


def _group_tags(name: str, wanted: dict[str, str]) -> str:
    tags = [
        f"ResourceId={_quoted(name)},ResourceType=auto-scaling-group,Key={key},Value={_quoted(value)},PropagateAtLaunch=true"
        for key, value in wanted.items()
    ]
    return f"aws autoscaling create-or-update-tags --tags {shlex.join(tags)}"


def _quoted(value: str) -> str:
    """The AWS CLI's shorthand takes a comma for the end of a value, unless it stands in quotes."""
    return f'"{value}"' if "," in value else value
