"""Table: rows with compare-and-set, the same in DynamoDB and in the fake."""

from typing import Any

import pytest
from tests.integration.contracts.aws_world import state_table
from tests.integration.emulator.support import Aws

from vagus.aws.clients import Clients
from vagus.aws.tables import DynamoTable
from vagus.errors import Conflict, Malformed, Refused
from vagus.ports import Put, Row, Table


def put(key: str, expected: int = 0, expires: int | None = None, **data: Any) -> Put:
    return Put(key=key, data=data, expected=expected, expires=expires)


def test_a_row_that_was_written_is_read_with_its_version(table: Table) -> None:
    table.write("cluster#one", put("head#a", seq=1))
    assert table.read("cluster#one") == {"head#a": Row(key="head#a", version=1, data={"seq": 1})}


def test_json_comes_back_as_it_was(table: Table) -> None:
    data = {
        "float": 1.25,
        "big": 2**53,
        "none": None,
        "list": [1, {"a": []}],
        "text": 'ü " \n',
        "empty": "",
        "yes": True,
    }
    table.write("cluster#one", Put(key="row", data=data, expected=0))
    assert table.read("cluster#one")["row"].data == data


def test_an_unknown_partition_is_empty(table: Table) -> None:
    assert table.read("cluster#none") == {}


def test_partitions_do_not_mix(table: Table) -> None:
    table.write("cluster#one", put("row", of=1))
    table.write("cluster#two", put("row", of=2))
    assert table.read("cluster#one")["row"].data == {"of": 1}


def test_a_prefix_picks_rows(table: Table) -> None:
    table.write("p", put("intent#1"), put("intent#2"), put("head#a"))
    assert list(table.read("p", "intent#")) == ["intent#1", "intent#2"]


def test_each_write_raises_the_version(table: Table) -> None:
    table.write("p", put("row", n=1))
    table.write("p", put("row", expected=1, n=2))
    assert table.read("p")["row"] == Row(key="row", version=2, data={"n": 2})


@pytest.mark.parametrize("expected", [0, 2])
def test_a_version_that_moved_on_is_a_conflict_and_nothing_is_written(table: Table, expected: int) -> None:
    table.write("p", put("row", n=1))
    with pytest.raises(Conflict):
        table.write("p", put("row", expected=expected, n=2))
    assert table.read("p")["row"].data == {"n": 1}


def test_a_row_that_must_exist_and_does_not_is_a_conflict(table: Table) -> None:
    with pytest.raises(Conflict):
        table.write("p", put("row", expected=1))
    assert table.read("p") == {}


def test_of_several_rows_all_are_written_or_none(table: Table) -> None:
    table.write("p", put("a", n=1))
    with pytest.raises(Conflict):
        table.write("p", put("a", expected=1, n=2), put("b", expected=7), put("c"))
    assert {key: row.data for key, row in table.read("p").items()} == {"a": {"n": 1}}
    table.write("p", put("a", expected=1, n=2), put("b"), put("c"))
    assert [row.version for row in table.read("p").values()] == [2, 1, 1]


def test_as_many_rows_as_a_transaction_takes(table: Table) -> None:
    table.write("p", *(put(f"row#{n:03}") for n in range(100)))
    assert len(table.read("p")) == 100


@pytest.mark.parametrize("puts", [[], [put("a"), put("a")], [put(f"row#{n}") for n in range(101)]])
def test_no_row_the_same_twice_or_too_many_are_refused(table: Table, puts: list[Put]) -> None:
    with pytest.raises(Refused):
        table.write("p", *puts)
    assert table.read("p") == {}


def test_a_partition_larger_than_a_page_is_read_whole(table: Table) -> None:
    """DynamoDB gives a page of at most 1 MB."""
    for n in range(5):
        table.write("p", put(f"row#{n}", text="x" * 300_000))
    assert len(table.read("p")) == 5


# -- DynamoDB alone ------------------------------------------------------------------------------------------------


def test_the_time_to_live_is_the_attribute_expires(aws: Aws, clients: Clients) -> None:
    DynamoTable(clients, state_table(aws)).write("p", put("closed", expires=1_800_000_000), put("open"))
    items = {item["sk"]["S"]: item for item in aws.dynamodb.scan(TableName="state")["Items"]}
    assert items["closed"]["expires"] == {"N": "1800000000"}
    assert "expires" not in items["open"]


def test_an_item_that_another_program_wrote_is_named(aws: Aws, clients: Clients) -> None:
    table = DynamoTable(clients, state_table(aws))
    aws.dynamodb.put_item(TableName="state", Item={"pk": {"S": "p"}, "sk": {"S": "foreign"}, "x": {"N": "1"}})
    with pytest.raises(Malformed, match=r"table state.*foreign"):
        table.read("p")


def test_a_table_that_is_not_there_is_refused(clients: Clients) -> None:
    with pytest.raises(Refused, match="ResourceNotFound"):
        DynamoTable(clients, "none").read("p")
