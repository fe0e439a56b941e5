"""What decides where shards may stand, of the engine's answers; and what it says of moves."""

import json

import pytest
from tests.unit.search.conftest import FIRST, Bench, certificate

from vagus.cluster import ShardMove
from vagus.search.answers import Fetches, FlatSettings, Placed, Searches, Settings, decoded
from vagus.search.client import SearchClient
from vagus.search.looking import placement
from vagus_local.certificates import Authority

# as SnapshotsInProgress writes its entries in the cluster's state
STATE = """{"nodes": {"n1": {"name": "i-1", "attributes": {"zone": "a", "temp": "hot"}}},
 "snapshots": {"snapshots": [{"shards": [
  {"index": {"index_name": "claims", "index_uuid": "u"}, "shard": 0, "state": "INIT", "node": "n1"},
  {"index": {"index_name": "claims", "index_uuid": "u"}, "shard": 1, "state": "SUCCESS", "node": "n1"},
  {"index": {"index_name": "letters", "index_uuid": "v"}, "shard": 2, "state": "WAITING", "node": "n1"}]}]}}"""
THRESHOLD = "cluster.routing.allocation.balance.threshold"
MOVE = ShardMove(index="claims", shard=3, primary=True, source="i-1", target="i-2", bytes=5)


def test_placement_is_read_of_its_answers() -> None:
    told = placement(
        decoded(STATE.encode(), Placed, "state"),
        Settings(
            persistent={THRESHOLD: "1.5"}, transient={THRESHOLD: "2.0"}, defaults={THRESHOLD: "1.0", "b": ["x", "y"]}
        ),
        {"claims": FlatSettings({"index.routing.allocation.require.temp": "hot"})},
        Fetches(2),
        decoded(
            b'{"nodes": {"n1": {"indices": {"search": {"query_total": 3, "query_time_in_millis": 40}}}, "n2": {}}}',
            Searches,
            "searches",
        ),
    )
    assert told.ids == {"i-1": "n1"}
    assert told.attributes == {"i-1": {"zone": "a", "temp": "hot"}}
    assert told.settings == {THRESHOLD: "2.0", "b": "x,y"}
    assert told.indices == {"claims": {"index.routing.allocation.require.temp": "hot"}}
    assert told.snapshots == {("claims", 0), ("letters", 2)}
    assert (told.fetches, told.queries, told.query_ms) == (2, 3, 40)


@pytest.mark.parametrize(("dry_run", "asked_for"), [(True, "dry_run=true&explain=true"), (False, "dry_run=false")])
def test_moves_stand_in_one_request_in_their_order(
    bench: Bench, authority: Authority, dry_run: bool, asked_for: str
) -> None:
    bench.first.reply = lambda _: (200, '{"acknowledged": true}')
    client = SearchClient([FIRST], certificate(authority), bench.first.port)
    assert client.reroute([MOVE, MOVE], dry_run=dry_run) == ()
    (asked,) = bench.first.asked
    client.close()
    assert asked_for in asked.path
    moved = {"move": {"index": "claims", "shard": 3, "from_node": "i-1", "to_node": "i-2"}}
    assert json.loads(asked.body) == {"commands": [moved, moved]}


def test_what_deciders_refuse_is_told_and_what_would_wait_is_not(bench: Bench, authority: Authority) -> None:
    def said(decision: str) -> dict[str, object]:
        where = {"index": "claims", "shard": 3, "from_node": "i-1", "to_node": "i-2"}
        deciders = [{"decider": "x", "decision": decision, "explanation": f"it is {decision}"}]
        return {"command": "move", "parameters": where, "decisions": deciders}

    answer = json.dumps({"acknowledged": True, "explanations": [said("YES"), said("THROTTLE"), said("NO")]})
    bench.first.reply = lambda _: (200, answer)
    client = SearchClient([FIRST], certificate(authority), bench.first.port)
    assert client.reroute([MOVE], dry_run=True) == ("claims[3] from i-1 to i-2: it is NO",)
    client.close()
