"""How a member comes, waits and goes. Every function is called with `model.lock` held.

    Pending -> [Pending:Wait -> Pending:Proceed] -> InService
    InService -> Terminating -> [Terminating:Wait -> Terminating:Proceed | Terminating:Retained] -> gone

A terminate hook cannot be refused: CONTINUE, ABANDON and time-out all end it, except that ABANDON (or a time-out whose
default it is) retains the instance where the group's lifecycle policy says so.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from ministack.services import ec2 as rows

from vagus_local.emulator import ec2
from vagus_local.emulator.autoscaling import capacity, events, model
from vagus_local.emulator.autoscaling.model import Activity, Group, Member, Result, Wait
from vagus_local.emulator.launch import Launch, template_data
from vagus_local.emulator.seams import after

_RELAUNCH = 5.0
"""Seconds (scaled as hooks are) until a failed launch is tried again: AWS backs off too."""


listeners: list[Callable[[Group], None]] = []
"""Called after each change of a group's members: an instance refresh goes on."""


def _told(group: Group) -> None:
    for listener in listeners:
        listener(group)


def hook_seconds(seconds: float) -> float:
    """Hooks' seconds as VAGUS_HOOK_SCALE has them (1 = as on AWS)."""
    return seconds * float(os.environ.get("VAGUS_HOOK_SCALE", "1"))


# ------------------------------------------------------------------ size


def reconcile(group: Group) -> None:
    """Launch or terminate until the counted members are as many as desired."""
    replacements = sum(1 for m in group.members.values() if m.replaces)  # there beside the one they replace
    missing = group.desired - len(group.counted()) + replacements
    if missing > 0 and "Launch" not in group.suspended:
        for _ in range(missing):
            if launch(group, f"an instance was started to bring the group to {group.desired}.") is None:
                try_later(group)
                break
    _shrink(group)
    _rebalance(group)
    _told(group)


def _shrink(group: Group) -> None:
    """Terminate what is too many. Only what serves can be taken: one that comes is looked at when it serves."""
    replacements = sum(1 for m in group.members.values() if m.replaces)
    surplus = len(group.counted()) - replacements - group.desired
    if surplus > 0 and "Terminate" not in group.suspended:
        for member in capacity.victims(group.members.values(), surplus, group.policies):
            cause = f"an instance was taken out of service to shrink the capacity to {group.desired}."
            terminate(group, member, cause)


def try_later(group: Group) -> None:
    if not group.retrying:
        group.retrying = True
        after(hook_seconds(_RELAUNCH), _try_again, group)


def _try_again(group: Group) -> None:
    with model.lock:
        group.retrying = False
        if model.find(group.name) is group:
            reconcile(group)


def _rebalance(group: Group) -> None:
    """AZRebalance: launch in the emptiest zone first, then take one from the fullest."""
    if group.suspended.keys() & {"AZRebalance", "Launch", "Terminate"} or any(
        m.replaces for m in group.members.values()
    ):
        return
    zone = capacity.imbalance(group.zones, group.members.values())
    if zone is None or len(group.counted()) != group.desired:
        return
    candidates = [m for m in group.members.values() if m.zone == zone]
    for old in capacity.victims(candidates, 1, group.policies):
        launch(group, "an instance was started to rebalance the zones.", replaces=old)


# ------------------------------------------------------------------ coming


def launch(group: Group, cause: str, replaces: Member | None = None) -> Member | None:
    """Start one instance; None when it could not be launched (an activity and an event say why)."""
    zone = capacity.emptiest_zone(group.zones, group.members.values())
    subnet = next((s for s in group.subnets if _zone(s) == zone), rows._DEFAULT_SUBNET_ID)
    activity = group.begin("Launching a new EC2 instance", _cause(cause), zone, subnet if group.subnets else "")
    data = template_data(group.template) if group.template else {}
    if data is None:
        _failed_launch(group, activity, "The specified launch template does not exist.")
        return None
    try:
        instance = ec2.launch(_plan(group, data, subnet, zone))
    except ec2.LaunchError as error:
        _failed_launch(group, activity, str(error))
        return None
    activity.description = f"Launching a new EC2 instance: {instance}"
    member = _member(group, instance, zone, subnet, data, activity)
    member.replaces = replaces.instance if replaces else None
    group.members[instance] = member
    _wait_or(group, member, model.LAUNCHING)
    return member


def _zone(subnet: str) -> str:
    return str(rows._subnets.get(subnet, {}).get("AvailabilityZone", ""))


def _cause(reason: str) -> str:
    return f"At {model.now():%Y-%m-%dT%H:%M:%SZ} {reason}"


def _plan(group: Group, data: dict[str, Any], subnet: str, zone: str) -> Launch:
    plan = Launch.from_template(data, subnet)
    propagated = {str(t["Key"]): str(t.get("Value", "")) for t in group.tags if t.get("PropagateAtLaunch")}
    own = {"aws:autoscaling:groupName": group.name}
    if group.template:
        own["aws:ec2launchtemplate:id"] = group.template.get("LaunchTemplateId", "")
        own["aws:ec2launchtemplate:version"] = str(_version(group.template))
    return plan.placed(zone, dict(plan.tags) | propagated | own)


def _version(template: dict[str, str]) -> int:
    """The number that a version of "$Latest", "$Default" or "3" means now."""
    record = rows._launch_templates.get(template.get("LaunchTemplateId", "")) or {}
    asked = template.get("Version", "$Default")
    if asked == "$Latest":
        return int(record.get("LatestVersionNumber", 1))
    return int(asked) if asked.isdigit() else int(record.get("DefaultVersionNumber", 1))


def _member(group: Group, instance: str, zone: str, subnet: str, data: dict[str, Any], activity: Activity) -> Member:
    version = _version(group.template) if group.template else 0
    return Member(
        instance=instance,
        zone=zone,
        subnet=subnet,
        instance_type=data.get("InstanceType", "t3.micro"),
        template=group.template | {"Version": str(version)} if group.template else {},
        template_version=version,
        activity=activity,
        protected=group.protect_new,
    )


def _failed_launch(group: Group, activity: Activity, message: str) -> None:
    activity.finish("Failed", message)
    events.instance_event("EC2 Instance Launch Unsuccessful", group, activity, "", "EC2", "AutoScalingGroup")


def _in_service(group: Group, member: Member) -> None:
    member.state = "InService"
    member.activity.finish("Successful")
    events.instance_event(
        "EC2 Instance Launch Successful", group, member.activity, member.instance, "EC2", "AutoScalingGroup"
    )
    old = group.members.get(member.replaces or "")
    member.replaces = None
    if old and not old.leaving:
        terminate(group, old, "an instance was taken out of service because it was replaced.")
    _shrink(group)
    _told(group)


# ------------------------------------------------------------------ waiting


def _wait_or(group: Group, member: Member, transition: str) -> None:
    """Wait for the hooks of a transition, or go on at once when there are none."""
    hooks = group.hooks_of(transition)
    if not hooks:
        _proceed(group, member)
        return
    member.state = "Pending:Wait" if transition == model.LAUNCHING else "Terminating:Wait"
    member.activity.status = "MidLifecycleAction"
    for hook in hooks:
        wait = member.waits[hook.name] = Wait(hook, time.monotonic())
        _arm(group, member, wait)
        events.hook_event(group, member, hook, wait)


def _arm(group: Group, member: Member, wait: Wait) -> None:
    """(Re)start the time-out: HeartbeatTimeout from now, but never beyond the hook's longest wait."""
    if wait.timer:
        wait.timer.cancel()
    beat = hook_seconds(wait.hook.timeout)
    end = wait.started + hook_seconds(wait.hook.longest)
    wait.beats += 1
    wait.timer = after(min(beat, end - time.monotonic()), _timed_out, group, member, wait, wait.beats)


def _timed_out(group: Group, member: Member, wait: Wait, beats: int) -> None:
    with model.lock:
        # a heartbeat or an answer may have come while this timer waited for the lock
        if member.waits.get(wait.hook.name) is wait and wait.beats == beats:
            complete(group, member, wait, wait.hook.default)


def heartbeat(group: Group, member: Member, wait: Wait) -> None:
    _arm(group, member, wait)


def complete(group: Group, member: Member, wait: Wait, result: Result) -> None:
    """One hook is answered. ABANDON ends the wait for all of them, CONTINUE waits for the others."""
    if wait.timer:
        wait.timer.cancel()
    member.waits.pop(wait.hook.name, None)
    if result == "ABANDON":
        _drop_waits(member)
        _abandoned(group, member)
    elif not member.waits:
        _proceed(group, member)


def _drop_waits(member: Member) -> None:
    for wait in member.waits.values():
        if wait.timer:
            wait.timer.cancel()
    member.waits.clear()


def _abandoned(group: Group, member: Member) -> None:
    if member.state == "Terminating:Wait":
        if group.retain:
            member.state = "Terminating:Retained"
            member.activity.status, member.activity.message = "InProgress", "The instance is retained."
        else:
            _proceed(group, member)
        return
    # a launch that was abandoned ends without terminate hooks, and the group tries again
    failed, member.replaces = member.activity, None
    failed.finish("Failed", "Lifecycle action completed with ABANDON result.")
    events.instance_event("EC2 Instance Launch Unsuccessful", group, failed, member.instance, "EC2", "AutoScalingGroup")
    member.activity = _begin_termination(group, member, "a launch lifecycle hook was abandoned.")
    _proceed(group, member)


def _proceed(group: Group, member: Member) -> None:
    if member.leaving:
        member.state = "Terminating:Proceed"
        ec2.terminate(member.instance)  # departed() follows when it is down
    else:
        member.state = "Pending:Proceed"
        _in_service(group, member)


# ------------------------------------------------------------------ going


def terminate(group: Group, member: Member, cause: str) -> None:
    """Begin to take a member out; one that leaves already is left alone, one that is retained goes now."""
    if member.state == "Terminating:Retained":
        _proceed(group, member)
    if member.leaving:
        return
    _drop_waits(member)
    member.activity = _begin_termination(group, member, cause)
    _wait_or(group, member, model.TERMINATING)


def _begin_termination(group: Group, member: Member, cause: str) -> Activity:
    member.state = "Terminating"
    return group.begin(f"Terminating EC2 instance: {member.instance}", _cause(cause), member.zone, member.subnet)


def on_instance_state(instance: str, state: str) -> None:
    """EC2 says that an instance entered a state."""
    with model.lock:
        found = model.group_of(instance)
        if found is None:
            return
        group, member = found
        if state == "terminated" and member.leaving:
            departed(group, member)
        elif state == "shutting-down" and member.leaving:
            _drop_waits(member)  # somebody terminated it: no hook holds that up
            member.state = "Terminating:Proceed"
        elif state in ("shutting-down", "stopped") and "HealthCheck" not in group.suspended:
            unhealthy(group, member)


def unhealthy(group: Group, member: Member) -> None:
    """A health check, or a person, says Unhealthy: replace it, unless that is suspended."""
    member.health = "Unhealthy"
    if group.suspended.keys() & {"ReplaceUnhealthy", "Terminate"} or not member.counted:
        return
    if ec2.state(member.instance) in ("shutting-down", "terminated", None):
        _taken_away(group, member)
    elif not any(m.replaces == member.instance for m in group.members.values()):
        _replace(group, member)


def _replace(group: Group, member: Member) -> None:
    """Launch first where the maintenance policy says 100-200 % and the old one still runs, else terminate first."""
    running = ec2.state(member.instance) == "running"
    if group.launch_before_terminate and running and "Launch" not in group.suspended:
        launch(group, "an instance was launched in response to an unhealthy instance.", replaces=member)
        return
    terminate(group, member, "an instance was taken out of service in response to an EC2 health check.")
    reconcile(group)


def _taken_away(group: Group, member: Member) -> None:
    """A person or a Spot reclaim terminated it: it leaves without hooks, and is replaced at once."""
    _drop_waits(member)
    cause = "an instance was taken out of service in response to an EC2 health check: it has been terminated."
    member.activity = _begin_termination(group, member, cause)
    member.state = "Terminating:Proceed"
    if ec2.state(member.instance) == "shutting-down":
        reconcile(group)
    else:
        departed(group, member)


def departed(group: Group, member: Member) -> None:
    """The instance is down: it leaves the group."""
    group.members.pop(member.instance, None)
    if model.find(group.name) is not group:
        return  # the group was deleted meanwhile
    member.activity.finish("Successful")
    origin, destination = "AutoScalingGroup", "EC2"
    events.instance_event(
        "EC2 Instance Terminate Successful", group, member.activity, member.instance, origin, destination
    )
    reconcile(group)


def delete_hook(group: Group, name: str) -> None:
    """A hook that goes lets its waiting instances go on: launching ones abandoned, terminating ones continued."""
    group.hooks.pop(name, None)
    for member in list(group.members.values()):
        if wait := member.waits.get(name):
            complete(group, member, wait, "CONTINUE" if member.leaving else "ABANDON")


def take_away(member: Member) -> None:
    """Terminate without hooks: its group is being deleted."""
    _drop_waits(member)
    member.state = "Terminating:Proceed"
    ec2.terminate(member.instance)


def detach(group: Group, member: Member) -> Activity:
    """Out of the group, no hook run, running on."""
    _drop_waits(member)
    group.members.pop(member.instance)
    return _done(group, member, f"Detaching EC2 instance: {member.instance}")


def stand_by(group: Group, member: Member) -> Activity:
    member.state = "Standby"
    return _done(group, member, f"Moving EC2 instance to Standby: {member.instance}")


def back_in_service(group: Group, member: Member) -> Activity:
    member.state = "InService"
    return _done(group, member, f"Moving EC2 instance out of Standby: {member.instance}")


def _done(group: Group, member: Member, description: str) -> Activity:
    activity = group.begin(description, _cause("a user asked for it."), member.zone, member.subnet)
    activity.finish("Successful")
    return activity
