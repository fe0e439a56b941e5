"""Once an hour each cluster's groups are held against `vagus.group_safety`: whoever changed one in the console, or by
another stack, is told before an instance goes.

What was found lies beside the plans (`plan#<cluster>`, row `safety`): shown, never decided on.
"""

from zlib import crc32

import msgspec

from vagus.errors import Conflict, Malformed, VagusError
from vagus.fleet import ClusterSpec, Fleet
from vagus.group_safety import Violation, unseen, violations
from vagus.ports import GroupFactsRead, Put, Table
from vagus.procedure import rows

ROW = "safety"
EVERY_MINUTES = 60


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one cluster's groups `at` a time; `fault`: why nothing could be since."""

    cluster: str
    at: str
    violations: tuple[Violation, ...] = ()
    fault: str = ""


def examine(groups: GroupFactsRead, table: Table, fleet: Fleet, now: float, iso: str) -> list[Examined]:
    """The clusters whose turn it is in this minute. One that fails keeps no other from being looked at."""
    return [_examined(groups, table, spec, iso) for spec in fleet.values() if spec.reached and due(spec.name, now)]


def due(cluster: str, now: float) -> bool:
    """Each cluster has a minute of its own in the hour, so that AWS is not asked of all at once."""
    return (int(now // 60) + crc32(cluster.encode())) % EVERY_MINUTES == 0


def noted(table: Table, cluster: str) -> Examined | None:
    """What the last examination found; `None` before the first. Raises `Malformed` for a row of a newer version."""
    found = table.read(rows.plan_partition(cluster), ROW)
    if ROW not in found:
        return None
    try:
        return msgspec.convert(found[ROW].data, Examined)
    except msgspec.ValidationError as error:
        raise Malformed(f"row {ROW}: {error}; it was written by a newer version, deploy that one") from error


def _examined(groups: GroupFactsRead, table: Table, spec: ClusterSpec, iso: str) -> Examined:
    try:
        facts = groups.of_cluster(spec.name)
        broken = (*unseen(spec.sizes(), facts), *violations(facts, spec.waived))
        found = Examined(cluster=spec.name, at=iso, violations=broken)
    except VagusError as error:
        found = Examined(cluster=spec.name, at=iso, fault=f"{type(error).__name__}: {error}")
    try:
        last = noted(table, spec.name) if found.fault else None
        _note(table, msgspec.structs.replace(last, fault=found.fault) if last else found)
    except VagusError as error:
        return msgspec.structs.replace(found, fault=f"{type(error).__name__}: {error}")
    return found


def _note(table: Table, found: Examined) -> None:
    partition = rows.plan_partition(found.cluster)
    before = table.read(partition, ROW).get(ROW)
    put = Put(key=ROW, data=msgspec.to_builtins(found), expected=before.version if before else 0)
    try:
        table.write(partition, put)
    except Conflict:
        return  # another sweep noted a newer one
