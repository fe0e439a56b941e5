"""EC2: instances with a machine under them, from a launch template, in the subnet's zone, with volumes and events.

Plain ministack ignores launch templates, zones and block devices on launch, terminates in no time, sends no events,
and matches unknown filters with everything. An AMI that ministack would boot as a container is a machine of the
hypervisor's here like any other.
"""

import re
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import ec2

from vagus_local.emulator import instance_role
from vagus_local.emulator.addresses import AddressPool, Exhausted
from vagus_local.emulator.eventbridge import emit, region_arn
from vagus_local.emulator.hypervisor import Hypervisor, Machine
from vagus_local.emulator.instance_attributes import PROTECTED, refuses_termination
from vagus_local.emulator.launch import Launch
from vagus_local.emulator.seams import extend, in_scope, override, replace, truth

_STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_SHOWN = 3600.0
"""Seconds that a terminated instance is still described."""
_lock = threading.RLock()
state_listeners: list[Callable[[str, str], None]] = []
"""Called as listener(instance id, state name), in the instance's account and Region, with no lock of ours held."""


class LaunchError(Exception):
    """An instance could not be launched; nothing of it is left."""


class _Host:
    """What install() was given: the hypervisor, and the pool when nodes have addresses of ours."""

    hypervisor: Hypervisor
    pool: AddressPool | None = None


def state(instance: str) -> str | None:
    """pending, running, ... or None for an instance that nobody knows (any more)."""
    record = ec2._instances.get(instance)
    return str(record["State"]["Name"]) if record else None


def launch(plan: Launch) -> str:
    """Run one instance and return its id; LaunchError when the network is full or it cannot boot."""
    record = ec2._launch_instances_internal(
        plan.image, plan.instance_type, plan.subnet, 1, plan.key_name, plan.user_data, list(plan.security_groups)
    )[0]
    instance = str(record["InstanceId"])
    record["Placement"] = {"AvailabilityZone": plan.zone, "Tenancy": "default"}
    record["MetadataOptions"] = dict(plan.metadata)
    record[PROTECTED] = plan.protected
    record["PublicIpAddress"] = record["PublicDnsName"] = ""
    if plan.profile:
        record["IamInstanceProfile"] = ec2._resolve_iam_instance_profile(**plan.profile, allow_missing=True)[0]
    ec2._tags[instance] = [{"Key": k, "Value": v} for k, v in plan.tags.items()]
    _address(instance, record)
    _attach_volumes(instance, record, plan)
    _change(instance, "pending")
    try:
        _boot(instance)
    except OSError as error:
        terminate(instance)
        raise LaunchError(f"the instance cannot boot: {error}") from error
    return instance


def _address(instance: str, record: dict[str, Any]) -> None:
    if _Host.pool is None:
        return
    try:
        address = _Host.pool.take(instance)
    except Exhausted as error:
        ec2._discard_instance_records(record)
        raise LaunchError(str(error)) from error
    record["PrivateIpAddress"] = address
    record["PrivateDnsName"] = f"ip-{address.replace('.', '-')}.ec2.internal"


def _attach_volumes(instance: str, record: dict[str, Any], plan: Launch) -> None:
    root = record["BlockDeviceMappings"][0]
    for device in plan.volumes:
        if device["DeviceName"] == root["DeviceName"]:
            volume, mapping = root["Ebs"]["VolumeId"], root
        else:
            volume = ec2._new_volume_id()
            mapping = {"DeviceName": device["DeviceName"], "Ebs": {**root["Ebs"], "VolumeId": volume}}
            record["BlockDeviceMappings"].append(mapping)
        ebs, is_root = device.get("Ebs", {}), mapping is root
        keep = not truth(ebs.get("DeleteOnTermination", is_root))
        mapping["Ebs"]["DeleteOnTermination"] = not keep
        ec2._volumes[volume] = _volume(volume, instance, plan.zone, device["DeviceName"], ebs, keep)
    for mapping in record["BlockDeviceMappings"]:
        volume = mapping["Ebs"]["VolumeId"]
        ec2._volumes[volume]["AvailabilityZone"] = plan.zone
        if plan.volume_tags:
            ec2._tags[volume] = [{"Key": k, "Value": v} for k, v in plan.volume_tags.items()]


def _volume(volume: str, instance: str, zone: str, device: str, ebs: dict[str, Any], keep: bool) -> dict[str, Any]:
    now = ec2._now_ts()
    attachment = {
        "VolumeId": volume,
        "InstanceId": instance,
        "Device": device,
        "State": "attached",
        "AttachTime": now,
        "DeleteOnTermination": not keep,
    }
    return {
        "VolumeId": volume,
        "Size": int(ebs.get("VolumeSize", 8)),
        "AvailabilityZone": zone,
        "State": "in-use",
        "VolumeType": ebs.get("VolumeType", "gp3"),
        "SnapshotId": ebs.get("SnapshotId", ""),
        "Iops": int(ebs.get("Iops", 3000)),
        "Throughput": int(ebs.get("Throughput", 125)),
        "Encrypted": truth(ebs.get("Encrypted", False)),
        "KmsKeyId": ebs.get("KmsKeyId", ""),
        "CreateTime": now,
        "Attachments": [attachment],
        "MultiAttachEnabled": False,
    }


def _boot(instance: str) -> None:
    record = ec2._instances[instance]
    _Host.hypervisor.boot(
        Machine(
            instance=instance,
            zone=record["Placement"]["AvailabilityZone"],
            address=record["PrivateIpAddress"],
            region=responses.get_region(),
            user_data=record.get("UserData", ""),
            tags={t["Key"]: t["Value"] for t in ec2._tags.get(instance, [])},
            credentials=instance_role.credentials(instance, (record.get("IamInstanceProfile") or {}).get("Arn")),
        )
    )
    _change(instance, "running")


def _change(instance: str, name: str) -> None:
    """Enter a state: record, event, listeners."""
    record = ec2._instances.get(instance)
    if record is None:
        return
    record["State"] = {"Code": _STATES[name], "Name": name}
    detail = {"instance-id": instance, "state": name}
    emit("aws.ec2", "EC2 Instance State-change Notification", [region_arn("ec2", f"instance/{instance}")], detail)
    for listener in state_listeners:
        listener(instance, name)


def _enter(instance: str, name: str, unless: tuple[str, ...]) -> bool:
    """Enter `name` unless the instance is in one of the states; says whether it did."""
    with _lock:
        if state(instance) in (None, *unless):
            return False
        ec2._instances[instance]["State"] = {"Code": _STATES[name], "Name": name}
    _change(instance, name)
    return True


def terminate(instance: str) -> None:
    """Shut down for good. Returns at once; a second call changes nothing."""
    if _enter(instance, "shutting-down", ("shutting-down", "terminated")):
        _Host.hypervisor.halt(instance, in_scope(_terminated, instance))


def _terminated(instance: str) -> None:
    record = ec2._instances.get(instance)
    if record is None:
        return
    for mapping in record["BlockDeviceMappings"]:
        _release(mapping["Ebs"]["VolumeId"], bool(mapping["Ebs"]["DeleteOnTermination"]))
    record.update(BlockDeviceMappings=[], PrivateIpAddress="", PrivateDnsName="", _terminated_at=time.time())
    if association := ec2._find_active_iam_instance_profile_association(instance):
        ec2._mark_iam_instance_profile_association_disassociated(association)
    if _Host.pool:
        _Host.pool.give_back(instance)
    _change(instance, "terminated")


def _release(volume: str, delete: bool) -> None:
    if volume in ec2._volumes and delete:
        del ec2._volumes[volume]
    elif volume in ec2._volumes:
        ec2._volumes[volume].update(State="available", Attachments=[])


def stop(instance: str) -> None:
    """Shut down, keeping address and volumes."""
    if _enter(instance, "stopping", ("stopping", "stopped", "shutting-down", "terminated")):
        _Host.hypervisor.halt(instance, in_scope(_change, instance, "stopped"))


def start(instance: str) -> bool:
    """Boot a stopped instance again; False when it is not stopped."""
    if not _enter(instance, "pending", ("pending", "running", "stopping", "shutting-down", "terminated")):
        return False
    _boot(instance)
    return True


def disturb(instances: list[str], number: signal.Signals) -> dict[str, int]:
    """Signal the processes of instances behind their backs: instance -> how many processes."""
    return {instance: _Host.hypervisor.signal(instance, number) for instance in instances}


def in_zone(zone: str) -> list[str]:
    """Running instances of a zone, in every account and Region."""
    return [
        str(record["InstanceId"])
        for record in ec2._instances.all_values()
        if record["Placement"]["AvailabilityZone"] == zone and record["State"]["Name"] == "running"
    ]


# ------------------------------------------------------------------ API


type Refuses = Callable[[str], tuple[str, str] | None]


def _down(verb: str) -> Refuses:
    """What Stop- and StartInstances say to an instance that is going for good."""

    def refuses(instance: str) -> tuple[str, str] | None:
        said = f"The instance '{instance}' is not in a state from which it can be {verb}."
        return ("IncorrectInstanceState", said) if state(instance) in ("shutting-down", "terminated") else None

    return refuses


def _changes(tag: str, action: Callable[[str], Any], refuses: Refuses) -> Callable[[dict[str, Any]], Any]:
    """The handler of Terminate-, Stop- or StartInstances: check all ids, act on each, answer both states."""

    def handle(parameters: dict[str, Any]) -> Any:
        ids = ec2._parse_member_list(parameters, "InstanceId")
        for instance in ids:
            if instance not in ec2._instances:
                message = f"The instance ID '{instance}' does not exist"
                return ec2._error("InvalidInstanceID.NotFound", message, 400)
        if refusals := [refusal for refusal in map(refuses, ids) if refusal]:
            return ec2._error(*refusals[0], 400)
        items = ""
        for instance in ids:
            before = state(instance)
            action(instance)
            items += f"<item><instanceId>{instance}</instanceId>{_state_xml('previousState', before)}"
            items += f"{_state_xml('currentState', state(instance))}</item>"
        return ec2._xml(200, tag, f"<instancesSet>{items}</instancesSet>")

    return handle


def _state_xml(tag: str, name: str | None) -> str:
    return f"<{tag}><code>{_STATES[name or 'terminated']}</code><name>{name}</name></{tag}>"


def _run_instances(parameters: dict[str, Any]) -> Any:
    plan, refusal = Launch.from_request(parameters)
    if plan is None:
        return refusal
    count = int(ec2._p(parameters, "MaxCount") or 1)
    try:
        ids = [launch(plan) for _ in range(count)]
    except LaunchError as error:
        return ec2._error("InsufficientInstanceCapacity", str(error), 500)
    items = "".join(ec2._instance_xml(ec2._instances[i]) for i in ids)
    inner = f"<instancesSet>{items}</instancesSet><reservationId>r-{ids[0][2:]}</reservationId>"
    return ec2._xml(200, "RunInstancesResponse", f"{inner}<ownerId>{responses.get_account_id()}</ownerId><groupSet/>")


_FILTERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "availability-zone": lambda r: str(r["Placement"]["AvailabilityZone"]),
    "image-id": lambda r: str(r["ImageId"]),
    "instance-id": lambda r: str(r["InstanceId"]),
    "instance-state-code": lambda r: str(r["State"]["Code"]),
    "instance-state-name": lambda r: str(r["State"]["Name"]),
    "instance-type": lambda r: str(r["InstanceType"]),
    "private-ip-address": lambda r: str(r["PrivateIpAddress"]),
    "subnet-id": lambda r: str(r["SubnetId"]),
    "vpc-id": lambda r: str(r["VpcId"]),
}


def _matching(old: Any) -> Any:
    """Values may have the wildcards * and ?; an unknown filter is refused by _known_filters, so none is ignored."""

    def matches(record: dict[str, Any], filters: dict[str, list[str]]) -> bool:
        tagged = {k: v for k, v in filters.items() if k.startswith("tag")}
        own = {k: v for k, v in filters.items() if k in _FILTERS}
        return bool(old(record, tagged)) and all(_fits(_FILTERS[k](record), v) for k, v in own.items())

    return matches


def _fits(value: str, patterns: list[str]) -> bool:
    parts = (re.escape(p).replace(r"\*", ".*").replace(r"\?", ".") for p in patterns)
    return any(re.fullmatch(part, value) for part in parts)


def _known_filters(old: Any) -> Any:
    def describe(parameters: dict[str, Any]) -> Any:
        for name in ec2._parse_filters(parameters):
            if name not in _FILTERS and not name.startswith("tag"):
                return ec2._error("InvalidParameterValue", f"The filter '{name}' is invalid", 400)
        return old(parameters)

    return describe


_EMPTY = re.compile(r"<(keyName|dnsName|ipAddress|privateIpAddress|privateDnsName)></\1>")


def _rendered(old: Any) -> Any:
    """An instance as EC2 shows it: no empty elements, and its metadata options."""

    def render(record: dict[str, Any]) -> str:
        text = _EMPTY.sub("", old(record))
        options = {"HttpTokens": "optional", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
        options |= record.get("MetadataOptions", {})
        shown = "".join(f"<{k[0].lower()}{k[1:]}>{v}</{k[0].lower()}{k[1:]}>" for k, v in options.items())
        return (
            text[: text.rindex("</item>")] + f"<metadataOptions><state>applied</state>{shown}</metadataOptions></item>"
        )

    return render


def _with_key(old: Any) -> Any:
    def render(volume: dict[str, Any]) -> str:
        key = f"<kmsKeyId>{volume['KmsKeyId']}</kmsKeyId>" if volume.get("KmsKeyId") else ""
        return str(old(volume)) + key

    return render


def managed(instance: str) -> bool:
    """Whether SSM reaches it: it runs, and has a machine under it."""
    return state(instance) == "running" and _Host.hypervisor.managed(instance)


def _run(instance: str, argv: list[str]) -> tuple[int, str, str]:
    done = _Host.hypervisor.run(instance, argv)
    return (done.code, done.stdout, done.stderr) if done else (255, "", "the instance has no machine")


def install(hypervisor: Hypervisor, pool: AddressPool | None) -> None:
    _Host.hypervisor, _Host.pool = hypervisor, pool
    handlers = {
        "RunInstances": _run_instances,
        "TerminateInstances": _changes("TerminateInstancesResponse", terminate, refuses_termination),
        "StopInstances": _changes("StopInstancesResponse", stop, _down("stopped")),
        "StartInstances": _changes("StartInstancesResponse", start, _down("started")),
    }
    for name, handler in handlers.items():
        override(ec2._ACTION_MAP, name, handler)
    extend(ec2._ACTION_MAP, "DescribeInstances", _known_filters)
    replace(ec2, "_matches_filters", _matching(ec2._matches_filters))
    replace(ec2, "_instance_xml", _rendered(ec2._instance_xml))
    replace(ec2, "_volume_inner_xml", _with_key(ec2._volume_inner_xml))
    replace(ec2, "exec_in_instance_blocking", _run)
    replace(ec2, "instance_is_managed", managed)
    replace(ec2, "reset", _reset(ec2.reset))
    replace(ec2, "_cleanup_terminated", _forget_terminated)


def _forget_terminated() -> None:
    """EC2 shows a terminated instance for about an hour (plain ministack: a minute)."""
    for instance, record in ec2._instances.items():
        if record["State"]["Name"] == "terminated" and time.time() - record.get("_terminated_at", 0) > _SHOWN:
            ec2._instances.pop(instance, None)


def _reset(old: Any) -> Any:
    def reset() -> None:
        for record in ec2._instances.all_values():
            _Host.hypervisor.signal(str(record["InstanceId"]), signal.SIGKILL)
            if _Host.pool:
                _Host.pool.give_back(str(record["InstanceId"]))
        old()

    return reset
