"""How rolling_upgrade's steps are done: each looks afresh at its own precondition, and refuses; it never chooses."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from vagus import owned, weights
from vagus.cluster import Cluster
from vagus.errors import Denied, Refused
from vagus.intent import AllocationPrimaries, Demand, Intent, Rolling
from vagus.procedure import rows
from vagus.procedure.room import Handler, Writes
from vagus.procedure.rows import Rows
from vagus.rolling_upgrade import rules
from vagus.rolling_upgrade.checking import foreign
from vagus.rolling_upgrade.looking import STOPS_WITHIN_SECONDS
from vagus.rolling_upgrade.observe import CLOCKS_SECONDS
from vagus.rolling_upgrade.observed import Observed, begun, rolling, staged
from vagus.steps import (
    AllowAllocation,
    BringVersion,
    KeepReplicas,
    LeadSearchesBack,
    NoteVersion,
    PutSettingsRight,
    RestartNodes,
    StageEngine,
    Step,
)
from vagus.weights import Weighing

NODE_PARAMETER = "/vagus/{cluster}/node/version"
REFUSED_MOST = 300
"""Characters of what AWS said that are noted."""
Noted = Mapping[str, str | int | tuple[str, ...] | Mapping[str, str]]
"""Fields of an intent's `Rolling`."""

# -- the version that nodes bring ------------------------------------------------------------------------------------


def _may_note(writes: Writes, seen: Rows, step: NoteVersion, token: int) -> str | None:
    cluster = writes.search.look()
    if why := foreign(cluster, seen, token):
        return why
    if any(rolling(intent).version for intent in _ours(seen)):
        return "an upgrade is under way"
    running = {node.version for node in cluster.nodes}
    if running != {step.runs}:
        return f"nodes run {', '.join(sorted(running))}"
    return rules.may_have_newer(writes.groups.describe([writes.spec.name]), cluster, seen.node_version, step.runs)


def _note(writes: Writes, seen: Rows, step: NoteVersion, _token: int) -> None:
    _bring(writes, seen, step.runs)


def _may_stage(writes: Writes, seen: Rows, step: StageEngine, token: int) -> str | None:
    cluster = writes.search.look()
    if cluster.node(step.node) is None:
        return f"{step.node} is not in the cluster"
    return _may_begin(writes, seen, cluster, step.intent, token)


def _stage(writes: Writes, seen: Rows, step: StageEngine, _token: int) -> None:
    """The row last, since to send twice is harmless. That a node could not be told (its agent is dead) is noted too:
    a person is told of that node, and not that tries failed."""
    refused = _send(writes, "stage-search", step.node, step.step, {"Version": step.wanted})
    intent = _intent(seen, step.intent)
    noted: Noted = {"staging": step.node, "staging_at": writes.iso, "staging_refused": refused}
    _put(writes, seen, step.intent, intent.demands if intent else (), noted)


def _send(writes: Writes, document: str, node: str, step: str, parameters: Mapping[str, str]) -> str:
    """Send it; why SSM does not take it, or nothing."""
    try:
        writes.commands.send(document, node, step, parameters)
    except Refused as error:
        return str(error)[:REFUSED_MOST]
    return ""


def _may_bring(writes: Writes, seen: Rows, step: BringVersion, token: int) -> str | None:
    return _may_begin(writes, seen, writes.search.look(), step.intent, token) or _unproved(writes, seen, step)


def _may_begin(writes: Writes, seen: Rows, cluster: Cluster, name: str, token: int) -> str | None:
    if (intent := _intent(seen, name)) is None:
        return f"{name} is over"
    if rolling(intent).aborted:
        return f"{name} was aborted"
    return foreign(cluster, seen, token) or _says(rules.before(_question(writes, seen, cluster, intent, ())))


def _unproved(writes: Writes, seen: Rows, step: BringVersion) -> str | None:
    """Whether no node has brought and checked the version yet."""
    intent = _intent(seen, step.intent)
    wanted = rolling(intent) if intent else Rolling()
    if intent is None or not wanted.staging:
        return f"no node has brought and checked {step.wanted}"
    since = datetime.fromisoformat(wanted.staging_at).timestamp() - CLOCKS_SECONDS
    return (
        None
        if staged(writes.commands.sent(wanted.staging, since), intent)
        else (f"{wanted.staging} has not brought and checked {step.wanted}")
    )


def _do_bring(writes: Writes, seen: Rows, step: BringVersion, _token: int) -> None:
    _bring(writes, seen, step.wanted)


def _bring(writes: Writes, seen: Rows, version: str) -> None:
    """The parameter first: a row that says less than what nodes bring is put right by the next look."""
    writes.parameters.put(NODE_PARAMETER.format(cluster=writes.spec.name), version)
    writes.table.write(rows.partition(writes.spec.name), seen.put("version", {"version": version}))


# -- nodes in hand ---------------------------------------------------------------------------------------------------


def _may_keep(writes: Writes, seen: Rows, step: KeepReplicas, token: int) -> str | None:
    cluster = writes.search.look()
    if (intent := _intent(seen, step.intent)) is None:
        return f"{step.intent} is over"
    return (
        foreign(cluster, seen, token)
        or _stands_against(writes, seen, cluster, intent, step.nodes)
        or rules.recovering(cluster)
        or _moved_on(cluster, step.update, seen, intent, step.demands)
    )


def _keep(writes: Writes, seen: Rows, step: KeepReplicas, token: int) -> None:
    """The demand first: if the setting is never written, the next look finds it wanting. The weights last, once
    searches that ask for certain nodes are let be: if they are not written, that is tried once more."""
    before = rolling(intent) if (intent := _intent(seen, step.intent)) else Rolling()
    tried = before.led if before.taken == step.nodes else 0
    led = {"led": tried + 1} if step.weighing else {}
    taken: Noted = {
        "taken": step.nodes,
        "taken_at": writes.iso,
        "sent_at": "",
        "refused": {},
        "unled": "",
        "led_back": "",
        **led,
    }
    _put(writes, seen, step.intent, step.demands, taken)
    _settle(writes, step.update, token)
    if step.weighing is not None and (unled := _unweighed(writes, step.weighing)):
        _put(writes, rows.read(writes.table, writes.spec.name), step.intent, step.demands, {"unled": unled})


def _unweighed(writes: Writes, weighing: Weighing) -> str:
    """Change the zones' weights; or why not. Refused: a person was quicker, whose weights stand, or the engine wants
    others of which we don't know. Denied: a role of before. Nodes are restarted without, as ever."""
    try:
        writes.search.weigh(weighing)
    except (Refused, Denied) as error:
        return str(error)[:REFUSED_MOST]
    return ""


def _may_restart(writes: Writes, seen: Rows, step: RestartNodes, token: int) -> str | None:
    cluster = writes.search.look()
    intent = _intent(seen, step.intent)
    if intent is None or AllocationPrimaries() not in intent.demands:
        return f"{step.intent} has no nodes in hand"
    return (
        foreign(cluster, seen, token)
        or next((why for one in step.processes if (why := _another_process(cluster, one.node, one.ephemeral_id))), None)
        or _stands_against(writes, seen, cluster, intent, rolling(intent).taken)
        or _moved_on(cluster, owned.SettingsUpdate(), seen, intent, intent.demands)
    )


def _another_process(cluster: Cluster, name: str, process: str) -> str | None:
    node = cluster.node(name)
    if node is None:
        return f"{name} is not in the cluster"
    return None if node.ephemeral_id == process else f"{name} runs another process than the one that was decided on"


def _restart(writes: Writes, seen: Rows, step: RestartNodes, _token: int) -> None:
    """Flush, so that the nodes come back quickly; then the commands; the row last, since to send twice is harmless. Who
    could not be told is noted too, and the others of the batch are told all the same."""
    names = {one.node for one in step.processes}
    indices = sorted({copy.index for copy in writes.search.look().copies if copy.node in names})
    writes.search.flush(indices)
    late = str(int(writes.now) + STOPS_WITHIN_SECONDS)
    refused = {
        one.node: why
        for one in step.processes
        if (
            why := _send(
                writes, "restart-search", one.node, one.step, {"StartedAt": str(one.started), "NotAfter": late}
            )
        )
    }
    if intent := _intent(seen, step.intent):
        noted: Noted = {"sent_at": writes.iso, "refused": {**rolling(intent).refused, **refused}}
        _put(writes, seen, step.intent, intent.demands, noted)


def _may_lead_back(writes: Writes, seen: Rows, step: LeadSearchesBack, token: int) -> str | None:
    cluster = writes.search.look()
    if (intent := _intent(seen, step.intent)) is None:
        return f"{step.intent} is over"
    return foreign(cluster, seen, token) or _moved_on(cluster, step.update, seen, intent, step.demands)


def _lead_back(writes: Writes, seen: Rows, step: LeadSearchesBack, token: int) -> None:
    """Tried once, which is noted first: what fails is done when allocation is given back, and told then. What has
    searches for certain nodes refused comes after the weights."""
    intent = _intent(seen, step.intent)
    _put(writes, seen, step.intent, intent.demands if intent else (), {"led_back": writes.iso})
    if step.weighing is not None and _unweighed(writes, step.weighing):
        return
    _put(writes, rows.read(writes.table, writes.spec.name), step.intent, step.demands, {})
    _settle(writes, step.update, token)


def _may_allow(writes: Writes, seen: Rows, step: AllowAllocation, token: int) -> str | None:
    cluster = writes.search.look()
    if (intent := _intent(seen, step.intent)) is None:
        return f"{step.intent} is over"
    return foreign(cluster, seen, token) or _moved_on(cluster, step.update, seen, intent)


def _allow(writes: Writes, seen: Rows, step: AllowAllocation, token: int) -> None:
    """The row first: if the setting is never written, the next look finds a mark that nobody demands. Replicas are
    allocated whatever becomes of the weights; what has searches for certain nodes refused again is written after those
    are gone. Where they can't be taken away, that fails: it is tried again, and a person is called."""
    _put(writes, seen, step.intent, (), {})
    if step.weighing is None:
        _settle(writes, step.update, token)
        return
    rest = weights.but_strict(step.update)
    held = {} if rest == step.update else {owned.TOKEN: str(token)}  # a mark of ours stays meanwhile
    if rest:
        signed = owned.signed(rest, token).persistent
        writes.search.update_settings(msgspec.structs.replace(rest, persistent={**signed, **held}))
    writes.search.weigh(step.weighing)
    if held:
        _settle(writes, step.update, token)


def _settle(writes: Writes, update: owned.SettingsUpdate, token: int) -> None:
    if update:
        writes.search.update_settings(owned.signed(update, token))


# -- the end ---------------------------------------------------------------------------------------------------------


def _may_put_right(writes: Writes, seen: Rows, step: PutSettingsRight, token: int) -> str | None:
    if not step.update and step.weighing is None:
        return None
    cluster = writes.search.look()
    closing = next((intent for intent in _ours(seen) if intent.id in step.closes), None)
    return foreign(cluster, seen, token) or (_moved_on(cluster, step.update, seen, closing) if step.update else None)


def _put_right(writes: Writes, seen: Rows, step: PutSettingsRight, token: int) -> None:
    """The rows first, as with allocation."""
    expires = int(writes.now) + rows.CLOSED_ROW_DAYS * 86_400
    closed = [
        seen.put(f"intent#{intent.id}", msgspec.structs.replace(intent, demands=(), closed=writes.iso), expires)
        for intent in _ours(seen)
        if intent.id in step.closes
    ]
    if closed:
        writes.table.write(rows.partition(writes.spec.name), *closed)
    if step.weighing is not None:
        writes.search.weigh(step.weighing)
    _settle(writes, step.update, token)


# -- parts -----------------------------------------------------------------------------------------------------------


def _ours(seen: Rows) -> tuple[Intent, ...]:
    return seen.intents_of("rolling_upgrade")


def _intent(seen: Rows, name: str) -> Intent | None:
    return next((intent for intent in _ours(seen) if intent.id == name), None)


def _put(writes: Writes, seen: Rows, name: str, demands: tuple[Demand, ...], changed: Noted) -> None:
    """The intent's row as it is now, so that what a person said meanwhile stays."""
    intent = _intent(seen, name)
    if intent is None:
        return
    noted: Rolling = msgspec.structs.replace(rolling(intent), **changed)
    row = seen.put(f"intent#{name}", msgspec.structs.replace(intent, demands=demands, rolling=noted))
    writes.table.write(rows.partition(writes.spec.name), row)


def _stands_against(writes: Writes, seen: Rows, cluster: Cluster, intent: Intent, names: Iterable[str]) -> str | None:
    """What would make it unsafe, or unwanted, to stop these nodes now."""
    wanted = rolling(intent)
    if wanted.aborted:
        return f"{intent.id} was aborted"
    if wanted.version and seen.node_version != wanted.version:
        return f"nodes that start would bring {seen.node_version}, not {wanted.version}"
    asked = _question(writes, seen, cluster, intent, names)
    if urgent := rules.urgent(asked.observed, cluster):
        return f"{urgent[0].instance} leaves, and goes first"
    return _says(rules.before(asked))


def _question(writes: Writes, seen: Rows, cluster: Cluster, intent: Intent, names: Iterable[str]) -> rules.Question:
    """What the rules are asked. Once begun, the newest snapshot matters no more."""
    wanted, goes_on = rolling(intent), begun(intent, cluster, seen.node_version)
    newest = bool(wanted.version) and not wanted.without_snapshot and not goes_on
    observed = Observed(
        cluster=cluster,
        groups=writes.groups.describe([writes.spec.name]),
        others=tuple(one for one in seen.intents if one.capability != "rolling_upgrade"),
        version=seen.node_version,
        snapshots=writes.search.snapshots(newest=newest),
    )
    return rules.Question(
        observed=observed,
        cluster=cluster,
        spec=writes.spec,
        names=frozenset(names),
        version=wanted.version,
        accepted=wanted.unavailable,
        begun=goes_on,
        without_snapshot=wanted.without_snapshot,
        now=writes.now,
    )


def _moved_on(
    cluster: Cluster, decided: owned.SettingsUpdate, seen: Rows, intent: Intent | None, mine: Iterable[Demand] = ()
) -> str | None:
    """Whether the settings, or what others demand, have changed since the decision."""
    others = [demand for one in seen.intents if intent is None or one.id != intent.id for demand in one.demands]
    now = owned.converge(cluster, [*owned.standing(cluster, others), *mine]).update
    return None if decided == now else f"the settings of {cluster.uuid} have changed since the decision"


def _says(violation: rules.Violation | None) -> str | None:
    return violation.message if violation else None


HANDLERS: Mapping[type[Step], Handler] = {
    NoteVersion: Handler(_may_note, _note),
    StageEngine: Handler(_may_stage, _stage),
    BringVersion: Handler(_may_bring, _do_bring),
    KeepReplicas: Handler(_may_keep, _keep),
    RestartNodes: Handler(_may_restart, _restart),
    LeadSearchesBack: Handler(_may_lead_back, _lead_back),
    AllowAllocation: Handler(_may_allow, _allow),
    PutSettingsRight: Handler(_may_put_right, _put_right),
}
