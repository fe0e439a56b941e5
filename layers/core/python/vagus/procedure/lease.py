"""One writer per cluster and concern.

A lease detects, it does not fence: neither AWS nor the engine checks our token. So a holder renews before each write
for longer than that write can take, and every call carries a timeout of its own (10 s or less); a taker waits until
the lease has run out. A holder whose writes have all been answered says so, and nobody waits for it. The token is
noted in the cluster with our settings: an apply that finds a younger one refuses.
"""

from contextlib import suppress

import msgspec

from vagus.errors import Conflict
from vagus.ports import Put, Table
from vagus.procedure import rows
from vagus.procedure.rows import Lease, Rows

FUNCTION_TIMEOUT = 60
"""Seconds after which Lambda ends an apply function."""
MANAGER_TIMEOUT = 10
"""Seconds that a request may wait in the manager's queue (`cluster_manager_timeout`)."""
MARGIN = 20
LENGTH = FUNCTION_TIMEOUT + MANAGER_TIMEOUT + MARGIN


class Held(Conflict):
    """Another procedure holds the lease; nothing was written."""


def held_by_other(lease: Lease, holder: str, now: float) -> bool:
    """Whether somebody else may still write."""
    return bool(lease.holder) and lease.holder != holder and now < lease.expires and not lease.resting


def renew(table: Table, seen: Rows, concern: str, holder: str, now: float) -> Lease:
    """Take or renew the lease for one write. Raises `Held`, or `Conflict` when somebody was faster."""
    lease = seen.lease(concern)
    if held_by_other(lease, holder, now):
        raise Held(f"{seen.cluster}: {concern} is held by {lease.holder} for {lease.expires - now:.0f} s more")
    mine = lease.holder == holder
    renewed = Lease(
        holder=holder,
        token=lease.token if mine else lease.token + 1,
        expires=now + LENGTH,
        since=(lease.since or now) if mine and now < lease.expires else now,
    )
    table.write(rows.partition(seen.cluster), seen.put(f"lease#{concern}", renewed))
    return renewed


def rest(table: Table, seen: Rows, concern: str, lease: Lease) -> None:
    """After a write whose outcome is known: nothing of it is under way any more, so that nobody has to wait. `seen`:
    the rows that `renew` was given. Who dies before this holds the lease for its whole length."""
    key = f"lease#{concern}"
    written = Put(
        key=key,
        data=msgspec.to_builtins(msgspec.structs.replace(lease, resting=True)),
        expected=seen.versions.get(key, 0) + 1,
    )
    with suppress(Conflict):  # somebody else has it by now, which is what this is for
        table.write(rows.partition(seen.cluster), written)


def released(lease: Lease) -> Lease:
    """The row of a lease given back: the token stays, so that it only grows."""
    return msgspec.structs.replace(lease, holder="", expires=0.0, since=0.0, resting=False)
