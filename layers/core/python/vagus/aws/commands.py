"""Node commands as `ports.NodeCommands`: Run Command of Systems Manager, on the documents of the instance's cluster.

SendCommand has no token that would make it once: whoever dies after it sends it again. So each command carries the id
of its step, and a node does a step once (`nodes/documents`). The id is the command's comment as well, so that what
became of a step is found without having noted what AWS called it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, get_args

from vagus import callers
from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.callers import Callers
from vagus.command import DELIVERY_SECONDS, Command, Outcome
from vagus.errors import Refused

if TYPE_CHECKING:
    from types_boto3_ssm.type_defs import CommandInvocationTypeDef

COMMENT = 100
"""Characters of a comment, and so of a step's id."""
UNDER_WAY = ("Pending", "InProgress", "Delayed", "Cancelling")
SAID = 500
HEARD_SECONDS = 60.0
"""For so long a listing of callers is not made anew: a rotation may wait for people for days, and looks every 10 s."""


class RunCommand:
    """Commands on the instances of one cluster."""

    def __init__(self, clients: Clients, cluster: str) -> None:
        self._clients = clients
        self._cluster = cluster
        self._heard: tuple[float, float, Mapping[str, Callers]] = (-1.0, 0.0, {})

    def sent(self, instance: str, since: float) -> tuple[Command, ...]:
        """Commands of ours to an instance since then, oldest first."""
        found = self._invocations(since, instance=instance)
        return tuple(sorted((self._command(one) for one in found if one.get("Comment")), key=lambda one: one.sent))

    def callers(self, since: float) -> Mapping[str, Callers]:
        """By node, what the last of its documents that tells of callers told: a listing for each of these documents,
        whatever the nodes, once a minute. A person may have sent one."""
        of, at, heard = self._heard
        if of == since and monotonic() - at < HEARD_SECONDS:
            return heard
        found = [one for document in callers.TOLD_BY for one in self._invocations(since, document=document)]
        found.sort(key=lambda one: one["RequestedDateTime"])
        heard = {
            one["InstanceId"]: told
            for one in found
            if (told := callers.told(_output(one), one["RequestedDateTime"].timestamp()))
        }
        self._heard = (since, monotonic(), heard)
        return heard

    def send(self, document: str, instance: str, step: str, parameters: Mapping[str, str]) -> None:
        """Send it, and wait for nothing."""
        if len(step) > COMMENT:
            raise Refused(f"step {step}: a step's id has {COMMENT} characters at most")
        with translated("ssm"):
            self._clients.ssm.send_command(
                InstanceIds=[instance],
                DocumentName=f"{self._prefix}{document}",
                Comment=step,
                TimeoutSeconds=DELIVERY_SECONDS,
                Parameters={"StepId": [step], **{name: [value] for name, value in parameters.items()}},
            )

    def _invocations(self, since: float, *, instance: str = "", document: str = "") -> list[CommandInvocationTypeDef]:
        """Of the cluster's documents, sent since then (epoch seconds): to one instance, or of one document."""
        pages = self._clients.ssm.get_paginator("list_command_invocations")
        after = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted: dict[str, Any] = {"Details": True, "Filters": [{"key": "InvokedAfter", "value": after}]}
        if instance:
            wanted["InstanceId"] = instance
        if document:
            wanted["Filters"].append({"key": "DocumentName", "value": f"{self._prefix}{document}"})
        found = read("ssm", lambda: [one for page in pages.paginate(**wanted) for one in page["CommandInvocations"]])
        return [one for one in found if one["DocumentName"].startswith(self._prefix)]

    @property
    def _prefix(self) -> str:
        return f"vagus-{self._cluster}-"

    def _command(self, one: CommandInvocationTypeDef) -> Command:
        said = _output(one)
        return Command(
            step=one["Comment"],
            document=one["DocumentName"].removeprefix(self._prefix),
            instance=one["InstanceId"],
            sent=one["RequestedDateTime"].timestamp(),
            outcome=outcome(one["Status"], said),
            said=callers.without(said).strip()[-SAID:],
        )


def _output(one: CommandInvocationTypeDef) -> str:
    return "".join(plugin.get("Output", "") for plugin in one.get("CommandPlugins", []))


def outcome(status: str, said: str) -> Outcome:
    """What a command's status and output come to. A success that doesn't begin with a word of ours is a failure."""
    if status in UNDER_WAY:
        return "pending"
    word = said.replace(",", " ").split(maxsplit=1)[0] if said.strip() else ""
    known: Mapping[str, Outcome] = {one: one for one in get_args(Outcome) if one not in ("pending", "failed")}
    return known.get(word, "failed") if status == "Success" else "failed"
