"""What nodes of a local cluster are told, without an AWS: documents and parameters, as the ports have them."""

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import yaml

from vagus import callers
from vagus.aws.commands import outcome
from vagus.callers import Callers
from vagus.command import Command
from vagus_local.cluster import LocalCluster

DOCUMENTS = Path(__file__).parents[2] / "nodes" / "documents"
AWS_KEEPS, TOLD = 2500, 500


class Documents:
    """`ports.NodeCommands`: the documents' own shell, run on the node as its agent would; its output is cut as
    AWS cuts it."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster
        self._sent: list[Command] = []
        self._pool = ThreadPoolExecutor(4)
        self._heard: dict[str, Callers] = {}

    def callers(self, since: float) -> dict[str, Callers]:
        return {instance: one for instance, one in self._heard.items() if one.at >= since}

    def send(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        said = yaml.safe_load((DOCUMENTS / f"{document}.yaml").read_text())
        values = {"StepId": step, **parameters}
        lines = re.sub(
            r"{{(\w+)}}", lambda one: values[one[1]], "\n".join(said["mainSteps"][0]["inputs"]["runCommand"])
        )
        at = len(self._sent)
        self._sent.append(Command(step=step, document=document, instance=instance, sent=time.time(), outcome="pending"))
        self._pool.submit(self._run, at, lines)

    def sent(self, instance: str, since: float) -> tuple[Command, ...]:
        return tuple(one for one in self._sent if one.instance == instance and one.sent >= since)

    def all(self) -> list[Command]:
        """Everything that was sent, in order."""
        return list(self._sent)

    def _run(self, at: int, lines: str) -> None:
        done = self._cluster.shell(self._cluster.nodes[self._sent[at].instance], lines)
        status = "Failed" if done.returncode else "Success"
        kept = (done.stdout + done.stderr)[:AWS_KEEPS]
        if heard := callers.told(kept, self._sent[at].sent):
            self._heard[self._sent[at].instance] = heard
        said = kept.strip()[-TOLD:]
        self._sent[at] = msgspec.structs.replace(self._sent[at], outcome=outcome(status, done.stdout), said=said)

    def close(self) -> None:
        self._pool.shutdown()


class NodeParameters:
    """`ports.Parameters`: what nodes are told when they boot or run a document."""

    def __init__(self, cluster: LocalCluster) -> None:
        self._cluster = cluster

    def put(self, name: str, value: str) -> None:
        self._cluster.put_parameter(name.rpartition("/")[2], value)
