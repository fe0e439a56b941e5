"""An instance whose boot is tried without a search process."""

import json
import os
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vagus_local.node import BOOT, PACKAGE

INSTANCE, ADDRESS = "i-0123456789abcdef0", "127.90.1.10"


@dataclass
class Bench:
    """Facts, parameters and a tiny engine for one boot; a test changes what it is about and calls `prepare`."""

    folder: Path
    zone: str = "a"
    tags: dict[str, str] = field(
        default_factory=lambda: {"vagus:cluster": "one", "vagus:roles": "data,cluster_manager"}
    )
    parameters: dict[str, str] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    script: Path = BOOT
    facts_by_environment: bool = True  # as the hypervisor gives them; on AWS the metadata service does

    @property
    def home(self) -> Path:
        return self.folder / "instances" / INSTANCE

    @property
    def owner(self) -> Path:
        """The folder of the cluster's authority, and of its clients' certificates."""
        return self.folder / "certificates" / "one"

    @property
    def engine(self) -> Path:
        return self.folder / "engines" / "opensearch-3.4.0"

    @property
    def config(self) -> Path:
        return self.home / "search" / "config"

    def settings(self) -> dict[str, Any]:
        """opensearch.yml as the engine reads it: a flow mapping, here plain JSON."""
        loaded: dict[str, Any] = json.loads((self.config / "opensearch.yml").read_text())
        return loaded

    def replace(self, name: str, text: str) -> None:
        """Puts another executable before the stand-ins."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def prepare(self) -> subprocess.CompletedProcess[str]:
        return self.boot("prepare")

    def boot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "tags.json").write_text(json.dumps(self.tags))
        (self.folder / "aws.json").write_text(json.dumps(self.aws()))
        command = ["/bin/bash", str(self.script), *arguments]
        environment = os.environ | self._environment() | self.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def aws(self) -> dict[str, Any]:
        parameters = {f"/vagus/one/node/{k}": v for k, v in self.parameters.items()}
        return {"instances": self.instances, "parameters": parameters, "bucket": str(self.folder / "buckets")}

    def _environment(self) -> dict[str, str]:
        stand_ins = f"{PACKAGE / 'node_bin'}:" if self.facts_by_environment else ""
        facts = {"INSTANCE_ID": INSTANCE, "AVAILABILITY_ZONE": self.zone, "PRIVATE_IP": ADDRESS}
        return (facts | {"AWS_REGION": "us-east-1"} if self.facts_by_environment else {}) | {
            "INSTANCE_HOME": str(self.home),
            "VAGUS_FAKE_AWS": str(self.folder / "aws.json"),
            "VAGUS_ENGINES": str(self.folder / "engines"),
            "VAGUS_JAVA_HOME": str(self.folder / "jdk"),
            "PATH": f"{self.folder / 'bin'}:{stand_ins}{os.environ['PATH']}",
        }


def described(identity: str, address: str, role: str, state: str = "running", cluster: str = "one") -> dict[str, Any]:
    """An instance as EC2 describes it."""
    tags = [{"Key": "vagus:cluster", "Value": cluster}, {"Key": "vagus:roles", "Value": role}]
    return {"InstanceId": identity, "PrivateIpAddress": address, "State": {"Name": state}, "Tags": tags}
