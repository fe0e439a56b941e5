"""How zone_balance's steps are done: each looks afresh at its own precondition, and refuses; it never chooses."""

from collections.abc import Mapping

import msgspec

from vagus import owned
from vagus.cluster import Cluster
from vagus.instances import Instance
from vagus.procedure import rows
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.steps import (
    EndRetainedInstance,
    ExcludeNodes,
    HoldInstance,
    LetEmptyInstanceGo,
    LetLostInstanceGo,
    LetReplaceableInstanceGo,
    NoteIdentity,
    PutSettingsRight,
    SetGroupSize,
    Step,
)
from vagus.zone_balance import rules
from vagus.zone_balance.observed import Leaver, Observed, leavers
from vagus.zone_balance.placement import shielded, started_elsewhere

NODE_PARAMETERS = "/vagus/{cluster}/node/{name}"


# -- cluster settings ------------------------------------------------------------------------------------------------


def _may_exclude(writes: Writes, seen: Rows, step: ExcludeNodes, token: int) -> str | None:
    cluster = writes.search.look()
    leaving = {one.id for group in writes.groups.describe([writes.spec.name]) for one in group.instances if one.leaving}
    if staying := [name for name in step.nodes if name not in leaving]:
        return f"{', '.join(staying)} no longer leaves"
    opened = {intent.id for intent in step.intents}
    intents = (*(intent for intent in seen.intents if intent.id not in opened), *step.intents)
    demands = [demand for intent in intents for demand in intent.demands]
    return _foreign(cluster, seen, token) or _moved_on(cluster, step.update, owned.converge(cluster, demands).update)


def _exclude(writes: Writes, seen: Rows, step: ExcludeNodes, token: int) -> None:
    """The demand first: if the setting is never written, the next look finds it wanting."""
    opened = [seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, closed=None)) for intent in step.intents]
    writes.table.write(rows.partition(writes.spec.name), *opened)
    writes.search.update_settings(_signed(step.update, token))


def _may_put_right(writes: Writes, seen: Rows, step: PutSettingsRight, token: int) -> str | None:
    if not step.update:
        return None
    cluster = writes.search.look()
    demands = [demand for intent in seen.intents if intent.id not in step.closes for demand in intent.demands]
    return _foreign(cluster, seen, token) or _moved_on(cluster, step.update, owned.converge(cluster, demands).update)


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
        writes.search.update_settings(_signed(step.update, token))


def _signed(update: owned.SettingsUpdate, token: int) -> owned.SettingsUpdate:
    """The lease's token goes with our marks, and goes when they go."""
    note = str(token) if update.persistent.get(owned.MARK) else None
    return msgspec.structs.replace(update, persistent={**update.persistent, owned.TOKEN: note})


def _moved_on(cluster: Cluster, decided: owned.SettingsUpdate, now: owned.SettingsUpdate) -> str | None:
    return None if decided == now else f"the settings of {cluster.uuid} have changed since the decision"


def _foreign(cluster: Cluster, seen: Rows, token: int) -> str | None:
    """Another cluster, one we can't wholly see, or a younger writer."""
    if seen.identity is not None and cluster.uuid != seen.identity:
        return f"cluster {cluster.uuid} answers instead of {seen.identity}"
    if cluster.visible_indices < cluster.counted_indices:
        return f"only {cluster.visible_indices} of {cluster.counted_indices} indices are visible"
    if int(cluster.persistent.get(owned.TOKEN) or 0) > token:
        return f"a younger writer (lease {cluster.persistent[owned.TOKEN]}) was here; ours is {token}"
    return None


# -- instances -------------------------------------------------------------------------------------------------------


def _leaver(writes: Writes, seen: Rows, instance: str) -> tuple[Cluster, Leaver | None]:
    """A fresh look at one leaving instance."""
    cluster = writes.search.look()
    observed = Observed(
        cluster=cluster, groups=writes.groups.describe([writes.spec.name]), intents=seen.intents, identity=seen.identity
    )
    found = leavers(observed, cluster, shielded(cluster))
    return cluster, next((one for one in found if one.id == instance), None)


def _may_let_empty_go(writes: Writes, seen: Rows, step: LetEmptyInstanceGo, token: int) -> str | None:
    cluster, one = _leaver(writes, seen, step.instance)
    if one is None or not one.instance.waits_to_leave:
        return f"no hook waits for {step.instance} any more"
    if not one.empty:
        return f"{step.instance} is not proven empty: {len(one.copies)} shards, store left: {one.has_store}"
    return _foreign(cluster, seen, token) or _says(rules.quorum_would_break(cluster, (), one)) or _red(cluster)


def _may_let_lost_go(writes: Writes, seen: Rows, step: LetLostInstanceGo, token: int) -> str | None:
    cluster, one = _leaver(writes, seen, step.instance)
    if one is None or not one.instance.waits_to_leave:
        return f"no hook waits for {step.instance} any more"
    if not one.lost:
        return f"{step.instance} is in the cluster again"
    return _foreign(cluster, seen, token) or _says(rules.some_shard_has_no_active_copy(cluster)) or _red(cluster)


def _may_let_replaceable_go(writes: Writes, seen: Rows, step: LetReplaceableInstanceGo, token: int) -> str | None:
    cluster, one = _leaver(writes, seen, step.instance)
    if one is None or not one.instance.waits_to_leave:
        return f"no hook waits for {step.instance} any more"
    if cluster.status != "green":
        return f"the cluster is {cluster.status}"
    if writes.spec.zone_balance.nowhere_to_go != "one_zone_at_a_time":
        return "the policy no longer allows it"
    if not started_elsewhere(cluster, one.copies, step.instance):
        return f"a shard of {step.instance} has no other started copy"
    return _foreign(cluster, seen, token) or _says(rules.quorum_would_break(cluster, (), one))


def _may_hold(writes: Writes, _seen: Rows, step: HoldInstance, _token: int) -> str | None:
    group = next((g for g in writes.groups.describe([writes.spec.name]) if g.name == step.group), None)
    if group is None or group.unprotected:
        return f"{step.group} would not retain {step.instance}: an ABANDON would end it"
    if not any(one.id == step.instance and one.waits_to_leave for one in group.instances):
        return f"no hook waits for {step.instance} any more"
    return None


def _may_end_retained(writes: Writes, seen: Rows, step: EndRetainedInstance, token: int) -> str | None:
    cluster, one = _leaver(writes, seen, step.instance)
    if one is None or not one.instance.retained:
        return f"{step.instance} is not retained any more"
    lost = one.lost and rules.some_shard_has_no_active_copy(cluster) is None
    if not (one.empty or lost):
        return f"{step.instance} is not proven empty: {len(one.copies)} shards, store left: {one.has_store}"
    return _foreign(cluster, seen, token) or _red(cluster)


def _continue(writes: Writes, _seen: Rows, step: LetEmptyInstanceGo | LetLostInstanceGo, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "CONTINUE")


def _flush_and_continue(writes: Writes, _seen: Rows, step: LetReplaceableInstanceGo, _token: int) -> None:
    writes.search.flush(step.indices)
    writes.groups.complete(step.group, step.hook, step.instance, "CONTINUE")


def _abandon(writes: Writes, _seen: Rows, step: HoldInstance, _token: int) -> None:
    writes.groups.complete(step.group, step.hook, step.instance, "ABANDON")


def _end_retained(writes: Writes, _seen: Rows, step: EndRetainedInstance, _token: int) -> None:
    writes.groups.terminate(step.instance)


def _may_size(writes: Writes, seen: Rows, step: SetGroupSize, _token: int) -> str | None:
    groups = writes.groups.describe([writes.spec.name])
    group = next((group for group in groups if group.name == step.group), None)
    if group is None:
        return f"there is no group {step.group}"
    if step.desired < group.desired - 1:
        return f"{step.group} has {group.desired} instances: it shrinks one at a time"
    if step.desired < group.desired and any(_any_leaving(group.instances) for group in groups):
        return "another instance is leaving"
    return "its size is noted" if seen.sizes.get(step.group) == step.declared else None


def _any_leaving(instances: tuple[Instance, ...]) -> bool:
    return any(one.leaving for one in instances)


def _size(writes: Writes, seen: Rows, step: SetGroupSize, _token: int) -> None:
    writes.groups.set_desired(step.group, step.desired)
    if step.desired == step.declared:
        sizes = {**seen.sizes, step.group: step.declared}
        writes.table.write(rows.partition(writes.spec.name), seen.put("sizes", sizes))


def _red(cluster: Cluster) -> str | None:
    return _says(rules.cluster_red(cluster))


def _says(violation: rules.Violation | None) -> str | None:
    return violation.message if violation else None


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
    PutSettingsRight: Handler(_may_put_right, _put_right),
    LetEmptyInstanceGo: Handler(_may_let_empty_go, _continue),
    LetLostInstanceGo: Handler(_may_let_lost_go, _continue),
    LetReplaceableInstanceGo: Handler(_may_let_replaceable_go, _flush_and_continue),
    HoldInstance: Handler(_may_hold, _abandon),
    EndRetainedInstance: Handler(_may_end_retained, _end_retained),
    SetGroupSize: Handler(_may_size, _size),
    NoteIdentity: Handler(_may_note_identity, _note_identity),
}
