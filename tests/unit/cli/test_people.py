"""`vagus approve | stop | resume | takeover`: what a person says, and what it leaves behind."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import pytest

from vagus import owned
from vagus.approval import Approval
from vagus.errors import Denied
from vagus.owned import SettingsUpdate
from vagus.ports import Put, Row
from vagus.procedure import records, rows
from vagus.procedure.head import ensure_running
from vagus.procedure.rows import Head
from vagus.rooms import ROOMS
from vagus.steps import Heartbeat
from vagus.weights import STRICT
from vagus.zone_balance import voting
from vagus_cli import people_commands
from vagus_cli.world import UsageFault

Scene = Any

DATA = "demo-data-us-east-1a"
ANNA = "arn:aws:iam::000000000000:user/anna"
HOUR = 3600.0


def _head(scene: Scene) -> Head:
    return rows.read(scene.table, "demo").head("zone_balance")


def _approvals(scene: Scene) -> tuple[Approval, ...]:
    return rows.read(scene.table, "demo", approvals=True).approvals


def _noted(scene: Scene) -> list[tuple[str, str, str]]:
    day = records.iso(scene.now)[:10]
    return [(one.step, one.phase, one.result) for one in records.read(scene.book, "demo", day)]


def _leaves(scene: Scene) -> str:
    leaver: str = scene.instance(DATA)
    scene.groups.scale_in(leaver)
    return leaver


# -- approve ---------------------------------------------------------------------------------------------------------


def test_what_is_approved_is_what_was_shown_and_no_more(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.mode("approve")
    said = scene.run("approve", "demo", "--for", "30m", "--yes")
    assert said.exit_code == 0
    assert f"exclude {leaver} from allocation" in said.stderr
    (given,) = _approvals(scene)
    assert {(act.kind, act.on) for act in given.acts} == {("ExcludeNodes", leaver), ("LetEmptyInstanceGo", leaver)}
    assert (given.person, given.expires) == (ANNA, scene.now + 1800)
    assert _noted(scene) == [("Approve", "intended", ""), ("Approve", "outcome", "done")]
    assert scene.run("plan", "demo").stdout.startswith("demo zone_balance (mode approve)  Steps DRAINING")


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nothing_is_approved(scene: Scene, answer: str) -> None:
    _leaves(scene)
    scene.mode("approve")
    said = scene.run("approve", "demo", stdin=answer)
    assert said.exit_code != 0
    assert _approvals(scene) == ()
    assert _noted(scene) == []


def test_a_yes_is_enough(scene: Scene) -> None:
    _leaves(scene)
    scene.mode("approve")
    assert scene.run("approve", "demo", stdin="y\n").exit_code == 0
    assert len(_approvals(scene)) == 1


def test_json_asks_nobody(scene: Scene) -> None:
    _leaves(scene)
    scene.mode("approve")
    said = scene.run("approve", "demo", "--json")
    assert said.exit_code == 2
    assert "with --json, say --yes" in said.stderr
    assert _approvals(scene) == ()


def test_nothing_is_asked_for(scene: Scene) -> None:
    scene.mode("approve")
    said = scene.run("approve", "demo")
    assert said.exit_code == 0
    assert "zone_balance: nothing is asked for: no instance leaves" in said.stdout
    assert scene.book.partitions() == ()


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("4h", 14400), ("2d", 172800), ("7d", 604800)])
def test_how_long(text: str, seconds: float) -> None:
    assert people_commands.duration(text) == seconds


@pytest.mark.parametrize("text", ["8d", "0h", "4", "h", "-1h", "4 h", "1w"])
def test_no_such_time(text: str) -> None:
    with pytest.raises(UsageFault, match="say minutes, hours or days"):
        people_commands.duration(text)


# -- stop and resume -------------------------------------------------------------------------------------------------


def _kept_at(scene: Scene, leaver: str, at: float) -> None:
    beat = Heartbeat(instance=leaver, group=DATA, hook="vagus-terminate")
    record = records.Record(id="1", phase="outcome", at="", cluster="demo", capability="keeper", execution="",
                            step="Heartbeat", subject=leaver, sentence=beat.sentence, result="done")  # fmt: skip
    records.Book(table=scene.book, clock=lambda: at, new_id=lambda: "1").note(record)


def test_a_stop_says_which_hooks_end_when(scene: Scene) -> None:
    leaver = _leaves(scene)
    began = scene.now
    _kept_at(scene, leaver, began + 1800)
    scene.now += HOUR / 2 + 60
    (told,) = scene.json("stop", "demo", "--capability", "zone_balance", "--why", "an audit")
    assert told["message"] == f"zone_balance is stopped by {ANNA} at {records.iso(scene.now)} (an audit)"
    (hook,) = told["hooks"]
    assert (hook["instance"], hook["since"]) == (leaver, records.iso(began))
    assert hook["last_heartbeat"] == records.iso(began + 1800)
    assert hook["ends_unkept"] == records.iso(began + 1800 + HOUR)
    assert hook["ends_at_latest"] == records.iso(began + 48 * HOUR)
    assert hook["then"] == "retained, and nothing is lost"
    assert _head(scene).state == "paused"


def test_a_stop_of_what_runs_says_that_it_ends_by_itself(scene: Scene) -> None:
    ensure_running(scene.table, scene.machine, "demo", "zone_balance", scene.now, records.iso(scene.now))
    said = scene.run("stop", "demo", "--capability", "zone_balance")
    assert "demo-zone_balance-1 ends by itself at its next look" in said.stdout
    assert (_head(scene).state, _head(scene).paused_by) == ("running", ANNA)


def test_a_stop_and_a_resume_are_recorded_and_a_run_starts_at_once(scene: Scene) -> None:
    scene.run("stop", "demo", "--capability", "zone_balance")
    scene.now += 1
    said = scene.run("resume", "demo", "--capability", "zone_balance")
    assert "zone_balance goes on: demo-zone_balance-1" in said.stdout
    assert list(scene.machine.started) == ["demo-zone_balance-1"]
    assert not _head(scene).paused
    assert [one[0] for one in _noted(scene)] == ["Stop", "Stop", "Resume", "Resume"]


def test_a_resume_of_what_is_not_stopped_does_nothing(scene: Scene) -> None:
    assert "zone_balance is not stopped" in scene.run("resume", "demo").stdout
    assert scene.machine.started == {}
    assert scene.book.partitions() == ()


def test_a_resume_just_after_a_stop_in_the_console_starts_the_next_run(scene: Scene) -> None:
    """No sweep has noted the stop yet: it must not note it after the resume, and pause what a person resumed."""
    ensure_running(scene.table, scene.machine, "demo", "zone_balance", scene.now, records.iso(scene.now))
    scene.machine.end("demo-zone_balance-1", "ABORTED")
    assert "zone_balance goes on: demo-zone_balance-2" in scene.run("resume", "demo").stdout
    assert _head(scene).state == "running"


def test_a_capability_that_there_is_not(scene: Scene) -> None:
    said = scene.run("stop", "demo", "--capability", "zone_ballance")
    assert said.exit_code == 2
    assert f"there is no capability zone_ballance (there are: {', '.join(ROOMS)})" in said.stderr


# -- status ----------------------------------------------------------------------------------------------------------


def test_status_shows_the_stop_the_approvals_and_what_is_ours(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.mode("approve")
    scene.run("approve", "demo", "--yes")
    scene.run("stop", "demo", "--why", "an audit")
    marked = {owned.EXCLUDE: f"{leaver},i-other", owned.MARK: leaver}
    scene.engine.update_settings(SettingsUpdate(persistent=marked))
    said = scene.run("status", "demo")
    assert said.exit_code == 4
    assert "(mode approve)  paused" in said.stdout
    assert f"stopped by {ANNA} at {records.iso(scene.now)} (an audit)" in said.stdout
    assert f"approved by {ANNA} until {records.iso(scene.now + 4 * HOUR)}: ExcludeNodes {leaver}" in said.stdout
    assert f"excluded from allocation by Vagus: {leaver}" in said.stdout
    assert "excluded from allocation by people: i-other" in said.stdout


# -- takeover --------------------------------------------------------------------------------------------------------


class GoneTable:
    """A table that was deleted, or that one may not use."""

    def read(self, partition: str, prefix: str = "") -> dict[str, Row]:
        raise Denied("dynamodb:Query", f"not on {partition}{prefix}")

    def write(self, partition: str, *puts: Put) -> None:
        raise Denied("dynamodb:PutItem", f"not on {partition} ({len(puts)})")


def _body(commands: list[Mapping[str, str]], what: str) -> Any:
    (command,) = [one["command"] for one in commands if one["what"].startswith(what)]
    words = shlex.split(command)
    return json.loads(words[words.index("-d") + 1])


def test_a_takeover_stops_and_shows_the_way_to_go_on_by_hand(scene: Scene) -> None:
    leaver = _leaves(scene)
    marked = {owned.EXCLUDE: f"i-old,{leaver},i-theirs", owned.MARK: f"i-old,{leaver}", owned.TOKEN: "3"}
    scene.engine.update_settings(SettingsUpdate(persistent=marked))
    taken = scene.json("takeover", "demo")
    assert taken["stopped"] == [
        f"{room} is stopped by {ANNA} at {records.iso(scene.now)} (taken over)" for room in ROOMS
    ]
    assert (taken["ours"], taken["by_hand"], taken["unseen"]) == (sorted(["i-old", leaver]), ["i-theirs"], [])
    assert [hook["instance"] for hook in taken["hooks"]] == [leaver]
    assert _body(taken["commands"], "drain") == {
        "persistent": {owned.EXCLUDE: ",".join(sorted(["i-old", "i-theirs", leaver]))}
    }
    assert _body(taken["commands"], "give back")["persistent"] == {
        owned.EXCLUDE: "i-theirs", owned.MARK: None, owned.TOKEN: None}  # fmt: skip
    letting_go = [one["command"] for one in taken["commands"] if one["what"].startswith(f"let {leaver} go: ONLY")]
    assert letting_go == [
        "aws --region us-east-1 autoscaling complete-lifecycle-action --auto-scaling-group-name "
        f"{DATA} --lifecycle-hook-name vagus-terminate --instance-id {leaver} --lifecycle-action-result CONTINUE"
    ]
    assert scene.groups.completed == []
    assert scene.engine.persistent == marked


def test_giving_back_by_hand_leaves_nothing_of_ours(scene: Scene) -> None:
    marked = {owned.EXCLUDE: "i-old,i-theirs", owned.MARK: "i-old", owned.TOKEN: "3"}
    scene.engine.update_settings(SettingsUpdate(persistent=marked))
    body = _body(scene.json("takeover", "demo")["commands"], "give back")
    scene.engine.update_settings(SettingsUpdate(persistent=body["persistent"]))
    assert scene.engine.persistent == {owned.EXCLUDE: "i-theirs"}


def test_weights_of_ours_are_taken_away_before_searches_for_certain_nodes_are_refused_again(scene: Scene) -> None:
    assert not [one for one in scene.json("takeover", "demo")["commands"] if "weights" in one["command"]]
    kept = {"set": "false", "persistent": None, "transient": None}
    marked = {STRICT.setting: "false", STRICT.mark: json.dumps(kept), owned.TOKEN: "3"}
    scene.engine.update_settings(SettingsUpdate(persistent=marked))
    commands = scene.json("takeover", "demo")["commands"]
    at = next(at for at, one in enumerate(commands) if one["what"].startswith("have every zone searched again"))
    assert commands[at + 1]["what"].startswith("give back")
    assert _body(commands, "give back")["persistent"][STRICT.setting] is None
    assert "-d @weights.json" in commands[at]["command"]
    assert commands[at]["command"].count('"https://$NODE:9200/_cluster/routing/awareness/zone/weights"') == 2


def test_a_vote_that_was_taken_is_cleared_by_hand_and_then_its_mark(scene: Scene) -> None:
    manager = scene.engine.voters[0]
    scene.engine.update_settings(SettingsUpdate(persistent={voting.MARK: manager}))
    scene.engine.take_vote(manager)
    commands = scene.json("takeover", "demo")["commands"]
    (clears,) = [one for one in commands if one["what"].startswith("clear all voting exclusions")]
    assert clears["command"].endswith(
        '-X DELETE "https://$NODE:9200/_cluster/voting_config_exclusions?wait_for_removal=false"'
    )
    assert _body(commands, "then take Vagus' mark")["persistent"] == {voting.MARK: None}


def test_where_people_exclude_transiently_a_drain_by_hand_does_too(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.engine.update_settings(SettingsUpdate(transient={owned.EXCLUDE: "i-theirs"}))
    body = _body(scene.json("takeover", "demo")["commands"], "drain")
    assert body == {"transient": {owned.EXCLUDE: ",".join(sorted([leaver, "i-theirs"]))}}


def test_what_was_excluded_by_hand_alone_is_taken_back_by_hand(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.engine.update_settings(SettingsUpdate(persistent={owned.EXCLUDE: "i-theirs"}))
    commands = scene.json("takeover", "demo")["commands"]
    assert _body(commands, "drain") == {"persistent": {owned.EXCLUDE: ",".join(sorted([leaver, "i-theirs"]))}}
    assert _body(commands, f"take back what you excluded to drain {leaver}") == {
        "persistent": {owned.EXCLUDE: "i-theirs"}
    }
    assert not [one for one in commands if one["what"].startswith("give back")]


def test_a_takeover_without_tables_says_so_and_goes_on(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.table = scene.book = GoneTable()
    taken = scene.json("takeover", "demo")
    assert "could NOT be stopped (Denied: dynamodb:PutItem" in taken["stopped"][0]
    assert [hook["instance"] for hook in taken["hooks"]] == [leaver]
    assert taken["commands"][0]["what"].startswith("stop zone_balance's run")
    assert "stepfunctions stop-execution" in taken["commands"][0]["command"]


def test_a_takeover_of_a_cluster_that_does_not_answer_still_shows_the_hooks(scene: Scene) -> None:
    leaver = _leaves(scene)
    scene.engine.unreachable = True
    said = scene.run("takeover", "demo")
    assert said.exit_code == 0
    assert "not seen: the cluster: Unreachable" in said.stdout
    assert f"{leaver} waits since" in said.stdout
    assert f"keep {leaver} waiting" in said.stdout


def test_a_takeover_lets_an_instance_into_service_and_a_group_launch_again(scene: Scene) -> None:
    scene.groups.hold_launches(DATA)
    scene.groups.set_desired(DATA, 2)
    scene.now += 600
    scene.groups.settle()
    scene.groups.suspend_launching("demo-data-us-east-1b")
    (comes,) = [one.id for group in scene.groups.describe() for one in group.instances if one.waits_to_serve]
    said = {one["what"].partition(":")[0]: one["command"] for one in scene.json("takeover", "demo")["commands"]}
    assert said[f"let {comes} into service"] == (
        f"aws --region us-east-1 autoscaling complete-lifecycle-action --auto-scaling-group-name {DATA} "
        f"--lifecycle-hook-name vagus-launch --instance-id {comes} --lifecycle-action-result CONTINUE"
    )
    (resume,) = [command for command in said.values() if "resume-processes" in command]
    assert resume.endswith("--auto-scaling-group-name demo-data-us-east-1b --scaling-processes Launch")
