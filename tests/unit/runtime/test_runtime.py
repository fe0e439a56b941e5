"""What functions do around their capability: calls in, plain JSON out, errors by their class."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.conftest import FakeParts

from vagus import runtime
from vagus.errors import Malformed, Throttled, Unreachable
from vagus.ports import Put, Row
from vagus.procedure import noted_status, records, rows, safety

EVENTS = Path(__file__).parents[3] / "events" / "zone_balance"
GROUP = "demo-data-us-east-1a"


def terminating(parts: FakeParts) -> dict[str, Any]:
    """The event that a data node of zone a begins to leave, which it then does."""
    parts.auto_scaling.scale_in(parts.first(GROUP))
    return dict(parts.auto_scaling.events[-1])


def message(identity: str, body: object) -> dict[str, object]:
    return {"messageId": identity, "body": body if isinstance(body, str) else json.dumps(body)}


def called(parts: FakeParts) -> dict[str, Any]:
    """The input of an execution that intake has just started for a leaving node."""
    runtime.take({"Records": [message("m", terminating(parts))]}, parts)
    (call,) = parts.machine.started.values()
    return dict(call)


def noted(parts: FakeParts) -> list[records.Record]:
    found = [one for name in parts.records.partitions() for one in parts.records.read(name).values()]
    return [records.Record(**one.data) for one in found]


# -- a procedure's two functions -------------------------------------------------------------------------------------


def test_a_look_answers_with_a_plan_and_notes_it(parts: FakeParts) -> None:
    answer = runtime.look("zone_balance", called(parts), parts)
    assert (answer["next"], answer["step"]["kind"], answer["page"]) == ("ExcludeNodes", "ExcludeNodes", False)
    (row,) = parts.rows.read(rows.plan_partition("demo")).values()
    assert row.data["reason"] == "DRAINING"


def test_an_act_does_the_step_of_an_answer_and_records_it(parts: FakeParts) -> None:
    answer = json.loads(json.dumps(runtime.look("zone_balance", called(parts), parts)))  # as Step Functions carries it
    outcome = runtime.act("zone_balance", {"call": answer["call"], "step": answer["step"]}, parts)
    assert outcome["result"] == "done"
    assert parts.first(GROUP) in parts.engine.look().persistent["cluster.routing.allocation.exclude._name"]
    assert [one.phase for one in noted(parts)] == ["intended", "outcome"]


def test_a_look_goes_on_where_somebody_noted_a_newer_plan(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    call = called(parts)
    read = parts.rows.read

    def old(partition: str, prefix: str = "") -> dict[str, Row]:
        found = read(partition, prefix)
        if partition == rows.plan_partition("demo"):
            parts.rows.write(partition, Put(key="plan#zone_balance", data={}, expected=0))
        return found

    monkeypatch.setattr(parts.rows, "read", old)
    assert runtime.look("zone_balance", call, parts)["next"] == "ExcludeNodes"


CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("a call without a cluster", {"capability": "zone_balance", "generation": 1}, "cluster"),
    ("a call of another shape", {"cluster": 7}, "cluster"),
    (
        "a cluster that left the fleet",
        {"cluster": "gone", "capability": "zone_balance", "generation": 1},
        "gone is not in the fleet",
    ),
]


@pytest.mark.parametrize(("sentence", "call", "says"), CALLS, ids=[one[0] for one in CALLS])
def test_calls_that_cant_be_read(parts: FakeParts, sentence: str, call: dict[str, Any], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        runtime.look("zone_balance", call, parts)
    with pytest.raises(Malformed, match=says):
        runtime.act("zone_balance", {"call": call, "step": {"kind": "HandOver"}}, parts)


def test_a_step_of_an_unknown_kind_is_malformed(parts: FakeParts) -> None:
    with pytest.raises(Malformed, match="MoveTheMoon"):
        runtime.act("zone_balance", {"call": called(parts), "step": {"kind": "MoveTheMoon"}}, parts)


def test_kept_awake_each_cluster_was_looked_at(parts: FakeParts) -> None:
    awake = {"keepAwake": True}
    assert runtime.look("zone_balance", awake, parts) == {"looked": 1, "failed": {}}
    assert runtime.act("zone_balance", awake, parts) == {"looked": 1, "failed": {}}


def test_kept_awake_a_cluster_that_does_not_answer_is_named(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent() -> None:
        raise Unreachable("no node answered")

    monkeypatch.setattr(parts.engine, "look", silent)
    answer = runtime.look("zone_balance", {"keepAwake": True}, parts)
    assert answer == {"looked": 0, "failed": {"demo": "Unreachable: no node answered"}}


# -- intake ----------------------------------------------------------------------------------------------------------


def test_an_event_opens_an_intent_and_starts_the_run(parts: FakeParts) -> None:
    event = terminating(parts)
    assert runtime.take({"Records": [message("m", event)]}, parts) == {"batchItemFailures": []}
    assert list(parts.machine.started) == ["demo-zone_balance-1"]
    assert [one.instance for one in rows.read(parts.rows, "demo").intents] == [event["detail"]["EC2InstanceId"]]


def test_only_the_messages_that_fail_are_named(parts: FakeParts) -> None:
    batch = [message("bad", "{"), message("ours", terminating(parts)), message("worse", "[]")]
    failed = runtime.take({"Records": batch}, parts)["batchItemFailures"]
    assert failed == [{"itemIdentifier": "bad"}, {"itemIdentifier": "worse"}]
    assert list(parts.machine.started) == ["demo-zone_balance-1"]


def test_a_message_that_fails_for_now_comes_again(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise Throttled("slow down")

    monkeypatch.setattr(parts.machine, "start", busy)
    failed = runtime.take({"Records": [message("m", terminating(parts))]}, parts)["batchItemFailures"]
    assert failed == [{"itemIdentifier": "m"}]


def test_the_hourly_event_that_keeps_intake_awake_is_none_of_ours(parts: FakeParts) -> None:
    hourly = {"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-01-01T00:00:00Z", "detail": {}}
    assert runtime.take({"Records": [message("m", hourly)]}, parts) == {"batchItemFailures": []}
    assert parts.machine.started == {}


def test_the_last_event_of_an_instance_is_noted(parts: FakeParts) -> None:
    event = terminating(parts)
    runtime.take({"Records": [message("m", event)]}, parts)
    said = noted_status.noted(parts.rows, "demo", 0.0).events[event["detail"]["EC2InstanceId"]]
    assert said == f"EC2 Instance-terminate Lifecycle Action at {event['time']}"


def test_an_event_is_taken_where_it_can_not_be_noted(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    write = parts.rows.write

    def refusing(partition: str, *puts: Put) -> None:
        if partition.startswith("status#"):
            raise Throttled("slow down")
        write(partition, *puts)

    monkeypatch.setattr(parts.rows, "write", refusing)
    assert runtime.take({"Records": [message("m", terminating(parts))]}, parts) == {"batchItemFailures": []}
    assert list(parts.machine.started) == ["demo-zone_balance-1"]


# -- sweep and keeper ------------------------------------------------------------------------------------------------


def test_the_sweep_finds_what_no_event_told(parts: FakeParts) -> None:
    terminating(parts)
    found, other, _ = runtime.sweep(parts)["swept"]
    assert (found["cluster"], found["capability"], found["result"]) == ("demo", "zone_balance", "started")
    assert (other["capability"], other["result"]) == ("rolling_upgrade", "idle")
    assert list(parts.machine.started) == ["demo-zone_balance-1"]


def test_a_cluster_without_a_fleet_file_fails_the_sweep_by_name_after_all_others(parts: FakeParts) -> None:
    terminating(parts)
    parts.auto_scaling.create("old-data-us-east-1a", cluster="old", zone="us-east-1a", desired=0)
    with pytest.raises(runtime.SweepFailed, match="old: no fleet file declares it, yet old-data-us-east-1a stand"):
        runtime.sweep(parts)
    assert list(parts.machine.started) == ["demo-zone_balance-1"]


def test_once_an_hour_the_groups_are_examined_and_an_alarm_can_count(
    parts: FakeParts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts.auto_scaling.create("demo-extra", cluster="demo", zone="us-east-1a", retains=False)
    parts.auto_scaling.hold_launches("demo-extra")
    start = time.time()
    turn = next(start + 60 * minute for minute in range(60) if safety.due("demo", start + 60 * minute))
    for now in (turn, turn + 60):
        monkeypatch.setattr(runtime.time, "time", lambda now=now: now)
        runtime.sweep(parts)
    (told,) = (line for line in lines(caplog) if "BrokenGroupRules" in line)
    assert (told["BrokenGroupRules"], told["Cluster"], told["Cell"]) == (1, "demo", "local")
    (examined,) = (line for line in lines(caplog) if line["message"] == "groups examined")
    assert (examined["level"], len(examined["broken"])) == ("ERROR", 1)
    found = safety.noted(parts.rows, "demo")
    assert found is not None
    assert [(one.group, one.rule) for one in found.violations] == [("demo-extra", "abandoned_is_not_retained")]


def test_the_watch_tells_what_changed_and_logs_it(parts: FakeParts, caplog: pytest.LogCaptureFixture) -> None:
    assert runtime.watch(parts) == {"told": 0}
    parts.engine.start_node("i-new", "us-east-1a")
    assert runtime.watch(parts) == {"told": 1}
    assert [(one.kind, one.event.cell) for one in parts.event_bus.taken] == [("Node Joined", "local")]
    written = [json.loads(runtime.logger.registered_formatter.format(one)) for one in caplog.records]
    assert [line["event"]["changes"][0]["key"] for line in written if line.get("told")] == ["i-new"]


def test_the_watch_says_so_when_a_cluster_could_not_be_watched(parts: FakeParts) -> None:
    runtime.watch(parts)
    parts.engine.start_node("i-new", "us-east-1a")
    parts.event_bus.closed = True
    with pytest.raises(runtime.WatchFailed, match="demo: Unreachable"):
        runtime.watch(parts)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log as CloudWatch gets it."""
    return [json.loads(runtime.logger.registered_formatter.format(one)) for one in caplog.records]


def looked_at(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> float:
    """Sweep in the minute in which the quiet cluster is looked at: when that was."""
    start = time.time()
    turn = next(start + 60 * minute for minute in range(60) if safety.due("demo", start + 60 * minute))
    monkeypatch.setattr(runtime.time, "time", lambda: turn)
    runtime.sweep(parts)
    return turn


def test_the_sweep_tells_figures_as_cloudwatch_reads_them(
    parts: FakeParts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turn = looked_at(parts, monkeypatch)
    (told,) = (line for line in lines(caplog) if "_aws" in line)
    (directive,) = told["_aws"]["CloudWatchMetrics"]
    assert told["_aws"]["Timestamp"] == int(turn * 1000)
    assert directive["Namespace"] == "Vagus"
    named = [one["Name"] for one in directive["Metrics"]]
    assert {"Health", "Nodes", "DiskUsed", "HeapUsed"} <= set(named)
    assert all(isinstance(told[name], int | float) for name in named)
    assert [told[name] for name in directive["Dimensions"][0]] == ["local", "demo"]
    assert "Unreachable" not in named


def test_the_sweep_notes_the_status_of_each_cluster_it_looked_at(
    parts: FakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert noted_status.last(parts.rows, "demo") is None
    turn = looked_at(parts, monkeypatch)
    noted = noted_status.last(parts.rows, "demo")
    assert noted is not None
    assert (noted.at, noted.health.status) == (records.iso(turn), "green")
    assert len(noted.nodes) == 6


def test_a_cluster_that_is_not_seen_is_told_even_where_the_table_refuses_its_status(
    parts: FakeParts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = parts.rows.write

    def refusing(partition: str, *puts: Put) -> None:
        if partition.startswith("status#"):
            raise Throttled("slow down")
        write(partition, *puts)

    monkeypatch.setattr(parts.rows, "write", refusing)
    terminating(parts)
    parts.engine.unreachable = True
    runtime.sweep(parts)
    (told,) = (line for line in lines(caplog) if "_aws" in line)
    assert told["Unreachable"] == 1
    assert "Health" not in told
    assert 47 * 3600 < told["HookSecondsLeft"] <= 48 * 3600
    assert [line["level"] for line in lines(caplog) if line["message"] == "a status was not noted"] == ["ERROR"]


def test_the_keeper_keeps_and_notes_it_afterwards(parts: FakeParts) -> None:
    instance = terminating(parts)["detail"]["EC2InstanceId"]
    before = parts.auto_scaling.expires(instance)
    assert len(runtime.keep(parts)["sent"]) == 1
    assert parts.auto_scaling.expires(instance) > before
    (record,) = noted(parts)
    assert (record.cluster, record.capability, record.subject, record.result) == ("demo", "keeper", instance, "done")


def test_the_keeper_needs_no_table(parts: FakeParts, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = terminating(parts)["detail"]["EC2InstanceId"]
    before = parts.auto_scaling.expires(instance)

    def down(*_: object) -> None:
        raise Unreachable("no endpoint answered")

    monkeypatch.setattr(parts.records, "write", down)
    assert len(runtime.keep(parts)["sent"]) == 1
    assert parts.auto_scaling.expires(instance) > before


def test_the_keeper_says_so_when_one_could_not_be_kept_and_keeps_the_others(
    parts: FakeParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminating(parts)
    second = parts.first("demo-data-us-east-1b")
    parts.auto_scaling.scale_in(second)
    heartbeat = parts.auto_scaling.heartbeat

    def half(group: str, hook: str, instance: str) -> bool:
        if group == GROUP:
            raise Throttled("slow down")
        return heartbeat(group, hook, instance)

    monkeypatch.setattr(parts.auto_scaling, "heartbeat", half)
    with pytest.raises(runtime.KeeperFailed, match="slow down"):
        runtime.keep(parts)
    assert [one.subject for one in noted(parts)] == [second]
