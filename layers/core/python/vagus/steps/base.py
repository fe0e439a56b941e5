"""The shape of a step: what is derived from its class, and what each says of itself."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

Resource = Literal[
    "authority_key",
    "client_secret",
    "gateway_certificate",
    "group",
    "instance",
    "node_command",
    "node_parameters",
    "node_trust",
    "node_version",
    "private_ca",
    "private_server_ca",
    "site_bundle",
    "site_commands",
    "state_machine",
    "topic",
]


class Grant(msgspec.Struct, frozen=True):
    """One permission on AWS. `resource` is resolved to ARNs and tag conditions by the construct that makes the role."""

    action: str
    resource: Resource


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=True):
    """One act. Subclasses are frozen data; `sentence` says to a person what will be done."""

    title: ClassVar[str]
    aws: ClassVar[tuple[Grant, ...]] = ()
    search: ClassVar[tuple[str, ...]] = ()
    protective: ClassVar[bool] = False
    in_every_mode: ClassVar[bool] = False
    of_the_frame: ClassVar[bool] = False
    outside: ClassVar[bool] = False
    """Done by a function outside the VPC: what it calls has no endpoint in there."""

    @property
    def sentence(self) -> str:
        """What this step does, for a person."""
        return self.title

    @property
    def subject(self) -> str:
        """What it is done to: the node, instance or cluster that a record names."""
        return ""

    @property
    def scope(self) -> tuple[str, ...]:
        """What an approval of this step has to name: each node, instance or group that it touches."""
        return tuple(self.subject.split(",")) if self.subject else ()

    @property
    def asked_about(self) -> tuple[str, ...]:
        """What makes two questions for approval of this kind the same: a person is asked once."""
        return self.scope

    @property
    def always_asked(self) -> bool:
        """Whether a person has to approve it in mode `act` too."""
        return False

    @property
    def version(self) -> str:
        """The version that it leads to, where there is one: an approval of one version is none of another."""
        return ""

    @property
    def moves(self) -> Mapping[str, int]:
        """The bytes that it moves, by what it is done to (`scope`): an approval is of no more than these."""
        return {}


class OfNodes(Step, frozen=True, kw_only=True):
    """A step on one or more nodes, by name."""

    nodes: tuple[str, ...]

    @property
    def subject(self) -> str:
        return ",".join(self.nodes)


def kind(step: Step | type[Step]) -> str:
    """The name under which a step is encoded, routed and recorded."""
    return (step if isinstance(step, type) else type(step)).__name__
