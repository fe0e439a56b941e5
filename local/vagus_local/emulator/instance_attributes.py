"""Attributes of instances that can be read and set one at a time: termination protection, user data.

Termination protection (DisableApiTermination) holds off TerminateInstances. It does not hold off an Auto Scaling group.
"""

from typing import Any

from ministack.services import ec2

from vagus_local.emulator.seams import extend, truth

PROTECTED = "DisableApiTermination"


def refuses_termination(instance: str) -> tuple[str, str] | None:
    """EC2's code and sentence when TerminateInstances may not touch it."""
    if not ec2._instances[instance].get(PROTECTED):
        return None
    said = f"The instance '{instance}' may not be terminated. Modify its 'disableApiTermination' instance attribute"
    return "OperationNotPermitted", f"{said} and try again."


def _unknown(instance: str) -> Any:
    return ec2._error("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist", 400)


def _described(old: Any) -> Any:
    def describe(parameters: dict[str, Any]) -> Any:
        instance, attribute = ec2._p(parameters, "InstanceId"), ec2._p(parameters, "Attribute")
        record = ec2._instances.get(instance)
        if record is None or attribute not in ("disableApiTermination", "userData"):
            return old(parameters)
        protected = "true" if record.get(PROTECTED) else "false"
        value = protected if attribute == "disableApiTermination" else ec2._esc(record.get("UserData", ""))
        inner = f"<instanceId>{instance}</instanceId><{attribute}><value>{value}</value></{attribute}>"
        return ec2._xml(200, "DescribeInstanceAttributeResponse", inner)

    return describe


def _modify(parameters: dict[str, Any]) -> Any:
    instance = ec2._p(parameters, "InstanceId")
    record = ec2._instances.get(instance)
    if record is None:
        return _unknown(instance)
    value = ec2._p(parameters, f"{PROTECTED}.Value")
    if not value:
        message = f"only {PROTECTED} can be modified here"
        return ec2._error("InvalidParameterCombination", message, 400)
    record[PROTECTED] = truth(value)
    return ec2._xml(200, "ModifyInstanceAttributeResponse", "<return>true</return>")


def install() -> None:
    extend(ec2._ACTION_MAP, "DescribeInstanceAttribute", _described)
    ec2._ACTION_MAP["ModifyInstanceAttribute"] = _modify
