"""OpenSearch 2.19.4 to 3.4.0 on six real nodes with security, in three zones; then what may befall a restart.

The tests build on one another, on one stack: an upgrade, a drain in the middle of a restart, a node that can't start.
"""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from tests.e2e.test_drain import held, indices
from tests.long.commanding import vagus

from vagus.intent import Intent, restart
from vagus.procedure.records import iso
from vagus_local import gate
from vagus_local import stack as stacks
from vagus_local.scene import Scene
from vagus_local.stack import Stack
from vagus_local.waiting import until
from vagus_local.workload import at_work

FLEET = Path(__file__).parents[1] / "fleets" / "upgrade"
pytestmark = pytest.mark.skipif(not gate.available(), reason=gate.REMEDY)

OURS = ("cluster.metadata.vagus.", "cluster.routing.allocation.enable")
ROOM = "rolling_upgrade"


@pytest.fixture(scope="module")
def elder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elder")


@pytest.fixture(scope="module")
def elder_stack(elder_folder: Path) -> Iterator[Stack]:
    fleet = Path(shutil.copytree(FLEET, elder_folder / "fleet"))
    up = stacks.up(fleet=fleet, cell="upgrade", folder=elder_folder)
    yield up
    stacks.down(elder_folder)


@pytest.fixture
def elder(elder_stack: Stack) -> Scene:
    scene = Scene(elder_stack, "elder")
    scene.restore_sizes()
    stacks.wait_green(elder_stack, "elder")
    stacks.wait_serving(elder_stack, "elder")
    return scene


def versions(scene: Scene) -> set[str]:
    return {node["version"] for node in scene.admin.call("GET", "/_cat/nodes?format=json&h=version")}


def await_asked(scene: Scene) -> str:
    """Until a person is asked for the upgrade. Returns what that person reads."""

    def asked() -> str:
        noted = scene.rows().plans.get(ROOM, {})
        return str(noted["message"]) if noted.get("kind") == "Ask" else ""

    return until(asked, 120, lambda: f"the upgrade is asked for (now: {scene.rows().plans.get(ROOM, {})})")


def under_way(scene: Scene) -> Intent:
    """The restart or upgrade that is open."""
    (intent,) = scene.rows().intents_of(ROOM)
    return intent


def kill_apply(scene: Scene) -> int:
    """End the workers of the function that writes, wherever they are. Returns how many there were."""
    name = f"AWS_LAMBDA_FUNCTION_NAME=vagus-{scene.stack.cell}-{ROOM}-apply".encode()
    here, killed = f"AWS_ENDPOINT_URL={scene.stack.endpoint}".encode(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile
        if name in environment and here in environment:
            os.kill(int(process.name), signal.SIGKILL)
            killed += 1
    return killed


def restarted(scene: Scene, asked: float) -> list[str]:
    """The processes that were told to restart since then, by node; one that was told again after a kill counts once."""
    told = {str(r.detail["processes"]): r.subject for r in scene.records_since(asked) if r.step == "RestartNodes"}
    return sorted(told.values())


def nothing_left(scene: Scene) -> bool:
    return not [name for name in scene.settings() if name.startswith(OURS)]


def test_an_upgrade_from_2_to_3_under_load_whose_writer_is_killed_on_the_way(elder: Scene, elder_folder: Path) -> None:
    assert versions(elder) == {"2.19.4"}
    names = indices(elder, "upgraded-a", "upgraded-b")
    before = elder.processes()
    file = Path(elder.stack.fleet) / "elder.yaml"
    file.write_text(file.read_text().replace("2.19.4}", "3.4.0}"))
    stacks.redeploy(elder.stack, elder_folder)
    with at_work(elder.stack.application("elder"), names) as work:
        elder.await_writes(work, 100)
        asked = time.time()
        vagus(elder_folder, "upgrade", "elder", "--without-snapshot")
        wanted, told = under_way(elder), await_asked(elder)
        assert all(name in told for name in before)
        vagus(elder_folder, "approve", "elder", "--yes")
        elder.await_step("BringVersion", asked)
        kills = _killed_now_and_then(elder, wanted)
        result = work.stop()
    print(f"kills: {kills}; {result}; {time.time() - asked:.0f} s")
    held(result)
    assert versions(elder) == {"3.4.0"}
    after = elder.processes()
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    assert restarted(elder, asked) == sorted(before)
    begun = [record.step for record in elder.records_since(asked)]
    assert begun.index("StageEngine") < begun.index("BringVersion") < begun.index("RestartNodes")
    assert kills
    assert nothing_left(elder)


def _killed_now_and_then(scene: Scene, wanted: Intent) -> int:
    """Kill whoever writes at random moments, until the upgrade is closed."""
    kills, pause, next_one = 0, random.Random(7), time.time() + 5  # noqa: S311 (no secret: moments of a test)

    def closed() -> bool:
        nonlocal kills, next_one
        if time.time() > next_one:
            kills += kill_apply(scene)
            next_one = time.time() + pause.uniform(5, 25)
        seen = scene.rows()
        return wanted.id in seen.closed and seen.head(ROOM).state == "idle"

    until(closed, 1200, f"{wanted.id} closed", 0.2)
    return kills


def test_a_drain_in_the_middle_of_a_restart_goes_first_and_the_restart_goes_on(elder: Scene) -> None:
    names = indices(elder, "paused-a")
    before, asked = elder.processes(), time.time()
    wanted = restart(before, iso(asked), "ada")
    with at_work(elder.stack.application("elder"), names) as work:
        elder.await_writes(work, 100)
        elder.ask(wanted)
        until(lambda: len(restarted(elder, asked)) >= 2, 300, "two nodes are restarted")
        leaving, urgent = elder.scale_in("elder-data-us-east-1c")
        elder.await_step("ExcludeNodes", urgent, 300)
        elder.wait_until_closed(wanted)
        result = work.stop()
    held(result)
    records = [record for record in elder.records_since(urgent) if record.step in ("ExcludeNodes", "RestartNodes")]
    first = next(record for record in records if record.step == "ExcludeNodes")
    waited = datetime.fromisoformat(first.at).timestamp() - urgent
    print(f"from the urgent intent to the drain's first write: {waited:.1f} s; {result}")
    gone = [r for r in elder.records_since(urgent) if r.step == "LetEmptyInstanceGo"]
    assert [record.subject for record in gone] == [leaving]
    assert records.index(first) <= 1, "one node at most was begun with when the instance was to leave"
    assert [r for r in records if r.step == "RestartNodes" and r.at > gone[0].at], "it went on afterwards"
    assert leaving not in elder.processes()
    assert not set(elder.processes().values()) & set(before.values())
    assert nothing_left(elder)


def test_a_node_that_does_not_start_stops_it_and_says_why_while_the_others_serve(elder: Scene) -> None:
    """A setting that the engine does not know: its process ends at once. A person is called with its words, mends the
    parameter and starts the service; the other node of the two then follows by itself."""
    names = indices(elder, "stuck-a")
    before, asked = dict(sorted(elder.processes().items())[:2]), time.time()
    ssm, parameter = elder.stack.client("ssm"), f"/vagus/{elder.cluster}/node/settings"
    settings = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
    wanted = restart(before, iso(asked), "ada")
    elder.pages()
    with at_work(elder.stack.application("elder"), names) as work:
        elder.await_writes(work, 100)
        spoilt = json.dumps({**json.loads(settings), "cluster.no_such_setting": "1"})
        ssm.put_parameter(Name=parameter, Value=spoilt, Type="String", Overwrite=True)
        elder.ask(wanted)
        page = until(lambda: next((p for p in elder.pages() if "NODE_NOT_BACK" in p), None), 300, "a person is called")
        stuck = restarted(elder, asked)
        assert len(stuck) == 1
        assert stuck[0] in str(page)
        assert "no_such_setting" in str(page), "the engine's own words"
        assert "cluster.routing.allocation.enable" not in elder.settings(), "replicas are allocated elsewhere"
        ssm.put_parameter(Name=parameter, Value=settings, Type="String", Overwrite=True)
        by_hand(elder, stuck[0], "systemctl start vagus-search")
        elder.wait_until_closed(wanted)
        held(work.stop())
    after = elder.processes()
    assert all(after[name] != process for name, process in before.items())
    assert restarted(elder, asked) == sorted(before)
    assert nothing_left(elder)


def by_hand(scene: Scene, instance: str, command: str) -> None:
    """What a person types on the instance."""
    scene.stack.client("ssm").send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [command]}
    )
