"""What a kubelet does for a search pod, as processes of this machine: the sidecar and the search process of the
example's StatefulSets (`agent/kubernetes/search`), with the token that the API server binds to the pod.

Settings, security files, environment, where what is mounted, and the readiness probe are the example's own. What one
machine forces instead is `Forced`, and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vagus_agent.fitting import Me
from vagus_agent.kube import Kube
from vagus_agent.main import rest
from vagus_agent.node import Node
from vagus_local import artifacts
from vagus_local.engines import Engine
from vagus_local.waiting import until

ROOT = Path(__file__).parents[2]
NODE_BIN = ROOT / "local" / "vagus_local" / "node_bin"
FIELDS = {"metadata.name": "pod", "status.podIP": "address"}


@dataclass(frozen=True, kw_only=True)
class Forced:
    """What differs from a pod of the example: there is no DNS that leads to pods, little memory, and no image. The
    engine is this repository's build of the same version with the security plugin alone, started by the flags and the
    log4j2.properties that nodes on EC2 have (for the image's), and by the local stack's (`node_bin/run-search`)."""

    seeds: tuple[str, ...]
    """Addresses in place of the Service's name."""
    java: str = "-Xms192m -Xmx192m"
    """For OPENSEARCH_JAVA_OPTS."""


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
    """One pod: its folder, its sidecar, its search process. `template`: of a StatefulSet; `maps`: data by ConfigMap."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        me: Me,
        kube: Kube,
        *,
        template: Mapping[str, Any],
        maps: Mapping[str, Mapping[str, str]],
        forced: Forced,
    ) -> None:
        self.me, self._engine, self._maps, self._forced = me, engine, maps, forced
        self._volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        (self._container,) = template["spec"]["containers"]
        self.home = folder / me.pod
        self._mount()
        self.sidecar = Sidecar(kube, me, self._path("certificates"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Sidecar first, then the search process."""
        self.sidecar.start()
        self._lay_out()
        with (self.home / "search.log").open("ab") as log:
            self._process = subprocess.Popen(
                [NODE_BIN / "run-search", *self._command()], cwd=self.home, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=os.environ | {"VAGUS_JVM_FLAGS": ""} | self._environment,
            )  # fmt: skip

    def stop(self) -> None:
        """The search process, then the sidecar."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
        self.sidecar.stop()

    @property
    def ready(self) -> bool:
        """By the example's probe, in the container's environment and folder."""
        probe = self._container["readinessProbe"]
        told = subprocess.run(
            probe["exec"]["command"], cwd=self.home, env=os.environ | self._environment, check=False,
            capture_output=True, timeout=probe["timeoutSeconds"],
        )  # fmt: skip
        return told.returncode == 0

    @property
    def log(self) -> str:
        """The end of what its search process said."""
        return "\n".join((self.home / "search.log").read_text(errors="replace").splitlines()[-20:])

    @property
    def _environment(self) -> dict[str, str]:
        found = {}
        for one in self._container["env"]:
            field = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            found[one["name"]] = str(getattr(self.me, FIELDS[field])) if field else one["value"]
        return found | {"OPENSEARCH_JAVA_OPTS": self._forced.java}

    # -- what is mounted ---------------------------------------------------------------------------------------------

    def _path(self, volume: str) -> Path:
        (mount,) = [one for one in self._container["volumeMounts"] if one["name"] == volume]
        return self.home / Path(mount["mountPath"]).relative_to(self._container["workingDir"])

    def _mount(self) -> None:
        for mount in self._container["volumeMounts"]:
            at, volume = (
                self._path(mount["name"]),
                self._volumes.get(mount["name"], {}),
            )  # a claim is none of the template
            if "configMap" not in volume:
                at.mkdir(parents=True)
                continue
            data = self._maps[volume["configMap"]["name"]]
            if file := mount.get("subPath"):
                at.parent.mkdir(parents=True, exist_ok=True)
                at.write_text(self._of_this_machine(data[file]))
            else:
                _map_volume(at, data)

    def _of_this_machine(self, settings: str) -> str:
        line = f"discovery.seed_hosts: [{self.me.cluster}-discovery]\n"
        assert settings.count(line) == 1
        return settings.replace(line, f"discovery.seed_hosts: {json.dumps(self._forced.seeds)}\n")

    def _lay_out(self) -> None:
        """What an image has."""
        engine = artifacts.engines_folder() / self._engine.label
        for part in ("modules", "plugins"):
            shutil.copytree(engine / part, self.home / part, copy_function=os.link)
        for part in ("logs", "tmp", "lib"):
            (self.home / part).mkdir()
        shutil.copy(ROOT / "nodes" / "log4j2.properties", self.home / "config" / "log4j2.properties")

    def _command(self) -> list[str]:
        engine = artifacts.engines_folder() / self._engine.label
        manifest = json.loads((engine / "manifest.json").read_text())
        java = artifacts.find_java(self._engine.java, self._engine.java_below) / "bin" / "java"
        home = self.home
        return [
            str(java), *self._environment["OPENSEARCH_JAVA_OPTS"].split(), "-XX:+ExitOnOutOfMemoryError",
            "-Dfile.encoding=UTF-8",
            "-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true", "-Dlog4j2.formatMsgNoLookups=true",
            "-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true", f"-Djava.io.tmpdir={home / 'tmp'}",
            *manifest["jvm"].split(), f"-Dopensearch.path.home={home}", f"-Dopensearch.path.conf={home / 'config'}",
            "-Dopensearch.distribution.type=tar", "-Dopensearch.bundled_jdk=true",
            "-cp", f"{engine / 'lib'}/*", manifest["main_class"],
        ]  # fmt: skip


def _map_volume(at: Path, data: Mapping[str, str]) -> None:
    """Files as kubelet lays them: links to a folder that it replaces by one rename."""
    held = at / "..2026_11_27"
    held.mkdir(parents=True)
    (at / "..data").symlink_to(held.name)
    for name, text in data.items():
        (held / name).write_text(text)
        (at / name).symlink_to(f"..data/{name}")
