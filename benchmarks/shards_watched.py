"""Six real nodes, bytes evened by the real steps, then the engine watched for 60 s four times: at rest, after a
reroute, after indices were created, after they were deleted. The test's own assertions are the bar."""

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figure import Figure

TEST = "tests/integration/contracts/test_balancing.py"
WATCHED_SECONDS = 60


def figures() -> list[Figure]:
    """One figure: whether the engine moved none of the old shards, and how long all of it took."""
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", TEST],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "VAGUS_WATCHED_SECONDS": str(WATCHED_SECONDS)},
        check=False,
    )
    took = round(time.monotonic() - began, 1)
    return [
        Figure(
            name=f"shards watched 4 x {WATCHED_SECONDS} s: none of the old ones moved by the engine",
            ours=took,
            baseline=4.0 * WATCHED_SECONDS,
            ratio=round(took / (4 * WATCHED_SECONDS), 2),
            unit="s, and of them watched",
            bar="the test passes",
            holds=ended.returncode == 0,
        )
    ]
