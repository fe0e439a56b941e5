"""Synthesized templates, as tests read them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Resource:
    """One resource of one template."""

    stack: str
    id: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["Type"])

    @property
    def properties(self) -> Properties:
        found: Properties = self.body.get("Properties", {})
        return found

    @property
    def path(self) -> str:
        """Where the construct is, such as `vagus-prod/Intake/Queue/Resource`."""
        return str(self.body.get("Metadata", {}).get("aws:cdk:path", ""))


@dataclass(frozen=True)
class Templates:
    """Every template of one synth, by stack name; `folder` is the assembly."""

    folder: Path
    stacks: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Templates":
        files = sorted(folder.glob("*.template.json"))
        return cls(folder, {file.name.removesuffix(".template.json"): json.loads(file.read_text()) for file in files})

    def resources(self, wanted: str | None = None) -> list[Resource]:
        """All, or those of a type without its `AWS::`."""
        found = (
            Resource(stack, identity, body)
            for stack, template in self.stacks.items()
            for identity, body in template["Resources"].items()
        )
        return [one for one in found if wanted is None or one.type == f"AWS::{wanted}"]

    def at(self, path: str) -> Resource:
        """The one resource of a construct path."""
        (found,) = (one for one in self.resources() if one.path == path)
        return found

    def function(self, name: str) -> Resource:
        (found,) = (one for one in self.resources("Lambda::Function") if one.properties["FunctionName"] == name)
        return found

    def role_of(self, function: str) -> Resource:
        """The role of a function."""
        role = self.function(function).properties["Role"]["Fn::GetAtt"][0]
        (found,) = (one for one in self.resources("IAM::Role") if one.id == role)
        return found

    def statements_of(self, function: str) -> list[dict[str, Any]]:
        """All that the role of a function is allowed and denied, also by policies that are attached to it."""
        role = self.role_of(function)
        attached = [
            one
            for kind in ("IAM::Policy", "IAM::ManagedPolicy")
            for one in self.resources(kind)
            if {"Ref": role.id} in one.properties.get("Roles", [])
        ]
        assert not role.properties.get("ManagedPolicyArns"), "a managed policy that no step derived"
        documents = [one["PolicyDocument"] for one in role.properties.get("Policies", [])]
        documents += [one.properties["PolicyDocument"] for one in attached]
        return [statement for document in documents for statement in document["Statement"]]


def listed(value: Any) -> list[Any]:
    """CloudFormation writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def walk(value: Any) -> Iterator[Any]:
    """Every value inside a value."""
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from walk(child)


def text(value: Any) -> str:
    """A value with its CloudFormation functions, as one text: for tests that look for a name in an ARN."""
    if isinstance(value, dict) and "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(text(part) for part in value["Fn::Join"][1])
    if isinstance(value, dict) and "Ref" in value:
        return "${" + str(value["Ref"]) + "}"
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return "${" + ".".join(value["Fn::GetAtt"]) + "}"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
