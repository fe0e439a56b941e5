"""Holds a fleet file against its type and finds *every* fault of shape; msgspec alone would stop at the first."""

import re
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from vagus_cli.yaml_lines import Path

Fault = tuple[Path, str]
"""Where, and what is wrong with its remedy."""


def faults(value: Any, kind: Any, path: Path = ()) -> Iterator[Fault]:
    """Every way in which `value` is not a `kind` (a msgspec Struct, a mapping of them, or a plain field)."""
    kind = _meant_struct(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _of_struct(value, kind, path)
        return
    listed = _list_of_structs(kind)
    if listed is not None and isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        found = [fault for at, item in enumerate(value) for fault in faults(item, listed, (*path, at))]
        yield from found or _of_leaf(value, kind, path)
        return
    key_kind, item_kind = _mapping(kind)
    if item_kind is None or not isinstance(value, Mapping) or not value:
        yield from _of_leaf(value, kind, path)
        return
    wrong: list[Fault] = []
    for key, item in value.items():
        wrong += _of_leaf(key, key_kind, (*path, str(key)))
        wrong += faults(item, item_kind, (*path, str(key)))
    yield from wrong or _of_leaf(value, kind, path)


def _of_struct(value: Any, kind: type[msgspec.Struct], path: Path) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield path, f"must be a mapping with the fields {_listed(_names(kind))}" + _meant(value, kind)
        return
    for key in value:
        if key not in _names(kind):
            yield (*path, str(key)), _unknown(str(key), _names(kind))
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            yield from faults(value[field.encode_name], field.type, (*path, field.encode_name))
        elif field.required:
            yield (*path, field.encode_name), "is missing: add it" + _hint(field.type)


def _of_leaf(value: Any, kind: Any, path: Path) -> Iterator[Fault]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        yield (*path, *_inner(where)), _explained(what, value, kind)


def _meant(value: Any, kind: type[msgspec.Struct]) -> str:
    """A mode alone, where the mapping that holds it belongs. YAML reads `on` and `off` as true and false."""
    said = ("on" if value else "off") if isinstance(value, bool) else value
    modes = next((_choices(field.type) for field in msgspec.structs.fields(kind) if field.encode_name == "mode"), [])
    return f": say {{mode: {said}}}" if isinstance(said, str) and said in modes else ""


def _meant_struct(kind: Any) -> Any:
    """The struct of a field that may be left out: `null` in its place is not what anybody means."""
    structs = [one for one in get_args(kind) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return structs[0] if get_origin(kind) is types.UnionType and len(structs) == 1 else kind


def _mapping(kind: Any) -> tuple[Any, Any]:
    """The key and value types of a mapping, else `(None, None)`."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin = get_origin(bare)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = get_args(bare)
        return key, item
    return None, None


def _list_of_structs(kind: Any) -> type[msgspec.Struct] | None:
    """The type of a list's items, if these are structs."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    item = get_args(bare)[0] if get_origin(bare) is tuple else None
    return item if isinstance(item, type) and issubclass(item, msgspec.Struct) else None


def _names(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def _inner(where: str) -> Path:
    """`$[1]` in msgspec's words is item 1 below the value that was held against its type."""
    return tuple(int(number) for number in re.findall(r"\[(\d+)\]", where))


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1, cutoff=0.75)
    remedy = f"did you mean {near[0]}?" if near else f"remove it, or use one of {_listed(known)}"
    return f"is not a field: {remedy}"


def _explained(what: str, value: Any, kind: Any) -> str:
    """msgspec's words as a sentence, with what would be right."""
    if "got `array`" not in what and "Expected `array`" in what and isinstance(value, str | int | float):
        return f"must be a list: say [{value}]{_hint(kind)}"
    if "Expected `object` of length" in what:
        return f"is empty: give at least one{_hint(kind)}"
    if "Expected `object`" in what:
        return f"must be a mapping, not {value!r}{_hint(kind)}"
    choices = _choices(kind)
    if choices and not isinstance(value, list | dict):
        return f"{value!r} is none of the choices: say one of {_listed(choices)}"
    if "Expected `str`, got `float`" in what or "Expected `str`, got `int`" in what:
        return f'YAML reads {value} as a number: put it in quotes, "{value}"'
    said = what[0].lower() + what[1:]
    if what.startswith("Invalid enum value"):  # it names the value itself
        return f"{said}{_hint(kind)}"
    return f"{said}, not {value!r}{_hint(kind)}"


def _hint(kind: Any) -> str:
    described = [meta.description for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta) and meta.description]
    if described:
        return f" ({described[0]})"
    if choices := _choices(kind):
        return f" (one of {_listed(choices)})"
    return ""


def _choices(kind: Any) -> list[str]:
    """The words that a field, or each item of a list, may be."""
    if get_origin(kind) is Literal:
        return [str(one) for one in get_args(kind)]
    if get_origin(kind) in (Annotated, tuple, types.UnionType):
        return [one for inner in get_args(kind) for one in _choices(inner)]
    return []


def _listed(names: list[str]) -> str:
    return ", ".join(names)
