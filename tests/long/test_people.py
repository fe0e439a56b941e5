"""STOPPING VAGUS KILLS NO DATA: whatever holds it back for longer than a hook lasts, the instance lives and its data is
there. And a deploy in mid-drain: what is under way goes on with the new code, in the new mode."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tests.e2e.test_drain import held
from tests.long.commanding import vagus

from vagus_local.scene import Scene
from vagus_local.stack import redeploy, wait_green
from vagus_local.waiting import until
from vagus_local.workload import at_work, create_indices

GROUP = "ward-data-us-east-1b"
SHORT, USUAL = 60, 3600
"""Seconds of the terminate hook: here, where the keeper is called every other second, not each minute; and usually.
Where little CPU was left, the keeper's calls were seen to be 36 s apart while everything was deployed."""
DOCUMENTS = 4000
CRAWL = "8kb"
"""So slowly (a second) do shards move that a drain lasts minutes."""
APPLY, KEEPER, SWEEP = "vagus-e2e-zone_balance-apply", "vagus-e2e-keeper", "vagus-e2e-sweep"


class Kept:
    """A keeper that is called every other second: when it kept all who wait (monotonic seconds), and why it did not."""

    def __init__(self) -> None:
        self.at: list[float] = [time.monotonic()]
        self.faults: list[str] = []

    def longest_gap(self) -> float:
        """Seconds between two good calls, the longest."""
        return max((after - before for before, after in pairwise([*self.at, time.monotonic()])), default=0.0)


def test_a_deploy_of_another_mode_in_mid_drain_asks_before_it_goes_on(ward: Scene, fleet: Path, folder: Path) -> None:
    """All functions are replaced while shards move; the keeper misses less than a twelfth of a hook's hour."""
    fill(ward, "deployed")
    with at_work(ward.stack.application("ward"), ["deployed"]) as work:
        ward.await_writes(work, 50)
        ward.slow_recovery(CRAWL)
        leaving, asked = ward.scale_in(GROUP)
        ward.await_step("ExcludeNodes", asked, seconds=180)
        with kept(ward) as keeper, mode_approve(ward, fleet, folder):
            gap, faults = keeper.longest_gap(), tuple(keeper.faults)
            assert ward.instances()[leaving][1] == "Terminating:Wait"
            ward.slow_recovery(None)
            ward.await_reason("APPROVAL_NEEDED", 240)
            assert any("approve it with `vagus approve ward`" in page.lower() for page in ward.pages())
            vagus(folder, "approve", "ward", "--yes")
            ward.wait_until_settled(leaving)
        held(work.stop())
    print(f"while everything was deployed the keeper's good calls were {gap:.0f} s apart at most; failed: {faults}")
    assert gap < USUAL / 12
    steps = [record.step for record in ward.records_since(asked)]
    assert steps.count("ExcludeNodes") == 1, "the drain went on where it was"
    assert not ward.without_outcome()


@pytest.mark.usefixtures("asks")
def test_whatever_holds_vagus_back_outlasts_no_instance(ward: Scene, folder: Path) -> None:
    fill(ward, "kept")
    ward.slow_recovery(CRAWL)  # so that the stop comes while shards move
    with hook_of(ward, SHORT), kept(ward):
        leaving, asked = ward.scale_in(GROUP)
        ward.await_reason("APPROVAL_NEEDED", 240)
        outlives(ward, leaving, "nobody answers")
        with no_record_table(ward):
            vagus(folder, "approve", "ward", "--yes")
            ward.await_reason("TOO_MANY_FAILURES", 240)
            outlives(ward, leaving, "no record can be written")
            assert {one.step for one in ward.records_since(asked)} == {"Approve"}, "no write without a record"
            press_stop(ward)
        outlives(ward, leaving, "stopped in the console")
        assert "console" in ward.rows().head("zone_balance").paused_by
        vagus(folder, "resume", "ward")
        ward.await_step("ExcludeNodes", asked, seconds=240)  # the run that was stopped holds its lease to the end
        vagus(folder, "stop", "ward", "--why", "a test")
        until(lambda: ward.rows().head("zone_balance").state == "paused", 120, "the run ends at its next look")
        outlives(ward, leaving, "stopped")
        assert ward.settings_of_ours(), "what is set stays"
        ward.slow_recovery(None)
        vagus(folder, "resume", "ward")
        goes_on(ward, folder, leaving)  # an answer covers what was shown: what is left may be asked for again
        ward.wait_until_settled(leaving)
    assert not ward.without_outcome()
    assert documents(ward) == DOCUMENTS


@pytest.fixture
def asks(ward: Scene, fleet: Path, folder: Path) -> Iterator[None]:
    """`ward` in mode approve, and in act again after the test."""
    with mode_approve(ward, fleet, folder):
        yield


def fill(scene: Scene, index: str) -> None:
    """A fresh index, green, and all of it in files: what lies in the translog alone is sent without a throttle."""
    scene.admin.try_call("DELETE", f"/{index}")
    create_indices(scene.stack.application(scene.cluster), {index: (6, 1)}, documents=DOCUMENTS, padding=4000)
    scene.admin.call("POST", f"/{index}/_flush?force=true")
    wait_green(scene.stack, scene.cluster)


def goes_on(scene: Scene, folder: Path, leaving: str) -> None:
    """A person answers whatever is asked until the instance has gone."""

    def answered() -> bool:
        if scene.state_of(leaving) is None:
            return True
        if scene.plan_in_words().startswith("APPROVAL_NEEDED"):
            vagus(folder, "approve", "ward", "--yes")
        return False

    until(answered, 240, f"{leaving} gone", pause=2)


def outlives(scene: Scene, instance: str, what: str) -> None:
    """For longer than the hook's time-out: it waits where it was, its node is in the cluster, and nothing is lost."""
    began = time.monotonic()
    while time.monotonic() - began < SHORT + 1:
        assert scene.state_of(instance) == "Terminating:Wait", what
        time.sleep(1)
    assert instance in scene.names(), what
    assert scene.green(), what
    assert documents(scene) == DOCUMENTS, what


def documents(scene: Scene) -> int:
    scene.admin.call("POST", "/kept/_refresh")
    return int(scene.admin.call("GET", "/kept/_count")["count"])


@contextmanager
def hook_of(scene: Scene, seconds: int) -> Iterator[None]:
    """The group's terminate hook runs out so soon, for who begins to wait meanwhile."""

    def put(timeout: int) -> None:
        scene.stack.client("autoscaling").put_lifecycle_hook(
            AutoScalingGroupName=GROUP,
            LifecycleHookName="vagus-terminate",
            LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
            HeartbeatTimeout=timeout,
            DefaultResult="ABANDON",
        )

    put(seconds)
    try:
        yield
    finally:
        put(USUAL)


@contextmanager
def kept(scene: Scene) -> Iterator[Kept]:
    """The keeper, as it is deployed, called more often than its schedule does. A call that fails is counted: what
    comes of it is asserted of the instance."""
    over, seen = threading.Event(), Kept()

    def keep() -> None:
        while not over.wait(2):
            try:
                reply = scene.stack.client("lambda").invoke(FunctionName=KEEPER, Payload=b"{}")
                answer = json.loads(reply["Payload"].read())
                if reply.get("FunctionError") or answer["failed"]:
                    seen.faults.append(str(answer))
                else:
                    seen.at.append(time.monotonic())
            except Exception as error:  # noqa: BLE001  (a thread's fault would end the test's run, not the test)
                seen.faults.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        print(f"the keeper: {len(seen.at)} good calls, {seen.longest_gap():.0f} s apart at most; {seen.faults[:3]}")


@contextmanager
def no_record_table(scene: Scene) -> Iterator[None]:
    """apply's table of records is not there (that it may not write it is tried in `deploy/test_permissions`)."""
    functions = scene.stack.client("lambda")
    variables = functions.get_function_configuration(FunctionName=APPLY)["Environment"]["Variables"]

    def set_to(table: str) -> None:
        told = {"Variables": {**variables, "VAGUS_RECORD_TABLE": table}}
        functions.update_function_configuration(FunctionName=APPLY, Environment=told)

    set_to("nowhere")
    try:
        yield
    finally:
        set_to(variables["VAGUS_RECORD_TABLE"])


def press_stop(scene: Scene) -> None:
    """As a person does in the Step Functions console; then a sweep comes by."""
    states = scene.stack.client("stepfunctions")
    machines = states.list_state_machines()["stateMachines"]
    (arn,) = [one["stateMachineArn"] for one in machines if one["name"] == "vagus-e2e-zone_balance"]
    name = scene.rows().head("zone_balance").execution
    states.stop_execution(executionArn=f"{arn.replace(':stateMachine:', ':execution:')}:{name}")

    def noted() -> bool:
        scene.stack.client("lambda").invoke(FunctionName=SWEEP, Payload=b"{}")
        return scene.rows().head("zone_balance").paused

    until(noted, 120, "a sweep notes the stop", pause=1)


@contextmanager
def mode_approve(scene: Scene, fleet: Path, folder: Path) -> Iterator[None]:
    """Another mode, deployed; and the former again."""
    file = fleet / "ward.yaml"
    before = file.read_text()
    file.write_text(before.replace("mode: act", "mode: approve"))
    redeploy(scene.stack, folder)
    try:
        yield
    finally:
        file.write_text(before)
        redeploy(scene.stack, folder)
