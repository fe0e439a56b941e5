"""rolling_upgrade: look and decide; do one step."""

from typing import Any

from vagus import runtime


def decide_handler(event: dict[str, Any], _context: object) -> Any:
    """A call in, an answer with a plan out."""
    return runtime.look("rolling_upgrade", event)


def apply_handler(event: dict[str, Any], _context: object) -> Any:
    """A call and its step in, the outcome out."""
    return runtime.act("rolling_upgrade", event)
