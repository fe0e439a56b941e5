"""What a person asks of certificates, and tells it: rows, each written together with the head's next `seq`, so that no
run ends without having seen it."""

from collections.abc import Callable

import msgspec

from vagus.errors import Conflict, Refused
from vagus.ports import Table
from vagus.procedure import rows
from vagus.procedure.head import ATTEMPTS
from vagus.procedure.rows import Rows
from vagus.trust import EARLIER_SECONDS, Acknowledged, Trust

CAPABILITY = "certificates"


def rotate_authority(table: Table, cluster: str) -> Trust:
    """Wish for the next authority. Said twice while one is being replaced, it is one wish. Raises `Refused`."""

    def wished(trust: Trust) -> Trust:
        _has_authority(cluster, trust)
        under_way = len(trust.authorities) > 1
        return msgspec.structs.replace(trust, wanted=max(trust.wanted, trust.newest + (0 if under_way else 1)))

    return _changed(table, cluster, wished)


def renew_leaves(table: Table, cluster: str, now: float) -> Trust:
    """Wish for new certificates in place of all that were issued before now (epoch seconds). Raises `Refused`."""
    before = int(now) - EARLIER_SECONDS  # certificates begin at whole seconds: one of this very second is new enough

    def wished(trust: Trust) -> Trust:
        _has_authority(cluster, trust)
        return msgspec.structs.replace(trust, renew_before=before)

    return _changed(table, cluster, wished)


def acknowledge(table: Table, cluster: str, client: str, *, renewed: bool) -> Trust:
    """A client trusts the present bundle; `renewed`: and has a certificate of the newest authority, or shows none. Said
    twice, the first never counts for the second: phases change between them. Raises `Refused`."""

    def noted(trust: Trust) -> Trust:
        _has_authority(cluster, trust)
        if renewed and trust.signs != trust.newest:
            raise Refused(f"authority {trust.newest} of {cluster} does not sign yet: nobody has a certificate of it")
        holds = trust.newest if renewed else trust.acknowledged.get(client, Acknowledged()).holds
        known = Acknowledged(trusts=trust.newest, holds=holds)
        return msgspec.structs.replace(trust, acknowledged={**trust.acknowledged, client: known})

    return _changed(table, cluster, noted)


def _has_authority(cluster: str, trust: Trust) -> None:
    if not trust.authorities:
        raise Refused(f"{cluster} has no authority yet: nothing is to be replaced, and nobody trusts one")


def _changed(table: Table, cluster: str, change: Callable[[Trust], Trust]) -> Trust:
    for _ in range(ATTEMPTS):
        seen = rows.read(table, cluster)
        trust = change(seen.trust)
        try:
            _write(table, seen, trust)
        except Conflict:
            continue
        return trust
    raise Conflict(f"{cluster}: {ATTEMPTS} races for the row of its authorities were lost")


def _write(table: Table, seen: Rows, trust: Trust) -> None:
    head = seen.head(CAPABILITY)
    raised = msgspec.structs.replace(head, seq=head.seq + 1)
    table.write(rows.partition(seen.cluster), seen.put("trust", trust), seen.put(f"head#{CAPABILITY}", raised))
