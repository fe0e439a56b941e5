"""Reads `fleet/*.yaml`: for the command line, the synth and the local stack. Functions get the same as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from vagus.errors import Malformed
from vagus.fleet import ClusterSpec
from vagus_cli import fleet_rules, fleet_shape, fleet_together, yaml_lines
from vagus_cli.fleet_shape import Fault
from vagus_cli.yaml_lines import Document, Unreadable


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of a fleet file. `line` counts from 1 (0: none), `field` is a dotted path, `what` ends in a remedy."""

    file: str
    line: int
    field: str
    what: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field} {self.what}" if self.field else f"{place}: {self.what}"


class FleetFaulty(Malformed):
    """Fleet files that can't be used; `problems` has every fault found in any of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load(folder: Path) -> dict[str, ClusterSpec]:
    """The clusters declared in a folder's `*.yaml`, by name. Raises `FleetFaulty` with every fault."""
    fleet, problems = read(folder)
    if problems:
        raise FleetFaulty(problems)
    return fleet


def read(folder: Path) -> tuple[dict[str, ClusterSpec], tuple[Problem, ...]]:
    """The clusters that are well declared, and every fault of the others."""
    if not folder.is_dir():
        return {}, (Problem(file=str(folder), line=0, field="", what="is not a folder: name the one with the fleet"),)
    fleet: dict[str, ClusterSpec] = {}
    documents: dict[str, tuple[Path, Document]] = {}
    problems: list[Problem] = list(_misnamed(folder))
    for file in sorted(folder.glob("*.yaml")):
        spec, document, found = _one(file)
        problems += found
        if spec is not None and document is not None and not found:
            fleet[spec.name] = spec
            documents[spec.name] = (file, document)
    for rule in fleet_together.RULES:
        problems += [_problem(*documents[cluster], fault) for cluster, fault in rule(fleet)]
    return fleet, tuple(problems)


def schema() -> bytes:
    """JSON Schema of a fleet file, for editors; the text of `fleet/schema.json`."""
    (made,), components = msgspec.json.schema_components([ClusterSpec], ref_template="#/$defs/{name}")
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Vagus fleet file: one search cluster",
        **made,
        "$defs": components,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False).encode() + b"\n"


def layer_document(fleet: dict[str, ClusterSpec]) -> bytes:
    """The fleet as functions read it (`vagus_fleet/clusters.json`), the same bytes for the same fleet."""
    return msgspec.json.encode(dict(sorted(fleet.items())), order="deterministic")


def _one(file: Path) -> tuple[ClusterSpec | None, Document | None, list[Problem]]:
    try:
        document = yaml_lines.parse(file.read_text())
    except Unreadable as error:
        return None, None, [Problem(file=str(file), line=error.line, field="", what=error.what)]
    except UnicodeDecodeError:
        return None, None, [Problem(file=str(file), line=0, field="", what="is not UTF-8 text: save it as UTF-8")]
    except OSError as error:
        what = f"can't be read ({error.strerror}): make it a file that you may read, or take it away"
        return None, None, [Problem(file=str(file), line=0, field="", what=what)]
    shape = list(fleet_shape.faults(document.value, ClusterSpec))
    if shape:
        return None, document, [_problem(file, document, fault) for fault in shape]
    spec = msgspec.convert(document.value, ClusterSpec)
    found = [*_other_name(file, spec), *fleet_rules.faults(spec)]
    return spec, document, [_problem(file, document, fault) for fault in found]


def _other_name(file: Path, spec: ClusterSpec) -> Iterator[Fault]:
    if spec.name != file.stem:
        yield ("name",), f"is {spec.name}, but the file is {file.name}: rename one, so that each cluster is found"


def _misnamed(folder: Path) -> Iterator[Problem]:
    """A cluster must not go missing because of its file's ending."""
    for file in sorted(folder.glob("*.yml")):
        yield Problem(file=str(file), line=0, field="", what="would not be read: rename it to end in .yaml")


def _problem(file: Path, document: Document, fault: Fault) -> Problem:
    path, what = fault
    return Problem(file=str(file), line=document.line(path), field=_dotted(path), what=what)


def _dotted(path: tuple[Any, ...]) -> str:
    """`groups.data.roles[1]`, as people write it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
