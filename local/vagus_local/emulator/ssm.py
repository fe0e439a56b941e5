"""Systems Manager: Command documents whose own shell text runs on the instance they are sent to."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ministack.core import responses
from ministack.services import ec2, ssm

from vagus_local.emulator.seams import HANDLERS, Answer, Properties, json_actions, json_answer, refusal, replace

_IMAGES = {
    f"/aws/service/ami-amazon-linux-latest/al2023-ami{kind}-kernel-{kernel}-{architecture}": image
    for kind in ("", "-minimal")
    for kernel in ("default", "6.1", "6.12")
    for architecture, image in (("arm64", "ami-0c2023a1b2c3d4e60"), ("x86_64", "ami-0c2023a1b2c3d4e5f"))
}
"""Amazon Linux 2023 as templates ask for it. The image itself plays no part: an instance runs VAGUS_BOOT."""

documents = responses.AccountRegionScopedDict()
"""Name -> {"Content": parsed, "Format": str, "Type": str, "Version": int, "Created": epoch}"""


def _store(name: str, content: Any, kind: str, version: int = 1) -> None:
    parsed = json.loads(content) if isinstance(content, str) else content
    documents[name] = {"Content": parsed, "Type": kind, "Version": version, "Created": ssm._now_epoch()}
    ssm._SHELL_DOCUMENTS.add(name)


def _create(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
    name = properties.get("Name") or f"{stack}-{logical_id}-{uuid.uuid4().hex[:12]}"
    _store(name, properties["Content"], properties.get("DocumentType", "Command"))
    return name, {"Name": name}


def _update(physical_id: str, _old: Properties, new: Properties, _stack: str) -> tuple[str, dict[str, str]]:
    version = documents[physical_id]["Version"] + 1
    _store(physical_id, new["Content"], new.get("DocumentType", "Command"), version)
    return physical_id, {"Name": physical_id}


def _delete(physical_id: str, _properties: Properties) -> None:
    documents.pop(physical_id, None)


def _description(name: str) -> dict[str, Any]:
    document = documents[name]
    parameters = [
        {"Name": key, "Type": spec["type"], "Description": spec.get("description", "")}
        | ({"DefaultValue": str(spec["default"])} if "default" in spec else {})
        for key, spec in document["Content"].get("parameters", {}).items()
    ]
    return {
        "Name": name,
        "Owner": responses.get_account_id(),
        "Status": "Active",
        "DocumentVersion": str(document["Version"]),
        "LatestVersion": str(document["Version"]),
        "DefaultVersion": str(document["Version"]),
        "DocumentType": document["Type"],
        "DocumentFormat": "JSON",
        "SchemaVersion": document["Content"].get("schemaVersion", ""),
        "CreatedDate": document["Created"],
        "PlatformTypes": ["Linux"],
        "Parameters": parameters,
    }


def _unknown(name: str) -> Answer:
    return refusal("InvalidDocument", f"Document with name {name} does not exist.")


def _create_document(data: dict[str, Any]) -> Answer:
    if data["Name"] in documents:
        return refusal("DocumentAlreadyExists", f"The specified document already exists: {data['Name']}")
    _store(data["Name"], data["Content"], data.get("DocumentType", "Command"))
    return json_answer({"DocumentDescription": _description(data["Name"])})


def _get_document(data: dict[str, Any]) -> Answer:
    document = documents.get(data["Name"])
    if not document:
        return _unknown(data["Name"])
    body = {
        "Name": data["Name"],
        "DocumentVersion": str(document["Version"]),
        "Status": "Active",
        "Content": json.dumps(document["Content"]),
        "DocumentType": document["Type"],
        "DocumentFormat": "JSON",
    }
    return json_answer(body)


def _describe_document(data: dict[str, Any]) -> Answer:
    if data["Name"] not in documents:
        return _unknown(data["Name"])
    return json_answer({"Document": _description(data["Name"])})


def _delete_document(data: dict[str, Any]) -> Answer:
    if data["Name"] not in documents:
        return _unknown(data["Name"])
    documents.pop(data["Name"])
    return json_answer({})


def _values(document: dict[str, Any], given: dict[str, list[str]]) -> dict[str, str]:
    """Parameter -> value, defaults included; KeyError names one that is missing."""
    defaults = {k: str(v["default"]) for k, v in document.get("parameters", {}).items() if "default" in v}
    return defaults | {key: values[0] for key, values in given.items()}


def _problem(document: dict[str, Any], given: dict[str, list[str]]) -> str | None:
    declared, values = document.get("parameters", {}), _values(document, given)
    for key in values:
        if key not in declared:
            return f"Parameter {key} is not declared by the document"
    for key, spec in declared.items():
        value = values.get(key)
        if value is None:
            return f"Parameter {key} is missing"
        if not re.fullmatch(spec.get("allowedPattern", ".*"), value, re.DOTALL):
            return f"Parameter {key} does not match {spec['allowedPattern']}"
        if value not in spec.get("allowedValues", [value]):
            return f"Parameter {key} is not one of {spec['allowedValues']}"
    return None


def _checked(old: Any) -> Any:
    def send(data: dict[str, Any]) -> Any:
        name = data.get("DocumentName", "")
        if name not in documents:
            return old(data) if name.startswith("AWS-") else _unknown(name)
        if problem := _problem(documents[name]["Content"], data.get("Parameters") or {}):
            return refusal("InvalidParameters", problem)
        return old(data)

    return send


def _shell(old: Any) -> Any:
    def argv(data: dict[str, Any]) -> list[str]:
        stored = documents.get(data["DocumentName"])
        if not stored:
            given: list[str] = old(data)
            return given
        values = _values(stored["Content"], data.get("Parameters") or {})
        lines = [line for step in stored["Content"]["mainSteps"] for line in step["inputs"]["runCommand"]]
        text = "\n".join(re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: values[found[1]], line) for line in lines)
        return ["/bin/sh", "-c", text]

    return argv


def _tagged(old: Any) -> Any:
    """Targets by tag (`tag:Name`): running instances that carry one of the values."""

    def targets(data: dict[str, Any]) -> list[str]:
        found = list(old(data))
        for target in data.get("Targets") or []:
            key = str(target.get("Key", ""))
            if key.startswith("tag:"):
                found += [i for i in _running() if _tag(i, key[4:]) in target["Values"] and i not in found]
        return found

    return targets


def _running() -> list[str]:
    return [i for i, record in ec2._instances.items() if record["State"]["Name"] == "running"]


def _tag(instance: str, key: str) -> str | None:
    return next((t["Value"] for t in ec2._tags.get(instance, []) if t["Key"] == key), None)


def _invocations(data: dict[str, Any]) -> Answer:
    commands = [ssm._commands.get(data["CommandId"])] if data.get("CommandId") else list(ssm._commands.values())
    wanted = {one["key"]: one["value"] for one in data.get("Filters") or []}
    after = datetime.fromisoformat(wanted["InvokedAfter"]).timestamp() if "InvokedAfter" in wanted else 0.0
    found = [
        _invocation(command, instance, invocation, bool(data.get("Details")))
        for command in commands
        if command and command["RequestedDateTime"] >= after
        for instance, invocation in command["Invocations"].items()
        if data.get("InstanceId") in (None, instance)
        and invocation["DocumentName"] == wanted.get("DocumentName", invocation["DocumentName"])
    ]
    return json_answer({"CommandInvocations": found})


def _invocation(command: dict[str, Any], instance: str, invocation: dict[str, Any], details: bool) -> dict[str, Any]:
    shown = {key: invocation[key] for key in ("CommandId", "DocumentName", "Status", "StatusDetails", "Comment")}
    plugin = {
        "Name": invocation["PluginName"],
        "Status": invocation["Status"],
        "StatusDetails": invocation["StatusDetails"],
        "ResponseCode": invocation["ResponseCode"],
        "Output": (invocation["StandardOutputContent"] + invocation["StandardErrorContent"])[:2500],
    }
    requested = {"InstanceId": instance, "RequestedDateTime": command["RequestedDateTime"]}
    return shown | requested | {"CommandPlugins": [plugin] if details else []}


def install() -> None:
    ssm._PUBLIC_AMI_PARAMETERS |= _IMAGES
    HANDLERS["AWS::SSM::Document"] = {"create": _create, "update": _update, "delete": _delete}
    replace(ssm, "_command_target_ids", _tagged(ssm._command_target_ids))
    replace(ssm, "_shell_argv", _shell(ssm._shell_argv))
    replace(ssm, "_send_command", _checked(ssm._send_command))
    actions: dict[str, Callable[[dict[str, Any]], Answer]] = {
        "CreateDocument": _create_document,
        "GetDocument": _get_document,
        "DescribeDocument": _describe_document,
        "DeleteDocument": _delete_document,
        "ListCommandInvocations": _invocations,
    }
    json_actions("ssm", "AmazonSSM", actions)
