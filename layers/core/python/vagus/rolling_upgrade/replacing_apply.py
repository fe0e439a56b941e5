"""How an instance is asked to be replaced: looked at afresh, noted, then asked for. It never chooses another."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from vagus.cluster import Cluster
from vagus.procedure import rows
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.rolling_upgrade import on_the_way, replaceable, replacing
from vagus.rolling_upgrade.checking import foreign
from vagus.rolling_upgrade.looking import Look, looked
from vagus.rolling_upgrade.observe import unhooked
from vagus.rolling_upgrade.observed import Observed, rolling, undrained
from vagus.steps import ReplaceNext, Step

MEANWHILE = (
    replacing.aborted,
    replacing.on_the_way,
    replacing.asked_for,
    replacing.absent,
    replacing.recovering,
)
"""Stages with a say about whether the next one may be asked for at all."""


def _may_replace(writes: Writes, seen: Rows, step: ReplaceNext, token: int) -> str | None:
    cluster = writes.search.look()
    if why := foreign(cluster, seen, token):
        return why
    look = _fresh(writes, seen, cluster)
    if look.intent is None or look.intent.id != step.intent:
        return f"{step.intent} is over, or another is worked on"
    if plan := next((plan for stage in MEANWHILE if (plan := stage(look))), None):
        return plan.message
    one = next((one for one in replacing.left(look) if one.id == step.instance), None)
    if one is None:
        return f"{step.instance} is not to be replaced any more"
    if one.group.template != step.template:
        return f"{one.group.name} launches from {one.group.template or 'something unknown'} now, not {step.template}"
    violation = replaceable.against(replacing.question(look, one))
    return violation.message if violation else None


def _replace(writes: Writes, seen: Rows, step: ReplaceNext, _token: int) -> None:
    """The row first: who dies after it asks for the same one again, and for no other, two minutes later."""
    intent = next((one for one in seen.intents_of("rolling_upgrade") if one.id == step.intent), None)
    if intent is None:
        return
    before = rolling(intent)
    again = before.taken == (step.instance,) and _since(writes, before.sent_at) < replacing.AGAIN_SECONDS
    noted = msgspec.structs.replace(
        before,
        taken=(step.instance,),
        taken_at=before.taken_at if again else writes.iso,
        sent_at=writes.iso,
    )
    row = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, rolling=noted))
    writes.table.write(rows.partition(writes.spec.name), row)
    writes.groups.replace(step.instance)


def _since(writes: Writes, at: str) -> float:
    return writes.now - datetime.fromisoformat(at).timestamp() if at else float("inf")


def _fresh(writes: Writes, seen: Rows, cluster: Cluster) -> Look:
    groups = writes.groups.describe([writes.spec.name])
    intents = seen.intents_of("rolling_upgrade")
    observed = Observed(
        cluster=cluster,
        groups=groups,
        intents=intents,
        others=tuple(one for one in seen.intents if one.capability != "rolling_upgrade"),
        version=seen.node_version,
        snapshots=writes.search.snapshots(newest=False),
        unhooked=unhooked(writes.groups, groups, cluster, intents),
        undrained=undrained(writes.spec, paused=seen.head("zone_balance").paused),
        stopped=on_the_way.stopped(seen.launches, writes.now),
    )
    return looked(observed, cluster, writes.spec, writes.now)


HANDLERS: Mapping[type[Step], Handler] = {ReplaceNext: Handler(_may_replace, _replace)}
