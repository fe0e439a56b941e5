"""Real search nodes on this machine without the emulator, for tests: nodes/boot.sh with the local stand-ins.

    with LocalCluster(nodes_per_zone=1, zones=("a", "b", "c")) as cluster:
        cluster.addresses            # {"i-...": "127.23.1.11"}, each serves 9200 and 9300
        cluster.certificates.read    # paths of the read role's certificate and key
        cluster.call("GET", "/_cluster/health")

The facts that AWS would give (instances by tag, node parameters) lie in a file that the stand-in `aws` reads.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import urllib3

from vagus_local import artifacts
from vagus_local.addresses import Network, claim_network
from vagus_local.certificates import Authority, ClientCertificate, create_authority
from vagus_local.engines import DEFAULT, Engine
from vagus_local.node import PACKAGE, LocalNode, mount
from vagus_local.waiting import until

REGION = "us-east-1"
START_SECONDS = 180.0
FULL_SECONDS = 60.0
SMALL: Mapping[str, object] = {
    # all nodes see the host's one disk: its watermarks would say nothing about a node
    "cluster.routing.allocation.disk.threshold_enabled": False,
    "cluster.fault_detection.follower_check.timeout": "5s",
    "cluster.fault_detection.leader_check.timeout": "5s",
}

SMALL_OPENSEARCH: Mapping[str, object] = {**SMALL, "discovery.find_peers_interval_during_decommission": "1s"}


class ClusterError(Exception):
    """A local cluster did not come to the wanted state; the message ends with the log that tells why."""


class LocalCluster:
    """A cluster of real nodes, one folder each. Entering starts it and waits for green; leaving ends every process."""

    def __init__(
        self,
        nodes_per_zone: int = 1,
        zones: tuple[str, ...] = ("a", "b", "c"),
        *,
        name: str = "local",
        roles: str = "data,cluster_manager",
        heap: str = "192m",
        engine: Engine = DEFAULT,
        settings: Mapping[str, object] | None = None,
        folder: Path | None = None,
        jvm: str = "",
        parameters: Mapping[str, str] | None = None,
        disk_mb: int = 0,
    ) -> None:
        """`disk_mb`: each node's data volume is a disk of its own, of so many MB in memory (0: a folder). It has to be
        mounted, which not everybody may: see `may_mount`."""
        self.name, self.zones, self.roles, self.heap, self.engine = name, zones, roles, heap, engine
        self.settings = {**(SMALL_OPENSEARCH if engine.name == "opensearch" else SMALL), **(settings or {})}
        self._jvm, self._disk_mb = jvm, disk_mb
        self._parameters = dict(parameters or {})
        self._given_folder = folder
        self.folder = folder or Path()
        self.nodes: dict[str, LocalNode] = {}
        self._plan = [zone for zone in zones for _ in range(nodes_per_zone)]
        self._network: Network | None = None
        self._formed = "none"
        self._lifeline = (-1, -1)  # what the nodes read, and what only this process holds: it dies, they end
        self._pools: dict[ClientCertificate, urllib3.PoolManager] = {}

    # ------------------------------------------------------------ life

    def __enter__(self) -> Self:
        artifacts.resolve(self.engine)
        self.folder = self._given_folder or Path(tempfile.mkdtemp(prefix="vagus-cluster-"))
        self._network = claim_network()
        self._lifeline = os.pipe()
        create_authority(self.certificates.folder)
        try:
            for zone in self._plan:
                self._declare(zone, self.roles)
            for node in self.nodes.values():
                self.start(node)
            self.wait_green()
        except BaseException:
            self.__exit__()
            raise
        self._formed = self.call("GET", "/")["cluster_uuid"]
        self._write_facts()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes.values():  # all at once, then one after the other
            node.terminate()
        for node in self.nodes.values():
            self.stop(node)
            if self._disk_mb:
                subprocess.run(["umount", "--lazy", str(node.home / "data")], check=False)
        for end in self._lifeline:
            os.close(end)
        for pool in self._pools.values():
            pool.clear()
        if self._network:
            self._network.close()
        if not self._given_folder:
            until(self._removed, 60, lambda: f"nothing writes below {self.folder} any more")

    def _removed(self) -> bool:
        """Whether its folder is gone. What was restarted on a node ends by the lifeline, and may write until it has."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return not self.folder.exists()

    # ------------------------------------------------------------ what others use

    @property
    def addresses(self) -> dict[str, str]:
        """Instance id to private address, of nodes that are meant to run."""
        return {node.id: node.address for node in self.nodes.values() if node.process is not None}

    @property
    def scheme(self) -> str:
        """How its nodes are spoken to: Elasticsearch has no TLS here, and serves the loopback only."""
        return "https" if self.engine.secured else "http"

    @property
    def certificates(self) -> Authority:
        """The authority's ca.pem and the clients' certificates (admin, read, write, application)."""
        return Authority(self.folder / "certificates" / self.name)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        client: ClientCertificate | None = None,
        node: LocalNode | None = None,
    ) -> Any:
        """The JSON answer of a request, as admin unless told; raises ClusterError for anything but 2xx. A heap as small
        as these is full for moments, and says so (429): that is tried again."""
        deadline = time.monotonic() + FULL_SECONDS
        status, answer = self.try_call(method, path, body, client=client, node=node)
        while status == 429 and time.monotonic() < deadline:
            time.sleep(0.5)
            status, answer = self.try_call(method, path, body, client=client, node=node)
        if not 200 <= status < 300:
            raise ClusterError(f"{method} {path}: {status} {answer}")
        return answer

    def try_call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        client: ClientCertificate | None = None,
        node: LocalNode | None = None,
    ) -> tuple[int, Any]:
        """Status and answer (JSON, or text). Raises urllib3's errors for a node that doesn't answer."""
        target = node or next(n for n in self.nodes.values() if n.process is not None)
        response = self._pool(client or self.certificates.admin).request(
            method, f"{self.scheme}://{target.address}:9200{path}", json=body, timeout=30.0, retries=False
        )
        text = response.data.decode()
        return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    def wait_green(self, nodes: int | None = None, seconds: float = START_SECONDS) -> None:
        """Until the cluster is green with all its nodes and each of them serves. Raises ClusterError."""
        wanted = len(self.addresses) if nodes is None else nodes
        self.wait_until(lambda: self._green(wanted), f"green with {wanted} nodes", seconds)

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = 180.0) -> None:
        """Asks every 0.2 s whether something holds; raises ClusterError with the nodes' last log lines."""
        deadline, last = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            try:
                if holds():
                    return
            except (urllib3.exceptions.HTTPError, ClusterError) as error:
                last = str(error)
            self._look_for_failures()
            time.sleep(0.2)
        raise ClusterError(f"not {what} after {seconds:.0f} s ({last})\n{self._logs()}")

    def add_node(self, zone: str, roles: str | None = None) -> LocalNode:
        """Launches one more instance; it is not waited for."""
        node = self._declare(zone, roles or self.roles)
        self.start(node)
        return node

    def start(self, node: LocalNode) -> None:
        """Boots an instance that was declared, stopped or killed; its data is as it was left."""
        node.boot(self.environment(node), self._lifeline[0])
        self._write_facts()

    def kill(self, node: LocalNode) -> None:
        """SIGKILL to the whole instance: a crash, or the sudden loss of a machine."""
        node.signal_all(signal.SIGKILL)
        node.reap()
        self._write_facts()

    def stop(self, node: LocalNode) -> None:
        """Ends an instance as EC2 does: SIGTERM, SIGKILL after 10 s."""
        node.end()
        self._write_facts()

    def freeze(self, node: LocalNode) -> None:
        """SIGSTOP: the node answers with silence, as in a lost zone."""
        node.signal_all(signal.SIGSTOP)

    def thaw(self, node: LocalNode) -> None:
        """Undoes freeze."""
        node.signal_all(signal.SIGCONT)

    def put_parameter(self, name: str, value: str) -> None:
        """Tells nodes something more, or something else, from their next boot or document on."""
        self._parameters[name] = value
        if self._network is not None:
            self._write_facts()

    def forget_connections(self) -> None:
        """The next call reads its certificate, and what it trusts, anew."""
        for pool in self._pools.values():
            pool.clear()
        self._pools.clear()

    def shell(self, node: LocalNode, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a shell text on the instance, as an SSM document's runs."""
        environment = {**os.environ, **self.environment(node)}
        return subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False)

    # ------------------------------------------------------------ inside

    def environment(self, node: LocalNode) -> dict[str, str]:
        """What the hypervisor gives an instance."""
        return {
            "INSTANCE_ID": node.id,
            "AVAILABILITY_ZONE": node.zone,
            "PRIVATE_IP": node.address,
            "AWS_REGION": REGION,
            "INSTANCE_HOME": str(node.home),
            "VAGUS_FAKE_AWS": str(self.folder / "aws.json"),
            "VAGUS_JVM_FLAGS": self._jvm,
            "VAGUS_LIFELINE": str(self._lifeline[0]),
            "VAGUS_ENGINES": str(artifacts.engines_folder()),
            "VAGUS_JAVA_HOME": str(artifacts.find_java(self.engine.java, self.engine.java_below)),
            "PATH": f"{PACKAGE / 'node_bin'}:{os.environ['PATH']}",
        }

    def _declare(self, zone: str, roles: str) -> LocalNode:
        if self._network is None:
            raise ClusterError("the cluster is not entered")
        identity = f"i-{secrets.token_hex(8)}0"
        home = self.folder / "instances" / identity
        home.mkdir(parents=True)
        if self._disk_mb:
            mount(home / "data", self._disk_mb)
        (home / "tags.json").write_text(json.dumps({"vagus:cluster": self.name, "vagus:roles": roles}))
        address = self._network.address(10 + len(self.nodes))
        node = LocalNode(identity, zone, address, roles, home)
        self.nodes[identity] = node
        self._write_facts()
        return node

    def _write_facts(self) -> None:
        managers = sum("cluster_manager" in node.roles for node in self.nodes.values())
        parameters = {
            "engine": self.engine.name,
            "version": self.engine.version,
            "tls": "true" if self.engine.secured else "false",
            "heap": self.heap,
            "artifact-bucket": "artifacts",
            "settings": json.dumps(self.settings),
            "zones": ",".join(self.zones),
            "formed": self._formed,
            "initial-managers": str(managers),
            **self._parameters,
        }
        if self._disk_mb:
            parameters["minimum-free-mb"] = "1"
        facts = {
            "instances": [self._described(node) for node in self.nodes.values()],
            "parameters": {f"/vagus/{self.name}/node/{key}": value for key, value in parameters.items()},
            "bucket": str(self.folder / "buckets"),
        }
        partial = self.folder / "aws.json.partial"
        partial.write_text(json.dumps(facts, indent=1))
        partial.rename(self.folder / "aws.json")

    def _described(self, node: LocalNode) -> dict[str, Any]:
        tags = {"vagus:cluster": self.name, "vagus:roles": node.roles}
        return {**node.described(), "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}

    def _pool(self, client: ClientCertificate) -> urllib3.PoolManager:
        if client not in self._pools:
            context = ssl.create_default_context(cafile=str(self.certificates.ca))
            context.load_cert_chain(client.certificate, client.key)
            self._pools[client] = urllib3.PoolManager(ssl_context=context, maxsize=4)
        return self._pools[client]

    def _green(self, nodes: int) -> bool:
        manager = "cluster_manager" if self.engine.name == "opensearch" else "master"
        health = self.call("GET", f"/_cluster/health?timeout=1s&{manager}_timeout=1s")
        if health["status"] != "green" or health["number_of_nodes"] != nodes:
            return False
        joined = {row["name"] for row in self.call("GET", "/_cat/nodes?format=json&h=name")}
        return all(self._serves(node) for node in self.nodes.values() if node.id in joined)

    def _serves(self, node: LocalNode) -> bool:
        """Whether its port is open (a node that joined may still be behind its gate) and its security is ready."""
        path = "/_plugins/_security/health" if self.engine.secured else "/"
        return self.try_call("GET", path, node=node)[0] == 200

    def _look_for_failures(self) -> None:
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is not None:
                raise ClusterError(f"{node.id} ended with {node.process.returncode}\n{self._logs(node)}")
            if node.says_it_failed():
                raise ClusterError(f"{node.id} did not start\n{self._logs(node)}")

    def _logs(self, *nodes: LocalNode) -> str:
        return "\n".join("\n".join([f"--- {n.id}", *n.log_lines()[-15:]]) for n in nodes or self.nodes.values())
