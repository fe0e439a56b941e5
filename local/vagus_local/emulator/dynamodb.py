"""DynamoDB: TTL and point-in-time recovery from templates; expiry on demand, with the stream record that AWS writes."""

from typing import Any

from ministack.core import responses
from ministack.services import dynamodb

from vagus_local.emulator.seams import Properties, also, call


def _dropped(table: str, properties: Properties) -> None:
    if "TimeToLiveSpecification" in properties:
        call(
            "dynamodb",
            "update_time_to_live",
            TableName=table,
            TimeToLiveSpecification=properties["TimeToLiveSpecification"],
        )
    if "PointInTimeRecoverySpecification" in properties:
        call(
            "dynamodb",
            "update_continuous_backups",
            TableName=table,
            PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"],
        )


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
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def install() -> None:
    also("AWS::DynamoDB::Table", _dropped)
