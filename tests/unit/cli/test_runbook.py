"""The runbook has a section for everything that can call a person, and none for what can't."""

import ast
import re
from pathlib import Path

import pytest

from vagus.figures import FIGURES
from vagus.reasons import Reason
from vagus_cli import reasons_page
from vagus_cli.ways_out import WAYS_OUT

DOCS = Path(__file__).parents[3] / "docs"
LAYER = Path(__file__).parents[3] / "layers/core/python/vagus"
RUNBOOK = (DOCS / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0].strip(): part.partition("\n# ")[0] for part in RUNBOOK.split("\n## ")[1:]}
LABELS = ("Means", "Safe meanwhile", "Look", "Do", "Sleep again when")
NOBODY = {Reason.HANDED_OVER}
"""A run that goes on under another name."""


def waiting_with_a_page() -> set[Reason]:
    """The reasons of every `Wait` in the code that has a page, or may have one."""
    found: set[Reason] = set()
    for file in LAYER.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Wait":
                said = {one.arg: ast.unparse(one.value) for one in call.keywords}
                if said.get("page", "False") != "False":
                    named = re.findall(r"Reason\.([A-Z_]+)", said["reason"])
                    found |= {Reason[name] for name in named}
    return found


def paging() -> set[str]:
    """Every reason that blocks, or waits with a page, and every other one that a person can do something about."""
    blocked = {one.reason for one in reasons_page.documented() if one.group.startswith("blocked")}
    return {str(reason) for reason in (blocked | waiting_with_a_page() | set(WAYS_OUT)) - NOBODY}


def test_what_waits_with_a_page_is_found() -> None:
    assert {Reason.STALLED, Reason.VOTE_LEAVING} <= waiting_with_a_page()


def test_every_reason_that_pages_has_its_section() -> None:
    assert paging() - set(SECTIONS) == set()


def test_every_section_in_capitals_is_a_reason_that_pages() -> None:
    assert {name for name in SECTIONS if name.isupper()} - paging() == set()


def test_every_watched_figure_has_its_section() -> None:
    pages = {figure.watch.page for figure in FIGURES if figure.watch}
    assert pages - set(SECTIONS) == set()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_all_that_somebody_at_night_needs(name: str) -> None:
    section = SECTIONS[name]
    assert [label for label in LABELS if f"\n- **{label}** " not in section] == []
    look = section[section.index("**Look**") : section.index("**Do**")]
    assert "`" in look or "](#" in look or "message" in look or "log" in look, "where to look is not said"


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", RUNBOOK)
    assert links
    for file, anchor in links:
        assert not file or (DOCS / file).exists(), file
        if anchor and not file:
            assert anchor in {name.lower() for name in SECTIONS}, anchor


def test_every_command_of_vagus_that_it_names_exists() -> None:
    named = set(re.findall(r"`?vagus ([a-z]+)", RUNBOOK)) - {"status"}
    cli = (DOCS / "cli.md").read_text()
    assert [name for name in named if f"### `vagus {name}" not in cli and f", `vagus {name}" not in cli] == []
