"""The local stack for benchmarks that need one: brought up once, in a folder of its own, and ended with the process."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from vagus_local import stack
from vagus_local.emulator_process import ROOT
from vagus_local.scene import Scene

RESTARTS = "rolling_upgrade: {mode: act, batch: 2}\n"
"""What the demo's own fleet file has not."""


@cache
def demo() -> Scene:
    """The demo's cluster of six nodes, green; its nodes may be restarted, two of a zone's data nodes at once."""
    folder = Path(tempfile.mkdtemp(prefix="vagus-bench-"))
    atexit.register(stack.down, folder, lambda _: None)
    fleet = Path(shutil.copytree(ROOT / "fleet", folder / "fleet"))
    with (fleet / "demo.yaml").open("a") as file:
        file.write(RESTARTS)
    return Scene(stack.up(fleet=fleet, folder=folder), "demo")
