"""DynamoDB: TTL and point-in-time recovery from templates; expiry on demand, with the stream record that AWS writes."""

from typing import Any

from ministack.core import responses
from ministack.services import dynamodb

from vagus_local.emulator.seams import HANDLERS, Properties, also, call, extend, truth

_EXPIRED = {
    "type": "Service",
    "principalId": "dynamodb.amazonaws.com",
    "Type": "Service",
    "PrincipalId": "dynamodb.amazonaws.com",
}
"""Who removed an expired item. Lambda events write the keys small, GetRecords large: one record serves both here."""


def _dropped(table: str, properties: Properties) -> None:
    """What a Table's template says and ministack does not keep."""
    if "TimeToLiveSpecification" in properties:
        ttl = {k: truth(v) if k == "Enabled" else v for k, v in properties["TimeToLiveSpecification"].items()}
        call("dynamodb", "update_time_to_live", TableName=table, TimeToLiveSpecification=ttl)
    if "PointInTimeRecoverySpecification" in properties:
        enabled = truth(properties["PointInTimeRecoverySpecification"].get("PointInTimeRecoveryEnabled"))
        call(
            "dynamodb",
            "update_continuous_backups",
            TableName=table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )
    if "SSESpecification" in properties:
        _encrypt(table, properties["SSESpecification"])


def _encrypt(table: str, said: dict[str, Any]) -> None:
    wanted = {"Enabled": truth(said.get("SSEEnabled"))} | {
        key: said[key] for key in ("SSEType", "KMSMasterKeyId") if key in said
    }
    call("dynamodb", "update_table", TableName=table, SSESpecification=wanted)


def _global(table: str, properties: Properties) -> None:
    """A GlobalTable (CDK's TableV2) says the same per replica: this Region's counts."""
    here = responses.get_region()
    replica: dict[str, Any] = next((r for r in properties.get("Replicas", []) if r.get("Region") == here), {})
    said = {k: v for k, v in replica.items() if k == "PointInTimeRecoverySpecification"}
    said |= {k: properties[k] for k in ("TimeToLiveSpecification",) if k in properties}
    if "SSESpecification" in properties:
        key = (replica.get("SSESpecification") or {}).get("KMSMasterKeyId")
        said["SSESpecification"] = properties["SSESpecification"] | ({"KMSMasterKeyId": key} if key else {})
    _dropped(table, said)
    if truth(replica.get("DeletionProtectionEnabled")):
        call("dynamodb", "update_table", TableName=table, DeletionProtectionEnabled=True)


def _protected(old: Any) -> Any:
    """CloudFormation fails to delete a protected table, as DeleteTable does."""

    def delete(physical_id: str, properties: Properties) -> Any:
        table = dynamodb._tables.get(physical_id)
        if table and truth(table.get("DeletionProtectionEnabled")):
            raise ValueError(f"Resource cannot be deleted as it is currently protected against deletion: {physical_id}")
        return old(physical_id, properties)

    return delete


def expire(now: float) -> int:
    """Remove every item whose TTL attribute is at or before `now` (epoch seconds); returns how many went."""
    removed = 0
    for (account, region, table), setting in list(dynamodb._ttl_settings.all_items()):
        if setting.get("TimeToLiveStatus") != "ENABLED":
            continue
        with responses.request_scope(account, region), dynamodb._lock:
            for partition, sort in _due(table, setting["AttributeName"], now):
                _remove(table, partition, sort)
                removed += 1
    return removed


def _due(table: str, attribute: str, now: float) -> list[tuple[Any, Any]]:
    rows = (dynamodb._tables.get(table) or {"items": {}})["items"]
    return [
        (partition, sort)
        for partition, row in rows.items()
        for sort, item in row.items()
        if float(item.get(attribute, {}).get("N", "inf")) <= now
    ]


def _remove(table: str, partition: Any, sort: Any) -> None:
    old = dynamodb._remove_item(dynamodb._tables[table], partition, sort)
    dynamodb._emit_stream_event(table, "REMOVE", old, None)
    for record in dynamodb._stream_records.get(table, [])[-1:]:
        record["userIdentity"] = _EXPIRED


def install() -> None:
    also("AWS::DynamoDB::Table", _dropped)
    also("AWS::DynamoDB::GlobalTable", _global)
    for kind in ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"):
        extend(HANDLERS[kind], "delete", _protected)
