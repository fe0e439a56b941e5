"""What the soak does to a cluster and to Vagus. Each act says in words what it did, or why it could not be done now,
and may leave something to be taken back later.

Acts that take a copy away (`crash`) are done only where every shard has another: a soak shows what Vagus does with what
data can survive, not that data which has no copy is lost.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from vagus_local import emulator_process
from vagus_local.emulator_process import Emulator
from vagus_local.scene import Scene
from vagus_local.soak.schedule import Act, picked
from vagus_local.stack import StackError

EXCLUDE = "cluster.routing.allocation.exclude._name"
FUNCTIONS = ("intake", "sweep", "zone_balance-decide", "zone_balance-apply")
DENIED: Mapping[str, tuple[str, ...]] = {
    "zone_balance-decide": ("ec2:Describe*", "autoscaling:Describe*", "secretsmanager:GetSecretValue"),
    "zone_balance-apply": (
        "autoscaling:CompleteLifecycleAction",
        "dynamodb:PutItem",
        "dynamodb:TransactWriteItems",
        "secretsmanager:GetSecretValue",
    ),
    "sweep": ("states:StartExecution", "dynamodb:Query"),
}
"""Function -> actions that a policy gone wrong may take from it."""

Undo = Callable[[], None]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an act did, for a person, and how it is taken back."""

    words: str
    undo: Undo | None = None


class Hands:
    """The acts, on one cluster of a running stack."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.cell = scene.stack.cell
        found = emulator_process.found(Path(scene.stack.run))
        if found is None:
            raise StackError("no emulator runs for this stack")
        self.emulator: Emulator = found

    def acts(self) -> dict[str, tuple[int, Callable[[Act], Done]]]:
        """Name -> how often, and what is done."""
        return {
            "scale_in": (4, self.scale_in),
            "restore_sizes": (4, self.restore_sizes),
            "replace": (4, self.replace),
            "crash": (2, self.crash),
            "lose_events": (2, self.lose_events),
            "flood": (2, self.flood),
            "throttle": (2, self.throttle),
            "time_out": (2, self.time_out),
            "deny": (3, self.deny),
            "exclude_by_hand": (2, self.exclude_by_hand),
            "take_away_ours": (2, self.take_away_ours),
            "stop": (2, self.stop),
            "stop_in_console": (2, self.stop_in_console),
            "slow_recovery": (2, self.slow_recovery),
        }

    # -- instances ---------------------------------------------------------------------------------------------------

    def scale_in(self, act: Act) -> Done:
        """One instance fewer in a group."""
        groups = [name for name in self.scene.spec().sizes() if self.scene.group(name)["DesiredCapacity"] > 0]
        staying = sum(self.scene.group(name)["DesiredCapacity"] for name in groups)
        group = picked(act.choice, [name for name in groups if "-core-" not in name])
        if group is None or staying <= len(self.scene.spec().zones) + 1:
            return Done(words="too few instances to scale in")
        desired = self.scene.group(group)["DesiredCapacity"] - 1
        self.scene.set_size(group, desired)
        return Done(words=f"{group} scales in to {desired}")

    def restore_sizes(self, _: Act) -> Done:
        """Every group back to its declared size."""
        self.scene.restore_sizes()
        return Done(words="every group has its declared size")

    def replace(self, act: Act) -> Done:
        """An instance is taken away and another launched."""
        instance = picked(act.choice, self._in_service())
        if instance is None:
            return Done(words="no instance is in service")
        self._terminate(instance)
        return Done(words=f"{instance} is to be replaced")

    def crash(self, act: Act) -> Done:
        """A node's processes end behind its instance's back; Auto Scaling then replaces the instance."""
        joined = set(self.scene.names())
        instance = picked(act.choice, [one for one in self._in_service() if one in joined])
        if instance is None or not self.scene.green() or len(joined) < 5 or self._leaving():
            return Done(words="no node can be spared for a crash now")
        self.scene.kill(instance)
        self._terminate(instance)
        return Done(words=f"the node on {instance} crashed; its instance is to be replaced")

    def _terminate(self, instance: str) -> None:
        self.scene.stack.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=False
        )

    def _in_service(self) -> list[str]:
        return sorted(one for one, (_, state) in self.scene.instances().items() if state == "InService")

    def _leaving(self) -> bool:
        return any(state.startswith(("Terminating", "Pending")) for _, state in self.scene.instances().values())

    # -- events and functions ----------------------------------------------------------------------------------------

    def lose_events(self, act: Act) -> Done:
        """No event reaches intake for a while."""
        lost = ExitStack()
        lost.enter_context(self.scene.events_lost())
        return Done(words=f"events are lost for {act.lasts:.0f} s", undo=lost.close)

    def flood(self, _: Act) -> Done:
        """Events that are doubled, unknown and malformed."""
        entries = sampled(emulator_process.ROOT / "events")
        entries += [{"Source": "aws.autoscaling", "DetailType": entries[0]["DetailType"], "Detail": "{}"}]
        self.emulator.admin("events", entries * 3)
        return Done(words=f"{len(entries) * 3} events that are doubled, unknown or malformed")

    def throttle(self, act: Act) -> Done:
        """A function is refused every call for a while."""
        name = self._function(act)
        functions = self.scene.stack.client("lambda")
        before = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

        def back() -> None:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before or 10)

        return Done(words=f"{name} is throttled for {act.lasts:.0f} s", undo=back)

    def time_out(self, act: Act) -> Done:
        """A function has a second for each call: some end in the middle of what they do."""
        name = self._function(act)
        functions = self.scene.stack.client("lambda")
        before = functions.get_function_configuration(FunctionName=name)["Timeout"]
        functions.update_function_configuration(FunctionName=name, Timeout=1)

        def back() -> None:
            functions.update_function_configuration(FunctionName=name, Timeout=before)

        return Done(words=f"{name} times out after 1 s for {act.lasts:.0f} s", undo=back)

    def deny(self, act: Act) -> Done:
        """A policy takes one permission from a function's role for a while."""
        function, action = picked(act.choice, [(f, a) for f, actions in DENIED.items() for a in actions]) or ("", "")
        role = (
            self.scene.stack.client("lambda")
            .get_function_configuration(FunctionName=f"vagus-{self.cell}-{function}")["Role"]
            .rsplit("/", 1)[1]
        )
        iam = self.scene.stack.client("iam")
        denial = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
        iam.put_role_policy(RoleName=role, PolicyName="soak", PolicyDocument=json.dumps(denial))
        return Done(
            words=f"{function} is denied {action} for {act.lasts:.0f} s",
            undo=lambda: iam.delete_role_policy(RoleName=role, PolicyName="soak"),
        )

    def _function(self, act: Act) -> str:
        return f"vagus-{self.cell}-{picked(act.choice, FUNCTIONS)}"

    # -- people ------------------------------------------------------------------------------------------------------

    def exclude_by_hand(self, act: Act) -> Done:
        """A person excludes a node at night, beside what we exclude; and takes it back later."""
        node = picked(act.choice, self._in_service())
        before = self._excluded()
        if node is None or node in before:
            return Done(words="no node to exclude by hand")
        self.scene.exclude_by_hand(",".join([*before, node]))

        def back() -> None:
            self.scene.exclude_by_hand(",".join(one for one in self._excluded() if one != node) or None)

        return Done(words=f"a person excludes {node} for {act.lasts:.0f} s", undo=back)

    def take_away_ours(self, act: Act) -> Done:
        """A person clears the exclusion in the middle of a drain, and sets it again later."""
        before = self._excluded()
        if not before:
            return Done(words="nothing is excluded that a person could clear")
        self.scene.exclude_by_hand(None)

        def back() -> None:
            there = set(self.scene.names()) | set(self._excluded())
            self.scene.exclude_by_hand(",".join(sorted({*before, *self._excluded()} & there)) or None)

        return Done(words=f"a person clears {', '.join(before)} for {act.lasts:.0f} s", undo=back)

    def stop(self, act: Act) -> Done:
        """`vagus stop`, and `vagus resume` later."""
        self._vagus("stop", self.scene.cluster, "--why", "soak")
        return Done(words=f"vagus stop for {act.lasts:.0f} s", undo=self._resume)

    def stop_in_console(self, act: Act) -> Done:
        """A Stop in the Step Functions console; resumed later."""
        head = self.scene.rows().head("zone_balance")
        if head.state != "running":
            return Done(words="no execution to stop in the console")
        machine = f"arn:aws:states:{self.scene.stack.region}:{self.scene.stack.account}:execution"
        self.scene.stack.client("stepfunctions").stop_execution(
            executionArn=f"{machine}:vagus-{self.cell}-zone_balance:{head.execution}"
        )
        return Done(words=f"a Stop in the console of {head.execution} for {act.lasts:.0f} s", undo=self._resume)

    def slow_recovery(self, act: Act) -> Done:
        """Shards move slowly for a while."""
        self.scene.slow_recovery("256kb")
        return Done(words=f"recovery is slow for {act.lasts:.0f} s", undo=lambda: self.scene.slow_recovery(None))

    def _resume(self) -> None:
        self._vagus("resume", self.scene.cluster)

    def _vagus(self, *arguments: str) -> None:
        """The command line as a person uses it, on this stack."""
        command = [str(emulator_process.ROOT / ".venv/bin/vagus"), *arguments, "--target", "local"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode not in (0, 1):
            raise StackError(f"vagus {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")

    def _excluded(self) -> list[str]:
        value = self.scene.settings().get(EXCLUDE) or ""
        return sorted(name for name in value.split(",") if name)


def sampled(folder: Path) -> list[dict[str, Any]]:
    """The samples below a folder that a bus would take; some are there to show what it would not."""
    return [_entry(event) for event in map(_read, sorted(folder.glob("*/*.json"))) if "detail-type" in event]


def _read(sample: Path) -> Mapping[str, Any]:
    try:
        event = json.loads(sample.read_text())
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _entry(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
