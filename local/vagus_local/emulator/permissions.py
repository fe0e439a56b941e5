"""AUTH=true: what an action of ours is checked against, so that a policy for one cluster does not open another.

Plain ministack enforces the roles' policies, but knows neither the ARN nor the tags of our groups, takes a document for
a parameter, and lets SendCommand reach instances that the policy does not name.
"""

import json
import uuid
from typing import Any

import ministack.app as app
from ministack.core import iam_actions, iam_evaluator, responses, router
from ministack.services import ec2, ssm

from vagus_local.emulator.autoscaling import model
from vagus_local.emulator.eventbridge import region_arn
from vagus_local.emulator.seams import extend, replace

_DOCUMENT_ACTIONS = ("SendCommand", "GetDocument", "DescribeDocument", "CreateDocument", "DeleteDocument")


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _one(parameters: dict[str, Any], key: str) -> str:
    value = parameters.get(key, "")
    return str((value[0] if value else "") if isinstance(value, list) else value)


def _group(parameters: dict[str, Any]) -> model.Group | None:
    """The group that a request names, itself or by one of its instances."""
    if name := _one(parameters, "AutoScalingGroupName") or _one(parameters, "Tags.member.1.ResourceId"):
        return model.find(name)
    found = model.group_of(_one(parameters, "InstanceId"))
    return found[0] if found else None


def _document_arn(name: str) -> str:
    arn = region_arn("ssm", f"document/{name}")
    return arn.replace(f":{responses.get_account_id()}:", "::") if name.startswith("AWS-") else arn


def _arns(old: Any) -> Any:
    def resource(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], *where: str
    ) -> str:
        if service == "autoscaling" and (group := _group(query)):
            return group.arn
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if service == "ssm" and action in _DOCUMENT_ACTIONS:
            data = _json(body)
            return _document_arn(str(data.get("DocumentName") or data.get("Name", "")))
        return str(old(service, method, path, headers, body, query, *where))

    return resource


def _tags(service: str, parameters: dict[str, Any]) -> dict[str, str]:
    if service == "autoscaling" and (group := _group(parameters)):
        return {tag["Key"]: tag["Value"] for tag in group.tags}
    if service == "ec2" and (instance := _one(parameters, "InstanceId.1")):
        return _instance_tags(instance)
    return {}


def _instance_tags(instance: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance, [])}


def _context(service: str, tags: dict[str, str]) -> dict[str, str]:
    """aws:ResourceTag/k and its twin that services had first (autoscaling:ResourceTag/k, ssm:resourceTag/k)."""
    return {f"{prefix}:resourcetag/{k}".lower(): v for k, v in tags.items() for prefix in ("aws", service)}


def _conditions(old: Any) -> Any:
    def context(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        return {**old(service, action, body, parameters), **_context(service, _tags(service, parameters))}

    return context


def _instances_too(old: Any) -> Any:
    """SendCommand is allowed on the document and on every instance it goes to."""

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        if app.AUTH and headers.get("x-amz-target", "").endswith(".SendCommand"):
            for instance in ssm._command_target_ids(_json(body)):
                if refusal := _refusal(headers, query, str(instance)):
                    return refusal
        return await old(method, path, headers, body, query)

    return handle


def _refusal(headers: dict[str, str], query: dict[str, Any], instance: str) -> Any:
    key, action = router.extract_access_key_id(headers, query), "ssm:SendCommand"
    arn, context = region_arn("ec2", f"instance/{instance}"), _context("ssm", _instance_tags(instance))
    denied = iam_evaluator.enforce(
        key, action, "ssm", responses.get_region(), resource_arn=arn, service_context=context
    )
    if denied is None:
        return None
    principal = getattr(denied, "principal_arn", "")
    return iam_actions.access_denied_response(
        "ssm", action, principal, str(uuid.uuid4()), headers=headers, resource_arn=arn
    )


def install() -> None:
    replace(iam_actions, "extract_resource_arn", _arns(iam_actions.extract_resource_arn))
    replace(iam_actions, "request_tag_context", _conditions(iam_actions.request_tag_context))
    extend(app.SERVICE_HANDLERS, "ssm", _instances_too)
