"""AUTH=true: what an action of ours is checked against, so that a policy for one cluster does not open another.

Plain ministack enforces the roles' policies, but knows neither the ARN nor the tags of our groups, takes a document
for a parameter, knows no path of parameters, lets SendCommand reach instances that the policy does not name, takes a
role's session for its `aws:PrincipalArn` (a policy that denies all but some roles denies these too), and has no
`dynamodb:LeadingKeys` (a role may write every partition) and no `events:source` (it may put none at all).
"""

import json
import re
import uuid
from typing import Any

import ministack.app as app
from ministack.core import iam_actions, iam_evaluator, responses, router
from ministack.services import dynamodb, ec2, iam, ssm

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
        if service == "ssm" and action == "GetParametersByPath":
            return region_arn("ssm", f"parameter{_json(body).get('Path', '')}")
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
        found = {**old(service, action, body, parameters), **_context(service, _tags(service, parameters))}
        asked = {"dynamodb": _leading_keys, "events": _sources}.get(service)
        return found | (asked(_json(body)) if asked else {})

    return context


def _sources(data: dict[str, Any]) -> dict[str, Any]:
    """events:source of PutEvents. AWS asks for each entry; here a batch of several sources is of none."""
    sources = {str(one.get("Source", "")) for one in data.get("Entries", []) if isinstance(one, dict)}
    return {"events:source": ",".join(sorted(sources))} if sources else {}


def _leading_keys(data: dict[str, Any]) -> dict[str, Any]:
    """The partitions that a request names: by item, key, each item of a transaction, or a query's condition."""
    asked = [next(iter(one.values())) for one in data.get("TransactItems", [])] or [data]
    keys = [_leading_key(one) for one in asked if isinstance(one, dict)]
    return {"dynamodb:leadingkeys": [key for key in keys if key]} if any(keys) else {}


def _leading_key(asked: dict[str, Any]) -> str:
    hash_key = _hash_key(str(asked.get("TableName", "")))
    item = asked.get("Item") or asked.get("Key") or {}
    if hash_key in item:
        return str(next(iter(item[hash_key].values())))
    equals = re.search(rf"(?:^|\W){re.escape(hash_key)}\s*=\s*(:\w+)", str(asked.get("KeyConditionExpression", "")))
    value = asked.get("ExpressionAttributeValues", {}).get(equals[1], {}) if equals else {}
    return str(next(iter(value.values()), ""))


def _hash_key(table: str) -> str:
    schema = (dynamodb._tables.get(table.rpartition("/")[2]) or {}).get("KeySchema", [])
    return next((str(one["AttributeName"]) for one in schema if one["KeyType"] == "HASH"), "")


def _who(old: Any) -> Any:
    """aws:PrincipalArn: of a role's session, the role's own ARN, not that of the session."""

    def value(key: str, context: Any) -> Any:
        found = old(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        name = iam_evaluator._role_name_from_assumed_arn(found)
        return (iam._roles.get_scoped(context.principal_account, None, name) or {}).get("Arn", found)

    return value


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
    replace(iam_evaluator, "_resolve_condition_key", _who(iam_evaluator._resolve_condition_key))
    replace(iam_actions, "request_tag_context", _conditions(iam_actions.request_tag_context))
    extend(app.SERVICE_HANDLERS, "ssm", _instances_too)
