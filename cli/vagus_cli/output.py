"""How commands speak: answers on stdout (for people, or as JSON), everything else on stderr."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console, RenderableType

WIDE = 500
"""Columns where no terminal says how many it has: in a pipe, a row stays a line."""


def people() -> Console:
    """Stdout, for a person. Made anew each time, so that it is the stdout of this moment. Never shortens a line."""
    return Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)


def aside(sentence: str) -> None:
    """Something beside the answer, such as which target is used: on stderr, so that JSON stays JSON."""
    Console(stderr=True, soft_wrap=True, highlight=False, style="dim").print(sentence, markup=False)


def fault(sentence: str) -> None:
    """Why the command failed."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"error: {sentence}", style="red", markup=False)


def answer[T](value: T, as_json: bool, shown: Callable[[T], RenderableType]) -> None:
    """The answer of a command: one JSON document, or what `shown` makes of it."""
    if as_json:
        sys.stdout.write(msgspec.json.format(encoded(value), indent=2).decode() + "\n")
    else:
        people().print(shown(value))


def anew(title: str, shown: RenderableType) -> None:
    """In place of what stood on the terminal; in a pipe, below it."""
    console = people()
    console.clear()
    console.print(title, style="dim", markup=False)
    console.print(shown)


def line(value: Any) -> None:
    """One JSON document on one line: for streams."""
    sys.stdout.write(encoded(value).decode() + "\n")
    sys.stdout.flush()


def encoded(value: Any) -> bytes:
    """As JSON, with keys always in the same order."""
    return msgspec.json.encode(value, order="sorted" if isinstance(value, dict) else None)
