"""DynamoDB as `ports.Table`: one item per row.

Item: `pk` (S, the partition), `sk` (S, the row's key), `version` (N), `data` (S, JSON: floats and nesting come back as
they were, which DynamoDB's own numbers and maps don't promise), `expires` (N, epoch seconds, the table's TTL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.errors import Malformed, Refused
from vagus.ports import Put, Row

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, PutTypeDef

TRANSACTION_ITEMS = 100
"""As many items as DynamoDB takes in one transaction."""


class DynamoTable:
    """Rows of one table."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._name = name

    def read(self, partition: str, prefix: str = "") -> dict[str, Row]:
        """All rows of a partition whose key starts with `prefix`, by key. Raises `Malformed` for a foreign item."""
        values: dict[str, Any] = {":partition": {"S": partition}}
        condition = "pk = :partition"
        if prefix:
            values[":prefix"] = {"S": prefix}
            condition += " AND begins_with(sk, :prefix)"
        pages = self._clients.dynamodb.get_paginator("query")
        items = read(
            "dynamodb",
            lambda: [
                item
                for page in pages.paginate(
                    TableName=self._name,
                    ConsistentRead=True,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
                for item in page["Items"]
            ],
        )
        return {row.key: row for row in (self._row(item) for item in items)}

    def write(self, partition: str, *puts: Put) -> None:
        """All of them or none. Raises `Conflict` if a version has moved on, `Refused` for more than 100 rows."""
        if len({put.key for put in puts}) != len(puts) or not 0 < len(puts) <= TRANSACTION_ITEMS:
            raise Refused(f"a transaction takes 1 to {TRANSACTION_ITEMS} different items, not {len(puts)}")
        items = [self._put(partition, put) for put in puts]
        with translated("dynamodb"):
            if len(items) == 1:  # half the price of a transaction, and half its time
                self._clients.dynamodb.put_item(**items[0])
            else:
                self._clients.dynamodb.transact_write_items(TransactItems=[{"Put": item} for item in items])

    def _put(self, partition: str, put: Put) -> PutTypeDef:
        item: dict[str, AttributeValueTypeDef] = {
            "pk": {"S": partition},
            "sk": {"S": put.key},
            "version": {"N": str(put.expected + 1)},
            "data": {"S": msgspec.json.encode(put.data).decode()},
        }
        if put.expires is not None:
            item["expires"] = {"N": str(put.expires)}
        if put.expected == 0:
            return {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": "#version = :expected",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":expected": {"N": str(put.expected)}},
        }

    def _row(self, item: dict[str, AttributeValueTypeDef]) -> Row:
        try:
            return Row(
                key=item["sk"]["S"],
                version=int(item["version"]["N"]),
                data=msgspec.json.decode(item["data"]["S"], type=dict[str, Any]),
            )
        except (KeyError, ValueError) as error:  # msgspec's errors are ValueErrors
            raise Malformed(
                f"table {self._name}, item {item.get('pk')} {item.get('sk')}: {error!r}; "
                "another program wrote it, or a newer version of this one"
            ) from error
