"""What a kubelet does for a search pod, as processes of this machine: the sidecar and the search process of the example
StatefulSet (`agent/kubernetes/example-search.yaml`), with the token that the API server binds to the pod.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import yaml

from vagus_agent.fitting import Me
from vagus_agent.kube import Kube
from vagus_agent.main import rest
from vagus_agent.node import Node
from vagus_local import artifacts
from vagus_local.engines import Engine
from vagus_local.waiting import until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "agent" / "kubernetes" / "example-search.yaml"
NODE_BIN = ROOT / "local" / "vagus_local" / "node_bin"
HEAP = "192m"


class Sidecar:
    """`vagus-agent node`, round after round."""

    def __init__(self, kube: Kube, me: Me, folder: Path) -> None:
        self._kube, self._node, self._folder = kube, Node(kube, folder, me), folder
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """As kubelet: the search process may start once there is a certificate."""
        self._thread.start()
        until(lambda: (self._folder / "current" / "node.pem").exists(), 120, f"{self._folder} holds a certificate", 0.1)

    def stop(self) -> None:
        self._halt.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._halt.is_set():
            rest(self._kube, self._node.version, min(2.0, self._node.once(time.time())))


class SearchPod:
    """One pod: its folder, its sidecar, its search process. `managers`: of a cluster that is new."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        me: Me,
        kube: Kube,
        *,
        zone: str,
        seeds: list[str],
        managers: list[str],
    ) -> None:
        self.me, self._engine, self._zone, self._seeds, self._managers = me, engine, zone, seeds, managers
        self.home = folder / me.pod
        self.volume = self.home / "config" / "certificates"
        self.volume.mkdir(parents=True)
        self.sidecar = Sidecar(kube, me, self.volume)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Sidecar first, then the search process."""
        self.sidecar.start()
        self._lay_out()
        with (self.home / "search.log").open("ab") as log:
            self._process = subprocess.Popen(
                [NODE_BIN / "run-search", *self._command()], cwd=self.home, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=os.environ | {"VAGUS_JVM_FLAGS": ""},
            )  # fmt: skip

    def stop(self) -> None:
        """The search process, then the sidecar."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        self.sidecar.stop()

    @property
    def log(self) -> str:
        """The end of what its search process said."""
        return "\n".join((self.home / "search.log").read_text(errors="replace").splitlines()[-20:])

    def _lay_out(self) -> None:
        engine = artifacts.engines_folder() / self._engine.label
        for part in ("modules", "plugins"):
            shutil.copytree(engine / part, self.home / part, copy_function=os.link)
        for part in ("logs", "tmp", "data", "lib"):
            (self.home / part).mkdir()
        shutil.copytree(ROOT / "nodes" / "security", self.home / "config" / "opensearch-security")
        shutil.copy(ROOT / "nodes" / "log4j2.properties", self.home / "config" / "log4j2.properties")
        (self.home / "config" / "opensearch.yml").write_text(yaml.safe_dump(self._settings()))

    def _settings(self) -> dict[str, Any]:
        """Those of the example, and what is this pod's own."""
        objects = yaml.safe_load_all(EXAMPLE.read_text())
        example = next(one for one in objects if one["kind"] == "ConfigMap")["data"]["opensearch.yml"]
        return {
            **yaml.safe_load(example),
            "node.name": self.me.pod,
            "node.attr.zone": self._zone,
            "network.host": self.me.address,
            "path.data": str(self.home / "data"),
            "path.logs": str(self.home / "logs"),
            "discovery.seed_hosts": self._seeds,
            "cluster.initial_cluster_manager_nodes": self._managers,
            "cluster.routing.allocation.awareness.attributes": "zone",
        }

    def _command(self) -> list[str]:
        engine = artifacts.engines_folder() / self._engine.label
        manifest = json.loads((engine / "manifest.json").read_text())
        java = artifacts.find_java(self._engine.java, self._engine.java_below) / "bin" / "java"
        home = self.home
        return [
            str(java), f"-Xms{HEAP}", f"-Xmx{HEAP}", "-XX:+ExitOnOutOfMemoryError", "-Dfile.encoding=UTF-8",
            "-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true", "-Dlog4j2.formatMsgNoLookups=true",
            "-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true", f"-Djava.io.tmpdir={home / 'tmp'}",
            *manifest["jvm"].split(), f"-Dopensearch.path.home={home}", f"-Dopensearch.path.conf={home / 'config'}",
            "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=true",
            "-cp", f"{engine / 'lib'}/*", manifest["main_class"],
        ]  # fmt: skip
