"""A takeover with every function gone: what `vagus takeover` prints, run as it is printed, ends the drain by hand.

It takes this tier's functions away, so that it comes last (by its file's name)."""

import json
import os
import subprocess
from pathlib import Path

from tests.long.commanding import vagus
from tests.long.test_people import CRAWL, DOCUMENTS, fill

from vagus_local.scene import Scene
from vagus_local.waiting import until
from vagus_local.workload import at_work

GROUP = "ward-data-us-east-1b"


def test_with_every_function_gone_the_printed_commands_end_the_drain(ward: Scene, folder: Path, tmp_path: Path) -> None:
    fill(ward, "taken")
    with at_work(ward.stack.application("ward"), ["taken"]) as work:
        ward.await_writes(work, 50)
        ward.slow_recovery(CRAWL)
        leaving, asked = ward.scale_in(GROUP)
        ward.await_step("ExcludeNodes", asked, seconds=180)
        every_function_goes(ward)
        ward.slow_recovery(None)
        taken = json.loads(vagus(folder, "takeover", "ward", "--json"))
        assert ward.rows().head("zone_balance").paused
        assert (taken["ours"], taken["unseen"]) == ([leaving], [])
        hand = Hand(tmp_path, {one["what"]: one["command"] for one in taken["commands"]})
        hand.does("stop zone_balance's run", f"keep {leaving} waiting", "the address of a node", "a certificate that")
        assert ward.rows().head("zone_balance").execution not in running(ward)
        hand.does(f"drain {leaving}")
        until(lambda: not hand.does("what is still on them", fails=True), 240, f"{leaving} is empty", pause=2)
        hand.does(f"let {leaving} go: ONLY")
        until(lambda: ward.state_of(leaving) is None and leaving not in ward.names(), 120, f"{leaving} is gone")
        hand.does("give back what Vagus had set")
        result = work.stop()
    assert (result.failures, result.writes_lost, result.requests_failed) == ((), 0, 0)
    assert ward.settings_of_ours() == {}
    until(ward.green, 120, "the cluster is green without it")
    assert ward.admin.call("GET", "/taken/_count")["count"] >= DOCUMENTS


class Hand:
    """A person's shell, in which the printed commands are run one after the other."""

    def __init__(self, folder: Path, commands: dict[str, str]) -> None:
        self.folder, self.commands = folder, commands
        self.typed: list[str] = []

    def does(self, *beginnings: str, fails: bool = False) -> str:
        """Run the commands that are explained so, and what was run before them that leaves variables: its output.
        `fails`: the last may end with another code than 0, in silence."""
        chosen = [self._of(one) for one in beginnings]
        self.typed += [command for command in chosen if command.startswith("NODE=")]
        script = "\n".join([*self.typed, *(one for one in chosen if one not in self.typed)])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PAGER": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.stderr if fails else done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def _of(self, beginning: str) -> str:
        (found,) = [command for what, command in self.commands.items() if what.startswith(beginning)]
        return found


def every_function_goes(scene: Scene) -> None:
    functions = scene.stack.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    for name in [one["FunctionName"] for page in pages for one in page["Functions"]]:
        functions.delete_function(FunctionName=name)
    assert not functions.list_functions()["Functions"]


def running(scene: Scene) -> set[str]:
    """The executions that run, by name."""
    states = scene.stack.client("stepfunctions")
    return {
        run["name"]
        for machine in states.list_state_machines()["stateMachines"]
        for run in states.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")[
            "executions"
        ]
    }
