"""One cluster of the local stack as a person looks at it from outside: for the demo and the end-to-end tests.

Everything is read anew at each call, from the emulated AWS and from the cluster itself; nothing is taken from Vagus's
own word but its rows and records.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from vagus.aws.tables import DynamoTable
from vagus.fleet import ClusterSpec
from vagus.handshake import Handshake
from vagus.intent import Intent
from vagus.procedure import head as heads
from vagus.procedure import records as record_book
from vagus.procedure import rows
from vagus.procedure.records import Record
from vagus.procedure.rows import Rows
from vagus.rooms import ROOMS
from vagus.search.handshakes import Handshakes
from vagus_local import emulator_process
from vagus_local.stack import Stack, StackError, addresses
from vagus_local.waiting import until
from vagus_local.workload import Workload


class NodeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the table: an instance and its node. `bytes` are those of the shards on it."""

    zone: str
    instance: str
    lifecycle: str
    joined: bool
    shards: int
    incoming: int
    bytes: int


class Scene:
    """A cluster of a running stack."""

    def __init__(self, stack: Stack, cluster: str) -> None:
        self.stack = stack
        self.cluster = cluster
        self.admin = stack.admin(cluster)

    # -- AWS ---------------------------------------------------------------------------------------------------------

    def group(self, name: str) -> dict[str, Any]:
        """An Auto Scaling group as AWS describes it."""
        described = self.stack.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return dict(described["AutoScalingGroups"][0])

    def instances(self) -> dict[str, tuple[str, str]]:
        """(zone, lifecycle state) by instance id, of all the cluster's groups."""
        filters = [{"Name": "tag:vagus:cluster", "Values": [self.cluster]}]
        pages = self.stack.client("autoscaling").get_paginator("describe_auto_scaling_groups").paginate(Filters=filters)
        return {
            one["InstanceId"]: (one["AvailabilityZone"], one["LifecycleState"])
            for page in pages
            for group in page["AutoScalingGroups"]
            for one in group["Instances"]
        }

    def state_of(self, instance: str) -> str | None:
        """Auto Scaling's word for an instance; `None` if no group of the cluster lists it."""
        return self.instances().get(instance, ("", None))[1]

    def scale_out(self, group: str) -> tuple[str, float]:
        """Ask Auto Scaling for one more instance. Returns it, and when it was asked (epoch seconds)."""
        before = self.group(group)
        known = {one["InstanceId"] for one in before["Instances"]}
        asked = time.time()
        self.set_size(group, before["DesiredCapacity"] + 1)

        def launched() -> str | None:
            found = (one["InstanceId"] for one in self.group(group)["Instances"])
            return next((name for name in found if name not in known), None)

        return str(until(launched, 60, f"{group} launches an instance")), asked

    def refresh(self, group: str) -> tuple[set[str], float]:
        """Have Auto Scaling replace every instance of a group. Returns those, and when it was asked."""
        old = {one["InstanceId"] for one in self.group(group)["Instances"]}
        asked = time.time()
        preferences = {"ScaleInProtectedInstances": "Wait", "AutoRollback": False}
        self.stack.client("autoscaling").start_instance_refresh(AutoScalingGroupName=group, Preferences=preferences)
        return old, asked

    def refreshed(self, group: str) -> str:
        """How the newest instance refresh of a group stands, in AWS's word."""
        told = self.stack.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName=group)
        return str(told["InstanceRefreshes"][0]["Status"])

    def scale_in(self, group: str, by: int = 1) -> tuple[str, float]:
        """Ask Auto Scaling for fewer instances. Returns one that must leave, and when it was asked (epoch seconds)."""
        before = self.group(group)
        asked = time.time()
        self.set_size(group, before["DesiredCapacity"] - by)
        return self.leaving(group), asked

    def set_size(self, group: str, desired: int) -> None:
        """Give an Auto Scaling group a size, as a scaling policy does."""
        self.stack.client("autoscaling").set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=desired)

    def leaving(self, group: str) -> str:
        """The instance of a group that waits in its terminate hook."""

        def waiting() -> str | None:
            found = self.group(group)["Instances"]
            return next((one["InstanceId"] for one in found if one["LifecycleState"].startswith("Terminating")), None)

        return str(until(waiting, 30, f"an instance of {group} waits to leave"))

    def replace(self, group: str) -> tuple[str, float]:
        """Have Auto Scaling take one instance away and launch another. Returns it, and when it was asked."""
        instance = self.group(group)["Instances"][0]["InstanceId"]
        asked = time.time()
        self.stack.client("autoscaling").terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=False
        )
        return instance, asked

    def restore_sizes(self) -> None:
        """Give every group its declared size, as a person would after a test."""
        for group, size in self.spec().sizes().items():
            self.set_size(group, size)

    @contextmanager
    def events_lost(self) -> Iterator[None]:
        """No event reaches intake while this lasts."""
        events = self.stack.client("events")
        rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "EventPattern" in rule]
        for name in rules:
            events.disable_rule(Name=name)
        try:
            yield
        finally:
            for name in rules:
                events.enable_rule(Name=name)

    # -- the cluster -------------------------------------------------------------------------------------------------

    def nodes(self) -> list[NodeRow]:
        """Every instance that there is, with what routing lists on its node."""
        shards = self.admin.call("GET", "/_cat/shards?format=json&bytes=b&h=index,shard,state,node,store")
        names = set(self.names())
        return [
            _row(instance, zone, lifecycle, instance in names, shards)
            for instance, (zone, lifecycle) in sorted(self.instances().items(), key=lambda item: (item[1][0], item[0]))
        ]

    def names(self) -> list[str]:
        """The names of the nodes that are in the cluster."""
        return [node["name"] for node in self.admin.call("GET", "/_cat/nodes?format=json&h=name")]

    def settings(self) -> dict[str, str]:
        """The cluster's persistent settings, flat."""
        return dict(self.admin.call("GET", "/_cluster/settings?flat_settings=true")["persistent"])

    def settings_of_ours(self) -> dict[str, str]:
        """What is left in the cluster that we set: marks and exclusions."""
        return {
            key: value
            for key, value in self.settings().items()
            if key.startswith(("cluster.metadata.vagus.", "cluster.routing.allocation.exclude"))
        }

    def green(self) -> bool:
        """Whether every copy is active."""
        return bool(self.admin.call("GET", "/_cluster/health")["status"] == "green")

    def slow_recovery(self, per_second: str | None) -> None:
        """Throttle how fast shards move, so that a test can come in between; None gives the default back."""
        self.admin.call("PUT", "/_cluster/settings", {"persistent": {"indices.recovery.max_bytes_per_sec": per_second}})

    def exclude_by_hand(self, names: str | None) -> None:
        """What a person does at night."""
        self.admin.call(
            "PUT", "/_cluster/settings", {"persistent": {"cluster.routing.allocation.exclude._name": names}}
        )

    def engine(self) -> str:
        """Name and version that a node answers with."""
        version = self.admin.call("GET", "/")["version"]
        return f"{version.get('distribution', 'elasticsearch')} {version['number']}"

    def spec(self) -> ClusterSpec:
        """The cluster's fleet file."""
        from vagus_cli.fleet_files import load  # the command line imports the stack: not at the top

        return load(Path(self.stack.fleet))[self.cluster]

    def declared_nodes(self) -> int:
        """How many nodes the fleet file declares."""
        return sum(self.spec().sizes().values())

    def handshakes(self) -> tuple[Handshake, ...]:
        """What each node shows on both ports, verified against what the cluster's people trust."""
        bundle = self.stack.authority_of(self.cluster).ca.read_text()
        return Handshakes(lambda: addresses(self.stack, self.cluster)).all(bundle)

    # -- our own rows and records ------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """What the state table says of this cluster."""
        return rows.read_shown(self._table("state"), self.cluster)

    def records(self) -> list[Record]:
        """Today's records of this cluster, oldest first."""
        return record_book.read(self._table("records"), self.cluster, datetime.now(UTC).strftime("%Y-%m-%d"))

    def records_since(self, asked: float) -> list[Record]:
        """What was intended since then, oldest first."""
        since = record_book.iso(asked)
        return [record for record in self.records() if record.phase == "intended" and record.at >= since]

    def without_outcome(self) -> list[Record]:
        """Records that were intended and never ended: findings."""
        return record_book.without_outcome(self.records())

    def plan_in_words(self) -> str:
        """The last plan that was decided: reason, message, what is foreseen."""
        plan: Mapping[str, Any] = self.rows().plans.get("zone_balance", {})
        return f"{plan.get('reason', '-')}: {plan.get('message', 'nothing decided yet')}"

    def pages(self) -> list[str]:
        """The messages to people of this cell since the last time that this was asked, as SNS delivered them."""
        sqs = self.stack.client("sqs")
        url = sqs.get_queue_url(QueueName=self.stack.inbox)["QueueUrl"]
        found: list[str] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def state_table(self) -> DynamoTable:
        """The table of this cell's rows, as a person's command writes to it."""
        return self._table("state")

    def _table(self, kind: str) -> DynamoTable:
        return self.stack.table(kind)

    def ask(self, intent: Intent) -> None:
        """Open an intent as `vagus restart` and `vagus upgrade` do, and start its run."""
        heads.open_intent(self._table("state"), self.cluster, intent)
        self.stack.start_run(self.cluster, intent.capability)

    def processes(self) -> dict[str, str]:
        """Ephemeral id by node: another one is another process."""
        nodes = self.admin.call("GET", "/_cluster/state/nodes")["nodes"]
        return {node["name"]: node["ephemeral_id"] for node in nodes.values()}

    def wait_until_closed(self, intent: Intent, seconds: float = 600) -> None:
        """Until an intent is closed, and the run that worked on it has ended."""

        def closed() -> bool:
            seen = self.rows()
            return intent.id in seen.closed and seen.head(intent.capability).state == "idle"

        def what() -> str:
            return f"{intent.id} closed (now: {self.rows().plans.get(intent.capability, {})})"

        until(closed, seconds, what, 0.5)

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait_until_settled(
        self, *gone: str, seconds: float = 240, pause: float = 0.25, on_look: Callable[[], None] | None = None
    ) -> None:
        """Until these instances are gone and nothing of ours is left: no intent, no setting, no run."""

        def settled() -> bool:
            if on_look is not None:
                on_look()
            return self.settled(*gone)

        until(settled, seconds, lambda: f"{', '.join(gone)} gone and everything tidy ({self._now()})", pause)

    def wait_until_gone(self, *gone: str, seconds: float = 240) -> None:
        """Until these instances are gone, no intent of ours is open and the run has ended. Unlike `wait_until_settled`
        it says nothing of settings: a person's own may stay."""

        def away() -> bool:
            return not self._still_there(gone) and self._at_rest()

        until(away, seconds, lambda: f"{', '.join(gone)} gone ({self._now()})", 0.25)

    def await_step(self, step: str, asked: float, seconds: float = 180) -> None:
        """Until such a step has been recorded since then."""
        until(lambda: step in [r.step for r in self.records_since(asked)], seconds, f"a step {step} is recorded")

    def await_reason(self, reason: str, seconds: float = 120) -> None:
        """Until the last plan that was decided carries this reason."""
        until(
            lambda: self.plan_in_words().startswith(reason),
            seconds,
            lambda: f"a plan {reason} is decided ({self._now()})",
        )

    def settled(self, *gone: str) -> bool:
        """Whether these instances are gone, and no intent, run or setting of ours is left."""
        return not self._still_there(gone) and self._at_rest() and not self.settings_of_ours()

    def _now(self) -> str:
        """How things stand, for what was awaited in vain."""
        apart = {name: state for name, (_, state) in self.instances().items() if state != "InService"}
        return f"now: {self.plan_in_words()}; not in service: {apart}"

    def _still_there(self, names: tuple[str, ...]) -> set[str]:
        return set(names) & (set(self.instances()) | set(self.names()))

    def _at_rest(self) -> bool:
        """No intent is open and no run is on: a run gives settings back before it ends, after the intent is closed."""
        seen = self.rows()
        return not seen.intents and all(seen.head(room).state == "idle" for room in ROOMS)

    def await_writes(self, work: Workload, count: int, seconds: float = 180) -> None:
        """Until the workload has so many documents acknowledged."""
        until(lambda: work.acknowledged >= count, seconds, f"{count} writes acknowledged")

    def happens(self, detail_type: str, detail: Mapping[str, Any], source: str = "aws.ec2") -> float:
        """AWS says so on the event bus, as only AWS may. Returns when (epoch seconds)."""
        emulator = emulator_process.found(Path(self.stack.run))
        if emulator is None:
            raise StackError("no emulator runs for this stack")
        asked = time.time()
        emulator.admin("events", [{"Source": source, "DetailType": detail_type, "Detail": json.dumps(dict(detail))}])
        return asked

    def await_rest(self, seconds: float = 120) -> None:
        """Until no intent of ours is open and no run is on."""
        until(self._at_rest, seconds, lambda: f"nothing is open ({self._now()})")

    def kill(self, instance: str) -> None:
        """End the node's processes behind its instance's back: a crash."""
        emulator = emulator_process.found(Path(self.stack.run))
        if emulator is None:
            raise StackError("no emulator runs for this stack")
        emulator.admin(f"instances/{instance}/kill")

    def address(self, instance: str) -> str:
        """The private address of a running instance."""
        return addresses(self.stack, self.cluster)[instance]


def _row(instance: str, zone: str, lifecycle: str, joined: bool, shards: list[dict[str, Any]]) -> NodeRow:
    mine = [shard for shard in shards if (shard["node"] or "").split(" ")[0] == instance]
    incoming = [shard for shard in shards if (shard["node"] or "").endswith(f" {instance}")]
    return NodeRow(
        zone=zone,
        instance=instance,
        lifecycle=lifecycle,
        joined=joined,
        shards=len(mine),
        incoming=len(incoming),
        bytes=sum(int(shard["store"] or 0) for shard in mine),
    )
