"""certificates: look and decide; do one step; answer a node's request."""

from typing import Any

from vagus import runtime


def decide_handler(event: dict[str, Any], _context: object) -> Any:
    """A call in, an answer with a plan out."""
    return runtime.look("certificates", event)


def apply_handler(event: dict[str, Any], _context: object) -> Any:
    """A call and its step in, the outcome out."""
    return runtime.act("certificates", event)


def issue_handler(event: dict[str, Any], _context: object) -> Any:
    """A node's request in, what was answered out."""
    return runtime.issue(event)
