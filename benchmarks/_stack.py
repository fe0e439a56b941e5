"""The local stack for benchmarks that need one: brought up once, in a folder of its own, and ended with the process."""

import atexit
import tempfile
from functools import cache
from pathlib import Path

from vagus_local import stack
from vagus_local.scene import Scene


@cache
def demo() -> Scene:
    """The demo's cluster of six nodes, green."""
    folder = Path(tempfile.mkdtemp(prefix="vagus-bench-"))
    atexit.register(stack.down, folder, lambda _: None)
    return Scene(stack.up(folder=folder), "demo")
