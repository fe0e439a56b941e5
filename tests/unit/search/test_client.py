"""The client's own decisions, on played nodes: acknowledgements, batches, explanations."""

import json
from collections.abc import Iterator

import pytest
from tests.unit.search.conftest import FIRST, Bench, certificate
from tests.unit.search.nodes import Asked

from vagus.errors import Unreachable
from vagus.fleet import Engine
from vagus.owned import SettingsUpdate
from vagus.search.client import LONGEST_PATH, SearchClient
from vagus.search.engines import ELASTICSEARCH, dialect
from vagus_local.certificates import Authority

FULL, HERE = {"decision": "NO", "explanation": "too full"}, {"decision": "NO", "explanation": "a copy is here"}
BUSY, FINE = {"decision": "THROTTLE", "explanation": "busy"}, {"decision": "YES", "explanation": "fine"}
DECISIONS = [
    {"node_name": "i-1", "deciders": [HERE, BUSY]},
    {"node_name": "i-2", "deciders": [FULL, FINE]},
    {"node_name": "i-3", "deciders": [FINE]},
]


@pytest.fixture
def client(bench: Bench, authority: Authority) -> Iterator[SearchClient]:
    made = SearchClient([FIRST], certificate(authority), bench.first.port)
    yield made
    made.close()


def test_an_update_carries_its_layers_and_both_time_outs(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = lambda _: (200, '{"acknowledged": true}')
    client.update_settings(SettingsUpdate(persistent={"a": "1", "b": None}))
    (asked,) = bench.first.asked
    assert asked.path == "/_cluster/settings?cluster_manager_timeout=10s&timeout=10s"
    assert json.loads(asked.body) == {"persistent": {"a": "1", "b": None}}


def test_an_update_that_not_every_node_confirmed_has_no_known_outcome(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = lambda _: (200, '{"acknowledged": false}')
    with pytest.raises(Unreachable, match="confirmed"):
        client.update_settings(SettingsUpdate(persistent={"a": "1"}))


def test_elasticsearch_is_asked_for_its_master(bench: Bench, authority: Authority) -> None:
    bench.first.reply = lambda _: (200, '{"acknowledged": true}')
    client = SearchClient([FIRST], certificate(authority), bench.first.port, ELASTICSEARCH)
    client.update_settings(SettingsUpdate(persistent={"a": "1"}))
    assert bench.first.asked[0].path == "/_cluster/settings?master_timeout=10s&timeout=10s"
    assert dialect(Engine(name="elasticsearch", version="7.17.29")) is ELASTICSEARCH
    client.close()


def flushed(asked: Asked) -> tuple[int, str]:
    return 200, '{"_shards": {"total": 2, "successful": 2, "failed": 0}}'


def test_no_index_is_no_flush_for_it_would_be_one_of_all(bench: Bench, client: SearchClient) -> None:
    client.flush([])
    assert bench.first.asked == []


def test_many_indices_are_flushed_in_requests_that_the_engine_takes(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = flushed
    names = [f"claims-{n:04}-{'x' * 200}" for n in range(40)]
    client.flush(names)
    paths = [asked.path for asked in bench.first.asked]
    assert len(paths) > 1
    assert all(len(path) < LONGEST_PATH + 300 for path in paths)
    assert [name for path in paths for name in path[1:].partition("/_flush")[0].split(",")] == names


def test_an_index_name_is_escaped(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = flushed
    client.flush(["<a/b?c>"])
    assert bench.first.asked[0].path.startswith("/%3Ca%2Fb%3Fc%3E/_flush?")


def test_a_copy_that_was_not_flushed_is_told(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = lambda _: (200, '{"_shards": {"total": 2, "successful": 1, "failed": 1}}')
    with pytest.raises(Unreachable, match="1 of 2"):
        client.flush(["claims"])


def test_an_explanation_has_a_line_per_objecting_node_shortest_first(bench: Bench, client: SearchClient) -> None:
    bench.first.reply = lambda _: (200, json.dumps({"node_allocation_decisions": DECISIONS}))
    words = client.explain("claims", 0, primary=False, node="i-9")
    assert words == "i-2: too full\ni-1: a copy is here; busy"
    assert json.loads(bench.first.asked[0].body) == {
        "index": "claims",
        "shard": 0,
        "primary": False,
        "current_node": "i-9",
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"allocate_explanation": "waits for data"}, "waits for data"),
        ({"rebalance_explanation": "is balanced"}, "is balanced"),
        ({}, "no decider objects"),
    ],
)
def test_without_objections_the_engines_summary_stands(
    bench: Bench, client: SearchClient, said: dict[str, str], words: str
) -> None:
    bench.first.reply = lambda _: (200, json.dumps(said))
    assert client.explain("claims", 0, primary=True) == words
