"""The look before shards are moved, 1,000 nodes and 100,000 shards, against the 512 MB of the function that decides."""

import json
import subprocess
import sys
import tempfile

import msgspec

from benchmarks.figure import Figure, against

FUNCTION_MB = 512.0
"""Memory of a deciding function; an import of boto3 and one client are part of it."""


def figures() -> list[Figure]:
    """Memory, which has a bar, and CPU seconds for the record."""
    with tempfile.TemporaryDirectory() as folder:
        _run(f"write:{folder}")
        told = json.loads(_run(folder))
    memory = against("planning look: most memory of the process", told["peak"], FUNCTION_MB, "MB", 0.6)
    seconds = against("planning look: decode and plan", told["seconds"], 60.0, "s CPU against the time-out", 1.0)
    return [memory, msgspec.structs.replace(seconds, bar="none", holds=True)]


def _run(what: str) -> str:
    command = [sys.executable, "-m", "benchmarks._planning_look", what]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
