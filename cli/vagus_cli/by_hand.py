"""What a person would type to do Vagus' work without Vagus: AWS CLI and curl, made of what was seen. Pure.

A drain by hand sets no mark of ours: what a person excludes is the person's, and Vagus leaves it as it is later.
"""

import json
import shlex
from collections.abc import Iterable, Mapping

import msgspec

from vagus import owned
from vagus.cluster import Cluster
from vagus.fleet import ClusterSpec
from vagus.instances import Group
from vagus.owned import SettingsUpdate
from vagus.procedure.room import working_at
from vagus.rolling_upgrade.in_hand import OURS
from vagus.rooms import ROOMS
from vagus.weights import PATH
from vagus.zone_balance import voting
from vagus_cdk import names

VOTES = "/_cluster/voting_config_exclusions"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One act. `what` says what it does, and when it may be done."""

    what: str
    command: str


def every(aws: str, spec: ClusterSpec, groups: Iterable[Group], cluster: Cluster | None) -> tuple[Command, ...]:
    """In the order in which they would be done. `cluster`: `None` where it could not be seen."""
    if not spec.reached:
        return stopping(aws, spec)
    groups = tuple(groups)
    leaving = tuple(one.id for group in groups for one in group.instances if one.leaving)
    return (
        *stopping(aws, spec),
        *_keeping(aws, groups),
        *_reaching(aws, spec),
        *_draining(spec, leaving, cluster),
        *_votes(spec, leaving, cluster),
        *_letting_go(aws, groups),
        *_launching(aws, groups),
        *_giving_back(spec, leaving, cluster),
        *_votes_back(spec, cluster),
    )


def stopping(aws: str, spec: ClusterSpec) -> tuple[Command, ...]:
    """The procedures, without the state table."""
    return tuple(
        Command(what=f"stop {room}'s run: a stop from outside is a pause", command=_stop(aws, spec, room))
        for room in working_at(ROOMS, spec)
    )


def _stop(aws: str, spec: ClusterSpec, room: str) -> str:
    machine = f"stateMachines[?name=='{names.of_cell(spec.cell, room)}'].stateMachineArn"
    mine = f"executions[?starts_with(name, '{spec.name}-{room}-')].executionArn"
    arn = f'{aws} stepfunctions list-state-machines --query "{machine}" --output text'
    runs = f'{aws} stepfunctions list-executions --state-machine-arn "$({arn})" --status-filter RUNNING'
    end = f"xargs -r -n1 {aws} stepfunctions stop-execution --execution-arn"
    return f'{runs} --query "{mine}" --output text | {end}'


def _keeping(aws: str, groups: Iterable[Group]) -> Iterable[Command]:
    for group, instance in _waiting(groups):
        what = f"keep {instance} waiting for another hour (only if the keeper is gone too)"
        yield Command(
            what=what, command=_hook(aws, "record-lifecycle-action-heartbeat", group.name, group.hook, instance)
        )


def _reaching(aws: str, spec: ClusterSpec) -> Iterable[Command]:
    running = f"Name=tag:vagus:cluster,Values={spec.name} Name=instance-state-name,Values=running"
    query = "--query 'Reservations[0].Instances[0].PrivateIpAddress' --output text"
    yield Command(
        what="the address of a node (from within the VPC, or over your VPN)",
        command=f"NODE=$({aws} ec2 describe-instances --filters {running} {query})",
    )
    if spec.engine.tls:
        secret = f"{aws} secretsmanager get-secret-value --secret-id {names.client_secret(spec.name, 'write')}"
        parts = "; ".join(f"jq -r .{part} client.json > {part}.pem" for part in ("certificate", "key", "ca"))
        yield Command(
            what="a certificate that may change settings (it reads no document); delete the files afterwards",
            command=f"umask 077; {secret} --query SecretString --output text > client.json; {parts}",
        )


def _draining(spec: ClusterSpec, leaving: tuple[str, ...], cluster: Cluster | None) -> Iterable[Command]:
    if cluster is None or not leaving:
        return
    body = _excluding(cluster, owned.excluded(cluster) | set(leaving))
    yield Command(what=f"drain {', '.join(leaving)}; what is excluded already stays", command=_put(spec, body))
    shards = f'{_curl(spec)} "{_url(spec)}/_cat/shards?h=index,shard,prirep,state,node"'
    pattern = "|".join(leaving)
    yield Command(
        what="what is still on them: nothing, if nothing is printed", command=f"{shards} | grep -E '{pattern}'"
    )


def _votes(spec: ClusterSpec, leaving: tuple[str, ...], cluster: Cluster | None) -> Iterable[Command]:
    for name in leaving if cluster else ():
        if cluster and voting.votes(cluster, name):
            yield Command(
                what=f"take the vote of {name}, a manager: once it is empty, just before it goes, one at a time",
                command=f'{_curl(spec)} -X POST "{_url(spec)}{VOTES}?node_names={name}"',
            )


def _votes_back(spec: ClusterSpec, cluster: Cluster | None) -> Iterable[Command]:
    """Clearing clears everybody's."""
    if cluster is None or not (cluster.voting_exclusions or voting.marked(cluster)):
        return
    others = voting.others(cluster)
    theirs = f", and those who excluded {', '.join(others)} agree" if others else ""
    yield Command(
        what=f"clear all voting exclusions: ONLY once the managers that leave are gone{theirs}",
        command=f'{_curl(spec)} -X DELETE "{_url(spec)}{VOTES}?wait_for_removal=false"',
    )
    if voting.marked(cluster):
        body: Mapping[str, Mapping[str, str | None]] = {"persistent": {voting.MARK: None}}
        yield Command(what="then take Vagus' mark of it away", command=_put(spec, body))


def _letting_go(aws: str, groups: Iterable[Group]) -> Iterable[Command]:
    groups = tuple(groups)
    for group, instance in _waiting(groups):
        complete = _hook(aws, "complete-lifecycle-action", group.name, group.hook, instance)
        yield Command(
            what=f"let {instance} go: ONLY if its node is in the cluster and no shard is on it",
            command=f"{complete} --lifecycle-action-result CONTINUE",
        )
        if not group.unprotected:
            yield Command(
                what=f"or hold {instance}: it is retained, billed, and replaced",
                command=f"{complete} --lifecycle-action-result ABANDON",
            )
    for retained in (one.id for group in groups for one in group.instances if one.retained):
        yield Command(
            what=f"end the retained {retained}: ONLY if no shard is on it",
            command=f"{aws} ec2 terminate-instances --instance-ids {retained}",
        )


def _launching(aws: str, groups: Iterable[Group]) -> Iterable[Command]:
    """Where nobody answers a launch hook, AWS does when its time is over, as the hook says; launching that is suspended
    stays so."""
    for group in groups:
        for instance in (one.id for one in group.instances if one.waits_to_serve and group.launch_hook):
            yield Command(
                what=f"let {instance} into service: if its node is in the cluster, and the cluster is green",
                command=f"{_hook(aws, 'complete-lifecycle-action', group.name, group.launch_hook, instance)} "
                "--lifecycle-action-result CONTINUE",
            )
        if "Launch" in group.suspended:
            resume = f"{aws} autoscaling resume-processes --auto-scaling-group-name {group.name}"
            yield Command(
                what=f"let {group.name} launch again, once you know why its launches failed (or who suspended it)",
                command=f"{resume} --scaling-processes Launch",
            )


def _excluding(cluster: Cluster, nodes: frozenset[str]) -> Mapping[str, Mapping[str, str | None]]:
    """Where people exclude transiently, which wins, so does this."""
    layer = "transient" if owned.EXCLUDE in cluster.transient else "persistent"
    return {layer: {owned.EXCLUDE: ",".join(sorted(nodes)) or None}}


def _giving_back(spec: ClusterSpec, leaving: tuple[str, ...], cluster: Cluster | None) -> Iterable[Command]:
    """What was excluded to drain by hand goes with Vagus' own, or by itself where nothing of Vagus' stands."""
    if cluster is None:
        return
    if not owned.marked(cluster):
        if drained := set(leaving) - owned.excluded(cluster):
            yield Command(
                what=f"take back what you excluded to drain {', '.join(sorted(drained))}: once it is gone",
                command=_put(spec, _excluding(cluster, owned.excluded(cluster))),
            )
        return
    yield from _searching(spec, cluster)
    update = owned.converge(cluster, ()).update
    back = {name: value for name, value in update.persistent.items() if name != owned.VOTES}  # it goes with the votes
    mine = SettingsUpdate(persistent={**back, owned.TOKEN: None}, transient=update.transient)
    body = {layer: dict(one) for layer, one in (("persistent", mine.persistent), ("transient", mine.transient)) if one}
    what = "give back what Vagus had set, and its marks, once those that leave are gone; what people set stays"
    yield Command(what=what, command=_put(spec, body))


def _searching(spec: ClusterSpec, cluster: Cluster) -> Iterable[Command]:
    """Before the setting that has searches for certain nodes answered while zones have weights."""
    if not any(mark in cluster.persistent for mark in OURS):
        return
    url = f'"{_url(spec)}{PATH}"'
    ours = "jq -c 'select(.weights.vagus) | {_version}' > weights.json"
    gone = f"{_curl(spec)} -X DELETE -H 'Content-Type: application/json' -d @weights.json {url}"
    yield Command(
        what="have every zone searched again: takes weights away where they are Vagus' (they name a zone `vagus`)",
        command=f"{_curl(spec)} {url} | {ours}; [ ! -s weights.json ] || {gone}",
    )


def _waiting(groups: Iterable[Group]) -> Iterable[tuple[Group, str]]:
    return ((group, one.id) for group in groups for one in group.instances if one.waits_to_leave and group.hook)


def _hook(aws: str, act: str, group: str, hook: str | None, instance: str) -> str:
    return (
        f"{aws} autoscaling {act} --auto-scaling-group-name {group} "
        f"--lifecycle-hook-name {hook} --instance-id {instance}"
    )


def _put(spec: ClusterSpec, body: Mapping[str, Mapping[str, str | None]]) -> str:
    data = shlex.quote(json.dumps(body, sort_keys=True))
    return f"{_curl(spec)} -X PUT -H 'content-type: application/json' -d {data} \"{_url(spec)}/_cluster/settings\""


def _curl(spec: ClusterSpec) -> str:
    return (
        "curl -sS --fail --cacert ca.pem --cert certificate.pem --key key.pem" if spec.engine.tls else "curl -sS --fail"
    )


def _url(spec: ClusterSpec) -> str:
    return f"{'https' if spec.engine.tls else 'http'}://$NODE:9200"
