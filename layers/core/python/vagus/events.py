"""AWS events, parsed once at the edge: each is a hint about a cluster, or an explicit no-op. State decides.

Shapes are AWS's own (EventBridge envelope with `source`, `detail-type`, `detail`); samples lie in `events/`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from vagus.errors import Malformed
from vagus.fleet import ClusterSpec, Fleet
from vagus.intent import Intent, leave


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """Look at this cluster now; `intent` where an instance is known to leave."""

    cluster: str
    capability: str
    intent: Intent | None = None


class Ignored(msgspec.Struct, frozen=True):
    """An event that is none of ours, and why: a no-op on purpose."""

    why: str


Parsed = Hint | Ignored


class _Envelope(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    source: str
    detail_type: str
    time: str
    detail: Mapping[str, Any]


class _Lifecycle(msgspec.Struct, frozen=True):
    AutoScalingGroupName: str
    EC2InstanceId: str
    LifecycleHookName: str
    LifecycleTransition: Literal["autoscaling:EC2_INSTANCE_TERMINATING", "autoscaling:EC2_INSTANCE_LAUNCHING"]


class _Activity(msgspec.Struct, frozen=True):
    AutoScalingGroupName: str


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


def _envelope(event: Mapping[str, Any] | bytes | str) -> _Envelope:
    if isinstance(event, bytes | str):
        return msgspec.json.decode(event, type=_Envelope)
    return msgspec.convert(event, _Envelope)


def _terminating(envelope: _Envelope, fleet: Fleet) -> Parsed:
    detail = msgspec.convert(envelope.detail, _Lifecycle)
    cluster = _cluster_of(detail.AutoScalingGroupName, fleet)
    if cluster is None:
        return Ignored(f"group {detail.AutoScalingGroupName} belongs to no declared cluster")
    if detail.LifecycleTransition != "autoscaling:EC2_INSTANCE_TERMINATING":
        raise Malformed(f"event: detail.LifecycleTransition is {detail.LifecycleTransition} in a terminate event")
    intent = leave(detail.EC2InstanceId, detail.AutoScalingGroupName, envelope.time, "event")
    return Hint(cluster=cluster, capability="zone_balance", intent=intent)


def _activity(envelope: _Envelope, fleet: Fleet) -> Parsed:
    group = msgspec.convert(envelope.detail, _Activity).AutoScalingGroupName
    cluster = _cluster_of(group, fleet)
    if cluster is None:
        return Ignored(f"group {group} belongs to no declared cluster")
    return Hint(cluster=cluster, capability="zone_balance")


def _cluster_of(group: str, fleet: Fleet) -> str | None:
    """The cluster that declares this group. Groups of our own begin with the cluster's name: an event must not cost the
    group names of 500 clusters."""
    named = (spec for spec in fleet.values() if group.startswith(f"{spec.name}-") or _adopts(spec))
    return next((spec.name for spec in named if group in spec.sizes()), None)


def _adopts(spec: ClusterSpec) -> bool:
    return any(group.adopted for group in spec.groups.values())


_PARSERS: Mapping[tuple[str, str], Callable[[_Envelope, Fleet], Parsed]] = {
    ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"): _terminating,
    ("aws.autoscaling", "EC2 Instance Terminate Successful"): _activity,
    ("aws.autoscaling", "EC2 Instance Launch Successful"): _activity,
}

SOURCES: Mapping[str, tuple[str, ...]] = {
    source: tuple(kind for of, kind in _PARSERS if of == source) for source in dict.fromkeys(of for of, _ in _PARSERS)
}
"""Source -> detail-types: what a rule has to match so that every parser is fed. Derived, so that none is forgotten."""
