"""What the frame and the rooms need of the outside, as protocols. Adapters in `search/` and `aws/` keep them, and so
do the fakes that lie beside each; one contract test runs against both.

Every method may raise `errors.Unreachable`, `Throttled` or `Denied`; others are named. No method retries.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from vagus.callers import Callers
from vagus.cluster import Awaited, Cluster, Placement, ShardMove
from vagus.cluster_watch.model import Told
from vagus.command import Command
from vagus.group_safety import GroupFacts
from vagus.handshake import Handshake
from vagus.history import Stay
from vagus.instances import Asker, Group, Launch
from vagus.owned import SettingsUpdate
from vagus.snapshots import Snapshots
from vagus.trust import Imported, Slot
from vagus.weights import Weighing, Weights


class SearchRead(Protocol):
    """A cluster, through the read certificate."""

    def look(self) -> Cluster:
        """One whole look, over as few calls as it takes."""
        ...

    def awaited(self, wanted: Awaited, seconds: int) -> bool:
        """Whether this is so within so many seconds; it answers as soon as it is."""
        ...

    def explain(self, index: str, shard: int, *, primary: bool, node: str | None = None) -> str:
        """Why a copy does not move, in the deciders' own words: one line per node, shortest first."""
        ...

    def placement(self) -> Placement:
        """What decides where shards may stand: five calls more than a look."""
        ...

    def snapshots(self, *, newest: bool) -> Snapshots:
        """The snapshots that run; and, if asked for, when the newest that succeeded ended: a call per repository."""
        ...

    def weights(self) -> Weights | None:
        """How searches are shared among zones; `None` where the engine knows no weights."""
        ...


class SearchWrite(SearchRead, Protocol):
    """A cluster, through the write certificate. Timeouts of 10 s or less go with every call."""

    def update_settings(self, update: SettingsUpdate) -> None:
        """One cluster-state update. Raises `Refused` if the engine finds the body wrong: then nothing changed."""
        ...

    def reroute(self, moves: Sequence[ShardMove], *, dry_run: bool) -> tuple[str, ...]:
        """These moves, in their order, in one request; the legs that the engine's deciders refuse, in their words.

        A dry run changes nothing. Raises `Refused` if a leg can't be: then none was moved.
        """
        ...

    def take_vote(self, node: str) -> None:
        """Exclude this node from voting. Raises `Unreachable` where its vote is not gone within 10 s: the exclusion may
        stand all the same."""
        ...

    def clear_votes_taken(self, *, gone: bool) -> None:
        """Clear every voting exclusion, whoever set it. `gone`: the nodes have left the cluster; where one has not,
        `Unreachable` is raised and none is cleared."""
        ...

    def weigh(self, weighing: Weighing) -> None:
        """Set the zones' weights, or take them away. Raises `Refused` where they have changed since, where there are
        none to be taken away, and for what the engine does not take (a zone without a weight): then nothing changed."""
        ...

    def set_replicas(self, indices: Sequence[str], replicas: int) -> None:
        """How many replicas these indices have from now on; one that is gone is as good as done."""
        ...

    def flush(self, indices: Sequence[str]) -> None:
        """Flush these indices and wait for ongoing flushes."""
        ...


class GroupsRead(Protocol):
    """Auto Scaling groups of declared clusters (tag `vagus:cluster`)."""

    def describe(self, clusters: Sequence[str] | None = None) -> tuple[Group, ...]:
        """The groups of these clusters, or of all."""
        ...

    def hooks(self, group: str) -> tuple[str | None, str | None]:
        """Our terminate hook and our launch hook, as far as the group has them, asked anew: what `describe` tells of a
        declared group's hooks is taken from its template."""
        ...

    def groups_of(self, instances: Sequence[str]) -> Mapping[str, str]:
        """The group of each of these instances that is in one, of ours or not."""
        ...

    def waiting_since(self, group: str, instance: str) -> datetime | None:
        """When its terminating activity began; AWS tells no start of a hook."""
        ...

    def launches(self, group: str, since: datetime) -> tuple[Launch, ...]:
        """Every try to launch an instance that began since then, newest first: failed, done, or under way."""
        ...


class GroupFactsRead(Protocol):
    """Groups as `vagus.group_safety` judges them: a call for each group or more, so it is asked now and then."""

    def of_cluster(self, cluster: str) -> tuple[GroupFacts, ...]:
        """Every group with the cluster's tag, by name."""
        ...


class GroupsWrite(GroupsRead, Protocol):
    """What steps do to groups. `False` = there was no active lifecycle action, which is as good as done."""

    def complete(self, group: str, hook: str, instance: str, result: Literal["CONTINUE", "ABANDON"]) -> bool: ...

    def heartbeat(self, group: str, hook: str, instance: str) -> bool: ...

    def set_desired(self, group: str, desired: int) -> None: ...

    def suspend_launching(self, group: str) -> None:
        """Suspend the process `Launch`; twice is as once."""
        ...

    def resume_launching(self, group: str) -> None:
        """Resume it; harmless where it is not suspended."""
        ...

    def replace(self, instance: str) -> None:
        """End an instance through its group, which launches another; one that is in no group is as good as done."""
        ...

    def terminate(self, instance: str) -> None:
        """`ec2:TerminateInstances`; an instance that is gone is as good as done."""
        ...


class Bus(Protocol):
    """EventBridge's default bus of the account and Region."""

    def put(self, told: Sequence[Told]) -> None:
        """All of them, in this order. Raises `Unreachable` if some were not taken: others then were."""
        ...


class Parameters(Protocol):
    """SSM parameters that booting nodes read."""

    def put(self, name: str, value: str) -> None: ...


class NodeCommandsRead(Protocol):
    """Commands on instances of declared clusters."""

    def sent(self, instance: str, since: float) -> tuple[Command, ...]:
        """What was sent to an instance since then (epoch seconds), oldest first. What was sent a moment ago may be
        missing."""
        ...

    def callers(self, since: float) -> Mapping[str, Callers]:
        """By node, who called it lately: what the last of its documents that tells so told, of those that were sent
        since then (epoch seconds). A node that told nothing is not there. It may be a minute old."""
        ...


class NodeCommands(NodeCommandsRead, Protocol):
    """What steps do on nodes: only by documents of ours, which lie in `nodes/documents`."""

    def send(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        """Have an instance run a document of its cluster (`restart-search`), once for this step however often it is
        sent. It returns before anything is run. Raises `Refused` for parameters that the document doesn't take, and
        for an instance that takes no commands."""
        ...


class AuthorityKeys(Protocol):
    """The keys of clusters' authorities: EC P-256 in KMS, two for each cluster. They sign, and are never read."""

    def public(self, cluster: str, slot: Slot) -> bytes:
        """The public key in DER (SubjectPublicKeyInfo). Raises `Refused` for a cluster without such a key."""
        ...

    def sign(self, cluster: str, slot: Slot, digest: bytes) -> bytes:
        """An ECDSA signature in DER of a SHA-256 digest. Raises `Refused` for another length, or without such a key."""
        ...


Use = Literal["node", "client", "gateway"]
"""Whether a leaf serves and calls, only calls, or only serves."""


@runtime_checkable
class PrivateAuthorities(Protocol):
    """Private CAs of AWS, one or two for each cluster, in place of keys: they sign requests."""

    def certificate(self, cluster: str, slot: Slot) -> bytes:
        """Its own certificate in PEM. Raises `Refused` for one that is not declared, or not active."""
        ...

    def issue(self, cluster: str, slot: Slot, request: bytes, use: Use, algorithm: str, ends: float) -> bytes:
        """A leaf in PEM of a request in PEM, with its subject and alternative names. `algorithm` as Private CA names
        it; `ends`: epoch seconds. The same request gets the same leaf, for minutes at least."""
        ...


Signers = AuthorityKeys | PrivateAuthorities
"""What a cluster's authority signs by."""


class Requests(Protocol):
    """Requests for certificates that nodes put, and the answers that they wait for: objects in a cluster's bucket."""

    def read(self, bucket: str, key: str) -> bytes | None:
        """What a node put, or `None` if it is gone."""
        ...

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        """Put it where the node looks, over what lies there."""
        ...


class Handshakes(Protocol):
    """TLS with every running node of a cluster, on both ports."""

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """One per node and port, verified against a bundle in PEM ("": not verified). It raises what EC2 raises; what a
        node does wrong is in its handshake. `closely`: also what it speaks besides TLS 1.2 and later."""
        ...

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """One with whoever serves under a DNS name, verified against a bundle. It raises nothing."""
        ...


class Askers(Protocol):
    """Instances, as EC2 knows them."""

    def of(self, instance: str) -> Asker | None:
        """One instance, whatever its state; `None` if EC2 knows none of that id."""
        ...


class Secrets(Protocol):
    """Client certificates of Vagus's functions (`vagus/<cluster>/read` and `write`): they can be put, never read."""

    def put(self, cluster: str, role: str, value: str) -> None: ...


class ImportedCertificates(Protocol):
    """Certificates that people imported into ACM, for gateways and load balancers: each keeps its ARN."""

    def of(self, arn: str) -> Imported:
        """What ACM tells of it. Raises `Refused` for an ARN that it does not know."""
        ...

    def replace(self, arn: str, certificate: str, key: str, chain: str, serial: str) -> Imported:
        """Import another under the ARN, all in PEM; what ACM then tells of it, by its serial (hex). Raises `Refused`
        for what ACM does not take, `Unreachable` where it still tells of the one before."""
        ...


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An object: its text, when it was put by the store's own clock (epoch seconds), and which version this is."""

    text: bytes
    at: float
    version: str


class SiteObjects(Protocol):
    """What Vagus and the agent of a cluster on Kubernetes tell each other: objects in the cluster's bucket."""

    def get(self, key: str) -> Stored | None:
        """One, or `None` where there is none."""
        ...

    def put(self, key: str, text: bytes, over: Stored | None) -> None:
        """Put one in place of `over` (`None`: there was none). Raises `Conflict` where another lies there by now."""
        ...


class Executions(Protocol):
    """Step Functions executions of one capability's state machine."""

    def start(self, name: str, payload: Mapping[str, Any]) -> bool:
        """Start it. `False` if the name is taken: as good as started, unless that one has ended."""
        ...

    def status(self, name: str) -> Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "MISSING"]: ...

    def console(self, name: str) -> str:
        """Where a person sees the execution of that name in a browser."""
        ...

    def history(self, name: str) -> tuple[Stay, ...]:
        """The states that the execution of that name went through, in order. Raises `Refused` if there is none. For
        people: no function of ours has the right."""
        ...


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: `version` grows with each write; `data` is plain JSON."""

    key: str
    version: int
    data: Mapping[str, Any]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Write a whole row if its version is still `expected` (0: it must not exist). `expires`: epoch seconds."""

    key: str
    data: Mapping[str, Any]
    expected: int
    expires: int | None = None


class Table(Protocol):
    """A table of rows in partitions, with compare-and-set and consistent reads."""

    def read(self, partition: str, prefix: str = "") -> dict[str, Row]:
        """All rows of a partition whose key starts with `prefix`, by key, read consistently."""
        ...

    def write(self, partition: str, *puts: Put) -> None:
        """All of them or none. Raises `Conflict` if a version has moved on."""
        ...
