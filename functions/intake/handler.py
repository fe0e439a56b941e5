"""Takes a batch of events from the queue."""

from typing import Any

from vagus import runtime


def lambda_handler(event: dict[str, Any], _context: object) -> Any:
    """Answers with the messages that failed."""
    return runtime.take(event)
