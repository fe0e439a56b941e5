"""YAML with the line of every value: plain data, nothing that can build an object, and no key twice."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

Path = tuple[str | int, ...]


class Unreadable(Exception):
    """Not YAML, or YAML that means less than it seems to. `line` counts from 1; 0 where there is none."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line
        self.what = what


class _Loader(yaml.SafeLoader):
    """Only true and false are truth values: `mode: on` is the word, as in YAML 1.2."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


class Document(msgspec.Struct, frozen=True):
    """A parsed file: its value, and the line (from 1) on which the value at each path begins."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of the nearest thing around it that exists."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Document:
    """One YAML document. Raises `Unreadable`: a syntax error, a tag, or a key given twice."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise Unreadable(0, "the file is empty")
        lines = dict(_lines(node, ()))
        return Document(loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 0, f"not valid YAML: {error.problem or error.context}") from error
    except RecursionError as error:
        raise Unreadable(1, "is nested too deeply, or an alias holds itself: write it out flat") from error
    except yaml.YAMLError as error:
        raise Unreadable(0, f"not valid YAML: {error}") from error
    finally:
        loader.dispose()


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _lines(item, (*path, number))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise Unreadable(key.start_mark.line + 1, f"{name} is given twice: YAML would silently keep the last")
            seen.add(name)
            yield from _lines(value, (*path, name))
