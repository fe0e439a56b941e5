"""The head row: at most one execution per cluster and capability, and no intent that ends unseen.

An intent is written together with `seq + 1`; a run's end is written only if `seq` is still what its last decision had
seen. A start first writes the next generation, then starts the execution of that name: a crash between the two is
healed by whoever comes next, since a taken name is as good as started.
"""

import msgspec

from vagus.errors import Conflict
from vagus.intent import Intent, needless
from vagus.ports import Executions, Table
from vagus.procedure import rows
from vagus.procedure.rows import Head, Rows

ATTEMPTS = 10


def execution_name(cluster: str, capability: str, generation: int) -> str:
    """The name of a generation's execution; Step Functions keeps names taken for 90 days."""
    return f"{cluster}-{capability}-{generation}"


def open_intent(table: Table, cluster: str, intent: Intent) -> bool:
    """Write an intent and the head's next `seq`, both or neither. `False` if it was opened before, or is needless."""
    for _ in range(ATTEMPTS):
        seen = rows.read(table, cluster)
        known = {key.removeprefix("intent#") for key in seen.versions if key.startswith("intent#")}
        if needless(intent, known, seen.let_go, seen.intents):
            return False
        head = seen.head(intent.capability)
        raised = msgspec.structs.replace(head, seq=head.seq + 1)
        try:
            table.write(
                rows.partition(cluster),
                seen.put(f"intent#{intent.id}", intent),
                seen.put(f"head#{intent.capability}", raised),
            )
            return True
        except Conflict:
            continue
    raise Conflict(f"{cluster}: intent {intent.id} lost {ATTEMPTS} races for the head row")


def ensure_running(
    table: Table,
    executions: Executions,
    cluster: str,
    capability: str,
    now: float,
    iso: str,
    *,
    although_paused: bool = False,
) -> bool:
    """Start the capability's execution unless one runs, or it is paused or backing off. `True` if it now runs.

    `although_paused`: for a run that gives back what is ours, or tells a person what the stop holds back.
    """
    spent, ahead = "", 1
    for _ in range(ATTEMPTS):
        seen = rows.read(table, cluster)
        head = seen.head(capability)
        if head.state == "running" and head.execution != spent:
            return _restart_if_never_started(executions, cluster, capability, head)
        if head.state != "running" and ((head.paused and not although_paused) or now < head.not_before):
            return False
        try:
            started = _later_generation(table, seen, cluster, capability, iso, ahead)
        except Conflict:
            continue
        if _started(executions, cluster, capability, started):
            return True
        # a restored table is behind, nobody knows how far: strides that double are soon past it
        spent, ahead = started.execution, ahead * 2
    raise Conflict(f"{cluster}: {ATTEMPTS} races for the head row of {capability} were lost")


def _restart_if_never_started(executions: Executions, cluster: str, capability: str, head: Head) -> bool:
    """Whoever wrote this generation may have died before it started the execution: the name tells."""
    if executions.status(head.execution) == "MISSING":
        executions.start(head.execution, payload(cluster, capability, head))
    return True


def _started(executions: Executions, cluster: str, capability: str, head: Head) -> bool:
    """`False` if that name was taken by an execution that has ended: nobody works under it any more."""
    fresh = executions.start(head.execution, payload(cluster, capability, head))
    return fresh or executions.status(head.execution) == "RUNNING"


def _later_generation(table: Table, seen: Rows, cluster: str, capability: str, iso: str, ahead: int) -> Head:
    head = seen.head(capability)
    generation = head.generation + ahead
    name = execution_name(cluster, capability, generation)
    started = msgspec.structs.replace(head, generation=generation, state="running", execution=name, since=iso)
    table.write(rows.partition(cluster), seen.put(f"head#{capability}", started))
    return started


def payload(cluster: str, capability: str, head: Head) -> dict[str, object]:
    """The input of an execution: all that the first look needs. Of one that is paused, what is held back is told each
    time that it is something else."""
    return {
        "cluster": cluster,
        "capability": capability,
        "generation": head.generation,
        "rounds": 0,
        "failures": 0,
        "paged": [] if head.paused else list(head.told),
    }
