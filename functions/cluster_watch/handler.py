"""Watches every cluster once a minute."""

from typing import Any

from vagus import runtime


def lambda_handler(_event: dict[str, Any], _context: object) -> Any:
    """Answers with how many events it told."""
    return runtime.watch()
