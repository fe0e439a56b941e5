"""What the state table says of one cluster. Partition `cluster#<name>`; a row each for what must agree with itself.

Two kinds of rows lie beside, for IAM tells partitions from one another, but not rows. What was planned, in
`plan#<name>`: nothing is decided by it. What people approved, in `approval#<name>`: no function may write it.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from vagus.approval import Approval
from vagus.errors import Malformed
from vagus.instances import Launches
from vagus.intent import Intent
from vagus.ports import Put, Row, Table
from vagus.trust import Trust

CLOSED_ROW_DAYS = 90
"""How long a closed intent stays, so that a late copy of its event opens nothing. TTL is on closed rows only."""
OLD_APPROVALS_UNTIL = 1_798_761_600.0
"""2027-01-01. Approvals lay among the cluster's rows once, where apply could have written one: of those that lie there,
none is in force later than this."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one capability on one cluster.

    `seq` grows with each intent; a run ends only if it saw the newest. `generation` names the execution
    `<cluster>-<capability>-<generation>`. `reason` and `message` are those of the last end. `failures` counts failed
    executions in a row; `not_before` (epoch seconds) holds the next start back. `paused_by`, `paused_at` (ISO 8601) and
    `paused_why` say who stopped it: state `paused` is that with no run under way. `told`: what a person was told of at
    the last end, where that was of something (`pages.told_at_the_end`); a head of an older version has none.
    """

    seq: int = 0
    generation: int = 0
    state: Literal["idle", "running", "paused"] = "idle"
    execution: str = ""
    reason: str = ""
    message: str = ""
    failures: int = 0
    not_before: float = 0.0
    since: str = ""
    paused_by: str = ""
    paused_at: str = ""
    paused_why: str = ""
    told: tuple[str, ...] = ()

    @property
    def paused(self) -> bool:
        """Whether disturbing steps are held back."""
        return self.state == "paused" or bool(self.paused_by)


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Who may write to a cluster's concern until when (epoch seconds). `token` grows with each holder; `since` (epoch
    seconds): from when on this holder has held it without a pause. `resting`: its last write was answered, so that
    another may take it at once."""

    holder: str = ""
    token: int = 0
    expires: float = 0.0
    since: float = 0.0
    resting: bool = False


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which cluster this is: the UUID that it had when it was noted."""

    uuid: str


class NodeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the engine that nodes bring when they start."""

    version: str


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """All of a cluster's rows at one consistent read. `versions` is for compare-and-set; `plans` is for showing only
    (`read_shown`); `notes` are what capabilities noted of their own acts, as they wrote it."""

    cluster: str
    heads: Mapping[str, Head] = {}
    intents: tuple[Intent, ...] = ()
    closed: frozenset[str] = frozenset()
    let_go: frozenset[str] = frozenset()
    leases: Mapping[str, Lease] = {}
    approvals: tuple[Approval, ...] = ()
    identity: str | None = None
    sizes: Mapping[str, int] = {}
    launches: Launches = Launches()
    notes: Mapping[str, Any] = {}
    node_version: str | None = None
    trust: Trust = Trust()
    plans: Mapping[str, Any] = {}
    versions: Mapping[str, int] = {}

    def head(self, capability: str) -> Head:
        """The head row, or that of a capability that has never run."""
        return self.heads.get(capability, Head())

    def lease(self, concern: str) -> Lease:
        """The lease row, or that of a concern nobody has held."""
        return self.leases.get(concern, Lease())

    def intents_of(self, capability: str) -> tuple[Intent, ...]:
        """The open intents of one capability. What the others' demand still holds for the settings of all."""
        return tuple(intent for intent in self.intents if intent.capability == capability)

    def put(self, key: str, value: Any, expires: int | None = None) -> Put:
        """A write of this row that holds only if nobody wrote it since."""
        return Put(key=key, data=msgspec.to_builtins(value), expected=self.versions.get(key, 0), expires=expires)


def partition(cluster: str) -> str:
    """The partition of a cluster's rows."""
    return f"cluster#{cluster}"


def plan_partition(cluster: str) -> str:
    """The partition of a cluster's plan rows: one of its own, so that a role can be allowed to put these alone."""
    return f"plan#{cluster}"


def approval_partition(cluster: str) -> str:
    """The partition of a cluster's approvals: people may put rows there, functions only read them."""
    return f"approval#{cluster}"


def read(table: Table, cluster: str, *, approvals: bool = False) -> Rows:
    """All rows of a cluster, consistently. Raises `Malformed` for a row that this version can't read.

    `approvals`: with what people approved, one more read. Without it nothing counts as approved.
    """
    rows = table.read(partition(cluster))
    intents = [_decoded(row, Intent) for key, row in rows.items() if key.startswith("intent#")]
    return Rows(
        cluster=cluster,
        heads={key.removeprefix("head#"): _decoded(row, Head) for key, row in _of(rows, "head#")},
        intents=tuple(intent for intent in intents if intent.closed is None),
        closed=frozenset(intent.id for intent in intents if intent.closed is not None),
        let_go=frozenset(intent.id for intent in intents if intent.let_go is not None),
        leases={key.removeprefix("lease#"): _decoded(row, Lease) for key, row in _of(rows, "lease#")},
        approvals=(*_old_approvals(rows), *_approvals(table, cluster)) if approvals else (),
        identity=_decoded(rows["identity"], Identity).uuid if "identity" in rows else None,
        sizes=_decoded(rows["sizes"], dict[str, int]) if "sizes" in rows else {},
        launches=_decoded(rows["launches"], Launches) if "launches" in rows else Launches(),
        notes={key.removeprefix("note#"): row.data for key, row in _of(rows, "note#")},
        node_version=_decoded(rows["version"], NodeVersion).version if "version" in rows else None,
        trust=_decoded(rows["trust"], Trust) if "trust" in rows else Trust(),
        versions={key: row.version for key, row in rows.items()},
    )


def read_shown(table: Table, cluster: str) -> Rows:
    """All rows of a cluster, approvals, and the plans that were noted last: what is shown, never decided on."""
    plans = {key.removeprefix("plan#"): row.data for key, row in table.read(plan_partition(cluster)).items()}
    return msgspec.structs.replace(read(table, cluster, approvals=True), plans=plans)


def _approvals(table: Table, cluster: str) -> list[Approval]:
    return [_decoded(row, Approval) for row in table.read(approval_partition(cluster)).values()]


def _old_approvals(rows: Mapping[str, Row]) -> list[Approval]:
    found = [_decoded(row, Approval) for _, row in _of(rows, "approval#")]
    return [one for one in found if one.expires <= OLD_APPROVALS_UNTIL]


def _of(rows: Mapping[str, Row], prefix: str) -> list[tuple[str, Row]]:
    return [(key, row) for key, row in rows.items() if key.startswith(prefix)]


def _decoded[T](row: Row, kind: type[T]) -> T:
    try:
        return msgspec.convert(row.data, kind)
    except msgspec.ValidationError as error:
        raise Malformed(f"state row {row.key}: {error}; it was written by a newer version, deploy that one") from error
