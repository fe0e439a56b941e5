"""The pages that say what code says: each is held against the code, so that it can't grow stale."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main

from vagus.fleet import ClusterSpec
from vagus.reasons import Reason
from vagus_cli import fleet_rules, reasons_page
from vagus_cli.main import app
from vagus_cli.ways_out import WAYS_OUT

DOCS = Path(__file__).parents[3] / "docs"
FLEET = (DOCS / "fleet.md").read_text()
CLI = (DOCS / "cli.md").read_text()

Field = tuple[str, bool, str]
"""Path, whether it has to be given, default as the page writes it."""


def _fields(
    schema: dict[str, Any], shape: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every plain field below a schema, with its own schema and whether it has to be given."""
    shape = schema["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
    for name, inner in shape["properties"].items():
        below, required = f"{path}{name}", name in shape.get("required", ())
        item = inner.get("additionalProperties", {})
        maybe = next((one for one in inner.get("anyOf", ()) if "$ref" in one), None)
        if "$ref" in inner:
            yield from _fields(schema, inner, f"{below}.")
        elif maybe:
            yield below, inner, required
            yield from _fields(schema, maybe, f"{below}.")
        elif "$ref" in item:
            yield below, inner, required
            yield from _fields(schema, item, f"{below}.<name>.")
        elif "$ref" in (each := inner.get("items", {})):
            yield below, inner, required
            yield from _fields(schema, each, f"{below}.")
        else:
            yield below, inner, required


def _documented() -> dict[str, tuple[str, str]]:
    """Path to type and default, as the page's table has them."""
    rows = re.findall(r"^\| `([a-z_.<>]+)` \| (.*?) \| (.*?) ?\| .* \|$", FLEET, re.MULTILINE)
    return {path: (kind, default) for path, kind, default in rows}


def _typed() -> dict[str, tuple[dict[str, Any], bool]]:
    schema = msgspec.json.schema(ClusterSpec)
    return {path: (own, required) for path, own, required in _fields(schema, schema)}


def test_the_page_has_every_field_of_a_fleet_file_and_no_other() -> None:
    assert list(_documented()) == list(_typed())


@pytest.mark.parametrize("path", _typed())
def test_defaults_and_bounds_are_as_the_page_says(path: str) -> None:
    own, required = _typed()[path]
    kind, default = _documented()[path]
    wanted = "" if required else f"`{_as_yaml(own['default'])}`" if own["default"] not in ((), {}, "", None) else "none"
    assert default == wanted
    for bound in ("minimum", "maximum", "minItems", "maxItems"):
        assert bound not in own or f"{own[bound]:.15g}" in re.findall(r"\d+(?:\.\d+)?", kind), bound
    choices = own.get("enum") or own.get("items", {}).get("enum", ())
    assert re.findall(r"`(\w+)`", kind) == list(choices) or kind.count("`") == 0 == len(choices)


def _as_yaml(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def test_every_rule_stands_on_the_page() -> None:
    documented = set(re.findall(r"`(\w+)`", FLEET[FLEET.index("## What is checked") : FLEET.index("Two clusters")]))
    assert documented == {rule.__name__ for rule in fleet_rules.EVERY}


def test_the_page_of_reasons_is_fresh() -> None:
    fresh = reasons_page.page()
    assert (DOCS / "reasons.md").read_text() == fresh, "python -m vagus_cli.reasons_page > docs/reasons.md"


def test_every_reason_is_documented_once() -> None:
    assert [one.reason for one in reasons_page.documented()] == list(Reason)


def test_whoever_is_called_is_told_what_to_do() -> None:
    blocked = [one.reason for one in reasons_page.documented() if one.group.startswith("blocked")]
    assert len(blocked) > 5
    assert set(blocked) - set(WAYS_OUT) <= {Reason.HANDED_OVER}


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Every command with its options."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, list[str]]]:
        if hasattr(command, "commands"):
            for below, inner in command.commands.items():
                yield from walk(inner, f"{name} {below}")
        else:
            yield name, [option for one in command.params for option in one.opts if option.startswith("--")]

    return walk(typer.main.get_command(app), "vagus")


@pytest.mark.parametrize(("name", "options"), list(_commands()), ids=lambda one: one if isinstance(one, str) else "")
def test_every_command_and_option_stands_on_the_page(name: str, options: list[str]) -> None:
    section = next(part for part in CLI.split("\n### ") if f"`{name}" in part.partition("\n")[0])
    for option in options:
        assert f"`{option}`" in section, option


def test_what_the_index_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / "README.md").read_text())
    assert "fleet.md" in links
    assert [link for link in links if not (DOCS / link).exists()] == []
