"""A rolling restart by a person with a script that follows OpenSearch's documentation.

Replica allocation off, flush, restart the service, wait until another process of the node has joined, allocation back,
wait for green; then the next node. It asks each half second, and checks nothing beside that. The documentation stops
here; a careful person waits besides until the node answers on its own port, since clients find it closed until then.
"""

import time
from collections.abc import Collection
from typing import Any

import msgspec

from vagus_local.scene import Scene
from vagus_local.search_client import CallFailed, NoNodeAnswers
from vagus_local.waiting import until

LOOK_SECONDS = 0.5
MOST_SECONDS = 300


class Taken(msgspec.Struct, frozen=True):
    """Seconds of one node from the first call for it: until green, as documented; until it answered besides."""

    green: float
    answered: float


class Person:
    """Someone with the owner's rights. `calls`: to the cluster and to AWS, so far."""

    def __init__(self, scene: Scene) -> None:
        self.calls = 0
        self._scene = scene
        self._ssm = scene.stack.client("ssm")

    def restart(self, name: str) -> Taken:
        """One node, carefully."""
        began, before = time.monotonic(), self._process(name)
        address = self._scene.address(name)
        self._allocate("primaries")
        self._call("POST", "/_flush")
        self._command(name)
        until(lambda: self._process(name) not in ("", before), MOST_SECONDS, f"{name} is back", LOOK_SECONDS)
        self._allocate(None)
        until(self._green, MOST_SECONDS, f"green after {name}", LOOK_SECONDS)
        green = time.monotonic() - began
        until(lambda: self._answers(address), MOST_SECONDS, f"{name} answers", LOOK_SECONDS)
        return Taken(green, time.monotonic() - began)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        self.calls += 1
        return self._scene.admin.call(method, path, body)

    def _asked(self, path: str) -> Any:
        """An answer, or none, as while managers elect one: asked again anyway."""
        self.calls += 1
        return self._scene.admin.try_call("GET", path)

    def _command(self, instance: str) -> None:
        self.calls += 1
        commands = {"commands": ["systemctl restart vagus-search"]}
        self._ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters=commands)

    def _allocate(self, what: str | None) -> None:
        self._call("PUT", "/_cluster/settings", {"persistent": {"cluster.routing.allocation.enable": what}})

    def _process(self, name: str) -> str:
        """The process that a node runs; empty while it is away."""
        state = self._asked("/_cluster/state/nodes?filter_path=nodes.*.name,nodes.*.ephemeral_id") or {"nodes": {}}
        return next((str(one["ephemeral_id"]) for one in state["nodes"].values() if one["name"] == name), "")

    def _green(self) -> bool:
        health = self._asked("/_cluster/health")
        return bool(health and health["status"] == "green")

    def _answers(self, address: str) -> bool:
        self.calls += 1
        try:
            self._scene.admin.on(address, "GET", "/", timeout=5)
        except (NoNodeAnswers, CallFailed):
            return False
        return True


def in_order(scene: Scene, names: Collection[str]) -> list[str]:
    """Data nodes, then managers, the elected one last: as the documentation has it, and as Vagus does."""
    nodes = scene.admin.call("GET", "/_cat/nodes?format=json&h=name,node.role,cluster_manager")
    nodes.sort(key=lambda one: (one["cluster_manager"] == "*", "m" in one["node.role"], one["name"]))
    return [one["name"] for one in nodes if one["name"] in names]
