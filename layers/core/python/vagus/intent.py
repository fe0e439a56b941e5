"""What is wanted of a cluster, as rows: an intent stays open until the truth agrees with it.

An intent carries *demands*: what the cluster's settings must say while it is open. `vagus.owned` alone turns the
demands of all open intents into settings, so that two capabilities never overwrite each other.
"""

from typing import Literal

import msgspec


class ExcludeNode(msgspec.Struct, frozen=True, tag=True):
    """No shard may stay on, or come to, this node."""

    node: str


Demand = ExcludeNode


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `id` is made of what it is about, so that the same event twice is one intent. `instance` and its
    `group`: of an intent that is about one.

    Times are ISO 8601. `let_go` and `held`: when its hook was last answered with CONTINUE (or its instance ended), and
    with ABANDON: AWS may show it as waiting for long after, and another's hook may hold it. `deadline`: by when it
    has to be done.
    """

    id: str
    capability: str
    kind: Literal["leave"]
    instance: str = ""
    group: str = ""
    opened: str
    source: Literal["event", "sweep", "person"]
    demands: tuple[Demand, ...] = ()
    let_go: str | None = None
    held: str | None = None
    deadline: str | None = None
    closed: str | None = None


def leave(instance: str, group: str, opened: str, source: Literal["event", "sweep", "person"]) -> Intent:
    """The intent that an instance leaves: its terminate hook waits, or a person wants it gone."""
    return Intent(
        id=f"leave-{instance}",
        capability="zone_balance",
        kind="leave",
        instance=instance,
        group=group,
        opened=opened,
        source=source,
    )
