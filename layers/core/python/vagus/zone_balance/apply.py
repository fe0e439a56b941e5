"""How zone_balance's steps are done: each looks afresh at its own precondition, and refuses; it never chooses."""

from collections.abc import Mapping

import msgspec

from vagus import owned
from vagus.cluster import Cluster
from vagus.intent import leave
from vagus.procedure import rows
from vagus.procedure.foreign import foreign
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import (
    EndRetainedInstance,
    ExcludeNodes,
    ForceZones,
    HoldInstance,
    LetEmptyInstanceGo,
    LetLostInstanceGo,
    LetReplaceableInstanceGo,
    NoteIdentity,
    PutSettingsRight,
    SetGroupSize,
    SetReplicas,
    Step,
)
from vagus.zone_balance import forced_zones, replicas, rules, voting
from vagus.zone_balance.checking import Fresh, afresh, leaving, look_afresh, red, says, waiting_afresh
from vagus.zone_balance.demanding import set_demanded
from vagus.zone_balance.looking import demands
from vagus.zone_balance.placement import started_elsewhere
from vagus.zone_balance.sizing import settled

_Goodbye = LetEmptyInstanceGo | LetLostInstanceGo | LetReplaceableInstanceGo

NODE_PARAMETERS = "/vagus/{cluster}/node/{name}"


# -- cluster settings ------------------------------------------------------------------------------------------------


def _may_exclude(writes: Writes, seen: Rows, step: ExcludeNodes, token: int) -> str | None:
    cluster = writes.search.look()
    still_leaving = leaving(writes, seen) | _coming(writes)
    if staying := [name for name in step.nodes if name not in still_leaving]:
        return f"{', '.join(staying)} no longer leaves"
    opened = {intent.id for intent in step.intents}
    others = owned.standing(cluster, demands(intent for intent in seen.intents if intent.id not in opened))
    moved = _moved_on(cluster, step.update, owned.converge(cluster, [*others, *demands(step.intents)]).update)
    return foreign(cluster, seen, token) or red(cluster) or moved


def _coming(writes: Writes) -> frozenset[str]:
    """Instances whose launch may be given up."""
    groups = writes.groups.describe([writes.spec.name])
    return frozenset(one.id for group in groups for one in group.instances if one.waits_to_serve)


def _exclude(writes: Writes, seen: Rows, step: ExcludeNodes, token: int) -> None:
    """The demand first: if the setting is never written, the next look finds it wanting."""
    opened = [seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, closed=None)) for intent in step.intents]
    writes.table.write(rows.partition(writes.spec.name), *opened)
    writes.search.update_settings(owned.signed(step.update, token))


def _may_put_right(writes: Writes, seen: Rows, step: PutSettingsRight, token: int) -> str | None:
    look = look_afresh(writes, seen)
    closing = [intent for intent in seen.intents if intent.id in step.closes and intent.instance]
    if back := [intent.instance for intent in closing if not look.over(intent)]:
        return f"{', '.join(back)} leaves again"
    if not step.update:
        return None
    cluster = look.cluster
    still = owned.standing(cluster, demands(intent for intent in seen.intents if intent.id not in step.closes))
    return foreign(cluster, seen, token) or _moved_on(cluster, step.update, owned.converge(cluster, still).update)


def _put_right(writes: Writes, seen: Rows, step: PutSettingsRight, token: int) -> None:
    """The rows first: if the setting is never written, the next look finds a mark that nobody demands."""
    expires = int(writes.now) + rows.CLOSED_ROW_DAYS * 86_400
    closed = [
        seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, demands=(), closed=writes.iso), expires)
        for intent in seen.intents
        if intent.id in step.closes
    ]
    if closed:
        writes.table.write(rows.partition(writes.spec.name), *closed)
    if step.update:
        writes.search.update_settings(owned.signed(step.update, token))


def _may_force_zones(writes: Writes, seen: Rows, step: ForceZones, token: int) -> str | None:
    cluster = writes.search.look()
    if forced_zones.wanted(cluster, writes.spec, writes.groups.describe([writes.spec.name])) != step.zones:
        return "other zones are wanted now"
    others = owned.standing(cluster, demands(intent for intent in seen.intents if intent.id != step.intent.id))
    moved = _moved_on(cluster, step.update, owned.converge(cluster, [*others, *step.intent.demands]).update)
    return foreign(cluster, seen, token) or red(cluster) or moved


def _may_set_replicas(writes: Writes, seen: Rows, step: SetReplicas, token: int) -> str | None:
    look = look_afresh(writes, seen)
    now = (*replicas.raised(look), *replicas.lowered(look))
    if not any((one.indices, one.before, one.replicas) == (step.indices, step.before, step.replicas) for one in now):
        return "other replicas are wanted now"
    return foreign(look.cluster, seen, token)


def _set_replicas(writes: Writes, seen: Rows, step: SetReplicas, _token: int) -> None:
    """The setting first: raised and never noted, it is raised once more if a person lowers it; noted and never raised,
    it would never be."""
    writes.search.set_replicas(step.indices, step.replicas)
    if intent := replicas.noted(seen.intents, step):
        writes.table.write(rows.partition(writes.spec.name), seen.put(f"intent#{intent.id}", intent))


def _moved_on(cluster: Cluster, decided: owned.SettingsUpdate, now: owned.SettingsUpdate) -> str | None:
    return None if decided == now else f"the settings of {cluster.uuid} have changed since the decision"


# -- instances -------------------------------------------------------------------------------------------------------


def _may_let_empty_go(writes: Writes, seen: Rows, step: LetEmptyInstanceGo, token: int) -> str | None:
    fresh = waiting_afresh(writes, seen, step.instance)
    if fresh is None:
        return f"no hook waits for {step.instance} any more"
    return foreign(fresh.cluster, seen, token) or red(fresh.cluster) or _not_empty(fresh)


def _not_empty(fresh: Fresh) -> str | None:
    one = fresh.one
    if not one.empty:
        return f"{one.id} is not proven empty: {len(one.copies)} shards, store left: {one.has_store}"
    return says(rules.manager_may_not_go(fresh.cluster, fresh.rest, one)) or _still_votes(fresh)


def _may_let_lost_go(writes: Writes, seen: Rows, step: LetLostInstanceGo, token: int) -> str | None:
    fresh = waiting_afresh(writes, seen, step.instance)
    if fresh is None:
        return f"no hook waits for {step.instance} any more"
    return foreign(fresh.cluster, seen, token) or red(fresh.cluster) or _not_lost(fresh)


def _not_lost(fresh: Fresh) -> str | None:
    if not fresh.one.lost:
        return f"{fresh.one.id} is in the cluster again"
    return says(rules.some_shard_has_no_active_copy(fresh.rest))


def _may_let_replaceable_go(writes: Writes, seen: Rows, step: LetReplaceableInstanceGo, token: int) -> str | None:
    fresh = waiting_afresh(writes, seen, step.instance)
    if fresh is None:
        return f"no hook waits for {step.instance} any more"
    if writes.spec.zone_balance.nowhere_to_go != "one_zone_at_a_time":
        return "the policy no longer allows it"
    return foreign(fresh.cluster, seen, token) or _not_replaceable(fresh)


def _not_replaceable(fresh: Fresh) -> str | None:
    """Each test for itself: another may have been let go, and a copy lost, since the decision."""
    if fresh.one.node is None:
        return f"{fresh.one.id} is not in the cluster"
    others = fresh.cluster.names() - fresh.rest.names() - {fresh.one.id}
    if fresh.cluster.status != "green" or others:
        return f"the cluster is {fresh.cluster.status}, and one zone goes at a time"
    if not started_elsewhere(fresh.rest, fresh.one.copies, fresh.one.id):
        return f"a shard of {fresh.one.id} has no other started copy"
    return says(rules.manager_may_not_go(fresh.cluster, fresh.rest, fresh.one)) or _still_votes(fresh)


def _still_votes(fresh: Fresh) -> str | None:
    return f"the vote of {fresh.one.id} counts still" if voting.votes(fresh.cluster, fresh.one.id) else None


def _may_hold(writes: Writes, _seen: Rows, step: HoldInstance, _token: int) -> str | None:
    group = next((g for g in writes.groups.describe([writes.spec.name]) if g.name == step.group), None)
    if group is None or group.unprotected:
        return f"{step.group} would not retain {step.instance}: an ABANDON would end it"
    if not any(one.id == step.instance and one.waits_to_leave for one in group.instances):
        return f"no hook waits for {step.instance} any more"
    return None


def _may_end_retained(writes: Writes, seen: Rows, step: EndRetainedInstance, token: int) -> str | None:
    fresh = afresh(writes, seen, step.instance)
    if fresh is None or not fresh.one.instance.retained:
        return f"{step.instance} is not retained any more"
    needed = _not_lost(fresh) if fresh.one.lost else _not_empty(fresh)
    return foreign(fresh.cluster, seen, token) or red(fresh.cluster) or needed


def _continue(writes: Writes, seen: Rows, step: _Goodbye, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "CONTINUE")
    _note(writes, seen, step, let_go=writes.iso)


def _flush_and_continue(writes: Writes, seen: Rows, step: LetReplaceableInstanceGo, _token: int) -> None:
    """The row first: its copies must not count for another that leaves, whatever dies after CONTINUE. If that was
    never sent, it is answered once more, before any other."""
    writes.search.flush(step.indices)
    _note(writes, seen, step, let_go=writes.iso)
    writes.groups.complete(step.group, step.hook, step.instance, "CONTINUE")


def _abandon(writes: Writes, seen: Rows, step: HoldInstance, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "ABANDON")
    _note(writes, seen, step, held=writes.iso)


def _end_retained(writes: Writes, seen: Rows, step: EndRetainedInstance, _token: int) -> None:
    writes.groups.terminate(step.instance)
    _note(writes, seen, step, let_go=writes.iso)


def _note(writes: Writes, seen: Rows, step: _Goodbye | HoldInstance | EndRetainedInstance, **when: str) -> None:
    """Mostly the row last: to answer twice is harmless."""
    opened = leave(step.instance, step.group, writes.iso, "sweep")
    intent = next((intent for intent in seen.intents if intent.id == opened.id), opened)
    row = seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, **when))
    writes.table.write(rows.partition(writes.spec.name), row)


def _may_size(writes: Writes, seen: Rows, step: SetGroupSize, _token: int) -> str | None:
    groups = writes.groups.describe([writes.spec.name])
    group = next((group for group in groups if group.name == step.group), None)
    if group is None:
        return f"there is no group {step.group}"
    if step.desired < group.desired - 1:
        return f"{step.group} has {group.desired} instances: it shrinks one at a time"
    if step.desired < group.desired and not all(settled(group) for group in groups):
        return "another instance is on its way"
    return "its size is noted" if seen.sizes.get(step.group) == step.declared else None


def _size(writes: Writes, seen: Rows, step: SetGroupSize, _token: int) -> None:
    writes.groups.set_desired(step.group, step.desired)
    if step.desired == step.declared:
        sizes = {**seen.sizes, step.group: step.declared}
        writes.table.write(rows.partition(writes.spec.name), seen.put("sizes", sizes))


# -- identity --------------------------------------------------------------------------------------------------------


def _may_note_identity(writes: Writes, seen: Rows, step: NoteIdentity, _token: int) -> str | None:
    if seen.identity is not None:
        return f"the cluster is known as {seen.identity}"
    found = writes.search.look().uuid
    return None if found == step.uuid else f"{found} answers, not {step.uuid}"


def _note_identity(writes: Writes, seen: Rows, step: NoteIdentity, _token: int) -> None:
    """The parameter first: a node that starts in between then joins instead of forming another cluster."""
    writes.parameters.put(NODE_PARAMETERS.format(cluster=writes.spec.name, name="formed"), step.uuid)
    writes.table.write(rows.partition(writes.spec.name), seen.put("identity", {"uuid": step.uuid}))


HANDLERS: Mapping[type[Step], Handler] = {
    ExcludeNodes: Handler(_may_exclude, _exclude),
    ForceZones: Handler(_may_force_zones, set_demanded),
    PutSettingsRight: Handler(_may_put_right, _put_right),
    LetEmptyInstanceGo: Handler(_may_let_empty_go, _continue),
    LetLostInstanceGo: Handler(_may_let_lost_go, _continue),
    LetReplaceableInstanceGo: Handler(_may_let_replaceable_go, _flush_and_continue),
    HoldInstance: Handler(_may_hold, _abandon),
    EndRetainedInstance: Handler(_may_end_retained, _end_retained),
    SetReplicas: Handler(_may_set_replicas, _set_replicas),
    SetGroupSize: Handler(_may_size, _size),
    NoteIdentity: Handler(_may_note_identity, _note_identity),
}
