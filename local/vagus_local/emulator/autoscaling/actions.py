"""The API of Auto Scaling: one function per action, from a request to a reply. Each runs with `model.lock` held."""

from typing import Any

from ministack.services import autoscaling as service

from vagus_local.emulator import ec2
from vagus_local.emulator.autoscaling import lifecycle, model, refresh, replies, settings
from vagus_local.emulator.autoscaling.model import PROCESSES, Group, Member, Wait
from vagus_local.emulator.autoscaling.query import Action, handler, invalid

type Request = dict[str, Any]
type Reply = dict[str, Any]


def _group(request: Request) -> Group:
    group = model.find(request["AutoScalingGroupName"])
    if group is None:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup: {request['AutoScalingGroupName']}")
    return group


def _member(instance: str) -> tuple[Group, Member]:
    found = model.group_of(instance)
    if found is None:
        raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance}")
    return found


def _members(group: Group, request: Request) -> list[Member]:
    ids = request.get("InstanceIds", [])
    if unknown := [i for i in ids if i not in group.members]:
        raise invalid(f"The instance {unknown[0]} is not part of Auto Scaling group {group.name}.")
    return [group.members[i] for i in ids]


# ------------------------------------------------------------------ groups


def create_group(request: Request) -> Reply:
    settings.create(request)
    return {}


def update_group(request: Request) -> Reply:
    settings.change(_group(request), request)
    return {}


def delete_group(request: Request) -> Reply:
    group = _group(request)
    settings.delete(group, force=bool(request.get("ForceDelete")))
    service._delete_group_policies(group.name)
    return {}


def describe_groups(request: Request) -> Reply:
    names = request.get("AutoScalingGroupNames")
    chosen = [
        g for g in model.all_groups() if (not names or g.name in names) and _tagged(g, request.get("Filters", []))
    ]
    return {"AutoScalingGroups": [replies.group(g) for g in chosen]}


def _tagged(group: Group, filters: list[dict[str, Any]]) -> bool:
    return all(_fits(group, f["Name"], f["Values"]) for f in filters)


def _fits(group: Group, name: str, values: list[str]) -> bool:
    if name == "tag-key":
        return any(t["Key"] in values for t in group.tags)
    if name == "tag-value":
        return any(t["Value"] in values for t in group.tags)
    if name.startswith("tag:"):
        return any(t["Key"] == name[4:] and t["Value"] in values for t in group.tags)
    raise invalid(f"{name} is not a valid filter: use tag-key, tag-value or tag:<key>")


def set_desired(request: Request) -> Reply:
    group, desired = _group(request), request["DesiredCapacity"]
    if desired > group.maximum:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is above max value {group.maximum} for the AutoScalingGroup."
        )
    if desired < group.minimum:
        raise invalid(
            f"New SetDesiredCapacity value {desired} is below min value {group.minimum} for the AutoScalingGroup."
        )
    group.desired = desired
    lifecycle.reconcile(group)
    return {}


def suspend(request: Request) -> Reply:
    group = _group(request)
    group.suspended |= dict.fromkeys(_processes(request), "User suspended")
    return {}


def resume(request: Request) -> Reply:
    group = _group(request)
    for name in _processes(request):
        group.suspended.pop(name, None)
    _health_check(group)
    lifecycle.reconcile(group)
    return {}


def _health_check(group: Group) -> None:
    """Look at what may have been missed while processes were suspended."""
    for member in list(group.members.values()):
        down = ec2.state(member.instance) in ("stopped", "shutting-down", "terminated", None)
        if member.health == "Unhealthy" or (down and "HealthCheck" not in group.suspended):
            lifecycle.unhealthy(group, member)


def _processes(request: Request) -> list[str]:
    names: list[str] = request.get("ScalingProcesses") or list(PROCESSES)
    if unknown := [n for n in names if n not in PROCESSES]:
        raise invalid(f"{unknown[0]} is not a valid scaling process.")
    return names


# ------------------------------------------------------------------ instances


def describe_instances(request: Request) -> Reply:
    wanted = request.get("InstanceIds")
    found = [
        replies.instance_details(group, member)
        for group in model.all_groups()
        for member in group.members.values()
        if not wanted or member.instance in wanted
    ]
    return {"AutoScalingInstances": found}


def terminate_instance(request: Request) -> Reply:
    group, member = _member(request["InstanceId"])
    if request["ShouldDecrementDesiredCapacity"] and member.counted:
        _decrement(group, 1)
    lifecycle.terminate(group, member, "an instance was taken out of service in response to a user request.")
    lifecycle.reconcile(group)
    return {"Activity": replies.activity(group, member.activity)}


def _decrement(group: Group, number: int) -> None:
    if group.desired - number < group.minimum:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.minimum}). Terminating instance without replacement will"
            " violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower"
            " group's min size."
        )
    group.desired -= number


def set_health(request: Request) -> Reply:
    group, member = _member(request["InstanceId"])
    status = request["HealthStatus"]
    if status not in ("Healthy", "Unhealthy"):
        raise invalid("Valid instance health states are: [Healthy, Unhealthy].")
    if status == "Healthy":
        member.health = "Healthy"
    else:
        lifecycle.unhealthy(group, member)
    return {}


def set_protection(request: Request) -> Reply:
    for member in _members(_group(request), request):
        member.protected = request["ProtectedFromScaleIn"]
    return {}


def detach(request: Request) -> Reply:
    """No hook is run; the instance goes on running, outside the group."""
    group = _group(request)
    members = _members(group, request)
    if request["ShouldDecrementDesiredCapacity"]:
        _decrement(group, sum(m.counted for m in members))
    activities = [lifecycle.detach(group, member) for member in members]
    lifecycle.reconcile(group)
    return {"Activities": [replies.activity(group, a) for a in activities]}


def enter_standby(request: Request) -> Reply:
    group = _group(request)
    members = _members(group, request)
    if wrong := [m for m in members if m.state != "InService"]:
        raise invalid(f"The instance {wrong[0].instance} is not in InService.")
    if request["ShouldDecrementDesiredCapacity"]:
        _decrement(group, len(members))
    activities = [lifecycle.stand_by(group, member) for member in members]
    lifecycle.reconcile(group)
    return {"Activities": [replies.activity(group, a) for a in activities]}


def exit_standby(request: Request) -> Reply:
    group = _group(request)
    members = _members(group, request)
    if wrong := [m for m in members if m.state != "Standby"]:
        raise invalid(f"The instance {wrong[0].instance} is not in Standby.")
    if group.desired + len(members) > group.maximum:
        raise invalid("Exiting standby would exceed the group's max size.")
    group.desired += len(members)
    return {"Activities": [replies.activity(group, lifecycle.back_in_service(group, m)) for m in members]}


def describe_activities(request: Request) -> Reply:
    """Newest first, in pages of MaxRecords (100): NextToken is where the next page starts."""
    name = request.get("AutoScalingGroupName")
    groups = [_group(request)] if name else model.all_groups()
    wanted = request.get("ActivityIds")
    found = [replies.activity(g, a) for g in groups for a in g.activities if not wanted or a.id in wanted]
    start, size = int(request.get("NextToken") or 0), int(request.get("MaxRecords") or 100)
    more = {"NextToken": str(start + size)} if len(found) > start + size else {}
    return {"Activities": found[start : start + size]} | more


# ------------------------------------------------------------------ hooks


def put_hook(request: Request) -> Reply:
    settings.put_hook(_group(request), request)
    return {}


def describe_hooks(request: Request) -> Reply:
    group, names = _group(request), request.get("LifecycleHookNames")
    return {"LifecycleHooks": [replies.hook(group, h) for h in group.hooks.values() if not names or h.name in names]}


def describe_hook_types(_: Request) -> Reply:
    return {"LifecycleHookTypes": [model.LAUNCHING, model.TERMINATING]}


def delete_hook(request: Request) -> Reply:
    lifecycle.delete_hook(_group(request), request["LifecycleHookName"])
    return {}


def _waiting(request: Request) -> tuple[Group, Member, Wait]:
    group, token, instance = _group(request), request.get("LifecycleActionToken"), request.get("InstanceId")
    for member in group.members.values():
        wait = member.waits.get(request["LifecycleHookName"])
        if wait and (wait.token == token if token else member.instance == instance):
            return group, member, wait
    said = f"token {token}" if token else f"instance ID {instance}"
    raise invalid(f"No active Lifecycle Action found with {said}")


def complete_action(request: Request) -> Reply:
    result = request["LifecycleActionResult"]
    if result not in ("CONTINUE", "ABANDON"):
        raise invalid("LifecycleActionResult must be CONTINUE or ABANDON.")
    lifecycle.complete(*_waiting(request), result)
    return {}


def heartbeat(request: Request) -> Reply:
    lifecycle.heartbeat(*_waiting(request))
    return {}


# ------------------------------------------------------------------ instance refresh


def start_refresh(request: Request) -> Reply:
    return {"InstanceRefreshId": refresh.start(_group(request), request.get("Preferences", {})).id}


def cancel_refresh(request: Request) -> Reply:
    return {"InstanceRefreshId": refresh.cancel(_group(request)).id}


def describe_refreshes(request: Request) -> Reply:
    group, ids = _group(request), request.get("InstanceRefreshIds")
    return {"InstanceRefreshes": [replies.refresh(group, one) for one in group.refreshes if not ids or one.id in ids]}


# ------------------------------------------------------------------ tags


def put_tags(request: Request) -> Reply:
    for tag in request["Tags"]:
        settings.put_tags(_group({"AutoScalingGroupName": tag["ResourceId"]}), [tag])
    return {}


def delete_tags(request: Request) -> Reply:
    for tag in request["Tags"]:
        settings.drop_tags(_group({"AutoScalingGroupName": tag["ResourceId"]}), {tag["Key"]})
    return {}


def describe_tags(_: Request) -> Reply:
    return {"Tags": [tag for group in model.all_groups() for tag in group.tags]}


ACTIONS: dict[str, Action] = {
    "CancelInstanceRefresh": cancel_refresh,
    "CompleteLifecycleAction": complete_action,
    "CreateAutoScalingGroup": create_group,
    "CreateOrUpdateTags": put_tags,
    "DeleteAutoScalingGroup": delete_group,
    "DeleteLifecycleHook": delete_hook,
    "DeleteTags": delete_tags,
    "DescribeAutoScalingGroups": describe_groups,
    "DescribeAutoScalingInstances": describe_instances,
    "DescribeInstanceRefreshes": describe_refreshes,
    "DescribeLifecycleHookTypes": describe_hook_types,
    "DescribeLifecycleHooks": describe_hooks,
    "DescribeScalingActivities": describe_activities,
    "DescribeTags": describe_tags,
    "DetachInstances": detach,
    "EnterStandby": enter_standby,
    "ExitStandby": exit_standby,
    "PutLifecycleHook": put_hook,
    "RecordLifecycleActionHeartbeat": heartbeat,
    "ResumeProcesses": resume,
    "SetDesiredCapacity": set_desired,
    "SetInstanceHealth": set_health,
    "SetInstanceProtection": set_protection,
    "StartInstanceRefresh": start_refresh,
    "SuspendProcesses": suspend,
    "TerminateInstanceInAutoScalingGroup": terminate_instance,
    "UpdateAutoScalingGroup": update_group,
}


def _locked(action: Action) -> Action:
    def run(request: Request) -> Reply:
        with model.lock:
            return action(request)

    return run


def install() -> None:
    for name, action in ACTIONS.items():
        service._ACTION_MAP[name] = handler(name, _locked(action))
    ec2.state_listeners.append(lifecycle.on_instance_state)
    lifecycle.listeners.append(refresh.go_on)
