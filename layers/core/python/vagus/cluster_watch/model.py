"""What the watch finds, remembers and tells. Frozen data; nothing here does I/O."""

from collections.abc import Mapping
from typing import Any

import msgspec

from vagus.cluster import Cluster, Unseen
from vagus.handshake import Handshake
from vagus.policy import ClusterWatch

SOURCE = "vagus.cluster"
"""The `source` of every event of the watch."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """One look at one cluster, as every probe gets it. `closed`: nodes that an exclusion keeps shards off. `shaken`:
    TLS with every node, `None` where it was not looked at this time. `now`: epoch seconds.

    A probe that reads more than the cluster has a field of its own here, filled by `watch`.
    """

    name: str
    cell: str
    policy: ClusterWatch
    cluster: Cluster | Unseen
    closed: frozenset[str] = frozenset()
    shaken: tuple[Handshake, ...] | None = None
    now: float = 0.0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds now. `key`: what it is about, within its probe; `level`: how it is with it (`None`: not to
    be told this time, so that it stays as it was). `looks`: how many looks in a row must find it before it is told.
    `about` is kept, and told when it is over; `facts` are told with it.
    """

    key: str
    level: str | None
    message: str = ""
    about: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}
    looks: int = 1


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was told of a key last, and what the last `looks` looks in a row found, where that is something else.

    The empty level is "nothing": all is well, or it is not there.
    """

    told: str = ""
    seen: str = ""
    looks: int = 0
    about: Mapping[str, Any] = {}


Standings = Mapping[str, Standing]
"""By key."""


class Change(msgspec.Struct, frozen=True, kw_only=True, rename={"before": "from", "after": "to"}):
    """News of one key: from one level to another; the empty level is "nothing", before it began or after it ended."""

    key: str
    before: str
    after: str
    message: str
    about: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The `detail` of an event. `seq` grows with each event of a cluster: one that is told twice (the watch died
    between telling and noting) has the same. `more`: changes that were left out because they are too many.
    """

    version: str = "1"
    cluster: str
    cell: str
    seq: int
    uuid: str = ""
    message: str
    changes: tuple[Change, ...]
    more: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event to be put on the bus. `kind` is its `detail-type`."""

    kind: str
    event: Event


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The row of one cluster: what was told of it, by probe and key."""

    seq: int = 0
    uuid: str = ""
    probes: Mapping[str, Standings] = {}
