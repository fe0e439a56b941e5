"""CloudFormation: AWS::AutoScaling::AutoScalingGroup and ::LifecycleHook."""

from typing import Any

from ministack.services import autoscaling as service
from ministack.services.cloudformation.provisioners import _physical_name

from vagus_local.emulator.autoscaling import lifecycle, model, settings
from vagus_local.emulator.autoscaling.model import Group
from vagus_local.emulator.autoscaling.query import Refusal, invalid
from vagus_local.emulator.seams import HANDLERS, Properties

type Made = tuple[str, dict[str, str]]


def _said(properties: Properties, name: str) -> dict[str, Any]:
    cooldown = {"DefaultCooldown": properties["Cooldown"]} if "Cooldown" in properties else {}
    return {**properties, **cooldown, "AutoScalingGroupName": name}


def _made(group: Group) -> Made:
    return group.name, {"AutoScalingGroupARN": group.arn, "Arn": group.arn}


def _create(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("AutoScalingGroupName") or _physical_name(stack, logical_id, max_len=255)
    with model.lock:
        return _made(settings.create(_said(properties, name)))


def _update(physical_id: str, old: Properties, new: Properties, _stack: str) -> Made:
    """In place. The desired size stays what it is unless the template names another; tags of the API stay."""
    with model.lock:
        group = _existing(physical_id)
        settings.change(group, _said(new, physical_id))
        settings.drop_tags(group, {t["Key"] for t in old.get("Tags", [])})
        settings.put_tags(group, new.get("Tags", []))
        return _made(group)


def _existing(name: str) -> Group:
    group = model.find(name)
    if group is None:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup: {name}")
    return group


def _delete(physical_id: str, _properties: Properties) -> None:
    """CloudFormation shrinks the group to nothing and waits for its hooks; here they are skipped, as by ForceDelete."""
    with model.lock:
        if group := model.find(physical_id):
            if group.deletion_protection != "none":
                raise Refusal("ValidationError", f"The group {physical_id} is protected from deletion.")
            settings.delete(group, force=True)
            service._delete_group_policies(physical_id)


def _hook_create(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("LifecycleHookName") or _physical_name(stack, logical_id, max_len=255)
    with model.lock:
        settings.put_hook(_existing(properties["AutoScalingGroupName"]), {**properties, "LifecycleHookName": name})
    return name, {"LifecycleHookName": name}


def _hook_update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> Made:
    return _hook_create("", {**new, "LifecycleHookName": physical_id}, "")


def _hook_delete(physical_id: str, properties: Properties) -> None:
    with model.lock:
        if group := model.find(properties["AutoScalingGroupName"]):
            lifecycle.delete_hook(group, physical_id)


def install() -> None:
    HANDLERS["AWS::AutoScaling::AutoScalingGroup"] = {"create": _create, "update": _update, "delete": _delete}
    HANDLERS["AWS::AutoScaling::LifecycleHook"] = {
        "create": _hook_create,
        "update": _hook_update,
        "delete": _hook_delete,
    }
