"""AWS events, parsed once at the edge: each is a hint about a cluster, or an explicit no-op. State decides.

Shapes are AWS's own (EventBridge envelope with `source`, `detail-type`, `detail`); samples lie in `events/`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Literal

import msgspec

from vagus.cluster_watch.model import SOURCE
from vagus.errors import Malformed
from vagus.fleet import ClusterSpec, Fleet
from vagus.intent import Intent, Kind, gone, leave

WAKING = ("Node Joined", "Node Left", "Shards Unassigned", "Bytes Uneven", "Watermark Near")
"""Events of the cluster watch that have zone_balance look at once. The others are for people and for other rules."""

INSTANCE_ID = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
"""EC2's ids of instances, the short ones of before 2016 too. Source: EC2 User Guide, "Resource IDs"."""

WARM_POOL = "WarmPool"
"""Auto Scaling's own word in `Origin` and `Destination`."""


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """Look at this cluster now; `intent` where an instance is known to leave, `ending` where a certificate ends."""

    cluster: str
    capability: str
    intent: Intent | None = None
    ending: "Ending | None" = None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate in ACM ends in so many days. `at`: when that was told (epoch seconds)."""

    arn: str
    days: int
    at: float


class Ignored(msgspec.Struct, frozen=True):
    """An event that is none of ours, and why: a no-op on purpose."""

    why: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What EC2 says of instances, without saying whose they are: `of_clusters` asks the groups.

    `deadline`: when they go, where that is told (ISO 8601). `number`: tells one notice of this kind from the next.
    """

    kind: Kind
    instances: tuple[str, ...]
    opened: str
    deadline: str | None = None
    number: str = ""


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A person pressed Stop on a run of ours: CloudTrail says who. `person`: an ARN; `at`: ISO 8601."""

    cluster: str
    capability: str
    execution: str
    person: str
    at: str


Parsed = Hint | Notice | Stopped | Ignored


class _Envelope(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    source: str
    detail_type: str
    time: str
    detail: Mapping[str, Any]
    resources: tuple[str, ...] = ()


class _Ending(msgspec.Struct, frozen=True):
    DaysToExpiry: Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class _Lifecycle(msgspec.Struct, frozen=True):
    AutoScalingGroupName: str
    EC2InstanceId: str
    LifecycleHookName: str
    LifecycleTransition: Literal["autoscaling:EC2_INSTANCE_TERMINATING", "autoscaling:EC2_INSTANCE_LAUNCHING"]
    Origin: str = ""
    Destination: str = ""


class _Watched(msgspec.Struct, frozen=True):
    cluster: str


class _Who(msgspec.Struct, frozen=True):
    arn: str


class _WhatExecution(msgspec.Struct, frozen=True, rename="camel"):
    execution_arn: str


class _Call(msgspec.Struct, frozen=True, rename="camel"):
    user_identity: _Who
    request_parameters: _WhatExecution
    error_code: str = ""


class _Activity(msgspec.Struct, frozen=True):
    AutoScalingGroupName: str
    EC2InstanceId: str = ""


class _OfInstance(msgspec.Struct, frozen=True, rename={"instance_id": "instance-id"}):
    instance_id: str


class _Entity(msgspec.Struct, frozen=True, rename="camel"):
    entity_value: str


class _Health(msgspec.Struct, frozen=True, rename="camel"):
    """`status_code`: upcoming, open or closed; `start_time`: RFC 1123, or ISO 8601."""

    service: str
    event_type_code: str
    event_arn: str = ""
    communication_id: str = ""
    status_code: str = "open"
    start_time: str = ""
    affected_entities: tuple[_Entity, ...] = ()


def parse(event: Mapping[str, Any] | bytes | str, fleet: Fleet) -> Parsed:
    """What an event says. Raises `Malformed`, naming the field, for one that can't be an AWS event of its kind."""
    try:
        envelope = _envelope(event)
        parser = _PARSERS.get((envelope.source, envelope.detail_type))
        if parser is None:
            return Ignored(f"no capability reacts to {envelope.source} {envelope.detail_type!r}")
        return parser(envelope, fleet)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Malformed(f"event: {error}") from error


def _detail[T](envelope: _Envelope, kind: type[T]) -> T:
    """What is told of it; a fault's path begins at the event."""
    try:
        return msgspec.convert(envelope.detail, kind)
    except msgspec.ValidationError as error:
        raise Malformed(f"event: {str(error).replace(' - at `$', ' - at `$.detail')}") from error


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of one instance, in AWS's own words. `at`: ISO 8601."""

    instance: str
    what: str
    at: str


def happened(event: Mapping[str, Any] | bytes | str) -> Happened | None:
    """What an event that could be parsed tells of an instance, to be shown; `None` where it names none, or several."""
    envelope = _envelope(event)
    instance = envelope.detail.get("EC2InstanceId") or envelope.detail.get("instance-id")
    return Happened(instance=str(instance), what=envelope.detail_type, at=envelope.time) if instance else None


def _envelope(event: Mapping[str, Any] | bytes | str) -> _Envelope:
    if isinstance(event, bytes | str):
        return msgspec.json.decode(event, type=_Envelope)
    return msgspec.convert(event, _Envelope)


def _terminating(envelope: _Envelope, fleet: Fleet) -> Parsed:
    detail = _lifecycle(envelope, "autoscaling:EC2_INSTANCE_TERMINATING")
    cluster = _cluster_of(detail.AutoScalingGroupName, fleet)
    if cluster is None:
        return _unknown(detail.AutoScalingGroupName)
    if detail.Origin == WARM_POOL:
        return _warm(detail)
    intent = leave(_id(detail.EC2InstanceId, "EC2InstanceId"), detail.AutoScalingGroupName, envelope.time, "event")
    return Hint(cluster=cluster, capability="zone_balance", intent=intent)


def _launching(envelope: _Envelope, fleet: Fleet) -> Parsed:
    """Nothing is wanted of an instance that comes: what waits for it is found by looking."""
    detail = _lifecycle(envelope, "autoscaling:EC2_INSTANCE_LAUNCHING")
    cluster = _cluster_of(detail.AutoScalingGroupName, fleet)
    if cluster is None:
        return _unknown(detail.AutoScalingGroupName)
    if detail.Destination == WARM_POOL:
        return _warm(detail)
    _id(detail.EC2InstanceId, "EC2InstanceId")
    return Hint(cluster=cluster, capability="zone_balance")


def _lifecycle(envelope: _Envelope, transition: str) -> _Lifecycle:
    detail = _detail(envelope, _Lifecycle)
    if detail.LifecycleTransition != transition:
        kind = "launch" if transition.endswith("LAUNCHING") else "terminate"
        raise Malformed(f"event: detail.LifecycleTransition is {detail.LifecycleTransition} in a {kind} event")
    return detail


def _id(text: str, field: str) -> str:
    """An instance's id: it becomes part of a row's key, and names a node. Raises `Malformed` for anything else."""
    if not INSTANCE_ID.fullmatch(text):
        raise Malformed(f"event: detail.{field} {text!r} is no instance's id: i- and 8 or 17 hexadecimal digits")
    return text


def _warm(detail: _Lifecycle) -> Ignored:
    """Into the pool, or out of existence from there: no member of its group, and none that a look could find. One that
    goes from its group into the pool leaves like any other, and one that comes from there launches like any other."""
    return Ignored(
        f"{detail.EC2InstanceId} is in the warm pool of {detail.AutoScalingGroupName}, which a search cluster must not "
        "have (rule kept_in_a_warm_pool): delete the pool"
    )


def _called(envelope: _Envelope, fleet: Fleet) -> Parsed:
    """A call of an API, as CloudTrail logs it. Source: CloudTrail's record contents (`userIdentity.arn`)."""
    if (name := envelope.detail.get("eventName")) != "StopExecution":
        return Ignored(f"no capability reacts to a call of {name}")
    call = _detail(envelope, _Call)
    machine, _, execution = call.request_parameters.execution_arn.rpartition(":")
    cluster, capability = [*execution.rsplit("-", 2), "", ""][:2]
    if cluster not in fleet or not machine.endswith(f":vagus-{fleet[cluster].cell}-{capability}"):
        return Ignored(f"execution {execution} is no run of a declared cluster")
    if call.error_code:
        return Ignored(f"the stop of {execution} was refused: {call.error_code}")
    return Stopped(
        cluster=cluster, capability=capability, execution=execution, person=call.user_identity.arn, at=envelope.time
    )


def _activity(envelope: _Envelope, fleet: Fleet) -> Parsed:
    group = _detail(envelope, _Activity).AutoScalingGroupName
    cluster = _cluster_of(group, fleet)
    return _unknown(group) if cluster is None else Hint(cluster=cluster, capability="zone_balance")


def _unknown(group: str) -> Ignored:
    return Ignored(f"group {group} belongs to no declared cluster")


def _ended(envelope: _Envelope, fleet: Fleet) -> Parsed:
    """An instance has ended. Whether we let it go is known by its row: else what it held is judged."""
    detail = _detail(envelope, _Activity)
    hint = _activity(envelope, fleet)
    if not isinstance(hint, Hint) or not detail.EC2InstanceId:
        return hint
    intent = gone(_id(detail.EC2InstanceId, "EC2InstanceId"), detail.AutoScalingGroupName, envelope.time)
    return msgspec.structs.replace(hint, intent=intent)


# -- what EC2 says of instances --------------------------------------------------------------------------------------

SPOT_SECONDS = 120
"""Between a Spot warning and the end: EC2 promises no more, and not even that."""
RETIREMENTS = (
    "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_STOP_SCHEDULED",
    "AWS_EC2_INSTANCE_TERMINATION_SCHEDULED",
)
"""AWS Health's codes for "this instance ends, or stops, at the start time"."""


def _spot(envelope: _Envelope, _fleet: Fleet) -> Parsed:
    instance = _id(_detail(envelope, _OfInstance).instance_id, "instance-id")
    deadline = _iso(_moment(envelope.time, "time") + timedelta(seconds=SPOT_SECONDS))
    return Notice(kind="spot", instances=(instance,), opened=envelope.time, deadline=deadline)


def _rebalance(envelope: _Envelope, _fleet: Fleet) -> Parsed:
    instance = _id(_detail(envelope, _OfInstance).instance_id, "instance-id")
    return Notice(kind="rebalance", instances=(instance,), opened=envelope.time)


def _health(envelope: _Envelope, _fleet: Fleet) -> Parsed:
    detail = _detail(envelope, _Health)
    if detail.service != "EC2" or detail.event_type_code not in RETIREMENTS:
        return Ignored(f"no capability reacts to {detail.event_type_code} of AWS Health")
    if detail.status_code == "closed":
        return Ignored(f"{detail.event_type_code} is over")
    return Notice(
        kind="retire",
        instances=tuple(entity.entity_value for entity in detail.affected_entities),
        opened=envelope.time,
        deadline=_iso(_moment(detail.start_time, "detail.startTime")),
        number=detail.communication_id or detail.event_arn,
    )


def of_clusters(notice: Notice, groups: Mapping[str, str], fleet: Fleet) -> tuple[Hint, ...] | Ignored:
    """A notice as hints for the clusters whose instances it names. `groups`: the group of each that is in one.

    An instance that no declared cluster has is an explicit no-op: its notice must not come again for ever.
    """
    found = ((one, groups[one], _cluster_of(groups[one], fleet)) for one in notice.instances if one in groups)
    hints = tuple(_hint(notice, one, group, cluster) for one, group, cluster in found if cluster is not None)
    return hints or Ignored(f"{', '.join(notice.instances) or 'no instance'}: of no declared cluster")


def _hint(notice: Notice, instance: str, group: str, cluster: str) -> Hint:
    intent = Intent(
        id="-".join(part for part in (notice.kind, instance, notice.number) if part),
        capability="zone_balance",
        kind=notice.kind,
        instance=instance,
        group=group,
        opened=notice.opened,
        source="event",
        deadline=notice.deadline,
    )
    return Hint(cluster=cluster, capability="zone_balance", intent=intent)


def _moment(text: str, field: str) -> datetime:
    """A time in ISO 8601 or RFC 1123, in UTC where it does not say."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise Malformed(f"event: {field} {text!r} is no time: neither ISO 8601 nor RFC 1123")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _watched(envelope: _Envelope, fleet: Fleet) -> Parsed:
    """What the cluster watch told. Anybody in the account may put such an event: at worst a cluster is looked at."""
    cluster = _detail(envelope, _Watched).cluster
    if cluster not in fleet:
        return Ignored(f"{cluster} is no cluster of this cell")
    if not fleet[cluster].reached:
        return Ignored(f"nobody watches {cluster}, whose nodes are pods elsewhere")
    return Hint(cluster=cluster, capability="zone_balance")


def _certificate(envelope: _Envelope, fleet: Fleet) -> Parsed:
    """A certificate in ACM ends. Source: ACM User Guide, "ACM Certificate Approaching Expiration event"."""
    if len(envelope.resources) != 1:
        raise Malformed(f"event: resources {list(envelope.resources)} is not the ARN of one certificate")
    days, arn = _detail(envelope, _Ending).DaysToExpiry, envelope.resources[0]
    ending = Ending(arn=arn, days=days, at=_moment(envelope.time, "time").timestamp())
    for spec in fleet.values():
        if spec.certified and any(one.arn == arn for one in spec.certificates.gateways):
            return Hint(cluster=spec.name, capability="certificates", ending=ending)
    return Ignored(f"{arn} is the certificate of no declared gateway")


def _cluster_of(group: str, fleet: Fleet) -> str | None:
    """The cluster that declares this group. Groups of our own begin with the cluster's name: an event must not cost the
    group names of 500 clusters."""
    named = (spec for spec in fleet.values() if group.startswith(f"{spec.name}-") or _adopts(spec))
    return next((spec.name for spec in named if group in spec.sizes()), None)


def _adopts(spec: ClusterSpec) -> bool:
    return any(group.adopted for group in spec.groups.values())


_PARSERS: Mapping[tuple[str, str], Callable[[_Envelope, Fleet], Parsed]] = {
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _terminating,
    ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action"): _launching,
    ("aws.autoscaling", "EC2 Instance Terminate Successful"): _ended,
    ("aws.autoscaling", "EC2 Instance Launch Successful"): _activity,
    ("aws.autoscaling", "EC2 Instance Launch Unsuccessful"): _activity,
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): _spot,
    ("aws.ec2", "EC2 Instance Rebalance Recommendation"): _rebalance,
    ("aws.health", "AWS Health Event"): _health,
    ("aws.states", "AWS API Call via CloudTrail"): _called,
    ("aws.acm", "ACM Certificate Approaching Expiration"): _certificate,
    **{(SOURCE, kind): _watched for kind in WAKING},
}

SOURCES: Mapping[str, tuple[str, ...]] = {
    source: tuple(kind for of, kind in _PARSERS if of == source) for source in dict.fromkeys(of for of, _ in _PARSERS)
}
"""Source -> detail-types: what a rule has to match so that every parser is fed. Derived, so that none is forgotten."""

DETAILS: Mapping[str, Mapping[str, Any]] = {"aws.states": {"eventName": ["StopExecution"]}}
"""Source -> what of its details a rule has to match as well: each start of a run of ours is a call too."""
