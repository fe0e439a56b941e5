"""Every reason that a plan can carry. A reason is stable: alarms, runbook pages and tests name it."""

from enum import StrEnum


class Reason(StrEnum):
    """Grouped by what follows. The sentence beside each is for `docs/reasons.md` and the console."""

    # steps are due
    DRAINING = "DRAINING"
    """Shards are moved off nodes whose instances leave."""
    LETTING_GO = "LETTING_GO"
    """An instance that is proven empty, or whose data stands elsewhere, is let go."""
    HOLDING = "HOLDING"
    """There is nowhere to go: the instance is retained until its replacement has joined."""
    TIDYING = "TIDYING"
    """Nothing leaves any more; settings and rows of ours are put right."""
    SIZING = "SIZING"
    """A group gets the size that the fleet file declares."""
    NOTING = "NOTING"
    """The cluster's identity is noted, once."""

    # wait
    SHARDS_MOVING = "SHARDS_MOVING"
    """Shards are on their way."""
    STALLED = "STALLED"
    """Shards have stopped moving; the message has the decider's own words."""
    REPLACEMENT_AWAITED = "REPLACEMENT_AWAITED"
    """An instance was held or let go, and its replacement has not joined yet."""
    INSTANCE_GOING = "INSTANCE_GOING"
    """The instance was let go and still has to leave the cluster."""
    LEASE_HELD = "LEASE_HELD"
    """Another procedure writes to this cluster's topology."""
    UNREACHABLE = "UNREACHABLE"
    """The cluster did not answer; an error is never "empty"."""
    FORMING = "FORMING"
    """The cluster has not formed yet."""

    APPROVAL_NEEDED = "APPROVAL_NEEDED"
    """The mode is `approve`, and no approval covers the next step."""

    # end
    NOTHING_LEAVES = "NOTHING_LEAVES"
    """No instance leaves and nothing of ours is left behind."""
    OBSERVING = "OBSERVING"
    """The mode is `observe`: shown, not done. A page tells of it once where something that Vagus had set stays set."""

    # blocked: a person is needed
    CANNOT_SEE_ALL = "CANNOT_SEE_ALL"
    """Fewer indices are visible than the cluster counts."""
    WRONG_CLUSTER = "WRONG_CLUSTER"
    """Another cluster UUID answers than the one noted: no write is made."""
    REMOVED_BY_HAND = "REMOVED_BY_HAND"
    """A person removed or changed a setting of ours; it is not set again."""
    NO_ROOM = "NO_ROOM"
    """The nodes that stay can't take what must move below their watermark."""
    QUORUM = "QUORUM"
    """Too many manager-eligible nodes would be away at once."""
    NOWHERE_TO_GO = "NOWHERE_TO_GO"
    """No node may legally take a shard, and the group can't be held."""
    CLUSTER_RED = "CLUSTER_RED"
    """A primary is not assigned anywhere."""
    LOST_WITH_DATA = "LOST_WITH_DATA"
    """A node is gone and a shard has no started copy: its instance, and volume, must stay."""
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    """The same step failed several times in a row."""
    DENIED = "DENIED"
    """A permission is missing; the message names it."""
    PAUSED = "PAUSED"
    """A person stopped this capability."""
    HANDED_OVER = "HANDED_OVER"
    """A new execution takes over: this one's history grows long, or its definition has no state for the next step."""
